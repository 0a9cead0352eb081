"""Totals over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models

from reports.header import Column
from reports.prebuilt.attributes import Check, member, optional, whole
from reports.prebuilt.dated import Dated
from reports.prebuilt.facts import grouped


class Fill(models.TextChoices):
    """What stands in a period without rows: ``ZERO`` for counts and sums, ``LAST`` the value before, or ``NULL``."""

    ZERO = "zero"
    NULL = "null"
    LAST = "last"


class PeriodTotals(Dated):
    """The metrics in each period. One row per period, or per period and dimensions.

    With ``fill`` there is a row for every period of the range, and with dimensions for every combination of theirs that
    the range has: the grid is complete.
    """

    template = "prebuilt/period_totals.sql"

    fill: ClassVar[str | None] = None
    most_periods: ClassVar[int] = 10_000

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "fill": optional(member(Fill)),
        "most_periods": whole(1, 1_000_000),
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions and the metrics."""
        dimensions, period = cls.read_dimensions(), cls.read_period()
        is_key = not any(each.null for each in dimensions) and "dimensions" not in cls.get_form_class().base_fields
        yield replace(period, pk=is_key)
        yield from (dimension.column(pk=is_key) for dimension in dimensions)
        yield from (replace(column, null=column.null or cls.fill is not None) for column in cls.metric_columns())
        if cls.fill:
            cls.check_closed("a filled series")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions, metrics = self.dates(given), self.asked_dimensions(given), self.asked_metrics(given)
        fill = self.asked(given, "fill")
        if fill:
            self.check_spine(dates, self.most_periods)
        keys = {"period": dates.period, **{each.name: each.expression for each in dimensions}}
        return {
            "dates": dates,
            "dimensions": dimensions,
            "facts": grouped(dates.within(self.rows_of_source()), keys, metrics.needed),
            "fill": fill,
            "has_hours": self.has_hours(),
            "metrics": metrics,
        }
