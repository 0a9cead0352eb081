"""The pivot against an oracle that looks at each row for each cell, and what is hard about columns made of values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from operator import eq
from typing import Any

import pytest
from django.contrib.postgres.aggregates import ArrayAgg, JSONBAgg
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection
from django.db.models import Avg, Count, F, Max, Q, Sum
from django.db.models.functions import TruncMonth
from django.forms import CharField, Form, MultipleChoiceField
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from example_project.helpdesk.models import Ticket
from reports.errors import DeclarationError, ParamsError
from reports.header import Column
from reports.prebuilt import Pivot, Ratio
from reports.prebuilt.tables.pivot_columns import make_cells, make_headings
from reports.prebuilt.vocabulary.selection import Output
from reports.rendering import render
from reports.row_models import check_names
from reports.testing import assert_scans
from tests.models import Figure, Region, Sale, Store
from tests.sales import near, sales, stored

Facts = Sequence[Mapping[str, Any]]
# Which values have their column under a name.
Headings = dict[str, Callable[[Any], bool]]

METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "share": Ratio("priced", "count"),
}
APART = {
    "kinds": Count("day", distinct=True),
    "listed": ArrayAgg("amount", order_by="amount"),
}
# What the values of tests.sales.kinds are called.
NAMES = {"a": "a", "b": "b", "c": "c", "": "empty", None: "null"}


class Kinds(Pivot):
    name = "tests.kinds"
    source = Sale
    dimensions = ["quantity"]
    columns = "kind"
    metrics = METRICS


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def figures(facts: Facts) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    return {
        "count": len(facts),
        "priced": len(amounts),
        "total": sum(amounts, Decimal()) if amounts else None,
        "mean": near(sum(amounts, Decimal()) / len(amounts)) if amounts else None,
        "most": max((fact["quantity"] for fact in facts if fact["quantity"] is not None), default=None),
        "share": near(Decimal(len(amounts)) / len(facts)) if facts else None,
    }


def apart(facts: Facts) -> dict[str, Any]:
    """Return the metrics that cannot be merged."""
    amounts = sorted(fact["amount"] for fact in facts if fact["amount"] is not None)
    return {
        "kinds": len({fact["day"] for fact in facts} - {None}),
        "listed": [*amounts, *[None] * (len(facts) - len(amounts))] or None,
    }


def oracle(facts: Facts, headings: Headings, count: Any) -> dict[Any, dict[str, Any]]:
    """Return the rows by quantity. A heading has the facts for which its condition is true."""
    rows: dict[Any, dict[str, Any]] = {}
    for quantity in {fact["quantity"] for fact in facts}:
        row = rows[quantity] = {"quantity": quantity}
        for words, fits in headings.items():
            cell = [fact for fact in facts if fact["quantity"] == quantity and fits(fact["kind"])]
            row |= {f"{name}_{words}": value for name, value in count(cell).items()}
    return rows


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=sales(), total=st.booleans())
def test_values_found_are_those_of_the_oracle(facts, total):
    headings: Headings = {NAMES[kind]: partial(eq, kind) for kind in {fact["kind"] for fact in facts}}
    if total:
        headings["total"] = lambda each: True
    report = variant(Kinds, total=total)

    with stored(facts):
        rows = list(report().run())

    assert {row["quantity"]: row for row in rows} == oracle(facts, headings, figures)
    assert len(rows) == len({fact["quantity"] for fact in facts})


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    facts=sales(),
    values=st.lists(st.sampled_from(["a", "b", "", None, "zz"]), min_size=1, unique=True),
    other=st.booleans(),
    total=st.booleans(),
)
def test_listed_values_are_those_of_the_oracle(facts, values, other, total):
    named = {**NAMES, "zz": "zz"}
    headings: Headings = {named[value]: partial(eq, value) for value in values}
    if other:
        headings["other"] = lambda each: each not in values
    if total:
        headings["total"] = lambda each: True
    counted = facts if other else [fact for fact in facts if fact["kind"] in values]
    report = variant(Kinds, values=values, other=other, total=total)

    with stored(facts):
        rows = list(report().run())

    assert {row["quantity"]: row for row in rows} == oracle(counted, headings, figures)


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=sales(), values=st.lists(st.sampled_from(["a", "", None]), min_size=1, unique=True), other=st.booleans())
def test_metrics_that_cannot_be_merged_are_those_of_the_oracle(facts, values, other):
    headings: Headings = {NAMES[value]: partial(eq, value) for value in values}
    if other:
        headings["other"] = lambda each: each not in values
    counted = facts if other else [fact for fact in facts if fact["kind"] in values]
    report = variant(Kinds, metrics=APART, values=values, other=other)

    with stored(facts):
        rows = list(report().run())

    assert {row["quantity"]: row for row in rows} == oracle(counted, headings, apart)


# The SQL.


def test_sql_groups_the_facts_once_and_picks_by_filter():
    class Few(Kinds):
        metrics = {"sold": Count("pk")}
        values = ["a", None]
        other = False
        total = True

    query = Few().query()

    assert query.sql == (
        'WITH facts AS  (SELECT "tests_sale"."kind" AS "by_place", "tests_sale"."quantity" AS "by_quantity",'
        ' COUNT("tests_sale"."id") AS "of_sold" FROM "tests_sale"'
        ' WHERE (("tests_sale"."kind" = ANY((%s)::character varying[])) OR "tests_sale"."kind" IS NULL)'
        " GROUP BY 1, 2),\n"
        "placed AS (\n"
        "    -- The value's place among those listed; NULL is a value too.\n"
        '    SELECT array_position((%s)::character varying[], f.by_place) AS by_place, "f"."by_quantity",'
        ' f."of_sold"\n'
        "    FROM facts AS f\n"
        ")\n"
        'SELECT "r"."by_quantity" AS "quantity",\n'
        '    coalesce((sum("r"."of_sold") FILTER (WHERE r.by_place = 1))::bigint, (%s)::bigint) AS "a",\n'
        '    coalesce((sum("r"."of_sold") FILTER (WHERE r.by_place = 2))::bigint, (%s)::bigint) AS "null",\n'
        '    coalesce((sum("r"."of_sold") )::bigint, (%s)::bigint) AS "total"\n'
        "FROM placed AS r\n"
        'GROUP BY "r"."by_quantity"'
    )
    assert query.params == (["a", None], ["a", None], 0, 0, 0)


def test_sql_of_values_beside_others_groups_by_their_places():
    class Few(Kinds):
        metrics = {"sold": Count("pk")}
        values = ["a"]

    query = Few().query()

    assert query.sql == (
        'WITH facts AS  (SELECT array_position((%s)::character varying[], "tests_sale"."kind") AS "by_place",'
        ' "tests_sale"."quantity" AS "by_quantity", COUNT("tests_sale"."id") AS "of_sold" FROM "tests_sale"'
        " GROUP BY 1, 2),\n"
        "placed AS (\n"
        "    -- The value's place among those listed; NULL is a value too.\n"
        '    SELECT f.by_place AS by_place, "f"."by_quantity", f."of_sold"\n'
        "    FROM facts AS f\n"
        ")\n"
        'SELECT "r"."by_quantity" AS "quantity",\n'
        '    coalesce((sum("r"."of_sold") FILTER (WHERE r.by_place = 1))::bigint, (%s)::bigint) AS "a",\n'
        '    coalesce((sum("r"."of_sold") FILTER (WHERE r.by_place IS NULL))::bigint, (%s)::bigint) AS "other"\n'
        "FROM placed AS r\n"
        'GROUP BY "r"."by_quantity"'
    )
    assert query.params == (["a"], 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attributes",
    [{}, {"values": ["a", "b"]}, {"values": ["a"], "metrics": APART}, {"values": ["a"], "total": True}],
    ids=["found", "listed", "not merged", "total"],
)
def test_facts_are_read_once(attributes):
    rows = variant(Kinds, **attributes)().run()

    assert_scans(rows, {Sale: Kinds.scans})


@pytest.mark.django_db
def test_values_are_found_by_one_query_and_the_rows_by_another():
    with stored([{"kind": kind, "quantity": 1} for kind in "abc"]), CaptureQueriesContext(connection) as queries:
        list(Kinds().run())

    assert len(queries) == 2
    assert all("/* report=tests.kinds */" in query["sql"] for query in queries)  # so both have its timeout


def test_sql_of_values_takes_one_more_than_there_may_be():
    query = render("prebuilt/pivot_values.sql", {"values": Sale.objects.values(by_place=F("kind")), "most_values": 5})

    assert query.sql == (
        "SELECT v.by_place AS value\n"
        'FROM (SELECT "tests_sale"."kind" AS "by_place" FROM "tests_sale") AS v\n'
        "ORDER BY v.by_place\n"
        "LIMIT %s + 1"
    )
    assert query.params == (5,)


@pytest.mark.django_db
def test_materialized_facts_are_a_cte_of_the_plan():
    def reads_cte(materialized):
        report = variant(Kinds, values=["a"], materialized=materialized)
        return any(node.title.startswith("CTE Scan") for node in report().run().plan().nodes)

    assert [reads_cte(each) for each in (True, False, None)] == [True, False, False]


# Columns.


def test_columns_are_those_of_choices():
    class Statuses(Pivot):
        source = Ticket
        dimensions = ["priority"]
        columns = "status"
        metrics = {"tickets": Count("pk")}

    assert [(column.name, column.label) for column in Statuses.get_columns()] == [
        ("priority", None),
        ("open", "Open"),
        ("closed", "Closed"),
        ("pending", "Pending"),
        ("other", None),
    ]
    assert Statuses.get_columns()[0].pk


def test_choices_of_a_class_pairs_and_labels_are_values():
    def columns(values):
        attributes = {"source": Ticket, "dimensions": ["department"], "columns": "status", "other": False}
        report = variant(Pivot, **{**attributes, "metrics": {"n": Count("pk")}, "values": values})
        return [(column.name, column.label) for column in report.get_columns()][1:]

    every = [("open", "Open"), ("closed", "Closed"), ("pending", "Pending")]
    assert columns(Ticket.Status) == columns(Ticket.Status.choices) == columns(dict(Ticket.Status.choices)) == every
    assert columns([Ticket.Status.OPEN, "other"]) == [("open", "open"), ("other", "other")]


def test_labels_are_in_the_language_of_the_reader():
    class Sold(Kinds):
        metrics = {"sold": Count("pk")}
        values = {"a": gettext_lazy("Monday")}

    class SoldAndTotal(Sold):
        metrics = {"sold": Count("pk"), "total": Sum("amount")}

    models: list[Any] = [report.get_row_model() for report in (Sold, SoldAndTotal)]
    fields = [model._meta.get_fields()[1] for model in models]

    assert [str(field.verbose_name) for field in fields] == ["Monday", "Monday: sold"]
    with translation.override("de"):
        assert [str(field.verbose_name) for field in fields] == ["Montag", "Montag: sold"]


@pytest.mark.django_db
def test_a_boolean_has_two_columns_and_one_for_null():
    priced = variant(Kinds, columns=Q(amount__gt=0), metrics={"sold": Count("pk")})

    with stored([{"amount": 1, "quantity": 1}, {"amount": None, "quantity": 1}, {"amount": 2, "quantity": 1}]):
        rows = list(priced().run())

    assert rows == [{"quantity": 1, "false": 0, "true": 2, "null": 1, "other": 0}]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "values", "names"),
    [
        ("quantity", None, ["quantity_minus_1", "quantity_1"]),
        ("day", None, ["day_2025_01_31", "null"]),
        ("amount", None, ["amount_1_00", "amount_1000000000000_50"]),
        (TruncMonth("at"), None, ["sold_2025_01_01", "null"]),
        ("at", None, ["at_2025_01_30_20_30_00", "null"]),
        ("buyer", None, ["null"]),
        ("quantity", ["-1", 1], ["quantity_minus_1", "quantity_1"]),
    ],
)
def test_columns_are_called_after_values_of_any_type(columns, values, names):
    attributes = {"columns": columns, "values": values, "dimensions": ["kind"], "other": False}
    report = variant(Kinds, **{**attributes, "metrics": {"sold": Count("pk")}})
    facts: Facts = [
        {"quantity": -1, "day": date(2025, 1, 31), "amount": Decimal(1), "at": datetime(2025, 1, 31, tzinfo=UTC)},
        {"quantity": 1, "day": None, "amount": Decimal("1e12") + Decimal("0.5"), "at": None},
    ]

    with stored(facts):
        rows = list(report().run())

    assert [*rows[0]] == ["kind", *names]
    assert sum(rows[0][name] for name in names) == 2


@given(
    values=st.lists(st.one_of(st.none(), st.text(max_size=80), st.integers(), st.decimals(), st.dates()), max_size=20),
    metrics=st.sampled_from([["n"], ["n", "total"], ["a_b", "a"]]),
    taken=st.sampled_from(
        [Column("a", "text"), Column("null_id", "bigint", fk="tests.Store"), Column("total", "text")]
    ),
)
def test_names_of_columns_are_legal_and_different(values, metrics, taken):
    outputs = [Output(name, "bigint", ()) for name in metrics]
    headings = make_headings([(value, None) for value in values], "kind", other=True, total=True)

    names = [cell.output.name for cell in make_cells(headings, outputs, [taken])]

    check_names([taken, *(Column(name, "bigint") for name in names)], "test.sql")
    assert len(names) == (len(values) + 2) * len(metrics)
    assert max(len(name.encode()) for name in names) <= 63
    assert not any(name[0].isdigit() for name in names)


def test_names_that_would_be_the_same_get_a_number():
    values = ["a b", "A-b", None, "pk", "total", "é" * 40]
    alike = variant(Kinds, dimensions={"null": "quantity"}, values=values, metrics={"sold": Count("pk")}, total=True)

    names = [column.name for column in alike.get_columns()]

    assert names == ["null", "a_b", "a_b_2", "null_2", "pk_2", "total", "é" * 31, "other", "total_2"]


@pytest.mark.injection
@pytest.mark.django_db
@pytest.mark.parametrize("is_listed", [True, False])
def test_hostile_values_are_values(is_listed):
    hostile = ['"; DROP TABLE tests_sale; --', "') OR true --", "%s", "{{ 1 }}", "$1", "\\'", "+", "__pk_"]
    values = hostile if is_listed else None
    report = variant(Kinds, values=values, metrics={"sold": Count("pk")}, total=True)

    with stored([{"kind": kind, "quantity": 1} for kind in hostile]):
        (row,) = report().run()
        assert Sale.objects.count() == len(hostile)

    other = {"other": 0} if is_listed else {}
    assert sorted(row.values()) == sorted([1, *[1] * len(hostile), *other.values(), len(hostile)])


@pytest.mark.django_db
def test_rows_of_found_values_are_a_queryset():
    facts: Facts = [{"kind": "a", "quantity": 1}, {"kind": "b", "quantity": 2}, {"kind": "b", "quantity": None}]
    report = variant(Kinds, metrics={"sold": Count("pk")})

    with stored(facts):
        rows = report().run()

        assert list(rows.filter(b__gt=0).order_by("-quantity").values_list("quantity", "b")) == [(None, 1), (2, 1)]
        assert rows.count() == 3
        assert rows[1:2].get() == {"quantity": 2, "a": 0, "b": 1}
        assert rows.aggregate(Sum("a")) == {"a__sum": 1}
        assert rows.model._meta.ordering == ("quantity",)


@pytest.mark.django_db
def test_columns_found_are_those_of_the_rows_that_a_run_counts():
    class Mine(Kinds):
        metrics = {"sold": Count("pk")}
        date_field = "day"

        class Params(Form):
            end = CharField(required=False)
            seen = CharField(required=False)

        def get_source(self):
            return Sale.objects.exclude(kind=self.user)

    facts = [{"kind": kind, "quantity": 1, "day": date(2025, 1, day)} for day, kind in enumerate("abc", start=1)]

    with stored(facts):
        assert list(Mine(user="b").run()) == [{"quantity": 1, "a": 1, "c": 1}]
        assert list(Mine(user="a").run()) == [{"quantity": 1, "b": 1, "c": 1}]


# What fails elsewhere.


@pytest.mark.django_db
@pytest.mark.parametrize("values", [None, ["a", "b"]])
def test_an_empty_table_has_no_rows(values):
    """django-pivot takes the first row to learn the columns, and raises StopIteration."""
    rows = variant(Kinds, values=values, total=True)().run()

    assert list(rows) == []
    assert rows.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("source", [Figure, Figure.objects.order_by("-revenue", "id"), Figure.objects.all()[:100]])
def test_an_ordering_of_the_model_does_not_break_groups(source):
    """It becomes a part of GROUP BY in django-pivot, whose rows are then single facts."""

    class Months(Pivot):
        name = "tests.figure_months"
        dimensions = ["store__region__name"]
        columns = "month"
        metrics = {"revenue": Sum("revenue")}

    region = Region.objects.create(name="north")
    stores = [Store.objects.create(name=name, region=region) for name in ("one", "two")]
    for month in (1, 2):
        for store in stores:
            Figure.objects.create(store=store, month=date(2025, month, 1), revenue=month)
    report = variant(Months, source=source)

    assert list(report().run()) == [{"store_region_name": "north", "month_2025_01_01": 2, "month_2025_02_01": 4}]


@pytest.mark.django_db
def test_the_total_of_means_is_no_mean_of_means():
    facts = [{"kind": "a", "quantity": 1, "amount": 1}] * 3 + [{"kind": "b", "quantity": 1, "amount": 5}]
    report = variant(Kinds, metrics={"mean": Avg("amount")}, total=True)

    with stored(facts):
        assert list(report().run()) == [{"quantity": 1, "a": 1, "b": 5, "total": 2}]


# Requests.


@pytest.mark.django_db
def test_a_request_takes_dimensions_and_metrics_of_the_class():
    class Asked(Kinds):
        dimensions = ["quantity", "day"]
        values = ["a"]
        other = False

        class Params(Form):
            dimensions = MultipleChoiceField(choices=[("quantity", "quantity"), ("day", "day")], required=False)
            metrics = MultipleChoiceField(choices=[(name, name) for name in METRICS], required=False)

    with stored([{"kind": "a", "quantity": 1, "day": date(2025, 1, day)} for day in (1, 2)]):
        (row,) = Asked().run({"dimensions": ["quantity"], "metrics": ["count"]})

    assert {name: value for name, value in row.items() if value is not None} == {"quantity": 1, "count_a": 2}
    assert [*row] == [column.name for column in Asked.get_columns()]
    assert not any(column.pk for column in Asked.get_columns())


@pytest.mark.django_db
def test_too_many_values_in_the_data_are_refused():
    report = variant(Kinds, most_values=2)

    with stored([{"kind": kind} for kind in "abc"]), pytest.raises(ParamsError) as caught:
        report().run()

    assert caught.value.message_dict == {"columns": ["There are more than 2 values, each of which is a column."]}


def test_values_that_must_be_found_are_refused_in_async_code():
    async def run():
        return Kinds().run()

    with pytest.raises(SynchronousOnlyOperation, match=r"'tests.kinds' lists no values"):
        asyncio.run(run())


# Declarations.


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"columns": None}, "columns is not set"),
        ({"columns": "kinds"}, "Did you mean 'kind'"),
        ({"columns": "buyer__visits"}, "leads to many rows"),
        ({"columns": Count("pk")}, "must be a field's name or an expression"),
        ({"dimensions": []}, "dimensions must be set"),
        ({"metrics": {}}, r"metrics must be set\."),
        ({"dimensions": {"place": "quantity"}}, "no dimension may be called 'place'"),
        ({"columns": "quantity", "values": [1, "x"]}, "values has 'x', which is no IntegerField's"),
        ({"values": ["a", "a"]}, "values has 'a' twice"),
        ({"values": list("abcd"), "most_values": 3}, "there are 4 values, and most_values is 3"),
        ({"metrics": APART, "total": True}, "metric 'kinds' has no total of its values"),
        ({"metrics": {"all": JSONBAgg("kind")}}, "metric 'all' is a jsonb"),
        ({"start": date(2025, 1, 1)}, "date_field is not set"),
        ({"values": [*range(500)], "most_values": 500}, "there would be 3007 columns"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(attributes, problem):
    report = variant(Kinds, **attributes)

    with pytest.raises(DeclarationError, match=f"^Kinds: .*{problem}"):
        report.get_columns()


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"columns": 1}, "must be a field's name or an expression, or None"),
        ({"values": []}, "must be a list of values, a dict of labels by value, choices, or None"),
        ({"values": "abc"}, "must be a list of values"),
        ({"most_values": 0}, "must be a whole number from 1 to 500"),
        ({"other": 1}, "must be True or False"),
        ({"totals": True}, "Did you mean 'total'"),
    ],
)
def test_attributes_of_another_type_are_refused(attributes, problem):
    with pytest.raises(TypeError, match=problem):
        variant(Kinds, **attributes)


def test_a_request_cannot_choose_the_columns():
    class Chosen(Kinds):
        class Params(Form):
            values = CharField()

    with pytest.raises(DeclarationError, match="values cannot be asked for by a request"):
        Chosen.get_columns()
