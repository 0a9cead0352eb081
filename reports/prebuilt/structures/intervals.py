"""What was active when: rows that have a beginning and perhaps an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, DateField, DateTimeField, F, Func, Q, Value, When
from django.db.models.functions import Coalesce, Greatest

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.shapes.series import Series
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric, read_metric
from reports.prebuilt.vocabulary.problems import read_all

# Adding and subtracting these loses nothing.
_EXACT = ("bigint", "interval", "numeric")


class At(models.TextChoices):
    """At which instant of a period: its first or its last one, of the part that is in the range."""

    START = "start"
    END = "end"


class ActiveAsOf(Series):
    """The metrics of the rows that were active at the end of each period, or at its start. One row per period.

    A row is active from its ``start_field`` on and before its ``end_field``, which are two dates; with no end it still
    is, with no start it never was. ``at`` says when they are counted: ``END`` at the last instant of each period, or on
    its last day, ``START`` at the first. In a period that the range has a part of, it is that part's. There is a row
    for every period of the range, and with dimensions for every combination of theirs that is counted in one; where
    nothing is active, counts and sums are 0.

    Counts, sums and means are added where a row comes and subtracted where it goes. A maximum, and numbers that are
    rounded when they are added, are merged for each period of what comes and goes together. With distinct values or
    percentiles each row is repeated for every period in which it counts, and there are no hours.
    """

    template = "prebuilt/active_as_of.sql"
    reserved = frozenset({"entered", "left", "period"})

    dated_by = "start_field"
    start_field: ClassVar[str] = ""
    end_field: ClassVar[str] = ""
    at: ClassVar[str] = At.END

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Series.vocabulary,
        "date_field": attributes.nothing,
        "start_field": attributes.text,
        "end_field": attributes.text,
        "at": member(At),
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        closed = partial(cls.check_closed, "a filled series")
        return [*super().readings(), cls._check_dates, cls._check_hours, closed]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions and the metrics."""
        cls.check_metrics()
        yield from cls.key_columns()
        yield from cls.metric_columns()

    @classmethod
    def _check_dates(cls) -> None:
        of_dates = read_all([partial(cls.holds_dates, name) for name in ("start_field", "end_field")])
        if len({*of_dates}) > 1:
            fields = f"start_field {cls.start_field!r} and end_field {cls.end_field!r}"
            raise DeclarationError(f"of {fields} only one has a time.")

    @classmethod
    def _check_hours(cls) -> None:
        if cls.has_hours() and (anew := [metric.name for metric in cls.read_metrics() if metric.merge is None]):
            raise DeclarationError(f"{listed(anew)}: distinct values, percentiles and lists cannot be told by hours.")

    @classmethod
    def can_be_subtracted(cls, metric: Metric) -> bool:
        """Return whether the value over all but some rows comes, without loss, of that over all and that over those."""
        source = cls.declared_source()
        parts = (read_metric(source, part.name, part.expression) for part in metric.parts)
        return metric.merge in ("sum", "mean") and all(part.type in _EXACT for part in parts)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions, metrics = self.dates(given), self.asked_dimensions(given), self.asked_metrics(given)
        self.check_spine(dates, self.most_periods)
        at, shape = At(self.asked(given, "at")), self._shape(metrics.needed)
        entered, left = self._moves(dates, at)
        is_repeated = shape == "repeated"
        keys = {"period": _periods(entered, left, dates, at)} if is_repeated else {"entered": entered, "left": left}
        by = {**keys, **{each.name: each.expression for each in dimensions}}
        return {
            "at": at,
            "dates": dates,
            "dimensions": dimensions,
            "facts": grouped(self._active(dates), by, metrics.needed),
            "has_hours": self.has_hours(),
            "last_day": _last_day(dates),
            "metrics": metrics,
            "shape": shape,
        }

    def _shape(self, metrics: Iterable[Metric]) -> str:
        """Return how the rows of a period are found: ``moving``, ``merged`` or ``repeated``."""
        if all(self.can_be_subtracted(metric) for metric in metrics):
            return "moving"
        return "repeated" if any(metric.merge is None for metric in metrics) else "merged"

    def _active(self, dates: Dates) -> models.QuerySet[Any]:
        """Return the rows that may have been active in the range."""
        end, bounds = self.end_field, dates.range
        rows = self.rows_of_source().filter(**{f"{self.start_field}__lt": bounds.end})
        return rows.filter(Q(**{f"{end}__isnull": True}) | Q(**{f"{end}__gt": bounds.start}))

    def _moves(self, dates: Dates, at: At) -> tuple[Any, Any]:
        """Return the periods in which a row comes and goes, as expressions.

        At the end of a period, what moves in it has moved; at the start, what moved before it. A row that comes before
        the start of the range comes in NULL, one that goes after its end goes in NULL.
        """
        bounds = dates.range
        if at is At.END:
            entered = dates.period_of(Greatest(F(self.start_field), Value(bounds.start)))
            return entered, Case(When(**{f"{self.end_field}__lt": bounds.end}, then=dates.period_of(F(self.end_field))))
        before = {path: dates.period_of(_before(F(path), dates)) for path in (self.start_field, self.end_field)}
        return (
            Case(When(**{f"{self.start_field}__gt": bounds.start}, then=before[self.start_field])),
            Case(When(**{f"{self.end_field}__lt": bounds.end}, then=before[self.end_field])),
        )


def _last_day(dates: Dates) -> date:
    """Return the first day of the last period."""
    first, end = dates.range.first_day, dates.range.end_day
    assert first is not None
    assert end is not None
    return dates.calendar.floor(end - timedelta(days=1) if end > first else first)


def _before(moment: Any, dates: Dates) -> Any:
    """Return the last day before a date, or the last instant before an instant."""
    if dates.of_dates:
        return Func(moment, template="(%(expressions)s - 1)", output_field=DateField())
    return Func(moment, template="(%(expressions)s - interval '1 microsecond')", output_field=DateTimeField())


def _periods(entered: Any, left: Any, dates: Dates, at: At) -> Any:
    """Return every period in which a row counts, from those in which it comes and goes: one row becomes several."""
    assert dates.range.first_day is not None
    first, last = (Value(day) for day in (dates.calendar.floor(dates.range.first_day), _last_day(dates)))
    step = f"interval '{dates.calendar.step}'"
    if at is At.END:
        left = Func(left, template=f"(%(expressions)s - {step})", output_field=DateField())
    else:
        entered = Func(entered, template=f"(%(expressions)s + {step})", output_field=DateField())
    bounds = (Coalesce(entered, first, output_field=DateField()), Coalesce(left, last, output_field=DateField()))
    days = (Func(each, template="(%(expressions)s)::timestamp") for each in bounds)
    found: Any = Func(*days, template=f"generate_series(%(expressions)s, {step})::date", output_field=DateField())
    found.set_returning = True
    return found
