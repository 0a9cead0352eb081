"""Totals over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from reports.header import Column
from reports.prebuilt.shapes.series import Fill, Series
from reports.prebuilt.vocabulary.attributes import Check, member, optional


class PeriodTotals(Series):
    """The metrics in each period. One row per period, or per period and dimensions.

    With ``fill`` there is a row for every period of the range, and with dimensions for every combination of theirs that
    the range has: the grid is complete.
    """

    template = "prebuilt/period_totals.sql"

    fill: ClassVar[str | None] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {**Series.vocabulary, "fill": optional(member(Fill))}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions and the metrics."""
        yield from cls.key_columns()
        is_filled = cls.fill is not None or "fill" in cls.get_form_class().base_fields
        yield from (replace(column, null=column.null or is_filled) for column in cls.metric_columns())
        if cls.fill:
            cls.check_closed("a filled series")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics, fill = self.dates(given), self.asked_metrics(given), self.asked(given, "fill")
        if fill:
            self.check_spine(dates, self.most_periods)
        return {
            "dates": dates,
            "dimensions": self.asked_dimensions(given),
            "facts": self.facts(dates.within(self.rows_of_source()), dates.period, given, metrics.needed),
            "fill": fill,
            "has_hours": self.has_hours(),
            "metrics": metrics,
        }
