"""How far back a period lies with which another one is compared."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.db import models

from reports.prebuilt.dates.periods import Calendar, Period
from reports.prebuilt.dates.ranges import Bound, Range, make_range
from reports.prebuilt.vocabulary.attributes import whole


class Against(models.TextChoices):
    """With what a period is compared: the one before, or the same one of the year before."""

    PREVIOUS = "previous"
    YEAR = "year"


def earlier(value: object) -> str | None:
    """Return what is allowed when a value is not with what a period can be compared."""
    allowed = whole(1, 1000)(value)
    return None if value in Against.values else allowed and f"previous, year, or {allowed}: how many periods back"


@dataclass(frozen=True, slots=True)
class Shift:
    """A time back, in one of three units: months of the calendar, days of the calendar, or hours of the clock."""

    months: int = 0
    days: int = 0
    hours: int = 0

    @classmethod
    def of(cls, calendar: Calendar, against: str | int) -> Shift:
        """Return how far back the period with which one is compared begins.

        The year before a week is 52 weeks back, so that its days are the same days of the week.
        """
        is_week = calendar.period in (Period.WEEK, Period.ISO_WEEK)
        if against == Against.YEAR:
            return cls(days=364) if is_week else cls(months=12)
        number = against if isinstance(against, int) else 1
        if calendar.is_hour:
            return cls(hours=number)
        if calendar.months:
            return cls(months=number * calendar.months)
        return cls(days=number * (7 if is_week else 1))

    @property
    def words(self) -> str:
        """The time as PostgreSQL reads an interval."""
        return f"{self.months} months" if self.months else f"{self.days} days" if self.days else f"{self.hours} hours"

    def range(self, bounds: Range, zone: tzinfo, *, of_dates: bool) -> Range:
        """Return the same part of the earlier periods as a closed range is of its own.

        A day that the earlier month does not have is its last one, as a start; as an end, it is the month's end.

        Raises:
            OverflowError, ValueError: It would begin before the year 1.
        """
        start = self._back(bounds.start, zone)
        return make_range(start, self._back(bounds.end, zone, is_end=True), zone, of_dates=of_dates)

    def _back(self, bound: Bound, zone: tzinfo, *, is_end: bool = False) -> Bound:
        assert bound is not None
        if not isinstance(bound, datetime):
            return self._day(bound, is_end=is_end)[0]
        if self.hours:
            return bound - timedelta(hours=self.hours)
        local = bound.astimezone(zone)
        day, is_there = self._day(local.date(), is_end=is_end)
        # A day may begin at one o'clock: what matters is that it begins.
        if make_range(local.date(), None, zone).start == bound or (is_end and not is_there):
            return day
        # As PostgreSQL does: the second of an hour that comes twice, and after one that is left out.
        return max(
            datetime.combine(day, local.time().replace(fold=fold), tzinfo=zone).astimezone(UTC) for fold in (0, 1)
        )

    def _day(self, day: date, *, is_end: bool) -> tuple[date, bool]:
        """Return the earlier day, and whether the earlier month has it."""
        if not self.months:
            return day - timedelta(days=self.days), True
        months = day.year * 12 + day.month - 1 - self.months
        year, month = months // 12, months % 12 + 1
        last = monthrange(year, month)[1]
        if day.day <= last:
            return date(year, month, day.day), True
        return date(year, month, last) + timedelta(days=is_end), False
