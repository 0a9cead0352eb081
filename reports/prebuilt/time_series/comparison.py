"""Periods compared with earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from reports.header import Column
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.ranges import between
from reports.prebuilt.dates.shifts import Against, Shift, earlier
from reports.prebuilt.dates.spans import in_spans, over_span
from reports.prebuilt.shapes.series import Series
from reports.prebuilt.time_series.changes import compared_columns
from reports.prebuilt.vocabulary.attributes import Check


class PeriodComparison(Series):
    """The metrics in each period, and what they were before: ``<metric>_before``, ``_delta`` and ``_change``.

    ``against`` is the previous period, the same one of the year before, or a number of periods back. A count or a sum
    of nothing is 0. Of a period that is but partly in the range, the same part of the earlier one counts.
    """

    template = "prebuilt/period_comparison.sql"

    against: ClassVar[str | int] = Against.PREVIOUS

    vocabulary: ClassVar[Mapping[str, Check]] = {**Series.vocabulary, "against": earlier}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions, and of each metric what it is, was, and how it changed."""
        cls.check_closed("a comparison")
        yield from cls.key_columns()
        yield from compared_columns(cls.metric_columns(), cls.read_outputs())

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics = self.dates(given), self.asked_metrics(given)
        self.check_spine(dates, self.most_periods)
        shift = Shift.of(dates.calendar, self.asked(given, "against"))
        try:
            prior = shift.range(dates.range, dates.zone, of_dates=dates.of_dates)
        except (OverflowError, ValueError):
            raise self.refused("start", TOO_FAR) from None
        now = before = metrics
        if not dates.is_whole:
            now = over_span(metrics, "now", between(dates.field, dates.range, dates.zone))
            before = over_span(metrics, "before", between(dates.field, prior, dates.zone))
        rows = self.rows_of_source().filter(in_spans(dates.field, (dates.range, prior), dates.zone))
        return {
            "before": before.outputs,
            "dates": dates,
            "dimensions": self.asked_dimensions(given),
            "facts": self.facts(rows, dates.period, given, (*now.needed, *before.needed)),
            "has_hours": self.has_hours(),
            "metrics": metrics,
            "now": now.outputs,
            "shift": shift,
        }
