"""Reports whose rows have a date: the range that counts, the zone in which days begin, and the periods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models import F
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.moments import TOO_FAR, moment_of
from reports.prebuilt.dates.periods import Calendar, FirstDay, Hour, LocalDate, Period
from reports.prebuilt.dates.ranges import Bound, Range, between, hour_of, last_periods, local_day, make_range
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, is_list, optional, whole
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.paths import branch_of, explained
from reports.prebuilt.vocabulary.zones import current_zone, find_zone, zone_words


@dataclass(frozen=True, slots=True)
class Dates:
    """What a run means by its dates: the field, the zone, the calendar and the range."""

    field: str
    of_dates: bool
    zone: tzinfo
    calendar: Calendar
    range: Range

    @property
    def zone_words(self) -> str:
        """The zone as PostgreSQL reads it."""
        return zone_words(self.zone)

    @property
    def local_date(self) -> Any:
        """The date of a row in the zone, for ``values()``."""
        return F(self.field) if self.of_dates else LocalDate(F(self.field), self.zone_words)

    @property
    def period(self) -> Any:
        """The period of a row, for ``values()``: its first day, or the hour's first instant."""
        return self.period_of(F(self.field))

    def period_of(self, moment: Any) -> Any:
        """Return the period of another of the row's dates than ``field``."""
        if self.calendar.is_hour:
            return Hour(moment, self.zone_words)
        return FirstDay(moment if self.of_dates else LocalDate(moment, self.zone_words), self.calendar)

    @property
    def is_whole(self) -> bool:
        """True when the range is closed, and each of its periods is wholly in it."""
        start, end = (self.begin(bound) for bound in (self.range.start, self.range.end))
        return self.range.is_closed and (start, end) == (self.range.start, self.range.end)

    def begin(self, bound: Bound) -> Bound:
        """Return when the period begins that a bound of a range lies in."""
        if bound is None:
            return None
        if isinstance(bound, datetime) and self.calendar.is_hour:
            return hour_of(bound, self.zone)
        day = local_day(bound, self.zone)
        assert day is not None
        return make_range(self.calendar.floor(day), None, self.zone, of_dates=self.of_dates).start

    def within(self, rows: models.QuerySet[Any], bounds: Range | None = None) -> models.QuerySet[Any]:
        """Return the rows in the range, or in another one; in an open one, all that have a date."""
        return rows.filter(between(self.field, bounds or self.range, self.zone))


class Dated(Prebuilt):
    """A report over rows with a date.

    ``start`` and ``end`` bound the rows that count: from ``start`` on, and before ``end``; a date stands for its
    beginning in the zone. ``last`` is a number of periods instead of a start: those before the end, or up to the
    one under way. ``time_zone`` is the
    viewer's by default: Django's current one. ``period`` is one Period, or several of which the first is the default
    and a request may ask for the others.
    """

    date_field: ClassVar[str] = ""
    period: ClassVar[Any] = Period.DAY
    start: ClassVar[Any] = None
    end: ClassVar[Any] = None
    last: ClassVar[int | None] = None
    time_zone: ClassVar[str | tzinfo | None] = None
    week_start: ClassVar[int] = 1
    fiscal_start: ClassVar[int] = 1

    # The attribute that names the date.
    dated_by: ClassVar[str] = "date_field"

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Prebuilt.vocabulary,
        "date_field": attributes.text,
        "period": attributes.one_or_more(attributes.member(Period)),
        "start": attributes.moment,
        "end": attributes.moment,
        "last": optional(whole(1, 10_000)),
        "time_zone": attributes.time_zone,
        "week_start": whole(1, 7),
        "fiscal_start": whole(1, 12),
    }

    def dates(self, given: Mapping[str, Any]) -> Dates:
        """Return what a run means by its dates.

        Raises:
            ParamsError: The request's values do not fit: a period that is not listed, an end before the start.
        """
        period = self.asked(given, "period")
        if given.get("period") and period not in self.periods():
            raise self.refused("period", f"It must be one of {', '.join(self.periods())}.")
        period = Period(self.periods()[0] if is_list(period) else period)
        calendar = Calendar(period, self.asked(given, "week_start"), self.asked(given, "fiscal_start"))
        zone = find_zone(self.asked(given, "time_zone")) or current_zone()
        of_dates = self.is_of_dates()
        bounds = make_range(*self._bounds(given, calendar, zone), zone, of_dates=of_dates)
        if bounds.first_day and bounds.end_day and (bounds.end_day, bounds.end) < (bounds.first_day, bounds.start):
            raise self.refused("end", "It must not be before the start.")
        return Dates(getattr(self, self.dated_by), of_dates, zone, calendar, bounds)

    def _bounds(self, given: Mapping[str, Any], calendar: Calendar, zone: tzinfo) -> tuple[Bound, Bound]:
        start, end = self.moment(given, "start"), self.moment(given, "end")
        number = self.asked(given, "last")
        if number is None or start is not None:
            return start, end
        try:
            return last_periods(number, calendar, zone, end)
        except (OverflowError, ValueError):
            raise self.refused("last", TOO_FAR) from None

    def moment(self, given: Mapping[str, Any], name: str) -> Bound:
        """Return what an attribute says, or the function that stands in it; see ``moment_of``."""
        return moment_of(self, given, name)

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), *([cls.has_hours] if getattr(cls, cls.dated_by) else [])]

    @classmethod
    def periods(cls) -> Sequence[Period]:
        """Return the periods that the class lists, the default first."""
        return [Period(value) for value in (cls.period if is_list(cls.period) else [cls.period])]

    @classmethod
    def is_of_dates(cls) -> bool:
        """Return whether the date field holds dates, which have no zone and no hours."""
        return cls.holds_dates(cls.dated_by)

    @classmethod
    def holds_dates(cls, attribute: str) -> bool:
        """Return whether the field that an attribute names holds dates.

        Raises:
            DeclarationError: The field does not exist, is no date, or is reached by a relation to many.
        """
        return holds_dates(cls.declared_source().query, getattr(cls, attribute), attribute)

    @classmethod
    def has_hours(cls) -> bool:
        """Return whether a run may be by hours, so that periods are instants.

        Raises:
            DeclarationError: The date field holds dates.
        """
        has_hours = Period.HOUR in cls.periods()
        if cls.is_of_dates() and has_hours:
            dated = f"{cls.dated_by} {getattr(cls, cls.dated_by)!r}"
            raise DeclarationError(f"the period 'hour' is finer than {dated}, which holds dates.")
        return has_hours

    @classmethod
    def read_period(cls) -> Column:
        """Return the column ``period``: a date, or an instant where the class lists hours."""
        return Column("period", "timestamptz" if cls.has_hours() else "date", pk=True)

    @classmethod
    def check_closed(cls, what: str) -> None:
        """Refuse a class whose range has no bounds, and whose form asks for none.

        Raises:
            DeclarationError: Says what needs them.
        """
        fields = cls.get_form_class().base_fields
        has = {name: getattr(cls, name) is not None or name in fields for name in ("start", "end", "last")}
        if not has["last"] and not (has["start"] and has["end"]):
            raise DeclarationError(f"{what} needs a start and an end, or last: an open range has no last period.")

    def check_spine(self, dates: Dates, most: int) -> None:
        """Refuse a run whose range is open, or has too many periods.

        Raises:
            ParamsError: Says how many periods there may be.
        """
        first, end = dates.range.first_day, dates.range.end_day
        if first is None or end is None:
            raise self.refused("end" if first else "start", "A filled series needs a start and an end.")
        if (count := dates.calendar.count(first, end)) > most:
            raise self.refused("start", f"The range has {count} periods; there may be at most {most}.")


def holds_dates(query: Query, path: str, attribute: str) -> bool:
    """Return whether the field at a path holds dates, which have no zone and no hours; it may hold instants.

    Raises:
        DeclarationError: The field does not exist, is no date, or is reached by a relation to many.
    """
    if not path:
        raise DeclarationError(f"{attribute} is not set; name a date of the source.")
    try:
        field = query.names_to_path(path.split(LOOKUP_SEP), query.get_meta(), fail_on_missing=True)[1]
    except FieldError as error:
        raise DeclarationError(f"{attribute}: {explained(error, path)}") from None
    if branch := branch_of(query, path):
        many = LOOKUP_SEP.join(branch)
        raise DeclarationError(f"{attribute} {path!r} leads to many rows by {many!r}; take that model.")
    if not isinstance(field, models.DateField):  # DateTimeField is one
        raise DeclarationError(f"{attribute} {path!r} is a {type(field).__name__}, and no date.")
    of_dates = not isinstance(field, models.DateTimeField)
    if not of_dates and not settings.USE_TZ:
        raise DeclarationError(f"{attribute} {path!r} has no zone: USE_TZ is False.")
    return of_dates
