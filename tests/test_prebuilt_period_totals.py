"""Totals per period: their SQL, the calendar's odd days, what requests and declarations may hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.contrib.postgres.aggregates import ArrayAgg, BoolOr
from django.db import connection
from django.db.models import Avg, Count, DurationField, F, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Fill, Period, PeriodTotals
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import stored
from tests.series import METRICS, make_sales

BERLIN, LORD_HOWE, APIA, HAVANA = map(
    ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana")
)


class Totals(PeriodTotals):
    name = "tests.period_totals"
    source = Sale
    date_field = "at"
    metrics = {"count": Count("pk")}


def totals(**attributes):
    return type("Given", (Totals,), attributes)()


def counts(report, params=None):
    return [(row["period"], row["count"]) for row in report.run(params)]


def utc(year, month, day, hour=0, minute=0):
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def at(*instants):
    return stored([{"at": instant} for instant in instants])


# The SQL.


def test_sql_of_an_open_range():
    query = totals(period=Period.MONTH, metrics={"mean": Avg("amount")}).query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT date_trunc('month', ("tests_sale"."at" AT TIME ZONE %s)::date::timestamp)::date AS "by_period",\
 SUM("tests_sale"."amount") AS "sum_of_mean", COUNT("tests_sale"."amount") AS "count_of_mean" FROM "tests_sale"\
 WHERE "tests_sale"."at" IS NOT NULL GROUP BY 1)
SELECT r.by_period AS period,
    ("r"."sum_of_mean"::numeric / nullif("r"."count_of_mean", 0))::numeric AS "mean"
FROM "facts" AS r"""
    )
    assert query.params == ("America/St_Johns",)


def test_sql_of_a_grid_in_which_the_last_value_stands():
    report = totals(dimensions=["kind"], start=date(2026, 1, 1), end=date(2026, 2, 1), fill=Fill.LAST, time_zone=BERLIN)

    query = report.query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT ("tests_sale"."at" AT TIME ZONE %s)::date AS "by_period", "tests_sale"."kind" AS "by_kind",\
 COUNT("tests_sale"."id") AS "of_count" FROM "tests_sale" WHERE ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s)\
 GROUP BY 1, 2),
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
    SELECT g.period AS by_period, "g"."by_kind", f."of_count",\
 count(f.by_period) OVER (PARTITION BY "g"."by_kind" ORDER BY g.period) AS before
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period AND ARRAY["f"."by_kind"] = ARRAY["g"."by_kind"]
),
carried AS (
    -- Rows since the last period that has facts, and that period, are of one number.
    SELECT by_period, "filled"."by_kind", first_value("of_count") OVER latest AS "of_count"
    FROM filled
    WINDOW latest AS (PARTITION BY before, "filled"."by_kind" ORDER BY by_period)
)
SELECT r.by_period AS period, "r"."by_kind" AS "kind",
    ("r"."of_count")::bigint AS "count"
FROM "carried" AS r"""
    )
    start, end = utc(2025, 12, 31, 23), utc(2026, 1, 31, 23)
    days = (date(2026, 1, 1), date(2026, 2, 1), "1 day", True)
    assert query.params == ("Europe/Berlin", start, end, *days, "Europe/Berlin", "Europe/Berlin")


# The calendar. What groupdate does: it groups by the clock, to which both hours of the repeated one are one.


@pytest.mark.django_db
def test_hour_that_autumn_repeats_is_two():
    report = totals(
        period=Period.HOUR, start=utc(2025, 10, 26, 0), end=utc(2025, 10, 26, 3), time_zone=BERLIN, fill="zero"
    )
    by_clock = "SELECT count(DISTINCT date_trunc('hour', at AT TIME ZONE 'Europe/Berlin')) FROM tests_sale"

    with at(utc(2025, 10, 26, 0, 30), utc(2025, 10, 26, 1, 30)), connection.cursor() as cursor:
        found = counts(report)
        cursor.execute(by_clock)
        merged = cursor.fetchone()[0]

    assert found == [(utc(2025, 10, 26, 0), 1), (utc(2025, 10, 26, 1), 1), (utc(2025, 10, 26, 2), 0)]
    assert [each.astimezone(BERLIN).hour for each, _ in found] == [2, 2, 3]
    assert merged == 1


@pytest.mark.django_db
def test_hour_that_spring_leaves_out_is_none():
    report = totals(period=Period.HOUR, start=date(2026, 3, 29), end=date(2026, 3, 30), time_zone=BERLIN, fill="zero")

    hours = [each.astimezone(BERLIN).hour for each, _ in counts(report)]

    assert hours == [0, 1, *range(3, 24)]


@pytest.mark.django_db
@pytest.mark.parametrize(("day", "number"), [(date(2026, 4, 5), 25), (date(2025, 10, 5), 24)])
def test_hours_where_the_clocks_move_by_half_an_hour(day, number):
    """In autumn half of the hour from one o'clock comes again; in spring half of that from two is left out."""
    report = totals(period=Period.HOUR, start=day, end=day + timedelta(days=1), time_zone=LORD_HOWE, fill="zero")
    begin = datetime(day.year, day.month, day.day, tzinfo=LORD_HOWE).astimezone(UTC)
    length = 49 if number == 25 else 47
    instants = [begin + timedelta(minutes=30 * half) for half in range(length)]

    with at(*instants):
        found = counts(report)

    assert [each for each, _ in found] == sorted({each for each, _ in found})
    assert len(found) == number
    assert sum(count for _, count in found) == length
    assert sorted(count for _, count in found)[:2] == [1, 2]


@pytest.mark.django_db
def test_hours_begin_where_those_of_the_zone_do():
    zone = ZoneInfo("Asia/Kathmandu")
    report = totals(
        period=Period.HOUR, start=utc(2026, 1, 1, 0, 10), end=utc(2026, 1, 1, 1, 20), time_zone=zone, fill="zero"
    )

    with at(utc(2026, 1, 1, 1, 15)):
        found = counts(report)

    assert found == [(utc(2025, 12, 31, 23, 15), 0), (utc(2026, 1, 1, 0, 15), 0), (utc(2026, 1, 1, 1, 15), 1)]


@pytest.mark.django_db
def test_day_that_never_was_has_no_row():
    report = totals(start=date(2011, 12, 28), end=date(2012, 1, 2), time_zone=APIA, fill="zero")

    found = [each.day for each, _ in counts(report)]

    assert found == [28, 29, 31, 1]


@pytest.mark.django_db
def test_days_of_dates_have_no_zone_and_are_all_there():
    report = totals(date_field="day", start=date(2011, 12, 29), end=date(2012, 1, 1), time_zone=APIA, fill="zero")

    with stored([{"day": date(2011, 12, 30)}, {"day": date(2012, 1, 1)}]):
        found = counts(report)

    assert found == [(date(2011, 12, 29), 0), (date(2011, 12, 30), 1), (date(2011, 12, 31), 0)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "day"),
    [(HAVANA, date(2025, 11, 2)), (APIA, date(2011, 12, 31)), (ZoneInfo("America/Sao_Paulo"), date(2018, 11, 4))],
)
def test_day_as_an_instant_is_the_first_of_it(zone, day):
    """Where a class lists hours too. In Havana that midnight comes twice, in Sao Paulo never."""
    report = totals(
        period=[Period.DAY, Period.HOUR], start=day, end=day + timedelta(days=1), time_zone=zone, fill="zero"
    )
    quarter = utc(day.year, day.month, day.day) - timedelta(days=1)
    while quarter.astimezone(zone).date() < day:
        quarter += timedelta(minutes=15)

    assert counts(report) == [(quarter, 0)]


@pytest.mark.django_db
def test_iso_week_53_belongs_to_the_year_before():
    report = totals(
        period=Period.ISO_WEEK, start=date(2020, 12, 21), end=date(2021, 1, 11), time_zone=BERLIN, fill="zero"
    )

    with at(utc(2020, 12, 31, 12), utc(2021, 1, 3, 12), utc(2021, 1, 4, 12)):
        found = counts(report)

    assert found == [(date(2020, 12, 21), 0), (date(2020, 12, 28), 2), (date(2021, 1, 4), 1)]
    assert [each.isocalendar().week for each, _ in found] == [52, 53, 1]


@pytest.mark.django_db
@pytest.mark.parametrize(("year", "number"), [(2023, 28), (2024, 29), (2100, 28)])
def test_leap_day(year, number):
    report = totals(start=date(year, 2, 1), end=date(year, 3, 1), fill="zero")

    assert len(counts(report)) == number


@pytest.mark.django_db
def test_periods_at_the_ends_are_those_of_the_calendar_and_hold_what_is_in_the_range():
    """Not those that begin at the start of the range, and the last does not end after it, as in slick-reporting."""
    report = totals(period=Period.MONTH, start=date(2026, 1, 20), end=date(2026, 3, 10), time_zone="UTC", fill="zero")
    outside = (utc(2026, 1, 19, 23, 59), utc(2026, 3, 10))
    inside = (utc(2026, 1, 20), utc(2026, 2, 1), utc(2026, 3, 9, 23, 59))

    with at(*outside, *inside):
        found = counts(report)

    assert found == [(date(2026, month, 1), 1) for month in (1, 2, 3)]


@pytest.mark.django_db
def test_bounds_are_the_same_for_the_whole_and_for_its_parts(django_assert_num_queries):
    """Slick-reporting counts what is after the start up to the end in the whole, and asks one query per period."""
    start, end = date(2026, 1, 1), date(2026, 1, 4)
    edges = [utc(2026, 1, day) for day in (1, 2, 3, 4)]

    with at(*edges, *(edge - timedelta(microseconds=1) for edge in edges)):
        with django_assert_num_queries(1):
            days = counts(totals(start=start, end=end, time_zone="UTC"))
        whole = counts(totals(period=Period.YEAR, start=start, end=end, time_zone="UTC"))
        halves = counts(totals(start=start, end=date(2026, 1, 2), time_zone="UTC")) + counts(
            totals(start=date(2026, 1, 2), end=end, time_zone="UTC")
        )

    assert days == halves == [(date(2026, 1, day), 2) for day in (1, 2, 3)]
    assert whole == [(date(2026, 1, 1), 6)]


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "end", "expected"), [(2, None, [2, 3]), (None, 3, [1, 2])])
def test_range_open_at_one_end(start, end, expected):
    day = {"start": start and date(2026, 1, start), "end": end and date(2026, 1, end)}

    with at(*(utc(2026, 1, number, 12) for number in (1, 2, 3))):
        found = counts(totals(time_zone="UTC", **day))

    assert [each.day for each, _ in found] == expected


@pytest.mark.django_db
@pytest.mark.parametrize("period", [Period.HOUR, Period.DAY, Period.WEEK, Period.YEAR])
def test_empty_range_has_no_period(period):
    noon = utc(2026, 1, 14, 12, 30)

    with at(noon):
        found = [counts(totals(period=period, start=each, end=each, fill="zero")) for each in (noon, date(2026, 1, 14))]

    assert found == [[], []]


@pytest.mark.django_db
def test_no_row_at_all():
    bounds = {"start": date(2026, 1, 1), "end": date(2026, 1, 3)}

    assert counts(totals()) == []
    assert counts(totals(**bounds, fill="zero")) == [(date(2026, 1, 1), 0), (date(2026, 1, 2), 0)]
    assert counts(totals(**bounds, fill="last")) == [(date(2026, 1, 1), None), (date(2026, 1, 2), None)]
    assert counts(totals(**bounds, fill="zero", dimensions=["kind"])) == []


@pytest.mark.django_db
def test_days_are_those_of_the_zone_whatever_the_sessions_is():
    report = totals(start=date(2026, 3, 28), end=date(2026, 3, 31), time_zone=BERLIN, fill="zero")
    hours = totals(period=Period.HOUR, start=date(2026, 3, 29), end=date(2026, 3, 30), time_zone=BERLIN, fill="zero")
    found = []

    with at(utc(2026, 3, 28, 22, 59), utc(2026, 3, 28, 23), utc(2026, 3, 29, 21, 59), utc(2026, 3, 29, 22)):
        for zone in ("UTC", "Asia/Kathmandu", "America/Havana"):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
            # Django takes instants for those of the session that it set up.
            found.append((counts(report), [count for _, count in counts(hours)]))

    assert found[0][0] == [(date(2026, 3, 28), 1), (date(2026, 3, 29), 2), (date(2026, 3, 30), 1)]
    assert found[0][1] == [1, *[0] * 21, 1]
    assert found[1:] == found[:1] * 2


# Fill.

AWAY = F("until") - F("at")
KINDS = {
    "count": (Count("pk"), 1, 0),
    "distinct": (Count("kind", distinct=True), 1, 0),
    "filtered": (Count("pk", filter=Q(kind="b")), 0, 0),
    "total": (Sum("amount"), Decimal("2.50"), 0),
    "whole": (Sum("quantity"), 3, 0),
    "default": (Sum("amount", filter=Q(kind="b"), default=0), 0, 0),
    "coalesced": (Coalesce(Sum("quantity"), 0), 3, 0),
    "time": (Sum(AWAY, output_field=DurationField()), timedelta(hours=1), timedelta()),
    "mean": (Avg("amount"), Decimal("2.50"), None),
    "least": (Min("quantity"), 3, None),
    "latest": (Max("at"), utc(2026, 1, 2, 12), None),
    "any": (BoolOr(Q(kind="a")), True, None),
    "kinds": (ArrayAgg("kind"), ["a"], None),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", KINDS)
def test_fill_of_each_kind_of_metric(name):
    metric, value, zero = KINDS[name]
    bounds = {"metrics": {"metric": metric}, "start": date(2026, 1, 1), "end": date(2026, 1, 4), "time_zone": "UTC"}
    sale = {
        "kind": "a", "amount": Decimal("2.50"), "quantity": 3, "at": utc(2026, 1, 2, 12), "until": utc(2026, 1, 2, 13)
    }  # fmt: skip

    with stored([sale]):
        found = {fill: [row["metric"] for row in totals(**bounds, fill=fill).run()] for fill in (*Fill, None)}

    assert found == {
        "zero": [zero, value, zero],
        "null": [None, value, None],
        "last": [None, value, value],
        None: [value],
    }


# Plans.


@pytest.mark.django_db
@pytest.mark.parametrize("fill", [None, *Fill])
def test_scans(fill):
    make_sales()
    report = totals(dimensions=["kind"], start=date(2024, 1, 1), end=date(2026, 1, 1), fill=fill, period=Period.MONTH)

    assert_scans(report.run(), {Sale: report.scans})


@pytest.mark.django_db
def test_range_is_found_by_an_index():
    make_sales()
    report = totals(dimensions=["kind"], start=date(2024, 3, 1), end=date(2024, 3, 8), fill="zero")

    assert report.run().plan().uses_index("sale_at")


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 2), (None, 1)])
def test_materialized(materialized, scans):
    """The facts of a grid are used twice: for its dimensions, and in it."""
    make_sales(2000)
    bounds = {"start": date(2024, 1, 1), "end": date(2024, 3, 1), "fill": "zero", "dimensions": ["kind"]}

    plan = totals(**bounds, materialized=materialized).run().plan(analyze=True)

    assert plan.scans(Sale) == scans


# Requests.


class Asked(Totals):
    name = "tests.asked_totals"
    period = [Period.DAY, Period.MONTH]
    dimensions = ["kind", "quantity"]
    metrics = METRICS
    start = date(2026, 1, 1)
    end = date(2026, 1, 3)
    time_zone = "UTC"
    most_periods = 40

    class Params(forms.Form):
        period = forms.CharField(required=False)
        start = forms.DateField(required=False)
        end = forms.DateTimeField(required=False)
        time_zone = forms.CharField(required=False)
        dimensions = forms.MultipleChoiceField(choices=[("kind", ""), ("quantity", ""), ("until", "")], required=False)
        metrics = forms.MultipleChoiceField(choices=[(name, "") for name in (*METRICS, "other")], required=False)
        fill = forms.CharField(required=False)


SALES = [
    {"kind": "a", "quantity": 1, "at": utc(2026, 1, 1, 23, 30), "amount": Decimal(1)},
    {"kind": "a", "quantity": 2, "at": utc(2026, 1, 2, 23, 30), "amount": Decimal(2)},
    {"kind": "b", "quantity": 1, "at": utc(2026, 2, 1), "amount": Decimal(4)},
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [(date(2026, 1, 1), "a", 1, 1), (date(2026, 1, 2), "a", 2, 1)]),
        ({"period": "month"}, [(date(2026, 1, 1), "a", 1, 1), (date(2026, 1, 1), "a", 2, 1)]),
        ({"start": "2026-01-02"}, [(date(2026, 1, 2), "a", 2, 1)]),
        ({"end": "2026-01-02 12:00"}, [(date(2026, 1, 1), "a", 1, 1)]),
        ({"time_zone": "Europe/Berlin"}, [(date(2026, 1, 2), "a", 1, 1)]),
        ({"dimensions": ["kind"], "period": "month"}, [(date(2026, 1, 1), "a", None, 2)]),
        ({"metrics": ["amount"]}, [(date(2026, 1, 1), "a", 1, None), (date(2026, 1, 2), "a", 2, None)]),
        (
            {"fill": "zero", "dimensions": ["kind"]},
            [(date(2026, 1, 1), "a", None, 1), (date(2026, 1, 2), "a", None, 1)],
        ),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_request_sets_attributes(params, expected):
    with stored(SALES):
        rows = list(Asked().run(params))

    assert [(row["period"], row["kind"], row["quantity"], row["count"]) for row in rows] == expected
    assert all((row["amount"] is None) == ("metrics" in params and "amount" not in params["metrics"]) for row in rows)
    assert {len(row) for row in rows} == {9}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"period": "year"}, "period: It must be one of day, month."),
        ({"period": "fortnight"}, "period: It must be one of hour, day, week, .*, or a list of those."),
        ({"start": "2026-01-05"}, "end: It must not be before the start."),
        ({"time_zone": "Mars"}, "time_zone: It must be a time zone such as 'Europe/Berlin', or None."),
        ({"metrics": ["other"]}, "metrics: It must be of these: amount, count, mean, most, priced, share"),
        ({"dimensions": ["until"]}, "dimensions: It must be of these: kind, quantity"),
        ({"fill": "one"}, "fill: It must be one of zero, null, last, or None."),
        ({"fill": "zero", "start": "2020-01-01"}, "start: The range has 2194 periods; there may be at most 40."),
        ({"fill": "zero", "start": "0001-01-01", "time_zone": "Asia/Tokyo"}, "start: The range is too near .*"),
        ({"fill": "zero", "start": "0002-01-01", "period": "month"}, "start: The range has 24289 periods; .*"),
    ],
)
def test_request_is_refused(params, problem):
    with pytest.raises(ParamsError, match=f"^report 'tests.asked_totals': {problem}"):
        Asked().run(params)


def test_first_week_of_the_calendar_is_refused():
    """It begins before the year 1."""
    report = totals(
        period=Period.WEEK, week_start=7, date_field="day", start=date(1, 1, 1), end=date(1, 1, 9), fill="zero"
    )

    with pytest.raises(ParamsError, match="start: The range is too near to the first or the last day"):
        report.run()


@pytest.mark.parametrize(("bounds", "missing"), [({"start": "2026-01-01"}, "end"), ({"end": "2026-01-01"}, "start")])
def test_filled_series_of_an_open_range_is_refused(bounds, missing):
    params = type("Params", (forms.Form,), {name: forms.DateField(required=False) for name in ("start", "end")})
    report = totals(fill="zero", Params=params)

    with pytest.raises(ParamsError, match=f"{missing}: A filled series needs a start and an end."):
        report.run(bounds)


def test_last_periods():
    report = totals(last=3, period=Period.MONTH, time_zone=BERLIN, fill="zero")
    month = datetime.now(BERLIN).date().replace(day=1)
    first = (month - timedelta(days=45)).replace(day=1)
    after = (month + timedelta(days=45)).replace(day=1)

    assert report.query().params[3:5] == (first, after)


def test_last_hours_begin_where_those_of_the_zone_do():
    report = totals(last=2, period=Period.HOUR, time_zone="Asia/Kathmandu")

    start, end = report.query().params[1:3]

    assert (start.minute, end.minute, end - start) == (15, 15, timedelta(hours=2))


# Declarations.


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"fill": "none"}, "Given.fill is 'none'; it must be one of zero, null, last, or None."),
        ({"most_periods": 0}, "Given.most_periods is 0; it must be a whole number from 1 to 1000000."),
        ({"period": []}, r"Given.period is \[\]; it must be a list that is not empty."),
        ({"most_period": 9}, "Given has no attribute 'most_period'. Did you mean 'most_periods'?"),
    ],
)
def test_wrong_attribute(attributes, problem):
    with pytest.raises(TypeError, match=problem):
        totals(**attributes)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"fill": "zero"}, "a filled series needs a start and an end, or last"),
        ({"fill": "zero", "start": date(2026, 1, 1)}, "a filled series needs a start and an end, or last"),
        (
            {"date_field": "day", "period": Period.HOUR},
            "the period 'hour' is finer than date_field 'day', which holds dates",
        ),
        ({"date_field": "kind"}, "date_field 'kind' is a CharField, and no date"),
        ({"date_field": "att"}, "date_field: there is no field 'att'.* Did you mean 'at'?"),
        ({"date_field": ""}, "date_field is not set; name a date of the source"),
        ({"metrics": {"period": Count("pk")}}, "there would be several columns of one name: period;"),
        (
            {"metrics": {"kind": Count("pk")}, "dimensions": ["kind"]},
            "there would be several columns of one name: kind;",
        ),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        totals(**attributes).get_columns()


def test_columns():
    given = totals(
        metrics=METRICS, dimensions=["kind", "buyer"], start=date(2026, 1, 1), end=date(2026, 2, 1), fill="zero"
    )
    keyed = totals(dimensions={"month": "at__month"}, period=[Period.DAY, Period.HOUR])

    assert [(each.name, each.type, each.pk, each.null) for each in given.get_columns()] == [
        ("period", "date", False, False),
        ("kind", "character varying", False, True),
        ("buyer_id", "bigint", False, True),
        ("count", "bigint", False, True),
        ("priced", "bigint", False, True),
        ("amount", "numeric", False, True),
        ("mean", "numeric", False, True),
        ("most", "bigint", False, True),
        ("share", "numeric", False, True),
    ]
    assert given.get_ordering() == ("period", "kind", "buyer_id")
    assert [(each.type, each.pk) for each in totals().get_columns()] == [("date", True), ("bigint", False)]
    assert [each.type for each in keyed.get_columns()][:1] == ["timestamptz"]
