"""A range of time: from its start on, and before its end. The same bounds for the facts and for the spine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from reports.prebuilt.periods import Calendar

Bound = date | datetime | None


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds as the date field's values, each None where it is open, and the local days that they are on.

    ``end_day`` is the day after the last one that has a part in the range.
    """

    start: Bound
    end: Bound
    first_day: date | None
    end_day: date | None

    @property
    def is_closed(self) -> bool:
        """True when both ends are known."""
        return self.first_day is not None and self.end_day is not None


def make_range(start: Bound, end: Bound, zone: tzinfo, *, of_dates: bool = False) -> Range:
    """Return the range of two bounds: a date is the instant at which it begins in the zone.

    Args:
        of_dates: The field holds dates: a bound within a day takes the whole day in.
    """
    first_day, end_day = _day(start, zone), _day(end, zone)
    if isinstance(end, datetime) and end_day is not None and _instant(end_day, zone) < end:
        end_day += timedelta(days=1)
    if of_dates:
        return Range(first_day, end_day, first_day, end_day)
    return Range(_instant(start, zone), _instant(end, zone), first_day, end_day)


def last_periods(number: int, calendar: Calendar, zone: tzinfo) -> tuple[Bound, Bound]:
    """Return the bounds of that many periods, of which the last is under way."""
    now = datetime.now(UTC)
    if calendar.is_hour:
        hour = now.replace(minute=0, second=0, microsecond=0)
        return hour - timedelta(hours=number - 1), hour + timedelta(hours=1)
    current = calendar.floor(now.astimezone(zone).date())
    return calendar.step_from(current, 1 - number), calendar.step_from(current)


def _day(bound: Bound, zone: tzinfo) -> date | None:
    return bound.astimezone(zone).date() if isinstance(bound, datetime) else bound


def _instant(bound: Bound, zone: tzinfo) -> Any:
    """Return when a day begins, where its midnight comes twice the first time; an instant itself."""
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, time(), tzinfo=zone).astimezone(UTC)
