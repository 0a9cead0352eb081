"""A range of time: from its start on, and before its end. The same bounds for the facts and for the spine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from django.db.models import F, Q
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from reports.prebuilt.dates.periods import Calendar, LocalDate
from reports.prebuilt.vocabulary.zones import zone_words

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
    first_day, end_day = local_day(start, zone), local_day(end, zone)
    if isinstance(end, datetime) and end_day is not None and _instant(end_day, zone) < end:
        end_day += timedelta(days=1)
    if of_dates:
        return Range(first_day, end_day, first_day, end_day)
    return Range(_instant(start, zone), _instant(end, zone), first_day, end_day)


def last_periods(number: int, calendar: Calendar, zone: tzinfo, end: Bound = None) -> tuple[Bound, Bound]:
    """Return the bounds of that many periods, of which the last is under way, or of those before an end."""
    if end is not None:
        until: Any = make_range(None, end, zone).end
        last = until - timedelta(microseconds=1)
        hour = hour_of(last, zone) - timedelta(hours=number - 1)
        return hour if calendar.is_hour else _back(calendar, last.astimezone(zone).date(), number), end
    now = datetime.now(UTC)
    if calendar.is_hour:
        hour = hour_of(now, zone)
        return hour - timedelta(hours=number - 1), hour + timedelta(hours=1)
    today = now.astimezone(zone).date()
    return _back(calendar, today, number), calendar.step_from(calendar.floor(today))


def _back(calendar: Calendar, day: date, number: int) -> date:
    """Return when the first of that many periods begins, of which the last holds a day."""
    return calendar.step_from(calendar.floor(day), 1 - number)


def hour_of(instant: datetime, zone: tzinfo) -> datetime:
    """Return when the hour of an instant begins, as ``date_trunc`` finds it: at a half or a quarter in some zones."""
    local = instant.astimezone(zone)
    return instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def local_day(bound: Bound, zone: tzinfo) -> date | None:
    """Return the day that a bound is on in a zone."""
    return bound.astimezone(zone).date() if isinstance(bound, datetime) else bound


def between(field: str, bounds: Range, zone: tzinfo) -> Q:
    """Return the condition that a row's date is in a range; in an open one, that it has a date."""
    given = {"gte": bounds.start, "lt": bounds.end}
    days: list[Any] = []
    local = LocalDate(F(field), zone_words(zone))
    if is_torn(bounds.start, bounds.first_day, zone):
        days.append(GreaterThanOrEqual(local, bounds.first_day))
    if is_torn(bounds.end, bounds.end_day, zone):
        given["lt"] = _midnight(bounds.end_day, zone, last=True)
        days.append(LessThan(local, bounds.end_day))
    known: dict[str, Any] = {f"{field}__{name}": value for name, value in given.items() if value is not None}
    return Q(*days, **(known or {f"{field}__isnull": False}))


def is_torn(bound: Bound, day: date | None, zone: tzinfo) -> bool:
    """Return whether a bound is a day's first midnight, after which clocks went back into the day before.

    So they did in Newfoundland at one minute past midnight, until 2010: no instant is between the two days.
    """
    if day is None or not isinstance(bound, datetime) or bound != _midnight(day, zone):
        return False
    last = _midnight(day, zone, last=True)
    return last > bound and (last - timedelta(microseconds=1)).astimezone(zone).date() < day


def _instant(bound: Bound, zone: tzinfo) -> Any:
    """Return when a day begins, where its midnight comes twice the first time; an instant as one of UTC.

    Python counts hours between two instants of one zone by its clocks, which skip and repeat some.
    """
    if isinstance(bound, datetime):
        return bound.astimezone(UTC)
    return bound and _midnight(bound, zone)


def _midnight(day: date | None, zone: tzinfo, *, last: bool = False) -> datetime:
    assert day is not None
    return datetime.combine(day, time(fold=last), tzinfo=zone).astimezone(UTC)
