"""Bounds as instants: the same for the facts and for what is shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.prebuilt import Period
from reports.prebuilt.dates import ranges
from reports.prebuilt.dates.periods import Calendar
from reports.prebuilt.dates.ranges import Range, between, last_periods, make_range
from tests.models import Sale
from tests.sales import days, near_instants, stored, zones

BERLIN = ZoneInfo("Europe/Berlin")
# Clocks went back at one minute past midnight, into the day before.
TORN = ZoneInfo("America/St_Johns"), date(2010, 11, 7)


def at(*parts: int, zone: tzinfo = UTC) -> datetime:
    return datetime(*parts, tzinfo=zone)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, Range(None, None, None, None)),
        (date(2025, 1, 1), None, Range(at(2024, 12, 31, 23), None, date(2025, 1, 1), None)),
        (None, date(2025, 7, 1), Range(None, at(2025, 6, 30, 22), None, date(2025, 7, 1))),
        (at(2025, 1, 1, 5), None, Range(at(2025, 1, 1, 5), None, date(2025, 1, 1), None)),
        # The last day that has a part in the range is the one before end_day.
        (None, at(2025, 1, 1, 5), Range(None, at(2025, 1, 1, 5), None, date(2025, 1, 2))),
        (None, at(2025, 1, 1, 23), Range(None, at(2025, 1, 1, 23), None, date(2025, 1, 2))),
        (None, at(2025, 1, 1, 23, 0, 1), Range(None, at(2025, 1, 1, 23, 0, 1), None, date(2025, 1, 3))),
    ],
)
def test_date_is_the_instant_at_which_it_begins(start, end, expected):
    found = make_range(start, end, BERLIN)

    assert found == expected
    assert found.is_closed == (start is not None and end is not None)


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), at(2018, 11, 4, 3)),  # it begins at one o'clock
        ("America/Sao_Paulo", date(2018, 2, 18), at(2018, 2, 18, 3)),  # after the last hour of the day before, twice
        ("America/Havana", date(2025, 11, 2), at(2025, 11, 2, 4)),  # the first of two midnights
        ("Pacific/Apia", date(2011, 12, 30), at(2011, 12, 30, 10)),  # never was: when the next one begins
        ("Pacific/Apia", date(2011, 12, 31), at(2011, 12, 30, 10)),
        ("Asia/Kathmandu", date(2025, 1, 1), at(2024, 12, 31, 18, 15)),
    ],
)
def test_day_that_begins_oddly(zone, day, instant):
    assert make_range(day, None, ZoneInfo(zone)).start == instant


def test_range_of_dates_takes_whole_days():
    found = make_range(at(2025, 1, 1, 5), at(2025, 1, 3, 5), BERLIN, of_dates=True)

    assert found == Range(date(2025, 1, 1), date(2025, 1, 4), date(2025, 1, 1), date(2025, 1, 4))


@given(zones, days, st.integers(-100, 100))
def test_day_is_from_its_beginning_to_the_next(zone, day, quarters):
    """A clock on the wall shows the day from its first instant on, and none before."""
    bounds: Any = make_range(day, day + timedelta(days=1), zone)
    instant = bounds.start + timedelta(minutes=15 * quarters)

    assert (bounds.start <= instant < bounds.end) == (instant.astimezone(zone).date() == day)


class Clock(datetime):
    """Stands still at half past midnight in Kathmandu, on a Monday."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime(2026, 3, 1, 18, 45, tzinfo=UTC).astimezone(tz)


@pytest.mark.parametrize(
    ("period", "number", "expected"),
    [
        ("hour", 3, (at(2026, 3, 1, 16, 15), at(2026, 3, 1, 19, 15))),  # from 22:00 to 1:00
        ("day", 1, (date(2026, 3, 2), date(2026, 3, 3))),
        ("day", 7, (date(2026, 2, 24), date(2026, 3, 3))),
        ("week", 2, (date(2026, 2, 22), date(2026, 3, 8))),
        ("iso_week", 2, (date(2026, 2, 23), date(2026, 3, 9))),
        ("month", 1, (date(2026, 3, 1), date(2026, 4, 1))),
        ("month", 4, (date(2025, 12, 1), date(2026, 4, 1))),
        ("quarter", 2, (date(2025, 10, 1), date(2026, 4, 1))),
        ("year", 2, (date(2025, 1, 1), date(2027, 1, 1))),
        ("fiscal_quarter", 1, (date(2026, 2, 1), date(2026, 5, 1))),
        ("fiscal_year", 1, (date(2025, 11, 1), date(2026, 11, 1))),
    ],
)
def test_last_periods_end_with_the_one_under_way(period, number, expected, monkeypatch):
    monkeypatch.setattr(ranges, "datetime", Clock)

    assert last_periods(number, Calendar(Period(period), 7, 11), ZoneInfo("Asia/Kathmandu")) == expected


def sql(bounds: Range, zone: ZoneInfo) -> str:
    return str(Sale.objects.filter(between("at", bounds, zone)).values("pk").query).partition(" WHERE ")[2]


def test_condition_is_this_sql():
    first, last = '"tests_sale"."at" >= 2025-01-31 23:00:00+00:00', '"tests_sale"."at" < 2025-06-30 22:00:00+00:00'

    assert sql(make_range(date(2025, 2, 1), date(2025, 7, 1), BERLIN), BERLIN) == f"({first} AND {last})"
    assert sql(make_range(date(2025, 2, 1), None, BERLIN), BERLIN) == first
    assert sql(make_range(None, date(2025, 7, 1), BERLIN), BERLIN) == last
    assert sql(make_range(None, None, BERLIN), BERLIN) == '"tests_sale"."at" IS NOT NULL'


def test_condition_on_days_that_no_instant_divides():
    zone, day = TORN
    local = '("tests_sale"."at" AT TIME ZONE America/St_Johns)::date'

    assert sql(make_range(day, None, zone), zone) == (
        f'({local} >= 2010-11-07 AND "tests_sale"."at" >= 2010-11-07 02:30:00+00:00)'
    )
    assert sql(make_range(None, day, zone), zone) == (
        f'({local} < 2010-11-07 AND "tests_sale"."at" < 2010-11-07 03:30:00+00:00)'
    )


@pytest.mark.django_db
@settings(max_examples=40)
@given(st.data(), st.one_of(st.tuples(zones, days), st.just(TORN)), st.integers(0, 2))
def test_rows_in_range_are_those_of_its_days(data, place, length):
    zone, first = place
    end = first + timedelta(days=length)
    instants = data.draw(st.lists(near_instants(first), max_size=20))

    with stored([{"at": instant} for instant in instants]):
        rows = Sale.objects.filter(between("at", make_range(first, end, zone), zone)).values_list("at", flat=True)
        found = sorted(filter(None, rows))

    assert found == sorted(each for each in instants if first <= each.astimezone(zone).date() < end)
