"""What stands in the CSV: the rows of the query, in psql's bytes. Formulas are in test_exports_formulas.py."""

from __future__ import annotations

import datetime
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, F, Sum, Value
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reports
from example_project.helpdesk.models import Department, Membership
from example_project.helpdesk.reports import DepartmentTickets
from reports import QueryError
from reports.exports import stream_csv, write_csv
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from tests.exporting import cells, exported, rows_of
from tests.models import Figure, Region, Store
from tests.reports import FigureInstances, Figures, RankedFigures

pytestmark = pytest.mark.django_db


@pytest.fixture
def figures() -> Rows:
    region = Region.objects.create(name="north")
    for number in (1, 2):
        Store.objects.create(pk=number, name=f"store {number}", region=region)
    for number, (store, label) in enumerate([(1, "b"), (2, None), (1, "a,b")], start=1):
        Figure.objects.create(
            pk=number, store_id=store, month=datetime.date(2026, number, 1), revenue=number * 10, orders=3 - number,
            label=label,
        )  # fmt: skip
    return Figures().run()


HEAD = b"id,store_id,month,revenue,orders,Its label,seen_at\n"
FIRST = b"1,1,2026-01-01,10.00,2,b,\n"
SECOND = b"2,2,2026-02-01,20.00,1,,\n"
THIRD = b'3,1,2026-03-01,30.00,0,"a,b",\n'


def test_csv_is_the_rows_under_their_labels(figures: Rows):
    assert exported(figures) == HEAD + FIRST + SECOND + THIRD


def test_header_of_names_and_none(figures: Rows):
    assert exported(figures, header="names") == HEAD.replace(b"Its label", b"label") + FIRST + SECOND + THIRD
    assert exported(figures, header=None) == FIRST + SECOND + THIRD


OPERATIONS: dict[str, Any] = {
    "filter": lambda rows: rows.filter(orders__gt=0),
    "filter_by_a_join": lambda rows: rows.filter(store__region__name="north"),
    "exclude": lambda rows: rows.exclude(label="b"),
    "order_by": lambda rows: rows.order_by("-revenue"),
    "slice": lambda rows: rows[1:3],
    "distinct_ordered_by_another": lambda rows: rows.values("store_id").distinct().order_by("month"),
    "annotate": lambda rows: rows.annotate(twice=F("revenue") * 2, word=Value("x%s")),
    "only": lambda rows: rows.only("month", "store"),
    "defer": lambda rows: rows.defer("label"),
    "values": lambda rows: rows.values("month", "label", "id"),
    "values_of_a_relation": lambda rows: rows.values("store__name", "store__region__name", "label"),
    "values_of_expressions": lambda rows: rows.values("label", "id", last=F("store__name")),
    "groups": lambda rows: rows.values("store").annotate(n=Count("id"), sum=Sum("revenue")).order_by("store"),
    "union": lambda rows: rows.filter(id=1).union(rows.filter(id=3)).order_by("id"),
    "union_of_values": lambda rows: rows.values("label", "id").union(rows.values("label", "id")).order_by("id"),
    "extra": lambda rows: rows.extra(select={"one": "1"}),
    "annotated_values": lambda rows: rows.annotate(x=F("id") + 1).values("x", "label"),
}


@pytest.mark.parametrize("is_safe", [True, False], ids=["safe", "raw"])
@pytest.mark.parametrize("change", OPERATIONS.values(), ids=OPERATIONS)
def test_csv_has_the_rows_that_are_iterated(figures: Rows, change: Any, is_safe: bool):
    """The names, the order of columns, the order of rows, the number of each."""
    rows = change(figures)
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]

    head, *found = cells(exported(rows, header="names", spreadsheet_safe=is_safe))

    assert head == list(expected[0])
    assert [dict(zip(head, row, strict=True)) for row in found] == expected


@pytest.mark.parametrize("flat", [True, False])
def test_csv_of_values_list(figures: Rows, flat: bool):
    assert exported(figures.values_list("label", flat=flat)) == b'Its label\nb\n""\n"a,b"\n'.replace(b'""', b"")


def test_csv_of_values_list_keeps_the_order_that_was_asked(figures: Rows):
    assert exported(figures.values_list("label", F("orders") + 1, "id")[:1]).splitlines()[1] == b"b,3,1"


def test_csv_of_instances(figures: Rows):
    """Related objects are no columns."""
    rows = FigureInstances().run().select_related("store__region").filter(pk=1)

    assert exported(rows) == HEAD.replace(b"Its label", b"label") + FIRST
    assert rows[0].store.region.name == "north"


def test_csv_of_joined_rows(figures: Rows):
    stores = reports.join(Store.objects.order_by("id"), FigureInstances().run({"least": 20}))
    summed = stores.annotate(revenue=Sum("figure_rows__revenue"))

    assert exported(summed) == b"id,name,region_id,revenue\n1,store 1,%d,30.00\n2,store 2,%d,20.00\n" % (
        (Region.objects.get().pk,) * 2
    )
    assert exported(stores.values("figure_rows__month", "name"))[:26] == b"figure_rows__month,name\n20"


def test_csv_of_a_joined_queryset_that_asks_no_report(figures: Rows):
    stores = reports.join(Store.objects.order_by("id"), FigureInstances().run())

    assert exported(stores.values("name")) == b"name\nstore 1\nstore 2\n"


def test_csv_of_rows_of_another_order(figures: Rows):
    assert [row[0] for row in cells(exported(RankedFigures().run()))] == ["id", "3", "2", "1"]


@pytest.mark.parametrize(
    "change", [lambda rows: rows.none(), lambda rows: rows.filter(id__in=[]), lambda rows: rows[:0]]
)
def test_empty_result_set_is_a_header_without_a_statement(figures: Rows, change: Any):
    with CaptureQueriesContext(connection) as queries:
        assert exported(change(figures)) == HEAD
        assert exported(change(figures), header=None) == b""
        assert write_csv(change(figures), io.BytesIO()) == 0
    assert len(queries) == 0


def test_no_rows_are_a_header():
    assert exported(Figures().run()) == HEAD
    assert exported(Figures().run(), header=None) == b""


def test_csv_has_what_the_user_may_see():
    """The querysets of get_context() stand in the copied statement too."""
    for number, region in enumerate(("north", "south"), start=1):
        Department.objects.create(pk=number, name=f"d{number}", region=region, created="2026-01-01")
    user = User.objects.create(username="one")
    Membership.objects.create(user=user, region="south")

    def names(user: User | None) -> list[str]:
        return [row[1] for row in cells(exported(DepartmentTickets(user=user).run()))[1:]]

    assert names(user) == ["d2"]
    assert names(None) == []
    assert sorted(names(User(is_staff=True))) == ["d1", "d2"]


# Headings.


def labelled(label: str, sql: str = "SELECT 1 AS id, 2 AS n") -> Rows:
    columns = [Column("id", "integer", pk=True), Column("n", "integer", label=label, unit="EUR")]
    model = build_row_model("tests.labelled", columns, ordering=(), file="labelled.sql")
    return Rows.of(TemplateSource("tests.labelled", Query(sql, ())), model)


@pytest.mark.parametrize(
    ("label", "heading"),
    [
        ("Net, EUR", '"Net, EUR"'),
        ('12" disks', '"12"" disks"'),
        ("Umsätze 💶", "Umsätze 💶"),
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("  -1", "'  -1"),
        ("two\nlines", '"two\nlines"'),
    ],
)
def test_label_is_a_heading(label: str, heading: str):
    assert exported(labelled(label)).decode() == f"id,{heading}\n1,2\n"


def test_label_is_as_it_is_in_raw_csv():
    assert exported(labelled("=n"), spreadsheet_safe=False) == b"id,=n\n1,2\n"


def test_label_is_of_the_column_and_not_of_what_is_made_of_it():
    rows = labelled("Net")

    assert exported(rows.annotate(x=F("n")).values("n", "x")) == b"Net,x\n2,2\n"
    assert exported(rows.values("n").annotate(n2=Sum("n"))) == b"Net,n2\n2,2\n"


def test_label_is_in_the_language_of_the_request():
    rows = labelled("x")
    rows.model._meta.get_field("n")._verbose_name = gettext_lazy("Yes")
    with translation.override("de"):
        stream = stream_csv(rows)

    assert b"".join(stream) == b"id,Ja\n1,2\n"


def test_heading_that_looks_like_the_end_of_data_is_quoted():
    columns = [Column("x", "text", pk=True, label=r"\.")]
    model = build_row_model("tests.dot", columns, ordering=(), file="dot.sql")
    rows = Rows.of(TemplateSource("tests.dot", Query(r"SELECT '\.'::text AS x", ())), model)

    assert exported(rows) == b'"\\."\n"\\."\n'


# The bytes.

HARD = r"""
SELECT * FROM (VALUES
    (1, '', NULL, E'\\x00ff'::bytea, ARRAY[1,NULL,3], '[1,5)'::int4range, 'NaN'::numeric, now() - now()),
    (2, '\.', 'a"b', NULL, '{}', 'empty', 'Infinity', '1 day -02:03'),
    (3, E'two\nlines', E'\r\n', '', '{NULL}', '(,)', -0.10, NULL),
    (4, 'a,b;c', E'\t tab', E'\\xdeadbeef', NULL, NULL, 1e-30, '-1 year'),
    (5, ' ', '"', NULL, NULL, NULL, 12345678901234567890.5, NULL),
    (6, 'é💶中', '''=1', NULL, NULL, NULL, NULL, NULL)
) AS t (id, text, other, raw, numbers, range, number, took),
LATERAL (SELECT '2026-03-08 02:30+00'::timestamptz + id * interval '1 hour' AS at, mod(id, 2) = 0 AS even,
         jsonb_build_object('a', text) AS document, 0.1::float4 + id AS real, (id, text) AS pair) AS more
ORDER BY id
"""
COLUMNS: dict[str, Any] = {
    "id": "integer", "text": "text", "other": "text", "raw": "bytea", "numbers": "integer[]", "range": "int4range",
    "number": "numeric", "took": "interval", "at": "timestamptz", "even": "boolean", "document": "jsonb",
    "real": "real",
}  # fmt: skip


def by_driver(sql: str) -> bytes:
    r"""Return what psql's \copy gets from the server."""
    assert connection.connection is not None
    with connection.connection.cursor() as cursor, cursor.copy(sql) as copy:
        return b"".join(copy)


@pytest.mark.parametrize("is_annotated", [False, True])
def test_raw_csv_is_equal_to_that_of_psql(is_annotated: bool):
    rows, names = rows_of(HARD, **COLUMNS), list(COLUMNS)
    if is_annotated:  # the statement is another one
        rows, names = rows.annotate(word=Value("=x")), [*names, "word"]
    listed = ", ".join(f'"{name}"' for name in names)
    connection.ensure_connection()

    assert exported(rows, spreadsheet_safe=False, header="names") == by_driver(
        f"COPY (SELECT {listed} FROM (SELECT *, '=x' AS word FROM ({HARD}) AS h) AS h)"
        " TO STDOUT WITH (FORMAT csv, HEADER)"
    )


def test_values_are_bound_by_the_driver_in_both_ways():
    hostile = "it's 100%, %s, %(a)s, \\ \"x\"\n-- /* '; DROP TABLE tests_store; --"
    rows = rows_of(
        "SELECT 1 AS id, %s::text AS text, 'is %%s'::text AS t2", hostile, id="integer", text="text", t2="text"
    )

    for is_safe in (True, False):
        data = exported(rows.filter(text=hostile, id__in=[1, -1]), spreadsheet_safe=is_safe)
        assert cells(data)[1][2] == "is %s"
        assert cells(exported(rows, spreadsheet_safe=False))[1][1] == hostile
    negative = rows_of("SELECT 1 -%s AS id", -1, id="integer")
    assert exported(negative) == b"id\n2\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=8))
def test_raw_csv_is_read_back_as_it_was(pairs: list[tuple[str, str | None]]):
    rows = rows_of(
        "SELECT n AS id, a, b FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS t (a, b, n) ORDER BY n",
        [a for a, _ in pairs], [b for _, b in pairs], id="bigint", a="text", b="text",
    )  # fmt: skip

    found = cells(exported(rows, spreadsheet_safe=False, header=None))

    assert found == [[str(n), a, b or ""] for n, (a, b) in enumerate(pairs, start=1)]


def test_null_and_the_empty_text_differ():
    rows = rows_of("SELECT 1 AS id, NULL::text AS a, '' AS b", id="integer", a="text", b="text")

    assert exported(rows, header=None) == exported(rows, header=None, spreadsheet_safe=False) == b'1,,""\n'


def test_rows_longer_than_a_chunk():
    rows = rows_of("SELECT n AS id, repeat('x', 1000000) AS a FROM generate_series(1, 3) AS n", id="integer", a="text")

    parts = list(stream_csv(rows, header=None))

    assert b"".join(parts) == b"".join(b"%d,%s\n" % (n, b"x" * 1000000) for n in (1, 2, 3))


# What is refused.


@pytest.mark.parametrize("call", [stream_csv, lambda rows: write_csv(rows, io.BytesIO())])
def test_other_querysets_are_refused(call: Any):
    for rows, name in ((Store.objects.all(), "QuerySet"), ([{"a": 1}], "list"), (Figures, "type")):
        with pytest.raises(TypeError) as caught:
            call(rows)
        assert caught.value.args == (
            f"rows are of the type {name!r}; CSV is made of a report's rows or of a queryset that"
            " reports.join() returned.",
        )


def test_unknown_header_is_refused():
    with pytest.raises(ValueError, match=re.escape("header is 'label'; it must be one of: 'labels', 'names', None.")):
        stream_csv(Figures().run(), header="label")  # type: ignore[arg-type]


# Files.


def test_write_csv_into_a_file(figures: Rows):
    file = io.BytesIO()

    assert write_csv(figures, file) == 3
    assert file.getvalue() == HEAD + FIRST + SECOND + THIRD
    assert not file.closed


@pytest.mark.parametrize("kind", [str, Path])
def test_write_csv_to_a_path(figures: Rows, tmp_path: Path, kind: Any):
    assert write_csv(figures[:2], kind(tmp_path / "a.csv"), header=None, spreadsheet_safe=False) == 2
    assert (tmp_path / "a.csv").read_bytes() == FIRST + SECOND


def test_write_csv_needs_bytes(figures: Rows):
    with pytest.raises(TypeError, match="open it with the mode 'wb'"):
        write_csv(figures, io.StringIO())  # type: ignore[arg-type]


FAILS_LATE = "SELECT n AS id, 1 / (100000 - n) AS x FROM generate_series(1, 200000) AS n"


def test_write_csv_that_fails_leaves_no_file(tmp_path: Path):
    (tmp_path / "old.csv").write_text("old")
    rows = rows_of(FAILS_LATE, id="integer", x="integer")

    for name in ("new.csv", "old.csv"):
        with pytest.raises(QueryError, match="22012"):
            write_csv(rows, tmp_path / name)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old.csv": "old"}


def test_write_csv_frees_the_connection_when_the_file_fails():
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_csv(rows_of("SELECT generate_series(1, 10000000) AS id", id="integer"), Full())

    assert Store.objects.count() == 0
