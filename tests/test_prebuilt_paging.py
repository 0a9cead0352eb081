"""What an outer query can pick, and that the rows are the same whether only these are aggregated for or all."""

from __future__ import annotations

import csv
import io
import pickle
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models import (
    Case,
    Count,
    DateField,
    DateTimeField,
    Exists,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)  # fmt: skip
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce, Concat, Lower, Random, Rank
from hypothesis import given, settings
from hypothesis import strategies as st

import reports
from reports.exports import csv_response
from reports.prebuilt import GroupedMetrics, Ratio, Variant
from reports.prebuilt.grouped.paged_source import Mark, PagedSource, fill
from reports.prebuilt.grouped.paging import is_steady
from reports.rendering import Query
from reports.source import TemplateSource
from reports.statement import Lines
from tests.models import Buyer, Figure, FigureRow, Sale, Shelf, Store
from tests.sales import kinds, stored


class Paged(GroupedMetrics):
    name = "tests.paged"
    source = Buyer
    fields: ClassVar[Any] = {
        "name": "name",
        "region": "region",
        "full": Concat("name", Value("/"), Coalesce("region", Value(""))),
    }
    metrics = {
        "n": Count("sales"),
        "total": Sum("sales__quantity"),
        "seen": Count("visits"),
        "share": Ratio("n", "seen"),
    }


class Shelves(GroupedMetrics):
    """Its rows have a foreign key, so that a query of them can join."""

    name = "tests.shelves"
    source = Shelf
    fields = ["name", "parent", "parent__name"]
    metrics = {"n": Count("sales"), "below": Count("children")}


def unpaged(rows):
    """Return the same rows of a source that never looks at the outer query."""
    whole = rows.all()
    whole.query.sources = {
        key: TemplateSource(source.report, source.query) if isinstance(source, PagedSource) else source
        for key, source in rows.query.sources.items()
    }
    return whole


def source_of(rows) -> Any:
    """Return what stands in the FROM clause of rows."""
    return rows.query.sources[rows.model._meta.db_table]


def kind_of(rows) -> str | None:
    """Return what was made of the outer query: its conditions alone, or how it is cut."""
    sql = str(rows.query)
    if "this_page" not in sql:
        return None
    page = sql.partition("\n),")[0].rpartition("AS r")[2]
    if "FETCH FIRST" in page:
        return "ties"
    assert ("LIMIT" in page) is ("NOT MATERIALIZED" not in sql)
    return "cut" if "LIMIT" in page else "where"


ROWS = Paged().run
FILTERS = {
    "region": Q(region="a"),
    "no region": Q(region__isnull=True),
    "not": ~Q(region="a"),
    "or": Q(name="a") | Q(region="b"),
    "nested": Q(id__gt=1) & (Q(id__lt=4) | ~Q(name="b", region="a")),
    "in": Q(id__in=[1, 3, 5]),
    "range": Q(id__range=(2, 4)),
    "columns": Q(name=F("region")),
    "list of columns": Q(name__in=[F("region"), "b"]),
    "lower": Q(full__icontains="A/"),
    "metric": Q(n__gt=1),
    "metric or": Q(n=0) | Q(region="a"),
    "metric and": Q(n__lte=1, region="a"),
    "null metric": Q(total__isnull=True),
    "ratio": Q(share__gte=1),
    "metric of column": Q(n=F("id")),
    "sub-select": Q(id__in=Buyer.objects.filter(region="a").values("id")),
    "exists": Exists(Sale.objects.filter(buyer=OuterRef("id"), kind="a")),
    "nothing": Q(id__in=[]),
    "all": ~Q(id__in=[]),
}
ORDERS: dict[str, Any] = {
    "name": ["name"],
    "region, id": ["region", "-id"],
    "nulls": [F("region").desc(nulls_last=True), "name"],
    "lower": [Lower("name"), "full"],
    "metric": ["-n", "id"],
    "metric later": ["name", "total", "id"],
    "ratio": [F("share").asc(nulls_first=True)],
    "expression": [Coalesce("region", Value("zz")).desc(), F("id") * -1],
    "case": [Case(When(name="b", then=0), default=1), "id"],
    "id": ["-id"],
    "default": None,
}


def in_order_of(order, rows):
    """Return the rows with what they are ordered by."""
    names = [f"o{number}" for number in range(len(order))]
    kept = [each if hasattr(each, "resolve_expression") else F(each.removeprefix("-")) for each in order]
    kept = [getattr(each, "expression", each) if hasattr(each, "nulls_last") else each for each in kept]
    return rows.annotate(**dict(zip(names, kept, strict=True))), names


@st.composite
def worlds(draw: Any) -> dict[str, Any]:
    buyers = draw(
        st.lists(
            st.fixed_dictionaries({"id": st.integers(1, 8), "name": st.sampled_from(["a", "b"]), "region": kinds}),
            max_size=8,
            unique_by=lambda buyer: buyer["id"],
        )
    )
    owner = st.sampled_from([None, *(buyer["id"] for buyer in buyers)])
    sale = st.fixed_dictionaries({"buyer_id": owner, "quantity": st.sampled_from([None, 1, 2])})
    return {
        "sales": draw(st.lists(sale, max_size=12)),
        "visits": [{"buyer_id": each} for each in draw(st.lists(owner, max_size=8))],
        "buyers": buyers,
    }


@contextmanager
def world(buyers=6):
    """Put in buyers, of whom the n-th has n sales and one visit; three names, two regions and none."""
    with stored(
        [{"buyer_id": number, "quantity": 1} for number in range(1, buyers + 1) for _ in range(number)],
        visits=[{"buyer_id": number} for number in range(1, buyers + 1)],
        buyers=[
            {"id": number, "name": "cab"[number % 3], "region": ("a", "b", None)[number % 3]}
            for number in range(1, buyers + 1)
        ],
    ):
        yield


# The same rows.


@pytest.mark.django_db
@settings(max_examples=100)
@given(
    given_world=worlds(),
    variant=st.sampled_from(Variant),
    filters=st.lists(st.sampled_from([*FILTERS]), max_size=2),
    order=st.sampled_from([*ORDERS]),
    cut=st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(1, 5)), st.booleans()),
)
def test_rows_are_those_of_all_rows(given_world, variant, filters, order, cut):
    start, length, is_reversed = cut
    report = type("Drawn", (Paged,), {"variant": variant})
    rows = report().run()
    for name in filters:
        rows = rows.filter(FILTERS[name])
    if given_order := ORDERS[order]:
        rows = rows.order_by(*given_order)
    rows = rows.reverse() if is_reversed else rows
    end = None if length is None else start + length
    shown, names = in_order_of(ORDERS[order] or ["id"], rows)

    with stored(given_world["sales"], visits=given_world["visits"], buyers=given_world["buyers"]):
        found = list(rows[start:end])
        keys = list(shown[start:end].values_list(*names))
        every = {row["id"]: row for row in unpaged(rows)}
        expected = list(unpaged(shown).values_list(*names))[start:end]
        count, is_there = rows[start:end].count(), rows[start:end].exists()
        sums = rows[start:end].aggregate(Sum("seen"), Count("id"))

    # Which of the rows that come equal are picked is nobody's to say.
    assert keys == expected
    assert [every[row["id"]] for row in found] == found
    assert len({row["id"] for row in found}) == len(found) == len(expected) == count == sums["id__count"]
    assert is_there is bool(found)
    if order in ("region, id", "metric", "metric later", "expression", "case", "id", "default"):
        assert found == list(every.values())[start:end]
        assert sums["seen__sum"] == (sum(row["seen"] for row in found) if found else None)


def in_order(buyers: Any) -> Any:
    return buyers.order_by("id").values("id")


OPERATIONS = {
    "values": lambda rows: rows.order_by("name", "id").values("seen", "n")[1:4],
    "values of the key": lambda rows: rows.order_by("-id").values("id")[:2],
    "values_list": lambda rows: rows.values_list("n", flat=True)[2:4],
    "only": lambda rows: rows.instances().only("n")[:3].values_list("n", "name"),
    "defer": lambda rows: [each.seen for each in rows.instances().defer("n").order_by("-id")[:3]],
    "annotate": lambda rows: rows.annotate(x=F("n") * 2 + F("seen")).order_by("name", "id")[2:5],
    "annotate and order": lambda rows: rows.annotate(x=Lower("name")).order_by("x", "id")[2:5],
    "order by a metric's": lambda rows: rows.annotate(x=F("n") * -1).order_by("x")[:3],
    "filter by a metric's": lambda rows: rows.annotate(x=F("n") * 2).filter(x__gt=4).order_by("id")[:2],
    "alias": lambda rows: rows.alias(x=F("n")).filter(x=3)[:2],
    "exclude": lambda rows: rows.exclude(region="a").order_by("id")[:2],
    "window": lambda rows: rows.annotate(x=Window(Rank(), order_by=F("n").desc())).order_by("id")[:2],
    "window filtered": lambda rows: (
        rows.annotate(x=Window(Rank(), order_by=F("n").desc())).filter(x__lte=4).order_by("id")[:2]
    ),
    "window hidden": lambda rows: (
        rows.alias(x=Window(Rank(), order_by=F("n").desc())).filter(x__lte=4).order_by("id").values("id", "n")[:2]
    ),
    "window and columns filtered": lambda rows: (
        rows.annotate(x=Window(Rank(), order_by=F("n").desc())).filter(x__lte=2, region="a").order_by("id")
    ),
    "order by a window": lambda rows: rows.order_by(Window(Rank(), order_by=F("n").desc()), "id")[:2],
    "several rows of one": lambda rows: (
        rows.annotate(x=Func(Value([1, 2]), function="unnest", output_field=FloatField())).order_by("id", "x")[3:6]
    ),
    "group": lambda rows: rows.values("region").annotate(x=Sum("n"), y=Sum("seen")).order_by("region")[:2],
    "group filtered": lambda rows: rows.filter(name="a").values("region").annotate(x=Sum("n")).order_by("region"),
    "group having": lambda rows: (
        rows.filter(name="a").values("region").annotate(x=Sum("n")).filter(x__gt=1, region="a").order_by("region")
    ),
    "distinct": lambda rows: rows.order_by("region").values("region").distinct()[:2],
    "distinct on": lambda rows: rows.order_by("region", "-n").distinct("region")[:2],
    "distinct metric": lambda rows: rows.order_by("seen").values("seen").distinct()[:2],
    "aggregate": lambda rows: [rows.aggregate(Sum("n"), Sum("seen"), Count("id"))],
    "aggregate of some": lambda rows: [rows.filter(region="b").aggregate(Sum("n"), x=Sum("n", filter=Q(name="a")))],
    "aggregate of a slice": lambda rows: [rows.order_by("name", "id")[1:4].aggregate(Sum("n"), Sum("total"))],
    "count": lambda rows: [rows.count(), rows.filter(region="a").count(), rows.filter(n=2).count(), rows[1:4].count()],
    "exists": lambda rows: [rows.exists(), rows.filter(id=99).exists(), rows.filter(n=2)[1:].exists()],
    "get": lambda rows: [rows.get(id=3), rows.get(n=4)],
    "first and last": lambda rows: [rows.first(), rows.last(), rows.order_by("-name", "id").last()],
    "earliest": lambda rows: [rows.earliest("name", "id"), rows.latest("n")],
    "in_bulk": lambda rows: rows.in_bulk([2, 5]).values(),
    "contains": lambda rows: [rows.instances().filter(region="a").contains(rows.instances().get(id=3))],
    "union": lambda rows: rows.filter(region="a").union(rows.filter(name="a")).order_by("id")[:4],
    "union of slices": lambda rows: rows.order_by("id")[:2].union(rows.order_by("-id")[:2], all=True).order_by("-n"),
    "difference": lambda rows: rows.difference(rows.filter(name="a")).order_by("id"),
    "or of slices": lambda rows: (rows.order_by("id")[:2] | rows.order_by("-id")[:1]).order_by("id"),
    "in a filter": lambda rows: in_order(Buyer.objects.filter(id__in=rows.order_by("-id")[:2].values("id"))),
    "in its own filter": lambda rows: rows.filter(id__in=rows.order_by("name", "id")[:3].values("id")).order_by("id"),
    "in Exists": lambda rows: in_order(Buyer.objects.filter(Exists(rows.filter(id=OuterRef("id"), n__gt=3)))),
    "in Subquery": lambda rows: Buyer.objects.annotate(
        x=Subquery(rows.filter(region=OuterRef("region")).order_by("-id").values("n")[:1]),
        y=Subquery(rows.filter(id=OuterRef("id"), name__gte="b").values("n")),
    ).order_by("id").values("id", "x", "y"),
    "extra where": lambda rows: rows.extra(where=["n > 2"]).order_by("id")[:2],
    "extra select": lambda rows: rows.extra(select={"x": "n + 1"}).order_by("id")[:2],
    "extra order": lambda rows: rows.extra(order_by=["-n"])[:2],
    "raw order": lambda rows: rows.order_by(RawSQL("n", ()).desc())[:2],
    "twice filtered": lambda rows: rows.filter(region="a").filter(n__gt=0).exclude(name="b").order_by("n")[:3],
    "offset only": lambda rows: rows.order_by("name", "id")[2:],
    "no order": lambda rows: [len(rows.order_by()[:3]), sorted(rows.order_by(), key=lambda row: row["id"])],
    "iterator": lambda rows: rows.order_by("name", "id")[:3].iterator(chunk_size=1),
    "none": lambda rows: [*rows.none(), *rows.filter(id__in=[]), *rows[:0]],
    "dates": lambda rows: rows.filter(region__lt="b", name__regex="^[a-c]$").order_by("-region", "id")[:3],
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_gives_what_it_gives_of_all_rows(name, variant):
    rows = type("Varied", (Paged,), {"variant": variant})().run()

    with world():
        assert list(OPERATIONS[name](rows)) == list(OPERATIONS[name](unpaged(rows)))


@pytest.mark.django_db
@pytest.mark.parametrize("order", [["parent__name", "id"], ["name", "id"], ["parent_id", "id"]])
@pytest.mark.parametrize(
    "condition", [Q(), Q(parent__name="s1"), Q(parent__id__lt=4), Q(parent=1) | Q(parent__name="s2")]
)
def test_joins_by_a_foreign_key(order, condition):
    shelves = [{"id": number, "name": f"s{number % 3}", "parent_id": number // 2 or None} for number in range(1, 8)]
    with stored([{"shelf_id": number} for number in range(1, 8) for _ in range(number)], shelves=shelves):
        rows = Shelves().run().filter(condition).order_by(*order)

        assert list(rows[1:4]) == list(unpaged(rows)[1:4])
        assert list(rows[1:4]) == list(rows)[1:4]


# When.


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (ROWS, None),
        (lambda: ROWS()[:3], "cut"),
        (lambda: ROWS()[3:6], "cut"),
        (lambda: ROWS().order_by("name")[:3], "ties"),
        (lambda: ROWS().order_by("name", "id")[:3], "cut"),
        (lambda: ROWS().order_by("id", "n")[:3], None),
        (lambda: ROWS().order_by("full", "-pk")[:3], "cut"),
        (lambda: ROWS().order_by(Lower("name"))[:3], "ties"),
        (lambda: ROWS().values("name", "n").order_by("name")[:3], "ties"),
        (lambda: ROWS().annotate(x=F("n") * 2)[:3], "cut"),
        (lambda: ROWS().annotate(x=Lower("name")).order_by("x", "id")[:3], "cut"),
        (lambda: ROWS().order_by("-n")[:3], None),
        (lambda: ROWS().order_by("?")[:3], None),
        (lambda: ROWS().order_by()[:3], None),
        (lambda: ROWS()[3:], None),
        (lambda: ROWS().filter(region="a"), "where"),
        (lambda: ROWS().filter(region="a")[:3], "cut"),
        (lambda: ROWS().filter(region="a").order_by("-n")[:3], "where"),
        (lambda: ROWS().filter(region="a", n=1)[:3], "where"),
        (lambda: ROWS().filter(Q(region="a") | Q(n=1))[:3], None),
        (lambda: ROWS().filter(n=1), None),
        (lambda: ROWS().filter(id__in=[1, 2]), "where"),
        (lambda: ROWS().filter(id__in=Buyer.objects.values("id"), region="a")[:3], "where"),
        (lambda: ROWS().filter(name__in=[F("region"), "a"]), "where"),
        (lambda: ROWS().filter(name__in=[F("n"), "a"]), None),
        (lambda: ROWS().filter(name=Lower("region")), "where"),
        (lambda: ROWS().filter(id__gt=Random()), None),
        (lambda: ROWS().filter(id__gt=Func(function="pg_backend_pid")), None),
        (lambda: ROWS().annotate(x=Window(Rank(), order_by="n"))[:3], None),
        (lambda: ROWS().filter(region="a").values("region").annotate(x=Sum("n"))[:3], "where"),
        (lambda: ROWS().order_by("id").distinct()[:3], None),
        (lambda: ROWS().extra(where=["n > 1"])[:3], None),
        (lambda: Shelves().run().order_by("parent__name", "id")[:3], None),
        (lambda: Shelves().run().order_by("parent_name", "id")[:3], "cut"),
        (lambda: Shelves().run().filter(parent__name="a", name="b")[:3], "where"),
        (lambda: Shelves().run().filter(parent=3)[:3], "cut"),
    ],
)
def test_page_is_found(rows, expected):
    assert kind_of(rows()) == expected


def test_unique_field_makes_an_order_total(monkeypatch):
    monkeypatch.setattr(Shelf._meta.get_field("name"), "unique", True)
    report = type("Unique", (Shelves,), {})

    assert kind_of(report().run().order_by("-name")[:3]) == "cut"
    assert kind_of(report().run().order_by("parent_name")[:3]) == "ties"


def test_field_that_is_not_the_same_each_time_tells_nothing():
    report = type("Random", (Paged,), {"fields": {"name": "name", "r": Random()}})

    assert kind_of(report().run().order_by("r", "id")[:3]) is None
    assert kind_of(report().run().filter(r__lt=0.5)) is None
    assert kind_of(report().run().filter(r__lt=0.5, name="a")) == "where"


def test_condition_with_a_list_of_expressions_tells_nothing():
    condition: Any = Buyer.objects.filter(name="a").query.where.children[0]
    assert is_steady(condition)

    condition.rhs = [condition.lhs]

    assert not is_steady(condition)


def test_report_without_relations_has_no_page():
    report = type("Own", (Paged,), {"metrics": {"last": Sum("id")}})

    assert kind_of(report().run()[:3]) is None


# The SQL.


def test_sql_of_a_page():
    class Short(Paged):
        name = "tests.short_page"
        fields = ["region"]
        metrics = {"n": Count("sales")}

    rows = Short().run().filter(region__in=["a", "b"]).order_by("-region", "id")[20:40]
    sql, params = rows.query.get_compiler(connection=connection).as_sql()

    head, _, tail = sql.partition('\nSELECT "r"."by_id"')
    assert head.partition(" FROM (")[2] == (
        "/* report=tests.short_page */ WITH this_page AS  (\n"
        "    -- The keys of the rows that the outer query can pick: its own conditions, order and limit.\n"
        '    SELECT r."id" AS key\n'
        '    FROM (SELECT "s"."by_id" AS "id", "s"."by_region" AS "region" FROM (SELECT "tests_buyer"."id" AS "by_id",'
        ' "tests_buyer"."region" AS "by_region" FROM "tests_buyer") AS s) AS r\n'
        '    WHERE "r"."region" IN (%s, %s) ORDER BY "r"."region" DESC, "r"."id" ASC LIMIT 20 OFFSET 20\n'
        "),\n"
        '"of_sales" AS  (SELECT "tests_sale"."buyer_id" AS "by_id", COUNT(*) AS "of_n" FROM "tests_sale"'
        ' WHERE "tests_sale"."buyer_id" = ANY (ARRAY(SELECT key FROM this_page)) GROUP BY 1)'
    )
    table = "report_tests__short_page"
    assert tail.endswith(
        f') AS r\n) "{table}" WHERE "{table}"."region" IN (%s, %s)'
        f' ORDER BY "{table}"."region" DESC, "{table}"."id" ASC LIMIT 20 OFFSET 20'
    )
    assert params == ("a", "b", 0, "a", "b")


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        (lambda: ROWS()[:100], "= ANY (ARRAY(SELECT key FROM this_page))"),
        (lambda: ROWS()[900:1000], "= ANY (ARRAY(SELECT key FROM this_page))"),
        (lambda: ROWS()[:101], "= ANY (SELECT key FROM this_page)"),
        (lambda: ROWS().order_by("name")[:2], "= ANY (SELECT key FROM this_page)"),
        (lambda: ROWS().filter(id=1), "= ANY (SELECT key FROM this_page)"),
    ],
)
def test_few_keys_are_looked_up_and_many_hashed(rows, keys):
    assert str(rows().query).count(keys) == 2


def test_fill_puts_text_and_parameters_in_place_of_marks():
    mark = Mark("x")
    query = Query("a %s '%%' %s\nb %s", (1, mark, 2), Lines((0, 12, 15), (("f", 1), ("f", 2), ("f", 3))))

    found = fill(query, {mark: ("longer %s text", ("v",))})

    assert (found.sql, found.params) == ("a %s '%%' longer %s text\nb %s", (1, "v", 2))
    assert [found.sql[offset:] for offset in found.lines.offsets] == [found.sql, "\nb %s", "%s"]


@pytest.mark.django_db
def test_error_in_a_page_names_the_line_of_the_template():
    class Faulty(Paged):
        name = "tests.faulty_page"
        metrics = {"n": Sum(Func(F("sales__kind"), function="no_such_function", output_field=FloatField()))}

    with pytest.raises(reports.QueryError) as error:
        list(Faulty().run()[:3])

    assert error.value.sqlstate == "42883"
    assert str(error.value.file).endswith("grouped_metrics.sql")


# Other ways to read.


@pytest.mark.django_db
def test_pickled_page_is_the_same():
    with world():
        rows = Paged().run().order_by("name", "id")
        again = pickle.loads(pickle.dumps(rows.query))
        copied = Paged().run()
        copied.query = again

        assert str(copied[1:4].query) == str(rows[1:4].query)
        assert kind_of(copied[1:4]) == "cut"
        assert list(copied[1:4]) == list(rows[1:4])
        assert pickle.loads(pickle.dumps(rows[1:4])).count() == 3


def test_sources_are_equal_when_their_queries_are():
    one, other = (source_of(report().run()) for report in (Paged, Paged))

    assert one == other
    assert {one} == {other}


@pytest.mark.django_db
def test_plan_of_a_page_reads_what_it_runs():
    with world(30):
        plan = Paged().run().order_by("name", "id")[:2].plan(analyze=True)

    assert sum(node.rows or 0 for node in plan.nodes if node.relation == "tests_visit") == 2
    assert "CTE this_page" in {node.label for node in plan.nodes}


@pytest.mark.django_db
def test_explain_of_a_page():
    assert "this_page" in Paged().run()[:2].explain()


@pytest.mark.django_db
def test_exported_page():
    with world():
        rows = Paged().run().order_by("-name", "id")[1:4]
        content: Any = csv_response(rows).streaming_content
        text = b"".join(content).decode("utf-8-sig")

        found = [int(row["n"]) for row in csv.DictReader(io.StringIO(text))]
        assert found == [row["n"] for row in unpaged(rows)]


@pytest.mark.django_db
def test_page_in_async_code():
    async def read():
        return [row async for row in Paged().run().order_by("name", "id")[1:4]]

    with world():
        assert async_to_sync(read)() == list(unpaged(Paged().run()).order_by("name", "id")[1:4])


@pytest.mark.django_db
def test_rows_joined_from_a_model():
    """Rows that are joined are all; rows with a filter or a slice stand in a sub-select of their own."""

    class Joined(GroupedMetrics):
        name = "tests.joined_page"
        model = FigureRow
        source = Store
        fields = {
            "store_id": F("id"),
            "label": "name",
            "month": Cast(Value(None), DateField()),
            "seen_at": Cast(Value(None), DateTimeField()),
        }
        metrics = {"orders": Count("figures"), "revenue": Sum("figures__revenue")}

    for number in range(1, 5):
        store = Store.objects.create(id=number, name="ab"[number % 2])
        for _ in range(number):
            Figure.objects.create(store=store, month=date(2025, 1, 1), revenue=1)
    rows = Joined().run()

    for given_rows in (rows, rows.filter(label="a"), rows.order_by("-label", "id")[:3], rows.filter(id__in=[1, 2])[1:]):
        joined: Any = reports.join(Store.objects.order_by("id"), stats=given_rows)
        expected = dict(given_rows.values_list("id", "orders"))
        assert expected.items() <= {1: 1, 2: 2, 3: 3, 4: 4}.items()
        assert dict(joined.values_list("id", "stats__orders")) == {n: expected.get(n) for n in range(1, 5)}
