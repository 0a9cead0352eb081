"""Periods of a calendar, as SQL for facts and as dates in Python.

A period's bounds are found on local dates, which are then turned into instants. An hour is found on the instant itself,
by ``date_trunc(text, timestamptz, zone)``: the hour that an autumn's change of clocks repeats stays two buckets, which
``date_trunc('hour', t AT TIME ZONE zone)`` merges (groupdate 6.8 does).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import models
from django.db.models import DateField, DateTimeField, Func, Value

_MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_quarter": 3, "fiscal_year": 12}


class Period(models.TextChoices):
    """How long a bucket is. ``WEEK`` begins on the report's ``week_start``, ``ISO_WEEK`` on Monday.

    Fiscal periods begin in the report's ``fiscal_start`` month; a fiscal year is named by its first day.
    """

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    ISO_WEEK = "iso_week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    FISCAL_QUARTER = "fiscal_quarter"
    FISCAL_YEAR = "fiscal_year"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Buckets of one length. ``week_start`` is 1 for Monday to 7 for Sunday, ``fiscal_start`` a month."""

    period: Period
    week_start: int = 1
    fiscal_start: int = 1

    @property
    def is_hour(self) -> bool:
        """True when a bucket is found on instants, not on dates."""
        return self.period is Period.HOUR

    @property
    def step(self) -> str:
        """The length in PostgreSQL's words, for an interval."""
        if self.is_hour:
            return "1 hour"
        if self.period in _MONTHS:
            return f"{_MONTHS[self.period]} months"
        return "1 day" if self.period is Period.DAY else "7 days"

    @property
    def months(self) -> int:
        """The length in months; 0 for hours, days and weeks."""
        return _MONTHS.get(self.period, 0)

    @property
    def first_weekday(self) -> int:
        """The ISO number of the day on which weeks begin."""
        return 1 if self.period is Period.ISO_WEEK else self.week_start

    @property
    def first_month(self) -> int:
        """The month in which years and quarters begin."""
        return self.fiscal_start if self.period in (Period.FISCAL_QUARTER, Period.FISCAL_YEAR) else 1

    def floor(self, day: date) -> date:
        """Return the first day of the period that holds a day; of an hour, the day itself."""
        if self.is_hour or self.period is Period.DAY:
            return day
        if self.period in (Period.WEEK, Period.ISO_WEEK):
            return day - timedelta(days=(day.isoweekday() - self.first_weekday) % 7)
        length = _MONTHS[self.period]
        months = day.year * 12 + day.month - self.first_month
        return _month(months - months % length + self.first_month - 1)

    def step_from(self, day: date, steps: int = 1) -> date:
        """Return the first day of the period that many steps after the one that begins on a day."""
        if self.is_hour or self.period is Period.DAY:
            return day + timedelta(days=steps)
        if self.period in (Period.WEEK, Period.ISO_WEEK):
            return day + timedelta(days=7 * steps)
        return _month(day.year * 12 + day.month - 1 + steps * _MONTHS[self.period])

    def count(self, first: date, end: date) -> int:
        """Return how many periods have a part from one day on and before another; of hours, 25 a day."""
        if first >= end:
            return 0
        low = self.floor(first)
        days = (end - low).days
        if self.is_hour:
            return 25 * days
        if self.period in _MONTHS:
            last = self.floor(end - timedelta(days=1))
            return ((last.year - low.year) * 12 + last.month - low.month) // _MONTHS[self.period] + 1
        return days if self.period is Period.DAY else -(-days // 7)


def _month(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


class LocalDate(Func):
    """The date of an instant in a zone."""

    template = "(%(expressions)s)::date"
    arg_joiner = " AT TIME ZONE "
    output_field = DateField()

    def __init__(self, instant: Any, zone: str) -> None:
        super().__init__(instant, Value(zone))


class Hour(Func):
    """The hour of an instant in a zone. Not Django's TruncHour, which merges the hour that autumn repeats."""

    function = "date_trunc"
    template = "%(function)s('hour', %(expressions)s)"
    output_field = DateTimeField()

    def __init__(self, instant: Any, zone: str) -> None:
        super().__init__(instant, Value(zone))


class FirstDay(Func):
    """The first day of the period of a calendar that holds a date."""

    output_field = DateField()

    def __init__(self, day: Any, calendar: Calendar) -> None:
        super().__init__(day)
        self.calendar = calendar

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # type: ignore[override]
        calendar, period = self.calendar, self.calendar.period
        if period is Period.DAY:
            template = "%(expressions)s"
        elif period in (Period.WEEK, Period.ISO_WEEK):
            template = "date_bin('7 days', %(expressions)s::timestamp, TIMESTAMP %(monday)s)::date"
            context["monday"] = f"'{date(2001, 1, calendar.first_weekday)}'"  # 2001 began on a Monday
        else:
            unit = "year" if _MONTHS[period] == 12 else period.removeprefix("fiscal_")
            template = "date_trunc('%(unit)s', %(expressions)s::timestamp)::date"
            context["unit"] = unit
            if shift := (calendar.first_month - 1) % 12:
                moved = "%(expressions)s::timestamp - interval '%(shift)s months'"
                template = f"(date_trunc('%(unit)s', {moved}) + interval '%(shift)s months')::date"
                context["shift"] = shift
        return super().as_sql(compiler, connection, template=template, **context)
