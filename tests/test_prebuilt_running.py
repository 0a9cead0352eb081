"""Running totals against an oracle that counts all rows anew for each period."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django import forms
from django.contrib.postgres.aggregates import ArrayAgg, BoolOr
from django.db.models import Avg, Count, Min, Q, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Fill, Period, RunningTotal
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import stored
from tests.series import DAYS, METRICS, NOTHING, cases, figures, make_sales, options, rows_of, zeroed


class Running(RunningTotal):
    name = "tests.running"
    source = Sale
    date_field = "at"
    metrics = METRICS
    dimensions = ["kind"]


def running(**attributes):
    return type("Given", (Running,), attributes)()


def days_of(month, *numbers):
    return [datetime(2026, month, number, 12, tzinfo=UTC) for number in numbers]


def expected(days, facts, start, end, *, opening, fill):
    """Return the rows: of each period those of its own, and of all until it."""
    groups = days.groups(facts, start, end)
    before = days.groups(facts, None, start) if opening else {}
    kinds = {kind for _, kind in (*groups, *before)}
    keys = [(period, kind) for period in days.between(start, end) for kind in kinds] if fill else groups
    found = {}
    for period, kind in keys:
        own = groups.get((period, kind), [])
        earlier = [fact for (when, other), rows in groups.items() if when <= period and other == kind for fact in rows]
        so_far = earlier + [fact for (_, other), rows in before.items() if other == kind for fact in rows]
        now, then = (shown(rows, fill) for rows in (own, so_far))
        found[period, kind] = {**now, **{f"{name}_running": value for name, value in then.items()}}
    return found


def shown(rows, fill):
    if fill == Fill.ZERO:
        return zeroed(figures(rows)) if rows else NOTHING
    return figures(rows) if rows else dict.fromkeys(METRICS)


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    case=cases([*DAYS, Period.DAY, Period.DAY]),
    opening=st.booleans(),
    fill=st.sampled_from([Fill.ZERO, Fill.NULL, None]),
)
def test_running_totals_are_those_of_the_oracle(case, opening, fill):
    facts, days, start, end = case
    report = type("Range", (Running,), options(days, start=start, end=end, opening=opening, fill=fill))

    with stored(facts):
        found = rows_of(report)

    assert found == expected(days, facts, start, end, opening=opening, fill=fill)


@pytest.mark.django_db
@settings(max_examples=20)
@given(case=cases([Period.HOUR], longest=2), opening=st.booleans())
def test_running_hours_are_those_of_the_oracle(case, opening):
    facts, days, start, end = case
    report = type("Hours", (Running,), options(days, start=start, end=end, opening=opening))

    with stored(facts):
        found = rows_of(report)

    assert found == expected(days, facts, start, end, opening=opening, fill=Fill.ZERO)


def test_sql_with_an_opening_balance():
    report = running(
        start=date(2026, 1, 1), end=date(2026, 2, 1), opening=True, time_zone="UTC", metrics={"paid": Sum("amount")}
    )

    query = report.query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT CASE WHEN "tests_sale"."at" >= %s THEN ("tests_sale"."at" AT TIME ZONE %s)::date ELSE NULL END\
 AS "by_period", "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_paid" FROM "tests_sale"\
 WHERE "tests_sale"."at" < %s GROUP BY 1, 2),
spine AS (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s AND i AT TIME ZONE %s < (i + interval '1 day') AT TIME ZONE %s
),
grid AS (
    SELECT s.period, "d"."by_kind"
    FROM spine AS s
    CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
),
filled AS (
    SELECT g.period AS by_period, "g"."by_kind", f."of_paid"
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period AND ARRAY["f"."by_kind"] = ARRAY["g"."by_kind"]
    UNION ALL
    SELECT f.by_period, "f"."by_kind", f."of_paid"
    FROM facts AS f
    WHERE f.by_period IS NULL
),
added AS (
    SELECT r.by_period, "r"."by_kind",
        coalesce(("r"."of_paid")::numeric, (%s)::numeric) AS "now_paid",
        coalesce((sum("r"."of_paid") OVER so_far)::numeric, (%s)::numeric) AS "running_paid"
    FROM "filled" AS r
    WINDOW so_far AS (PARTITION BY "r"."by_kind" ORDER BY r.by_period NULLS FIRST ROWS UNBOUNDED PRECEDING)
)
SELECT a.by_period AS period, "a"."by_kind" AS "kind",
    a."now_paid" AS "paid", a."running_paid" AS "paid_running"
FROM added AS a
WHERE a.by_period IS NOT NULL"""
    )


@pytest.mark.django_db
def test_opening_is_what_was_before_the_range_in_its_first_period_too():
    sales = [{"at": at, "amount": Decimal(10**index)} for index, at in enumerate(days_of(1, 5, 14, 15, 28))]
    bounds = {"start": date(2026, 1, 15), "end": date(2026, 3, 1), "period": Period.MONTH, "time_zone": "UTC"}
    attributes = {**bounds, "dimensions": (), "metrics": {"paid": Sum("amount")}}

    with stored(sales):
        found = {
            opening: [(row["paid"], row["paid_running"]) for row in running(**attributes, opening=opening).run()]
            for opening in (True, False)
        }

    assert found == {True: [(1100, 1111), (0, 1111)], False: [(1100, 1100), (0, 1100)]}


@pytest.mark.django_db
def test_open_range_without_fill():
    with stored([{"at": at, "quantity": 1} for at in days_of(1, 1, 1, 3)]):
        rows = list(running(fill=None, opening=True, metrics={"n": Count("pk")}, dimensions=(), time_zone="UTC").run())

    assert rows == [
        {"period": date(2026, 1, 1), "n": 2, "n_running": 2},
        {"period": date(2026, 1, 3), "n": 1, "n_running": 3},
    ]


@pytest.mark.django_db
def test_opening_is_asked_for_by_a_request():
    params = type("Params", (forms.Form,), {"opening": forms.BooleanField(required=False)})
    report = running(
        Params=params, start=date(2026, 1, 2), end=date(2026, 1, 3), metrics={"n": Count("pk")}, dimensions=()
    )

    with stored([{"at": at} for at in days_of(1, 1, 2)]):
        found = [[row["n_running"] for row in report.run({"opening": asked})] for asked in (True, False)]

    assert found == [[2], [1]]


@pytest.mark.django_db
def test_no_row_at_all():
    bounds = {"start": date(2026, 1, 1), "end": date(2026, 1, 2), "dimensions": (), "metrics": {"n": Count("pk")}}

    assert list(running(**bounds).run()) == [{"period": date(2026, 1, 1), "n": 0, "n_running": 0}]
    assert list(running(**bounds, fill="null").run()) == [{"period": date(2026, 1, 1), "n": None, "n_running": None}]
    assert list(running(**bounds, fill=None).run()) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("metric", "values"),
    [
        (Min("quantity"), [3, 1, 1]),
        (BoolOr(Q(quantity=1)), [False, True, True]),
        (Sum("quantity", default=0), [3, 4, 6]),
        (Avg("quantity"), [3, 2, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_kinds_of_metrics(metric, values):
    sales = [{"at": at, "quantity": quantity} for at, quantity in zip(days_of(1, 1, 2, 3), (3, 1, 2), strict=True)]
    report = running(
        start=date(2026, 1, 1), end=date(2026, 1, 4), metrics={"m": metric}, dimensions=(), time_zone="UTC"
    )

    with stored(sales):
        assert [row["m_running"] for row in report.run()] == values


@pytest.mark.django_db
@pytest.mark.parametrize("opening", [True, False])
@pytest.mark.parametrize("fill", ["zero", None])
def test_scans(opening, fill):
    make_sales()
    report = running(start=date(2024, 6, 1), end=date(2025, 6, 1), opening=opening, fill=fill, period=Period.MONTH)

    assert_scans(report.run(), {Sale: report.scans})


@pytest.mark.django_db
@pytest.mark.parametrize(("opening", "is_used"), [(False, True), (True, False)])
def test_range_is_found_by_an_index(opening, is_used):
    """An opening balance is of all rows before the range."""
    make_sales()
    report = running(start=date(2025, 10, 1), end=date(2025, 10, 8), opening=opening)

    assert report.run().plan().uses_index("sale_at") == is_used


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 3), (None, 1)])
def test_materialized(materialized, scans):
    """The facts are used three times: for the dimensions of the grid, in it, and for the opening balance."""
    make_sales(2000)

    plan = (
        running(start=date(2024, 2, 1), end=date(2024, 3, 1), opening=True, materialized=materialized)
        .run()
        .plan(analyze=True)
    )

    assert plan.scans(Sale) == scans


def test_columns():
    report = running(start=date(2026, 1, 1), end=date(2026, 2, 1), metrics={"n": Count("pk"), "mean": Avg("amount")})

    assert [(each.name, each.type, each.null) for each in report.get_columns()] == [
        ("period", "date", False),
        ("kind", "character varying", True),
        ("n", "bigint", False),
        ("n_running", "bigint", False),
        ("mean", "numeric", True),
        ("mean_running", "numeric", True),
    ]
    assert report.get_ordering() == ("period", "kind")
    filled = running(start=date(2026, 1, 1), end=date(2026, 2, 1), metrics={"n": Count("pk")}, fill="null")
    assert [each.null for each in filled.get_columns()] == [False, True, True, True]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({}, "a filled series needs a start and an end, or last"),
        (
            {
                "fill": None,
                "metrics": {"who": Count("buyer", distinct=True), "list": ArrayAgg("kind"), "n": Count("pk")},
            },
            "'list', 'who' over several periods cannot be made of the values of each",
        ),
        (
            {"fill": None, "metrics": {"n": Count("pk"), "n_running": Sum("amount")}},
            "there would be .* one name: n_running",
        ),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        running(**attributes).get_columns()


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        (
            {"fill": "last"},
            "Given.fill is 'last'; it must be zero or null: a running total stands on by itself, or None",
        ),
        ({"opening": 100}, "Given.opening is 100; it must be True or False"),
    ],
)
def test_wrong_attribute(attributes, problem):
    with pytest.raises(TypeError, match=problem):
        running(**attributes)


def test_range_of_too_many_periods_is_refused():
    start = date(2026, 1, 1)

    with pytest.raises(ParamsError, match="start: The range has 11 periods"):
        running(start=start, end=start + timedelta(days=11), most_periods=10).run()
