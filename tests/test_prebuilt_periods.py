"""Periods as dates in Python against walking day by day, and as SQL against Python."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import models
from django.db.models import F, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.prebuilt import Period
from reports.prebuilt.dates.periods import Calendar, FirstDay, Hour, LocalDate
from reports.prebuilt.dates.ranges import hour_of, make_range
from tests.models import Sale
from tests.sales import ZONES, days, stored, zones

calendars = st.builds(
    Calendar, st.sampled_from([each for each in Period if each != "hour"]), st.integers(1, 7), st.integers(1, 12)
)


def begins(calendar: Calendar, day: date) -> bool:
    """Return whether a period begins on a day."""
    period, month = calendar.period, (day.month - calendar.fiscal_start) % 12
    if period == Period.WEEK:
        return day.isoweekday() == calendar.week_start
    if period == Period.ISO_WEEK:
        return day.isocalendar().weekday == 1
    first = {
        Period.MONTH: True,
        Period.QUARTER: day.month in (1, 4, 7, 10),
        Period.YEAR: day.month == 1,
        Period.FISCAL_QUARTER: month % 3 == 0,
        Period.FISCAL_YEAR: month == 0,
    }
    return period == Period.DAY or (day.day == 1 and first[period])


def walked(calendar: Calendar, day: date, step: int) -> date:
    """Return the nearest day, from one on or before it, on which a period begins."""
    while not begins(calendar, day):
        day += timedelta(days=step)
    return day


@given(calendars, days)
def test_floor_is_where_walking_back_ends(calendar, day):
    assert calendar.floor(day) == walked(calendar, day, -1)


@given(calendars, days, st.integers(0, 5))
def test_steps_are_those_of_walking(calendar, day, steps):
    first = found = walked(calendar, day, -1)
    for _ in range(steps):
        found = walked(calendar, found + timedelta(days=1), 1)

    assert calendar.step_from(first, steps) == found
    assert calendar.step_from(found, -steps) == first


@given(calendars, days, st.integers(-3, 500))
def test_count_is_of_the_periods_with_a_day_in_the_range(calendar, first, length):
    floors = {walked(calendar, first + timedelta(days=each), -1) for each in range(length)}

    assert calendar.count(first, first + timedelta(days=length)) == len(floors)


@given(zones, days, st.integers(0, 5))
def test_count_of_hours_is_at_least_theirs(zone, first, length):
    bounds: Any = make_range(first, first + timedelta(days=length), zone)
    quarters = range(int((bounds.end - bounds.start) / timedelta(minutes=15)))
    hours = {hour_of(bounds.start + timedelta(minutes=15 * each), zone) for each in quarters}

    assert Calendar(Period.HOUR).count(first, bounds.end_day or first) >= len(hours)


def test_edges_of_dates():
    for period in Period:
        calendar = Calendar(period, 7, 12)
        assert calendar.floor(date(9999, 12, 31)) <= date.max
        assert calendar.floor(date(2, 1, 1)) > date.min


@pytest.mark.parametrize(
    ("period", "step", "months"),
    [
        ("hour", "1 hour", 0),
        ("day", "1 day", 0),
        ("week", "7 days", 0),
        ("iso_week", "7 days", 0),
        ("month", "1 months", 1),
        ("quarter", "3 months", 3),
        ("year", "12 months", 12),
        ("fiscal_quarter", "3 months", 3),
        ("fiscal_year", "12 months", 12),
    ],
)
def test_length_of_a_period(period, step, months):
    calendar = Calendar(Period(period))

    assert (calendar.step, calendar.months, calendar.is_hour) == (step, months, period == "hour")


def sql(expression: Any) -> str:
    return str(Sale.objects.values(x=expression).query).partition(" AS ")[0].removeprefix("SELECT ")


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        (Calendar(Period.DAY), '"tests_sale"."day"'),
        (
            Calendar(Period.WEEK, 7),
            "date_bin('7 days', \"tests_sale\".\"day\"::timestamp, TIMESTAMP '2001-01-07')::date",
        ),
        (
            Calendar(Period.ISO_WEEK, 7),
            "date_bin('7 days', \"tests_sale\".\"day\"::timestamp, TIMESTAMP '2001-01-01')::date",
        ),
        (Calendar(Period.MONTH, 7, 4), 'date_trunc(\'month\', "tests_sale"."day"::timestamp)::date'),
        (Calendar(Period.QUARTER, 7, 4), 'date_trunc(\'quarter\', "tests_sale"."day"::timestamp)::date'),
        (
            Calendar(Period.FISCAL_YEAR, 1, 4),
            "(date_trunc('year', \"tests_sale\".\"day\"::timestamp - interval '3 months') + interval '3 months')::date",
        ),
        (Calendar(Period.FISCAL_QUARTER, 1, 1), 'date_trunc(\'quarter\', "tests_sale"."day"::timestamp)::date'),
    ],
)
def test_first_day_is_this_sql(calendar, text):
    assert sql(FirstDay(F("day"), calendar)) == text


def test_hours_and_dates_are_found_in_the_zone():
    assert sql(Hour(F("at"), "Asia/Kathmandu")) == 'date_trunc(\'hour\', "tests_sale"."at", Asia/Kathmandu)'
    assert sql(LocalDate(F("at"), "Asia/Kathmandu")) == '("tests_sale"."at" AT TIME ZONE Asia/Kathmandu)::date'


@pytest.mark.django_db
@settings(max_examples=40)
@given(calendars, st.lists(st.one_of(days, st.dates(date(2, 1, 1), date(9998, 12, 31))), min_size=1, max_size=20))
def test_first_day_in_sql_is_that_in_python(calendar, given_days):
    with stored([{"day": day} for day in given_days]):
        found = list(Sale.objects.order_by("pk").values_list(FirstDay(F("day"), calendar), flat=True))

    assert found == [calendar.floor(day) for day in given_days]


def changes(zone: ZoneInfo) -> list[datetime]:
    """Return the instants of this century at which a zone's clocks are set, to the minute."""
    found = []
    at, step = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)
    while at < datetime(2030, 1, 1, tzinfo=UTC):
        if at.astimezone(zone).utcoffset() != (at + step).astimezone(zone).utcoffset():
            low, high = at, at + step
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                is_same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if is_same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        at += step
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("name", ZONES)
def test_local_dates_and_hours_in_sql_are_those_in_python(name):
    """At both changes of clocks, also where a midnight is left out or comes twice."""
    zone = ZoneInfo(name)
    shifts = [timedelta(minutes=each) for each in (-90, -60, -30, -15, -1, 0, 1, 15, 30, 45, 60, 61, 90)]
    instants = [at + shift for at in [datetime(2024, 2, 29, 12, tzinfo=UTC), *changes(zone)] for shift in shifts]

    with stored([{"at": at} for at in instants]):
        found = list(Sale.objects.order_by("pk").values_list("at", LocalDate(F("at"), name), Hour(F("at"), name)))

    assert found == [(at, at.astimezone(zone).date(), hour_of(at, zone)) for at in instants]


@pytest.mark.django_db
def test_hour_that_autumn_repeats_is_two():
    """Groupdate and Django's TruncHour merge them."""
    instants = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]  # 2:30 in Berlin, twice
    with stored([{"at": at} for at in instants]):
        counts = Sale.objects.values(hour=Hour(F("at"), "Europe/Berlin")).annotate(n=models.Count("pk"))

        assert sorted((row["hour"].hour, row["n"]) for row in counts) == [(0, 1), (1, 1)]


@pytest.mark.django_db
def test_no_date_has_no_period():
    with stored([{}]):
        row = Sale.objects.values_list(
            LocalDate(F("at"), "UTC"), Hour(F("at"), "UTC"), FirstDay(F("day"), Calendar(Period.WEEK)), Value(1)
        )

        assert list(row) == [(None, None, None, 1)]
