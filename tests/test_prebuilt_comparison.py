"""Periods compared with earlier ones, against an oracle that asks of each row whether its day and time were reached."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Avg, Count, DurationField, F, Max, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Against, Period, PeriodComparison
from reports.testing import assert_scans
from tests.changes import compared, how_far, same
from tests.models import Sale
from tests.sales import stored
from tests.series import DAYS, METRICS, cases, figures, make_sales, options, rows_of, zeroed

BERLIN = ZoneInfo("Europe/Berlin")


class Comparison(PeriodComparison):
    name = "tests.comparison"
    source = Sale
    date_field = "at"
    metrics = METRICS
    dimensions = ["kind"]


def comparison(**attributes):
    return type("Given", (Comparison,), attributes)()


def utc(year, month, day, hour=0, minute=0):
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def day_before(day, months, days):
    """Return the same day so many months back, or the last of that month."""
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1])) - timedelta(days=days)


def beginning_before(days, bound, months, back, *, is_end):
    """Return when the same time of the earlier day comes, found by walking; of a day that is not there, its end."""
    local = days.beginning(bound).astimezone(days.zone)
    day = bound if not isinstance(bound, datetime) else local.date()
    earlier = day_before(day, months, back)
    if is_end and months and earlier.day != day.day:
        return days.beginning(earlier + timedelta(days=1))
    time = local.time()
    if days.beginning(local.date()) == days.beginning(bound):
        return days.beginning(earlier)
    minute = timedelta(minutes=1)
    instant = days.beginning(earlier)
    # Up to the minute after the last one that the clock shows before the time: it may show it twice.
    reached = [
        each
        for each in (instant + number * minute for number in range(26 * 60))
        if each.astimezone(days.zone).date() == earlier and each.astimezone(days.zone).time() < time
    ]
    return reached[-1] + minute


@pytest.mark.django_db
@settings(max_examples=80)
@given(
    case=cases([*DAYS, Period.DAY, Period.WEEK, Period.MONTH]),
    against=st.sampled_from([Against.PREVIOUS, Against.YEAR, 1, 2, 3]),
    is_moved=st.booleans(),
)
def test_comparison_is_that_of_the_oracle(case, against, is_moved):
    facts, days, start, end = case
    months, back = how_far(days.period, against)
    if is_moved:  # half of the rows go to where the earlier range is
        length = timedelta(days=back + months * 30)
        facts = [*facts[::2], *({**fact, "at": fact["at"] and fact["at"] - length} for fact in facts[1::2])]
    low = beginning_before(days, start, months, back, is_end=False)
    high = beginning_before(days, end, months, back, is_end=True)
    now, before = days.groups(facts, start, end), days.groups(facts, low, high)
    expected = {
        (period, kind): compared(
            *(
                zeroed(figures(groups.get((when, kind), [])))
                for groups, when in ((now, period), (before, day_before(period, months, back)))
            )
        )
        for period in days.between(start, end)
        for kind in {kind for _, kind in (*now, *before)}
    }
    report = type("Range", (Comparison,), options(days, start=start, end=end, against=against))

    with stored(facts):
        found = rows_of(report)

    same(found, expected)


@pytest.mark.django_db
@settings(max_examples=25)
@given(case=cases([Period.HOUR], longest=1), number=st.integers(1, 30))
def test_hours_back_are_those_of_the_oracle(case, number):
    facts, days, start, end = case
    back = timedelta(hours=number)
    low, high = (days.beginning(bound) for bound in (start, end))
    now, before = days.groups(facts, low, high), days.groups(facts, low - back, high - back)
    kinds = {kind for _, kind in (*now, *before)}
    report = type("Hours", (Comparison,), options(days, start=start, end=end, against=number))

    with stored(facts):
        found = rows_of(report)

    same(
        found,
        {
            (hour, kind): compared(
                zeroed(figures(now.get((hour, kind), []))),
                zeroed(figures(before.get((days.of(hour - back), kind), []))),
            )
            for hour in days.between(start, end)
            for kind in kinds
        },
    )


def test_sql_of_whole_periods():
    report = comparison(
        start=date(2026, 3, 1),
        end=date(2026, 6, 1),
        period=Period.MONTH,
        time_zone="UTC",
        metrics={"paid": Sum("amount")},
    )

    query = report.query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT date_trunc('month', ("tests_sale"."at" AT TIME ZONE %s)::date::timestamp)::date AS "by_period",\
 "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_paid" FROM "tests_sale"\
 WHERE ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s) GROUP BY 1, 2),
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
compared AS (
    SELECT g.period AS by_period, "g"."by_kind",
        coalesce(("n"."of_paid")::numeric, (%s)::numeric) AS "now_paid",
        coalesce(("b"."of_paid")::numeric, (%s)::numeric) AS "before_paid"
    FROM grid AS g
    LEFT JOIN facts AS n ON n.by_period = g.period AND ARRAY["n"."by_kind"] = ARRAY["g"."by_kind"]
    LEFT JOIN facts AS b ON b.by_period = (g.period - (%s)::interval)::date\
 AND ARRAY["b"."by_kind"] = ARRAY["g"."by_kind"]
)
SELECT c.by_period AS period, "c"."by_kind" AS "kind",
    "c"."now_paid" AS "paid", "c"."before_paid" AS "paid_before", "c"."now_paid" - "c"."before_paid" AS "paid_delta",
    ("c"."now_paid" - "c"."before_paid")::numeric / nullif(abs("c"."before_paid"), 0) AS "paid_change"
FROM compared AS c"""
    )
    spine = (date(2026, 3, 1), date(2026, 6, 1), "1 months", True)
    assert query.params == ("UTC", utc(2026, 2, 1), utc(2026, 6, 1), *spine, 0, 0, "1 months")


def test_sql_of_parts_of_periods_has_a_filter_for_each_range():
    report = comparison(
        start=date(2026, 3, 1), end=date(2026, 3, 13), period=Period.MONTH, against="year", metrics={"n": Count("pk")}
    )

    facts = report.query().sql.partition("spine AS")[0]

    assert facts.count("COUNT(") == facts.count(" FILTER (WHERE ") == 2
    assert 'AS "now_of_n"' in facts
    assert 'AS "before_of_n"' in facts
    assert facts.count('"tests_sale"."at" >= %s') == 4  # nothing is read of what lies between


def of(report):
    return [(row["n"], row["n_before"], row["n_delta"], row["n_change"]) for row in report.run()]


COUNTED = {"metrics": {"n": Count("pk")}, "dimensions": (), "time_zone": "UTC"}


@pytest.mark.django_db
def test_part_of_a_month_is_compared_with_the_same_part():
    report = comparison(**COUNTED, period=Period.MONTH, start=date(2026, 2, 1), end=date(2026, 3, 13))
    numbers = {(1, 5): 4, (1, 31): 1, (2, 5): 2, (2, 13): 8, (3, 12): 3, (3, 13): 16}
    sales = [{"at": utc(2026, *day, 23)} for day, number in numbers.items() for _ in range(number)]

    with stored(sales):
        assert of(report) == [(10, 5, 5, 1), (3, 2, 1, Decimal("0.5"))]


@pytest.mark.django_db
def test_month_that_is_longer_is_compared_with_the_whole_of_the_shorter_one():
    report = comparison(**COUNTED, period=Period.MONTH, start=date(2026, 3, 1), end=date(2026, 3, 31))

    with stored([{"at": utc(2026, 2, 28, 23)}, {"at": utc(2026, 3, 30)}, {"at": utc(2026, 3, 31)}]):
        assert of(report) == [(1, 1, 0, 0)]


@pytest.mark.django_db
def test_leap_day_is_compared_with_the_28th():
    report = comparison(**COUNTED, against="year", start=date(2024, 2, 28), end=date(2024, 3, 2))
    days = [utc(2023, 2, 28), utc(2023, 3, 1), utc(2023, 3, 1), utc(2024, 2, 29)]

    with stored([{"at": day} for day in days]):
        assert of(report) == [(0, 1, -1, -1), (1, 1, 0, 0), (0, 2, -2, -1)]


@pytest.mark.django_db
def test_week_is_compared_with_that_52_weeks_before():
    """So that Mondays meet Mondays, also from week 53 of 2020."""
    report = comparison(
        **COUNTED, against="year", period=Period.ISO_WEEK, start=date(2020, 12, 28), end=date(2021, 1, 11)
    )

    with stored([{"at": utc(2019, 12, 30)}, {"at": utc(2020, 1, 6)}, {"at": utc(2020, 1, 12)}]):
        assert of(report) == [(0, 1, -1, -1), (0, 2, -2, -1)]


@pytest.mark.django_db
def test_fiscal_quarter_is_compared_with_the_one_before():
    report = comparison(
        **COUNTED, period=Period.FISCAL_QUARTER, fiscal_start=2, start=date(2026, 2, 1), end=date(2026, 5, 1)
    )

    with stored([{"at": utc(2025, 11, 1)}, {"at": utc(2026, 1, 31)}, {"at": utc(2026, 4, 30)}]):
        assert of(report) == [(1, 2, -1, Decimal("-0.5"))]


@pytest.mark.django_db
def test_hour_is_compared_with_the_same_time_of_day_a_year_before():
    report = comparison(
        **{**COUNTED, "time_zone": BERLIN},
        against="year",
        period=Period.HOUR,
        start=datetime(2026, 3, 29, 1, tzinfo=BERLIN),
        end=datetime(2026, 3, 29, 4, tzinfo=BERLIN),
    )
    hours = [datetime(2025, 3, 29, hour, 30, tzinfo=BERLIN) for hour in (1, 2, 3, 3)]

    with stored([{"at": hour} for hour in hours]):
        assert of(report) == [(0, 1, -1, -1), (0, 2, -2, -1)]


@pytest.mark.django_db
def test_repeated_hours_are_compared_with_one_another():
    report = comparison(
        **{**COUNTED, "time_zone": BERLIN}, period=Period.HOUR, start=utc(2025, 10, 26, 1), end=utc(2025, 10, 26, 2)
    )

    with stored([{"at": utc(2025, 10, 26, 0, 30)}, {"at": utc(2025, 10, 26, 1, 30)}, {"at": utc(2025, 10, 26, 1, 31)}]):
        assert of(report) == [(2, 1, 1, 1)]


@pytest.mark.django_db
def test_change_from_a_loss_to_a_smaller_one_is_a_rise():
    metrics = {"n": Sum("amount")}
    report = comparison(**{**COUNTED, "metrics": metrics}, start=date(2026, 1, 1), end=date(2026, 1, 4))
    amounts = {1: Decimal(-8), 2: Decimal(-4), 3: Decimal(0)}

    with stored([{"at": utc(2026, 1, day), "amount": amount} for day, amount in amounts.items()]):
        assert of(report) == [(-8, 0, -8, None), (-4, -8, 4, Decimal("0.5")), (0, -4, 4, 1)]


@pytest.mark.django_db
def test_metrics_that_cannot_be_merged_and_those_that_are_no_numbers():
    at = utc(2026, 1, 1, 12)
    metrics = {
        "kinds": Count("kind", distinct=True),
        "list": ArrayAgg("kind", distinct=True),
        "latest": Max("at"),
        "time": Sum(F("until") - F("at"), output_field=DurationField()),
    }
    report = comparison(
        metrics=metrics,
        dimensions=(),
        period=Period.MONTH,
        time_zone="UTC",
        start=date(2026, 2, 1),
        end=date(2026, 2, 2),
    )
    sales = [{"at": at, "until": at + timedelta(hours=1), "kind": kind} for kind in "aab"]

    with stored(sales):
        (row,) = report.run()

    assert row == {
        "period": date(2026, 2, 1),
        "kinds": 0,
        "kinds_before": 2,
        "kinds_delta": -2,
        "kinds_change": -1,
        "list": None,
        "list_before": ["a", "b"],
        "latest": None,
        "latest_before": at,
        "time": timedelta(),
        "time_before": timedelta(hours=3),
    }


@pytest.mark.django_db
def test_no_row_at_all():
    report = comparison(**COUNTED, start=date(2026, 1, 1), end=date(2026, 1, 2))

    assert of(report) == [(0, 0, 0, None)]


@pytest.mark.django_db
def test_against_is_asked_for_by_a_request():
    params = type("Params", (forms.Form,), {"against": forms.CharField(required=False)})
    report = comparison(**COUNTED, Params=params, start=date(2026, 1, 2), end=date(2026, 1, 3))

    with stored([{"at": utc(2026, 1, 1)}, {"at": utc(2025, 1, 2)}, {"at": utc(2025, 1, 2)}]):
        found = [next(iter(report.run({"against": against})))["n_before"] for against in ("", "previous", "year")]

    assert found == [1, 1, 2]
    with pytest.raises(ParamsError, match="against: It must be previous, year, or a whole number from 1 to 1000"):
        report.run({"against": "next"})


@pytest.mark.django_db
@pytest.mark.parametrize("against", Against)
def test_scans_and_index(against):
    make_sales()

    plan = comparison(start=date(2025, 10, 1), end=date(2025, 10, 8), against=against).run().plan()

    assert_scans(plan, {Sale: PeriodComparison.scans})
    assert plan.uses_index("sale_at")


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 3), (None, 1)])
def test_materialized(materialized, scans):
    """The facts are used three times: for the dimensions of the grid, and as what is and what was."""
    make_sales(2000)

    plan = comparison(start=date(2024, 2, 1), end=date(2024, 3, 1), materialized=materialized).run().plan(analyze=True)

    assert plan.scans(Sale) == scans


def test_columns():
    columns = comparison(last=3, metrics={"n": Count("pk"), "mean": Avg("amount"), "latest": Max("at")}).get_columns()

    assert [(each.name, each.type, each.null) for each in columns] == [
        ("period", "date", False),
        ("kind", "character varying", True),
        ("n", "bigint", False),
        ("n_before", "bigint", False),
        ("n_delta", "bigint", False),
        ("n_change", "numeric", True),
        ("mean", "numeric", True),
        ("mean_before", "numeric", True),
        ("mean_delta", "numeric", True),
        ("mean_change", "numeric", True),
        ("latest", "timestamptz", True),
        ("latest_before", "timestamptz", True),
    ]


def test_ordering_is_by_period_and_dimensions():
    assert comparison(last=3).get_ordering() == ("period", "kind")
    assert comparison(last=3, ordering=["-count"]).get_ordering() == ("-count",)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({}, "a comparison needs a start and an end, or last"),
        ({"last": 7, "metrics": {"n": Count("pk"), "n_delta": Sum("amount")}}, "there would be .* one name: n_delta"),
        ({"last": 7, "date_field": "day", "period": "hour"}, "the period 'hour' is finer than"),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        comparison(**attributes).get_columns()


@pytest.mark.parametrize("against", ["next", 0, -1, True, None, 1001])
def test_wrong_attribute(against):
    with pytest.raises(TypeError, match=r"Given\.against is .*; it must be previous, year, or a whole number from 1"):
        comparison(against=against)


@pytest.mark.parametrize(("period", "against"), [(Period.YEAR, 2), (Period.DAY, 1000), (Period.MONTH, 24)])
def test_earlier_than_the_first_day_of_the_calendar_is_refused(period, against):
    report = comparison(date_field="day", start=date(2, 1, 1), end=date(2, 1, 5), period=period, against=against)

    with pytest.raises(ParamsError, match="start: The range is too near to the first or the last day"):
        report.run()
