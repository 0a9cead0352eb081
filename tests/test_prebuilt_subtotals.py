"""Subtotals against an oracle that counts each level row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Avg, Count, Max, Q, Sum
from django.forms import CharField, ChoiceField, Form, MultipleChoiceField
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Levels, Ratio, Subtotals
from reports.testing import assert_scans
from tests.models import Figure, Region, Sale, Store
from tests.sales import near, sales, stored

Facts = Sequence[Mapping[str, Any]]

DIMENSIONS = ["kind", "quantity", "day"]
METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "share": Ratio("priced", "count"),
}
APART = {"days": Count("day", distinct=True), "sold": Count("pk"), "share": Ratio("days", "sold")}
# Few values, so that groups have several rows.
few = sales(quantity=st.sampled_from([None, 1, 2]), day=st.sampled_from([None, date(2025, 1, 1), date(2024, 2, 29)]))


class Sold(Subtotals):
    name = "tests.sold"
    source = Sale
    dimensions = DIMENSIONS
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
    days = len({fact["day"] for fact in facts} - {None})
    return {"days": days, "sold": len(facts), "share": near(Decimal(days) / len(facts)) if facts else None}


def oracle(facts: Facts, levels: Mapping[str, Sequence[str]], count: Any) -> list[dict[str, Any]]:
    """Return the rows of each level."""
    rows = []
    for label, names in levels.items():
        keys = {tuple(fact[name] for name in names) for fact in facts} or ({()} if not names else set())
        for key in keys:
            group = [fact for fact in facts if tuple(fact[name] for name in names) == key]
            rows.append(
                {
                    "level": label,
                    "depth": len(names),
                    **dict.fromkeys(DIMENSIONS),
                    **dict(zip(names, key, strict=True)),
                    **{f"{name}_is_total": name not in names for name in DIMENSIONS},
                    **count(group),
                }
            )
    return rows


def order(row: Mapping[str, Any], *, totals_first: bool) -> Any:
    """Return what rows are sorted by: for each dimension totals after or before, then values, NULL last."""
    kinds = {"": 0, "a": 1, "b": 2, "c": 3}
    found = []
    for name in DIMENSIONS:
        value = row[name]
        plain = kinds[value] if name == "kind" and value is not None else value
        found.append((row[f"{name}_is_total"] != totals_first, value is None, plain if value is not None else 0))
    return [(total, null, str(plain)) for total, null, plain in found]


def all_levels(given: Any) -> dict[str, Sequence[str]]:
    """Return the levels that an attribute means, by label."""
    if given == Levels.ROLLUP:
        found: Any = [DIMENSIONS[:size] for size in (3, 2, 1, 0)]
    elif given == Levels.CUBE:
        found = [names for size in range(4) for names in combinations(DIMENSIONS, size)]
    else:
        found = given
    return {", ".join(name for name in DIMENSIONS if name in names) or "total": names for names in found}


some_levels = st.one_of(
    st.sampled_from(Levels),
    st.lists(st.lists(st.sampled_from(DIMENSIONS), unique=True), min_size=1, max_size=4, unique_by=frozenset),
)


@pytest.mark.django_db
@settings(max_examples=50)
@given(facts=few, levels=some_levels, totals_first=st.booleans())
def test_levels_are_those_of_the_oracle(facts, levels, totals_first):
    report = variant(Sold, levels=levels, totals_first=totals_first)
    expected = oracle(facts, all_levels(levels), figures)

    with stored(facts):
        rows = list(report().run())

    assert rows == sorted(expected, key=lambda row: order(row, totals_first=totals_first))


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=few, levels=some_levels)
def test_metrics_that_cannot_be_merged_are_those_of_the_oracle(facts, levels):
    report = variant(Sold, levels=levels, metrics=APART)
    expected = oracle(facts, all_levels(levels), apart)

    with stored(facts):
        rows = list(report().run())

    assert rows == sorted(expected, key=lambda row: order(row, totals_first=False))


# The SQL.


def test_sql_adds_up_the_groups_of_the_facts():
    class Pairs(Sold):
        dimensions = ["kind", "day"]
        metrics = {"sold": Count("pk")}

    query = Pairs().query()

    assert query.sql == (
        'WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."day" AS "by_day",'
        ' COUNT("tests_sale"."id") AS "of_sold" FROM "tests_sale" GROUP BY 1, 2)\n'
        "SELECT\n"
        '    CASE grouping("r"."by_kind", "r"."by_day") WHEN 0 THEN %s WHEN 1 THEN %s WHEN 3 THEN %s END::text'
        " AS level,\n"
        '    CASE grouping("r"."by_kind", "r"."by_day") WHEN 0 THEN 2 WHEN 1 THEN 1 WHEN 3 THEN 0 END AS depth,'
        ' "r"."by_kind" AS "kind", "r"."by_day" AS "day",\n'
        '    grouping("r"."by_kind", "r"."by_day") & 2 <> 0 AS "kind_is_total",\n'
        '    grouping("r"."by_kind", "r"."by_day") & 1 <> 0 AS "day_is_total",\n'
        '    coalesce((sum("r"."of_sold") )::bigint, (%s)::bigint) AS "sold"\n'
        "FROM facts AS r\n"
        'GROUP BY GROUPING SETS (("r"."by_kind", "r"."by_day"), ("r"."by_kind"), ())'
    )
    assert query.params == ("kind, day", "kind", "total", 0)


def test_sql_of_metrics_that_cannot_be_merged_has_a_branch_for_each_level():
    class Pair(Sold):
        dimensions = ["kind"]
        metrics = {"days": Count("day", distinct=True)}

    query = Pair().query()

    assert query.sql == (
        "WITH facts AS  (\n"
        '    SELECT 0 AS missing, "f"."by_kind", f."of_days"\n'
        '    FROM (SELECT "tests_sale"."kind" AS "by_kind", COUNT(DISTINCT "tests_sale"."day") AS "of_days"'
        ' FROM "tests_sale" GROUP BY 1) AS f\n'
        "    UNION ALL\n"
        '    SELECT 1 AS missing, NULL::character varying AS "by_kind", f."of_days"\n'
        '    FROM (SELECT %s AS "by_all", COUNT(DISTINCT "tests_sale"."day") AS "of_days" FROM "tests_sale") AS f\n'
        ")\n"
        "SELECT\n"
        "    CASE r.missing WHEN 0 THEN %s WHEN 1 THEN %s END::text AS level,\n"
        '    CASE r.missing WHEN 0 THEN 1 WHEN 1 THEN 0 END AS depth, "r"."by_kind" AS "kind",\n'
        '    r.missing & 1 <> 0 AS "kind_is_total",\n'
        '    coalesce(("r"."of_days")::bigint, (%s)::bigint) AS "days"\n'
        "FROM facts AS r"
    )
    assert query.params == (1, "kind", "total", 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("attributes", "scans"),
    [
        ({}, 1),
        ({"levels": Levels.CUBE}, 1),
        ({"metrics": APART}, 4),
        ({"metrics": APART, "levels": Levels.CUBE}, 8),
        ({"metrics": APART, "levels": {"by kind": ["kind"], "all": []}}, 2),
    ],
)
def test_facts_are_read_as_often_as_the_class_says(attributes, scans):
    report = variant(Sold, **attributes)

    assert report.scans == scans
    assert_scans(report().run(), {Sale: scans})


@pytest.mark.django_db
def test_materialized_facts_are_a_cte_of_the_plan():
    def reads_cte(materialized):
        report = variant(Sold, materialized=materialized)
        return any(node.title.startswith("CTE Scan") for node in report().run().plan().nodes)

    assert [reads_cte(each) for each in (True, False, None)] == [True, False, False]


# Rows.


@pytest.mark.django_db
def test_the_flag_tells_a_total_from_a_null_in_the_data():
    class Kinds(Sold):
        dimensions = ["kind"]
        metrics = {"sold": Count("pk")}

    with stored([{"kind": None}, {"kind": None}, {"kind": "a"}]):
        rows = list(Kinds().run())

    assert rows == [
        {"level": "kind", "depth": 1, "kind": "a", "kind_is_total": False, "sold": 1},
        {"level": "kind", "depth": 1, "kind": None, "kind_is_total": False, "sold": 2},
        {"level": "total", "depth": 0, "kind": None, "kind_is_total": True, "sold": 3},
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("metrics", [METRICS, APART], ids=["merged", "apart"])
def test_an_empty_table_has_a_grand_total(metrics):
    (row,) = variant(Sold, metrics=metrics)().run()

    expected = (figures if metrics is METRICS else apart)([])
    assert {name: row[name] for name in metrics} == expected
    assert row["level"] == "total"


@pytest.mark.django_db
def test_levels_have_labels_and_their_own_order():
    class Labelled(Sold):
        levels = {"each day": ["day", "kind"], "everything": []}
        metrics = {"sold": Count("pk")}
        ordering = ["depth", "kind"]

    with stored([{"kind": "b"}, {"kind": "a"}]):
        rows = Labelled().run().values_list("level", "depth", "kind", "sold")

        assert list(rows) == [("everything", 0, None, 2), ("each day", 2, "a", 1), ("each day", 2, "b", 1)]
        assert list(rows.filter(quantity_is_total=True, kind="a")) == [("each day", 2, "a", 1)]


@pytest.mark.django_db
def test_a_relation_is_a_dimension_and_an_ordering_of_the_model_no_group():
    class Stores(Subtotals):
        name = "tests.store_revenue"
        source = Figure
        dimensions = {"region": "store__region__name", "store": "store"}
        metrics = {"revenue": Sum("revenue"), "labels": ArrayAgg("label")}
        levels = [["region", "store_id"], ["region"]]

    region = Region.objects.create(name="north")
    stores = [Store.objects.create(name=name, region=region) for name in ("one", "two")]
    for store in stores:
        for month in (1, 2):
            Figure.objects.create(store=store, month=date(2025, month, 1), revenue=month, label="x")

    rows = Stores().run().values_list("region", "store_id", "revenue", "labels")

    assert list(rows) == [
        ("north", stores[0].pk, 3, ["x", "x"]),
        ("north", stores[1].pk, 3, ["x", "x"]),
        ("north", None, 6, ["x", "x", "x", "x"]),
    ]


# Requests.


class Asked(Sold):
    """Dimensions, levels and the end of the range may be asked for."""

    name = "tests.asked"
    date_field = "day"
    metrics = {"sold": Count("pk")}

    class Params(Form):
        dimensions = MultipleChoiceField(choices=[(name, name) for name in DIMENSIONS], required=False)
        levels = ChoiceField(choices=[*Levels.choices, ("other", "other")], required=False)


@pytest.mark.django_db
def test_a_request_takes_fewer_dimensions():
    facts = [{"kind": kind, "quantity": 1} for kind in "ab"]

    with stored(facts):
        rows = list(Asked().run({"dimensions": ["quantity"], "levels": "cube"}))

    absent = {"kind": None, "day": None, "kind_is_total": True, "day_is_total": True}
    assert rows == [
        {"level": "quantity", "depth": 1, "quantity": 1, "quantity_is_total": False, "sold": 2, **absent},
        {"level": "total", "depth": 0, "quantity": None, "quantity_is_total": True, "sold": 2, **absent},
    ]


@pytest.mark.django_db
def test_a_level_that_needs_a_dimension_not_asked_for_is_left_out():
    report = variant(Asked, levels=[["kind", "day"], ["kind"]])

    with stored([{"kind": "a"}]):
        assert [row["level"] for row in report().run({"dimensions": ["kind"]})] == ["kind"]
    with pytest.raises(ParamsError, match="No level is of these dimensions alone"):
        report().run({"dimensions": ["day"]})


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"dimensions": ["kinds"]}, "kinds is not one of the available choices"),
        ({"levels": "other"}, "It must be rollup or cube"),
    ],
)
def test_requests_for_what_is_not_there_are_refused(params, problem):
    with pytest.raises(ParamsError, match=problem):
        Asked().run(params)


def test_a_request_for_too_many_levels_is_refused():
    report = variant(Asked, most_levels=5)

    with pytest.raises(ParamsError, match="There would be 8 levels; there may be at most 5"):
        report().query({"levels": "cube"})


# Declarations.


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"dimensions": []}, "dimensions must be set"),
        ({"metrics": {}}, r"metrics must be set\."),
        ({"levels": [["kind"], ["kinds"]]}, "levels names 'kinds', which is no dimension .*Did you mean 'kind'"),
        ({"levels": [["kind", "day"], ["day", "kind"]]}, "levels has one level twice: kind, day"),
        ({"levels": Levels.CUBE, "most_levels": 7}, "there would be 8 levels, and most_levels is 7"),
        ({"dimensions": {"kind": "kind", "kind_is_total": "day"}}, "several columns of one name: kind_is_total"),
        ({"last": 3}, "date_field is not set"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(attributes, problem):
    report = variant(Sold, **attributes)

    with pytest.raises(DeclarationError, match=f"^Sold: .*{problem}"):
        report.get_columns()


@pytest.mark.parametrize("levels", ["both", [], [["kind", 1]], ["kind"], {"": ["kind"]}, {"kind": "kind"}, None, 3])
def test_levels_of_another_type_are_refused(levels):
    with pytest.raises(TypeError, match="it must be rollup or cube, or a list of lists of dimensions"):
        variant(Sold, levels=levels)


def test_a_list_of_levels_cannot_come_from_a_request():
    class Free(Sold):
        class Params(Form):
            levels = CharField(required=False)

    with pytest.raises(ParamsError, match="levels: It must be rollup or cube"):
        Free().query({"levels": "kind"})
