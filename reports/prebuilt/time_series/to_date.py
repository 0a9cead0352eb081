"""What has come together since a month, a quarter or a year began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.dates.dated import Dated, Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.periods import Period
from reports.prebuilt.dates.ranges import Range, between, local_day, make_range
from reports.prebuilt.dates.shifts import Against, Shift
from reports.prebuilt.dates.spans import in_spans, over_span
from reports.prebuilt.time_series.changes import compared_columns
from reports.prebuilt.vocabulary.attributes import Check, member, one_or_more
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.selection import Metrics, Output


def _day(value: Any) -> str | None:
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    return None if value is None or callable(value) or is_day else "a date, a function of no argument, or None"


@dataclass(frozen=True, slots=True)
class Span:
    """A period up to a day, and the same part of an earlier one; ``now`` and ``before`` are the metrics over them."""

    period: Period
    range: Range
    prior: Range
    now: tuple[Output, ...]
    before: tuple[Output, ...]

    @property
    def days(self) -> tuple[date | None, ...]:
        """The first and the last day, and those of the earlier part."""
        ends = [each.end_day and each.end_day - timedelta(days=1) for each in (self.range, self.prior)]
        return self.range.first_day, ends[0], self.prior.first_day, ends[1]


class ToDate(Dated):
    """The metrics since the month, the quarter and the year began, and over the same part of earlier ones.

    One row per period in ``spans``, or per period and dimensions. A span ends with the day ``through``, by default
    today.
    ``against`` is the period before, or the same one of the year before.
    """

    template = "prebuilt/to_date.sql"

    through: ClassVar[date | Callable[[], date] | None] = None
    spans: ClassVar[Sequence[str]] = (Period.MONTH, Period.QUARTER, Period.YEAR)
    against: ClassVar[str] = Against.PREVIOUS

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "through": _day,
        "spans": one_or_more(member(Period)),
        "against": member(Against),
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period and its days, the dimensions, and of each metric what it is, was, and how it changed."""
        fields = cls.get_form_class().base_fields
        wrong = [name for name in ("start", "end", "last", "period") if name in fields or _is_set(cls, name)]
        if wrong:
            raise DeclarationError(f"spans and through say where a span begins and ends; leave out {listed(wrong)}.")
        if Period.HOUR in cls.every_span():
            raise DeclarationError("spans are of days and longer, not of an hour.")
        cls.is_of_dates()
        dimensions = cls.read_dimensions()
        is_key = cls.has_key()
        yield Column("period", "text", pk=is_key)
        yield from (Column(name, "date") for name in ("first_day", "last_day", "first_day_before", "last_day_before"))
        yield from (dimension.column(pk=is_key) for dimension in dimensions)
        yield from compared_columns(cls.metric_columns(), cls.read_outputs())

    @classmethod
    def every_span(cls) -> tuple[Period, ...]:
        """Return the periods that the class lists."""
        return tuple(Period(each) for each in ([cls.spans] if isinstance(cls.spans, str) else cls.spans))

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else the dimensions and the shortest span first."""
        dimensions = (dimension.name for dimension in cls.read_dimensions())
        return tuple(cls.ordering) or (*dimensions, "-first_day", "period")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics, dimensions = self.dates(given), self.asked_metrics(given), self.asked_dimensions(given)
        day = self._day(given, dates)
        try:
            spans = [self._span(period, day, dates, metrics, given) for period in self._asked_spans(given)]
        except (OverflowError, ValueError):
            raise self.refused("through", TOO_FAR) from None
        ranges = [each for span in spans for each in (span.range, span.prior)]
        rows = self.rows_of_source().filter(in_spans(dates.field, ranges, dates.zone))
        needed = [metric for span in spans for side in (span.now, span.before) for metric in Metrics(side).needed]
        keys = {each.name: each.expression for each in dimensions}
        return {
            "dimensions": dimensions,
            "facts": grouped(rows, keys, needed),
            "metrics": metrics,
            "spans": spans,
        }

    def _asked_spans(self, given: Mapping[str, Any]) -> tuple[Period, ...]:
        asked = self.asked(given, "spans")
        asked = tuple(Period(each) for each in ([asked] if isinstance(asked, str) else asked))
        if unknown := [each for each in asked if each not in self.every_span()]:
            raise self.refused("spans", f"There is no {listed(unknown)} (there are: {listed(self.every_span())}).")
        return tuple(dict.fromkeys(asked))

    def _day(self, given: Mapping[str, Any], dates: Dates) -> date:
        return local_day(self.moment(given, "through"), dates.zone) or timezone.localdate(timezone=dates.zone)

    def _span(self, period: Period, day: date, dates: Dates, metrics: Metrics, given: Mapping[str, Any]) -> Span:
        calendar = replace(dates.calendar, period=period)
        span = make_range(calendar.floor(day), day + timedelta(days=1), dates.zone, of_dates=dates.of_dates)
        shift = Shift.of(calendar, self.asked(given, "against"))
        prior = shift.range(span, dates.zone, of_dates=dates.of_dates)
        now = over_span(metrics, f"{period}_now", between(dates.field, span, dates.zone))
        before = over_span(metrics, f"{period}_before", between(dates.field, prior, dates.zone))
        return Span(period, span, prior, now.outputs, before.outputs)


def _is_set(cls: type[ToDate], name: str) -> bool:
    return getattr(cls, name) is not getattr(Dated, name)
