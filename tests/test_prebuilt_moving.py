"""Moving averages against an oracle that takes all rows of the last periods anew for each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django import forms
from django.db.models import Avg, Count, DurationField, F, FloatField, Max, Sum
from django.db.models.functions import Cast
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import MovingAverage, Period
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import near, stored
from tests.series import ADDED, DAYS, METRICS, cases, figures, make_sales, options, rows_of, zeroed

AVERAGED = {name: metric for name, metric in METRICS.items() if name != "most"}


class Moving(MovingAverage):
    name = "tests.moving"
    source = Sale
    date_field = "at"
    metrics = AVERAGED
    dimensions = ["kind"]


def moving(**attributes):
    return type("Given", (Moving,), attributes)()


def expected(days, facts, start, end, window, *, lead):
    """Return the rows of the range: the series goes back before it, where what lies between is of no period."""
    first = days.of(days.beginning(start))
    groups = days.groups(facts, start, end)
    shown = periods = days.between(start, end)
    if lead:
        earliest = walk_back(days, first, window - 1)
        groups |= days.groups(facts, earliest, first)
        periods = [each for each in days.between(earliest, end) if each < first] + periods
    found = {}
    for kind in {kind for _, kind in groups}:
        for index, period in enumerate(periods):
            if period not in shown:
                continue
            last = periods[max(index + 1 - window, 0) : index + 1]
            rows = [fact for each in last for fact in groups.get((each, kind), [])]
            averages = {**figures(rows), **{name: averaged(zeroed(figures(rows))[name], window) for name in ADDED}}
            found[period, kind] = {
                **zeroed(figures(groups.get((period, kind), []))),
                **{f"{name}_average": averages[name] if len(last) == window else None for name in averages},
            }
    return {key: {name: value for name, value in row.items() if "most" not in name} for key, row in found.items()}


def averaged(total, window):
    return near(Decimal(total) / window)


def walk_back(days, period, steps):
    for _ in range(steps):
        is_hour = days.period is Period.HOUR
        period = period - timedelta(hours=1) if is_hour else days.first(period - timedelta(days=1))
    return period


@pytest.mark.django_db
@settings(max_examples=60)
@given(case=cases([*DAYS, Period.DAY, Period.DAY]), window=st.integers(2, 9), lead=st.booleans())
def test_averages_are_those_of_the_oracle(case, window, lead):
    facts, days, start, end = case
    if days.period in (Period.YEAR, Period.FISCAL_YEAR):
        window = 2
    report = type("Range", (Moving,), options(days, start=start, end=end, window=window, lead=lead))

    with stored(facts):
        found = rows_of(report)

    assert found == expected(days, facts, start, end, window, lead=lead)


@pytest.mark.django_db
@settings(max_examples=20)
@given(case=cases([Period.HOUR], longest=2), window=st.integers(2, 30), lead=st.booleans())
def test_averages_of_hours_are_those_of_the_oracle(case, window, lead):
    facts, days, start, end = case
    report = type("Hours", (Moving,), options(days, start=start, end=end, window=window, lead=lead))

    with stored(facts):
        found = rows_of(report)

    assert found == expected(days, facts, start, end, window, lead=lead)


def test_sql():
    report = moving(start=date(2026, 1, 1), end=date(2026, 2, 1), period=Period.WEEK, window=3, time_zone="UTC")

    query = type("Sums", (type(report),), {"metrics": {"paid": Sum("amount")}})().query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT date_bin('7 days', ("tests_sale"."at" AT TIME ZONE %s)::date::timestamp, TIMESTAMP '2001-01-01')\
::date AS "by_period", "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_paid" FROM "tests_sale"\
 WHERE ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s AND ("tests_sale"."at" < %s OR "tests_sale"."at" >= %s))\
 GROUP BY 1, 2),
spine AS (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
),
grid AS (
    SELECT s.period, "d"."by_kind"
    FROM spine AS s
    CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
),
averaged AS (
    SELECT g.period AS by_period, "g"."by_kind",
        coalesce(("f"."of_paid")::numeric, (%s)::numeric) AS "now_paid",
        CASE WHEN count(*) OVER latest = %s THEN coalesce((sum("f"."of_paid") OVER latest)::numeric, (%s)::numeric)\
 / (%s)::integer END AS "average_paid"
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period AND ARRAY["f"."by_kind"] = ARRAY["g"."by_kind"]
    WINDOW latest AS (PARTITION BY "g"."by_kind" ORDER BY g.period ROWS %s PRECEDING)
)
SELECT a.by_period AS period, "a"."by_kind" AS "kind",
    a."now_paid" AS "paid", a."average_paid" AS "paid_average"
FROM averaged AS a
WHERE a.by_period >= %s"""
    )
    midnights = [datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=days) for days in (17, -31, 3, 0)]
    spine = (date(2025, 12, 15), date(2026, 2, 1), "7 days", True)
    assert query.params == ("UTC", *midnights, *spine, 0, 3, 0, 3, 2, date(2025, 12, 29))


SALES = [{"at": datetime(2026, 1, day, 12, tzinfo=UTC), "quantity": 6 * day} for day in (1, 2, 4, 5)]
RANGE = {"window": 3, "time_zone": "UTC", "end": date(2026, 1, 6), "dimensions": ()}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("start", "lead", "expected"),
    [
        (1, True, [2, 6, 6, 12, 18]),
        (1, False, [None, None, 6, 12, 18]),
        (3, True, [6, 12, 18]),
        (3, False, [None, None, 18]),
    ],
)
def test_first_averages(start, lead, expected):
    """With ``lead`` what is before the range counts, a day without rows as 0; without it they are NULL."""
    report = moving(**RANGE, start=date(2026, 1, start), lead=lead, metrics={"n": Sum("quantity")})

    with stored(SALES):
        assert [row["n_average"] for row in report.run()] == expected


@pytest.mark.django_db
def test_mean_is_that_of_all_rows_and_not_of_means():
    sales = [*SALES[:1] * 3, SALES[1]]
    report = moving(**RANGE, start=date(2026, 1, 2), metrics={"mean": Avg("quantity")})

    with stored(sales):
        found = [row["mean_average"] for row in report.run()]

    assert found == [Decimal("7.5"), Decimal("7.5"), 12, None]


@pytest.mark.django_db
def test_values_are_those_of_the_range_where_it_begins_within_a_period():
    """A week of which the range has Thursday on, after one that is whole."""
    sales = [{"at": datetime(2026, 1, day, 12, tzinfo=UTC), "quantity": 1} for day in range(1, 31)]
    week = {**RANGE, "period": Period.WEEK, "start": date(2026, 1, 15), "end": date(2026, 1, 26), "window": 2}

    with stored(sales):
        found = list(moving(**week, metrics={"n": Sum("quantity")}).run())

    assert [(row["n"], row["n_average"]) for row in found] == [(4, Decimal("5.5")), (7, Decimal("5.5"))]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Sum(F("until") - F("at"), output_field=DurationField()), timedelta(hours=2)),
        (Sum(Cast("quantity", FloatField())), 4.0),
        (Sum("quantity", default=0), 4),
    ],
    ids=["interval", "double precision", "default"],
)
def test_kinds_of_metrics(metric, value):
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    report = moving(**RANGE, start=date(2026, 1, 5), metrics={"m": metric})

    with stored([{"at": at, "until": at + timedelta(hours=6), "quantity": 12}]):
        assert [row["m_average"] for row in report.run()] == [value]


@pytest.mark.django_db
def test_window_is_asked_for_by_a_request():
    params = type("Params", (forms.Form,), {"window": forms.IntegerField(required=False)})
    report = moving(**RANGE, start=date(2026, 1, 5), Params=params, metrics={"n": Sum("quantity")})

    with stored(SALES):
        found = [next(iter(report.run({"window": window})))["n_average"] for window in (None, 2, 6)]

    assert found == [18, 27, 12]
    with pytest.raises(ParamsError, match="window: It must be a whole number"):
        report.run({"window": 1})


@pytest.mark.django_db
def test_no_row_at_all():
    report = moving(**RANGE, start=date(2026, 1, 5), metrics={"n": Count("pk"), "mean": Avg("amount")})

    assert list(report.run()) == [
        {"period": date(2026, 1, 5), "n": 0, "n_average": 0, "mean": None, "mean_average": None}
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("lead", [True, False])
def test_empty_range_has_no_period(lead):
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)

    assert list(moving(dimensions=(), start=noon, end=noon, lead=lead).run()) == []


@pytest.mark.django_db
def test_scans_and_index():
    make_sales()

    plan = moving(start=date(2025, 10, 1), end=date(2025, 10, 8)).run().plan()

    assert_scans(plan, {Sale: MovingAverage.scans})
    assert plan.uses_index("sale_at")


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 2), (None, 1)])
def test_materialized(materialized, scans):
    make_sales(2000)

    plan = moving(start=date(2024, 2, 1), end=date(2024, 3, 1), materialized=materialized).run().plan(analyze=True)

    assert plan.scans(Sale) == scans


def test_columns():
    columns = moving(**RANGE, start=date(2026, 1, 1), metrics={"n": Count("pk"), "mean": Avg("amount")}).get_columns()

    assert [(each.name, each.type, each.null) for each in columns] == [
        ("period", "date", False),
        ("n", "bigint", False),
        ("n_average", "numeric", True),
        ("mean", "numeric", True),
        ("mean_average", "numeric", True),
    ]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({}, "a moving average needs a start and an end, or last"),
        ({"last": 7, "metrics": {"who": Count("buyer", distinct=True)}}, "'who' over several periods cannot be made"),
        (
            {"last": 7, "metrics": METRICS},
            "the average of 'most' over several periods is not defined; it must be a count",
        ),
        ({"last": 7, "metrics": {"n": Count("pk"), "n_average": Sum("amount")}}, "there would be .* name: n_average"),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        moving(**attributes).get_columns()


@pytest.mark.parametrize("attributes", [{"window": 1}, {"window": 7.0}, {"window": True}, {"lead": None}])
def test_wrong_attribute(attributes):
    (name,) = attributes

    with pytest.raises(TypeError, match=f"Given.{name} is .*; it must be "):
        moving(**attributes)


@pytest.mark.parametrize("period", [Period.DAY, Period.YEAR])
def test_lead_before_the_first_day_of_the_calendar_is_refused(period):
    report = moving(date_field="day", start=date(2, 1, 3), end=date(2, 1, 5), period=period, window=1000)

    with pytest.raises(ParamsError, match="start: The range is too near to the first or the last day"):
        report.run()


def test_maximum_is_refused_as_it_has_no_average():
    with pytest.raises(DeclarationError, match="the average of 'm' over"):
        moving(last=7, metrics={"m": Max("at")}).get_columns()
