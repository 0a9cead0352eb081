"""How far back an earlier period lies, and where a bound of a range falls in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reports.prebuilt.dates.periods import Calendar, Period
from reports.prebuilt.dates.ranges import make_range
from reports.prebuilt.dates.shifts import Against, Shift

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("period", "against", "words"),
    [
        (Period.HOUR, Against.PREVIOUS, "1 hours"),
        (Period.HOUR, 24, "24 hours"),
        (Period.HOUR, Against.YEAR, "12 months"),
        (Period.DAY, Against.PREVIOUS, "1 days"),
        (Period.DAY, Against.YEAR, "12 months"),
        (Period.WEEK, 2, "14 days"),
        (Period.ISO_WEEK, Against.YEAR, "364 days"),
        (Period.MONTH, Against.PREVIOUS, "1 months"),
        (Period.MONTH, "year", "12 months"),
        (Period.FISCAL_QUARTER, "previous", "3 months"),
        (Period.YEAR, 5, "60 months"),
        (Period.FISCAL_YEAR, Against.YEAR, "12 months"),
    ],
)
def test_words(period, against, words):
    assert Shift.of(Calendar(period), against).words == words


@pytest.mark.parametrize(
    ("shift", "start", "end"),
    [
        (Shift(days=1), date(2026, 3, 30), date(2026, 3, 30)),
        (Shift(months=1), date(2026, 2, 28), date(2026, 3, 1)),
        (Shift(months=13), date(2025, 2, 28), date(2025, 3, 1)),
        (Shift(months=25), date(2024, 2, 29), date(2024, 3, 1)),
        (Shift(months=12), date(2025, 3, 31), date(2025, 3, 31)),
        (Shift(months=4), date(2025, 11, 30), date(2025, 12, 1)),
    ],
)
def test_day_that_is_not_there_is_the_last_as_a_start_and_the_months_end_as_an_end(shift, start, end):
    day = date(2026, 3, 31)

    found = shift.range(make_range(day, day, BERLIN, of_dates=True), BERLIN, of_dates=True)

    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("bound", "shift", "found"),
    [
        # Midnight is midnight, whatever the offset is.
        (date(2025, 10, 27), Shift(days=1), datetime(2025, 10, 25, 22, tzinfo=UTC)),
        (datetime(2025, 10, 27, 12, tzinfo=BERLIN), Shift(days=1), datetime(2025, 10, 26, 11, tzinfo=UTC)),
        # The second of the hour that comes twice, as PostgreSQL takes it; after the one that is left out.
        (datetime(2025, 10, 27, 2, 30, tzinfo=BERLIN), Shift(days=1), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN), Shift(days=1), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # Hours are those of time, not of the clock.
        (datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN), Shift(hours=1), datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
        # The time of a day that is not there is not kept by an end.
        (datetime(2026, 3, 31, 12, tzinfo=BERLIN), Shift(months=1), datetime(2026, 2, 28, 23, tzinfo=UTC)),
    ],
)
def test_instant(bound, shift, found):
    bounds = make_range(date(2020, 1, 1), bound, BERLIN)

    assert shift.range(bounds, BERLIN, of_dates=False).end == found


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2025, 11, 3), datetime(2025, 11, 2, 4, tzinfo=UTC), datetime(2025, 11, 3, 5, tzinfo=UTC)),
        (date(2026, 3, 8), datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ],
    ids=["comes twice", "is left out"],
)
def test_midnight_that(day, start, end):
    """In Havana: days begin at the first midnight, and at one o'clock where there is none."""
    zone = ZoneInfo("America/Havana")
    bounds = make_range(day, day + timedelta(days=1), zone)

    found = Shift(days=1).range(bounds, zone, of_dates=False)

    assert (found.start, found.end) == (start, end)
    assert (found.first_day, found.end_day) == (day - timedelta(days=1), day)


@pytest.mark.parametrize("shift", [Shift(months=1), Shift(days=1), Shift(months=12)])
def test_before_the_first_day_of_the_calendar(shift):
    day = date(1, 1, 1)

    with pytest.raises((OverflowError, ValueError)):
        shift.range(make_range(day, day, BERLIN, of_dates=True), BERLIN, of_dates=True)
