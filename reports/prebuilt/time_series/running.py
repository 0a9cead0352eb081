"""Totals that grow over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.db.models import Case, When

from reports.header import Column
from reports.prebuilt.dates.ranges import between
from reports.prebuilt.shapes.series import Fill, Series
from reports.prebuilt.vocabulary.attributes import Check, flag, optional


def _fill(value: Any) -> str | None:
    return None if value in (Fill.ZERO, Fill.NULL) else "zero or null: a running total stands on by itself"


class RunningTotal(Series):
    """The metrics in each period, and what they have come to since the range began: ``<metric>_running``.

    A running mean or ratio is that of all rows so far, a running maximum the highest so far. With ``opening`` the rows
    before the range count too, as an opening balance. ``fill`` says what a metric is in a period without rows, and what
    has come of none so far; with None a period without rows has no row.
    """

    template = "prebuilt/running_total.sql"

    opening: ClassVar[bool] = False
    fill: ClassVar[str | None] = Fill.ZERO

    vocabulary: ClassVar[Mapping[str, Check]] = {**Series.vocabulary, "opening": flag, "fill": optional(_fill)}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions, the metrics and what they have come to."""
        cls.check_merged()
        if cls.fill:
            cls.check_closed("a filled series")
        yield from cls.key_columns()
        may_be_null = cls.fill == Fill.NULL or "fill" in cls.get_form_class().base_fields
        for column in cls.metric_columns():
            column = replace(column, null=column.null or may_be_null)
            yield column
            yield replace(column, name=f"{column.name}_running")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics, fill = self.dates(given), self.asked_metrics(given), self.asked(given, "fill")
        if fill:
            self.check_spine(dates, self.most_periods)
        bounds, period = dates.range, dates.period
        opening = self.asked(given, "opening") and bounds.start is not None
        if opening:
            # What was before the range is of no period.
            begun = between(dates.field, replace(bounds, end=None, end_day=None), dates.zone)
            period = Case(When(begun, then=period))
            bounds = replace(bounds, start=None)
        return {
            "dates": dates,
            "dimensions": self.asked_dimensions(given),
            "facts": self.facts(dates.within(self.rows_of_source(), bounds), period, given, metrics.needed),
            "fill": fill,
            "has_hours": self.has_hours(),
            "metrics": metrics,
            "opening": opening,
        }
