"""Rows after a position, against a walk through the sorted list of all rows."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, models
from django.db.models import Avg, Count, F, QuerySet, Value, Window
from django.db.models.functions import Lower, Random, RowNumber
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reports import Report
from reports.rest_framework.keyset import Keyset
from tests.models import Figure, Region, Store
from tests.reports import FigureInstances, Figures, Keyless, Shops, StoreMonths

JANUARY = datetime.date(2026, 1, 1)


@pytest.fixture
def stores(db: None) -> None:
    """Three stores, one without a region."""
    Region.objects.bulk_create([Region(pk=1, name="south"), Region(pk=2, name="north")])
    Store.objects.bulk_create(
        Store(pk=i, name=f"s{i % 2}", region_id=region) for i, region in ((1, 1), (2, None), (3, 2))
    )


def statement(rows: Any, ordering: Any, values: Any, **options: Any) -> tuple[str, tuple[Any, ...]]:
    """Return WHERE and ORDER BY, without the table's name, and what is bound there."""
    found = Keyset.of(rows, ordering).after(rows, values, **options)
    sql, params = found.query.get_compiler(connection=connection).as_sql()
    return sql.partition(f'"{rows.model._meta.db_table}"')[2].partition(" WHERE ")[2].replace(
        f'"{rows.model._meta.db_table}".', ""
    ), tuple(params)


def walk(rows: Any, ordering: Sequence[Any], size: int, *, backwards: bool = False) -> list[Any]:
    """Return the keys of all rows, read page by page."""
    keyset, found, position = Keyset.of(rows, ordering), [], None
    while True:
        page = list(keyset.after(rows, position, backwards=backwards)[:size])
        found += [row["id"] if isinstance(row, dict) else row.pk for row in page]
        if len(page) < size:
            return found
        position = [keyset.take(row) for row in page][-1]


# The SQL, without a database.

SQL = [
    (["id"], ("3",), '"id" > %s ORDER BY "id" ASC', ("3",)),
    (["-id"], ("3",), '"id" < %s ORDER BY "id" DESC', ("3",)),
    (["pk", "label"], ("3",), '"id" > %s ORDER BY "id" ASC', ("3",)),
    (
        ["month"],
        ("2026-01-01", "3"),
        '("month", "id") > (%s, %s) ORDER BY "month" ASC, "id" ASC',
        ("2026-01-01", "3"),
    ),
    (
        ["-month", "-month"],
        ("2026-01-01", "3"),
        '("month", "id") < (%s, %s) ORDER BY "month" DESC, "id" DESC',
        ("2026-01-01", "3"),
    ),
    (
        ["month", "-revenue"],
        ("2026-01-01", "1", "3"),
        '("month" >= %s AND ("month" > %s OR ("revenue" <= %s AND ("revenue" < %s OR "id" < %s)))) '
        'ORDER BY "month" ASC, "revenue" DESC, "id" DESC',
        ("2026-01-01", "2026-01-01", "1", "1", "3"),
    ),
    (
        ["orders"],
        ("2", "3"),
        '("orders" > %s OR "orders" IS NULL OR ("orders" = %s AND "id" > %s)) '
        'ORDER BY "orders" ASC NULLS LAST, "id" ASC',
        ("2", "2", "3"),
    ),
    (
        ["orders"],
        (None, "3"),
        '("orders" IS NULL AND "id" > %s) ORDER BY "orders" ASC NULLS LAST, "id" ASC',
        ("3",),
    ),
    (
        ["-orders"],
        ("2", "3"),
        '("orders" <= %s AND ("orders" < %s OR "id" < %s)) ORDER BY "orders" DESC NULLS FIRST, "id" DESC',
        ("2", "2", "3"),
    ),
    (
        ["-orders"],
        (None, "3"),
        '("orders" IS NOT NULL OR ("orders" IS NULL AND "id" < %s)) ORDER BY "orders" DESC NULLS FIRST, "id" DESC',
        ("3",),
    ),
    (
        [F("orders").desc(nulls_last=True), "id"],
        (None, "3"),
        '("orders" IS NULL AND "id" > %s) ORDER BY "orders" DESC NULLS LAST, "id" ASC',
        ("3",),
    ),
    ([F("id").desc(nulls_last=True)], ("3",), '"id" < %s ORDER BY "id" DESC', ("3",)),
    ([F("pk").asc(nulls_first=True)], ("3",), '"id" > %s ORDER BY "id" ASC', ("3",)),
]


@pytest.mark.parametrize(("ordering", "values", "sql", "params"), SQL)
def test_condition_is_exactly_that(ordering: Any, values: Any, sql: str, params: Any) -> None:
    assert statement(Figures().run(), ordering, values) == (sql, params)
    assert statement(FigureInstances().run(), ordering, values) == (sql, params)


def test_condition_backwards_and_inclusive() -> None:
    rows = Figures().run()

    assert statement(rows, ["month"], ("2026-01-01", "3"), backwards=True, inclusive=True) == (
        '("month", "id") <= (%s, %s) ORDER BY "month" DESC, "id" DESC',
        ("2026-01-01", "3"),
    )
    assert statement(rows, ["orders"], (None, "3"), backwards=True, inclusive=True) == (
        '("orders" IS NOT NULL OR ("orders" IS NULL AND "id" <= %s)) ORDER BY "orders" DESC NULLS FIRST, "id" DESC',
        ("3",),
    )


def test_key_of_two_columns() -> None:
    expected = '("store_id", "month") > (%s, %s) ORDER BY "store_id" ASC, "month" ASC', ("1", "2026-01-01")
    for ordering in ([], ["pk"], ["store_id", "month"], ["store_id", "month", "revenue"], [F("pk").asc()]):
        assert statement(StoreMonths().run(), ordering, ("1", "2026-01-01")) == expected
    part = '("month", "store_id") < (%s, %s) ORDER BY "month" DESC, "store_id" DESC', ("2026-01-01", "1")
    assert statement(StoreMonths().run(), ["-month"], ("2026-01-01", "1")) == part


def test_ordering_of_the_rows_counts_where_none_is_given() -> None:
    def parts(rows: Any) -> list[str]:
        return [f"{'-' if part.descending else ''}{part.name}" for part in Keyset.of(rows).parts]

    assert parts(Figures().run()) == ["id"]
    assert parts(Figures().run().reverse()) == ["-id"]
    assert parts(Figures().run().order_by("-label").reverse()) == ["label", "id"]
    assert parts(FigureInstances().run().order_by()) == ["id"]
    assert parts(Figure.objects.all()) == ["id"]
    assert parts(Shops().run().order_by("shop")) == ["shop__id", "id"]


def test_relation_is_ordered_as_its_model_says() -> None:
    def parts(*ordering: str) -> list[tuple[str, bool]]:
        return [(part.name, part.nullable) for part in Keyset.of(Figures().run(), ordering).parts]

    assert parts("store") == [("store__id", True), ("id", False)]
    assert parts("store_id") == [("store_id", False), ("id", False)]
    assert parts("store__region") == [("store__region", True), ("id", False)]


@pytest.fixture
def row_models() -> Iterator[tuple[type[models.Model], type[models.Model]]]:
    """Give a model that is ordered by an expression, one that refers to it, and itself."""

    class Place(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "tests"
            managed = False
            ordering = [Lower("name").desc(nulls_last=True), F("id")]

    class Part(models.Model):
        place = models.ForeignKey(Place, models.DO_NOTHING, db_constraint=False, related_name="+")
        whole = models.ForeignKey("self", models.DO_NOTHING, db_constraint=False, related_name="+")

        class Meta:
            app_label = "tests"
            managed = False
            ordering = ["-place", "-whole"]

    yield Place, Part
    del apps.all_models["tests"]["place"], apps.all_models["tests"]["part"]
    apps.clear_cache()


def test_relation_is_ordered_by_its_models_expressions(row_models: Any) -> None:
    """Their direction stays, as in Django."""
    rows = row_models[1].objects.all()

    parts = Keyset.of(rows, ["-place"]).parts

    assert [(part.name, part.descending, part.nulls_first, part.nullable) for part in parts] == [
        ("Lower(place__name)", True, False, True),
        ("place__id", False, False, True),
        ("id", False, False, False),
    ]
    with pytest.raises(FieldError, match=r"'whole__whole' orders by tests\.Part\.whole, which is ordered by itself"):
        Keyset.of(rows, ["-whole"])


# The rows.

ORDERINGS = st.lists(
    st.one_of(
        st.sampled_from(
            ["orders", "-orders", "label", "-label", "revenue", "-revenue", "store__region", "-store__name"]
        ),
        st.builds(
            lambda name, down, first: (
                F(name).desc(nulls_first=first or None, nulls_last=not first or None)
                if down
                else F(name).asc(nulls_first=first or None, nulls_last=not first or None)
            ),
            st.sampled_from(["orders", "label", "seen_at", "store__region__name", "length"]),
            st.booleans(),
            st.booleans(),
        ),
    ),
    max_size=3,
)
FIGURES = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from([0, 1]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, "a", "b", "B", "ab"]),
        st.sampled_from([None, 0, 1]),
    ),
    max_size=14,
)


@pytest.mark.differential
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=FIGURES, ordering=ORDERINGS, size=st.integers(1, 5))
@example(data=[(1, 0, None, None, None)] * 7, ordering=["-orders", F("label").asc(nulls_first=True)], size=2)
def test_pages_are_the_sorted_list(stores: None, data: Any, ordering: Any, size: int) -> None:
    """PostgreSQL sorts it with the key in the direction of the last item; NULLs stand where it puts them."""
    Figure.objects.all().delete()
    moment = datetime.datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=datetime.UTC)
    Figure.objects.bulk_create(
        Figure(
            pk=i + 1, store_id=store, month=JANUARY, revenue=revenue, orders=orders, label=label,
            seen_at=None if seen is None else moment.replace(microsecond=seen),
        )
        for i, (store, revenue, orders, label, seen) in enumerate(data)
    )  # fmt: skip
    last = ordering[-1] if ordering else ""
    down = last.startswith("-") if isinstance(last, str) else last.descending
    for whole in (Figures().run(), FigureInstances().run()):
        rows = whole.annotate(length=Lower("label"))
        expected = list(rows.order_by(*ordering, "-id" if down else "id").values_list("id", flat=True))

        assert walk(rows, ordering, size) == expected
        assert walk(rows, ordering, size, backwards=True) == expected[::-1]


def test_condition_is_the_oracles(stores: None) -> None:
    """From each position of a mixed ordering, in both directions, with and without the row itself."""
    data = [(a, b) for a in (None, 1, 2) for b in (None, "a", "b") for _ in range(2)]
    random.Random(4).shuffle(data)
    Figure.objects.bulk_create(
        Figure(pk=i + 1, store_id=1, month=JANUARY, revenue=1, orders=a, label=b) for i, (a, b) in enumerate(data)
    )
    rows = Figures().run()
    keyset = Keyset.of(rows, [F("orders").asc(nulls_first=True), F("label").desc(nulls_last=True), "-id"])
    # NULL first: below all; NULL last of a falling order: below all, before it is turned.
    order = sorted(
        rows,
        key=lambda row: (row["orders"] or 0, -ord(row["label"] or "\0"), -row["id"]),
    )

    for i, row in enumerate(order):
        position = tuple(None if value is None else str(value) for value in (row["orders"], row["label"], row["id"]))
        for backwards, inclusive, expected in [
            (False, False, order[i + 1 :]),
            (False, True, order[i:]),
            (True, False, order[:i][::-1]),
            (True, True, order[: i + 1][::-1]),
        ]:
            found = list(keyset.after(rows, position, backwards=backwards, inclusive=inclusive))
            for taken in found:
                keyset.take(taken)
            assert found == expected


TYPES = {
    "bigint": ("-9223372036854775808", "-1", "0", "9223372036854775807"),
    "numeric": ("'NaN'", "1.10", "1.1000000000000000000000001", "'-Infinity'", "-0.5"),
    "double precision": ("'NaN'", "0.1", "0.30000000000000004", "'-Infinity'", "1e300"),
    "real": ("'NaN'", "0.1", "3.4e38", "1.0000001"),
    "boolean": ("true", "false"),
    "date": ("'2026-01-01'", "'infinity'", "'0044-03-15 BC'"),
    "timestamptz": ("'2026-01-01 00:00:00.000001Z'", "'2026-01-01 00:00:00.000002Z'", "'1870-01-01Z'"),
    "timestamp": ("'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"),
    "time": ("'00:00:00.000001'", "'24:00'"),
    "interval": ("'1 month'", "'30 days'", "'-1 second'", "'1.000001 second'"),
    "uuid": ("'00000000-0000-0000-0000-000000000001'", "'ffffffff-0000-0000-0000-000000000001'"),
    "text": ("''", "'a''b'", "'%'", "'é'", "E'\\\\'", "'NULL'", "E'\\n'"),
    "jsonb": ("'null'", "'{\"a\": [1, 2]}'", "'\"x\"'", "'1.50'"),
    "json": ("'null'", "'{\"a\": [1, 2]}'", "'1'"),
    "bytea": ("'\\x00ff'", "''"),
    "inet": ("'10.0.0.1/8'", "'10.0.0.1'", "'::1'"),
    "integer[]": ("'{1,NULL}'", "'{}'", "'{1,2}'"),
    "text[]": ("array['a,b', NULL, '\"']", "'{}'"),
    "daterange": ("'[2026-01-01,)'", "'empty'"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", TYPES)
def test_values_of_every_type_are_exact(kind: str, tmp_path: Path, settings: Any) -> None:
    """Each value twice, and NULL twice: page after page of one row, in both directions."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    items = ", ".join(f"({i}, ({value})::{kind})" for i, value in enumerate((*TYPES[kind], "NULL") * 2))
    header = f"-- column: id bigint pk\n-- column: x {kind} null\n"
    (tmp_path / "kinds.sql").write_text(f"{header}SELECT * FROM (VALUES {items}) AS v (id, x)\n")
    rows = type("Kinds", (Report,), {"__module__": "tests", "template": "kinds.sql"})().run().values("id")
    keys = list(rows.order_by("x", "id").values_list("id", flat=True))

    assert walk(rows, ["x"], 1) == keys
    assert walk(rows, ["x"], 1, backwards=True) == keys[::-1]


@pytest.fixture
def figures(stores: None) -> None:
    Figure.objects.bulk_create(
        Figure(pk=i + 1, store_id=i % 3 + 1, month=JANUARY, revenue=i % 4, orders=i % 2 or None) for i in range(9)
    )


def test_annotations_across_relations_and_aggregates(figures: None) -> None:
    """Averages are a numeric in PostgreSQL, with more digits than Django's float has."""
    rows = Figures().run()
    cases: list[tuple[Any, list[Any]]] = [
        (rows.annotate(n=Count("store__figures")), ["-n"]),
        (rows.annotate(mean=Avg("store__figures__revenue")), ["mean", "store__name"]),
        (rows.annotate(one=Value(1)), ["one"]),
        (rows.annotate(up=Lower("store__region__name")), [F("up").desc(nulls_last=True)]),
    ]
    for ordered, ordering in cases:
        keys = [row["id"] for row in Keyset.of(ordered, ordering).after(ordered, None)]

        assert walk(ordered, ordering, 2) == keys
        assert sorted(keys) == list(range(1, 10))


def test_window_functions_see_all_rows(figures: None) -> None:
    """Also where no window is in the ordering: the condition picks from their result."""
    rows = Figures().run().annotate(place=Window(RowNumber(), order_by="id"))
    for ordering in (["place"], ["revenue"], ["-id"]):
        keyset, position, found = Keyset.of(rows, ordering), None, {}
        while page := list(keyset.after(rows, position)[:4]):
            position = [keyset.take(row) for row in page][-1]
            found.update({row["id"]: row["place"] for row in page})

        assert found == {i: i for i in range(1, 10)}


def test_rows_are_left_as_they_were(figures: None) -> None:
    for rows in (Figures().run(), Figures().run().values("label"), Figures().run().annotate(n=F("id"))):
        keyset = Keyset.of(rows, ["store__name", "-orders"])
        page = list(keyset.after(rows, None))

        assert [keyset.take(row) for row in page][:2] == [("s0", None, "5"), ("s0", "1", "8")]
        assert {tuple(row) for row in page} == {tuple(row) for row in rows}


def test_instances_are_left_as_they_were(figures: None) -> None:
    rows = FigureInstances().run()
    keyset = Keyset.of(rows, ["-orders"])
    row = keyset.after(rows, None)[0]

    assert keyset.take(row) == (None, "9")
    assert set(vars(row)) == set(vars(rows[0]))


def test_index_is_used(figures: None) -> None:
    """On a table with enough rows: the bound of the condition is that of the index."""
    Figure.objects.bulk_create(Figure(pk=i, store_id=1, month=JANUARY, revenue=1) for i in range(10, 3000))
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX figure_months ON tests_figure (month, id)")
        cursor.execute("ANALYZE tests_figure")
    rows = Figure.objects.all()

    plan = Keyset.of(rows, ["month"]).after(rows, ("2026-01-01", "2000"))[:10].explain()
    mixed = Keyset.of(rows, ["-id"]).after(rows, ("2000",))[:10].explain()

    assert re.search(r"Index (Only )?Scan using figure_months .*\n.*Index Cond: \(ROW\(month, id\) > ROW\(", plan)
    assert re.search(r"Index Scan Backward using tests_figure_pkey .*\n.*Index Cond: \(id < ", mixed)


# What has no position.


def refused(rows: Any, *ordering: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        Keyset.of(rows, ordering)
    return str(caught.value)


def test_rows_without_a_key() -> None:
    assert refused(Keyless().run()) == (
        "tests.keyless has no key: declare one with 'column: NAME TYPE pk'. The position of a row ends with it."
    )


def test_rows_that_are_groups() -> None:
    problem = "rows of 'tests.figures' that values() groups or makes distinct have no key, so no position."
    assert refused(Figures().run().values("label").annotate(n=Count("id"))) == problem
    assert refused(Figures().run().values("label").distinct()) == problem


def test_ordering_that_fixes_no_position() -> None:
    random_order = "rows in random order have no position; order them by columns."
    assert refused(Figures().run(), "?") == random_order
    assert refused(Figures().run().order_by("?")) == random_order
    assert refused(Figures().run(), Random()) == random_order
    many = "{!r} goes to many rows, and a row then stands at many positions; order by a column of the row."
    assert refused(Figures().run(), "store__figures") == many.format("store__figures")
    assert refused(Figures().run(), F("store__tags__name").asc()) == many.format("store__tags__name")


def test_unknown_name_is_djangos_error() -> None:
    rows: QuerySet[Any, Any] = Figures().run()
    with pytest.raises(FieldError, match="Cannot resolve keyword 'colour' into field"):
        list(Keyset.of(rows, ["colour"]).after(rows, None))


def test_position_is_not_taken_out_of_tuples(figures: None) -> None:
    rows = Figures().run().values_list("id")
    keyset = Keyset.of(rows)

    with pytest.raises(TypeError, match="out of dicts and instances, not out of tuple"):
        keyset.take(keyset.after(rows, None)[0])


def test_fingerprint_is_of_the_ordering() -> None:
    orderings: list[Any] = [
        ["label"], ["-label"], ["orders"], ["label", "orders"], [F("label").asc(nulls_first=True)],
        [Lower("label")], [Lower("orders")], [F("label") + F("orders")],
    ]  # fmt: skip
    found = [Keyset.of(Figures().run(), ordering).fingerprint for ordering in orderings]

    assert len(set(found)) == len(orderings)
    assert found[0] == Keyset.of(Figures().run(), [F("label").asc()]).fingerprint


@pytest.mark.parametrize(
    ("values", "fits"), [(("a", "1"), True), ((None, "1"), True), (("a", None), False), (("a",), False), ((), False)]
)
def test_values_fit_an_ordering(values: Any, fits: bool) -> None:
    assert Keyset.of(Figures().run(), ["label"]).fits(values) is fits
