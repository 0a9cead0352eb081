"""Averages that move over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.ranges import Bound, make_range
from reports.prebuilt.shapes.series import Series
from reports.prebuilt.vocabulary.attributes import Check, flag, whole


class MovingAverage(Series):
    """The metrics in each period, and their average over the last ``window`` periods: ``<metric>_average``.

    Counts and sums are averaged over the periods, a period without rows being 0; a mean or a ratio is that of all rows
    of these periods. With ``lead`` the periods before the range are read for its first averages; without it the first
    ``window - 1`` of them are NULL.
    """

    template = "prebuilt/moving_average.sql"

    window: ClassVar[int] = 7
    lead: ClassVar[bool] = True

    vocabulary: ClassVar[Mapping[str, Check]] = {**Series.vocabulary, "window": whole(2, 1000), "lead": flag}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions, the metrics and their averages."""
        cls.check_closed("a moving average")
        cls.check_merged()
        if wrong := [repr(each.name) for each in cls.read_metrics() if each.merge not in ("sum", "mean")]:
            kinds = "it must be a count, a sum, a mean or a Ratio"
            raise DeclarationError(f"the average of {listed(wrong)} over several periods is not defined; {kinds}.")
        yield from cls.key_columns()
        for column, output in zip(cls.metric_columns(), cls.read_outputs(), strict=True):
            yield column
            yield Column(f"{column.name}_average", output.type_of_ratio, null=True)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics, window = self.dates(given), self.asked_metrics(given), self.asked(given, "window")
        self.check_spine(dates, self.most_periods)
        rows, first = dates.within(self.rows_of_source()), None
        if self.asked(given, "lead") and dates.range.start != dates.range.end:
            try:
                rows, dates, first = self._with_lead(dates, window - 1)
            except (OverflowError, ValueError):
                raise self.refused("start", TOO_FAR) from None
        return {
            "averages": [replace(each, type=each.type_of_ratio) for each in metrics],
            "dates": dates,
            "dimensions": self.asked_dimensions(given),
            "facts": self.facts(rows, dates.period, given, metrics.needed),
            "first": first,
            "has_hours": self.has_hours(),
            "metrics": metrics,
            "window": window,
        }

    def _with_lead(self, dates: Dates, periods: int) -> tuple[models.QuerySet[Any], Dates, Bound]:
        """Return the rows and the dates of a range that begins as many periods earlier, and the range's first period.

        What lies before the range in its first period is left out.
        """
        bounds, begin = dates.range, dates.begin(dates.range.start)
        if isinstance(begin, datetime) and dates.calendar.is_hour:
            first: Bound = begin
            earlier: Bound = begin - timedelta(hours=periods)
        else:
            assert bounds.first_day is not None
            first = dates.calendar.floor(bounds.first_day)
            earlier = dates.calendar.step_from(first, -periods)
        lead = make_range(earlier, bounds.end, dates.zone, of_dates=dates.of_dates)
        rows = dates.within(self.rows_of_source(), lead)
        if begin != bounds.start:
            rows = rows.filter(Q(**{f"{dates.field}__lt": begin}) | Q(**{f"{dates.field}__gte": bounds.start}))
        return rows, replace(dates, range=lead), first
