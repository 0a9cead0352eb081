"""At which hours and on which days of the week things happen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Func, IntegerField, Value

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.periods import Period
from reports.prebuilt.shapes.series import Series
from reports.prebuilt.vocabulary.attributes import Check, flag, member
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.selection import Output


class ProfileCells(models.TextChoices):
    """What has a row: each hour of each day of the week, each day of the week, or each hour of the day."""

    WEEKDAY_HOUR = "weekday_hour"
    WEEKDAY = "weekday"
    HOUR = "hour"


class WeekdayProfile(Series):
    """The metrics by day of the week and hour of the day, on the clocks of the zone. Each cell of the grid has a row.

    ``cells`` says which grid. ``weekday`` is 1 for the day on which weeks begin: Monday, unless ``week_start`` says
    else. ``hour`` is 0 to 23. A count or a sum of nothing is 0. With ``average`` counts and sums have an average over
    the days of the range too, ``<metric>_average``: Mondays by the number of Mondays, also those on which nothing
    happened. The range may be open, but for an average.
    """

    template = "prebuilt/weekday_profile.sql"

    cells: ClassVar[str] = ProfileCells.WEEKDAY_HOUR
    average: ClassVar[bool] = False

    reserved: ClassVar[frozenset[str]] = frozenset({"weekday", "hour"})

    vocabulary: ClassVar[Mapping[str, Check]] = {**Series.vocabulary, "cells": member(ProfileCells), "average": flag}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the day of the week and the hour, the dimensions and the metrics, with their averages."""
        fields = cls.get_form_class().base_fields
        if cls.is_of_dates() and (cls.cells != ProfileCells.WEEKDAY or "cells" in fields):
            raise DeclarationError(
                f"date_field {cls.date_field!r} holds dates, which have no hour; set cells = 'weekday'."
            )
        if cls.average:
            cls.check_closed("an average per day")
        yield from cls.key_columns()
        has_averages = cls.average or "average" in fields
        for column, output in zip(cls.metric_columns(), cls.read_outputs(), strict=True):
            yield column
            if has_averages and _is_additive(output):
                yield Column(f"{column.name}_average", output.type_of_ratio, null=True)

    @classmethod
    def key_columns(cls) -> Iterator[Column]:
        """Yield the day of the week and the hour, those that a request may ask for both, and the dimensions."""
        dimensions, can_be_asked = cls.read_dimensions(), "cells" in cls.get_form_class().base_fields
        is_key = cls.has_key() and not can_be_asked
        for name in ("weekday", "hour"):
            if name in cls.cells or can_be_asked:
                yield Column(name, "integer", pk=is_key, null=can_be_asked)
        yield from (dimension.column(pk=is_key) for dimension in dimensions)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics, dimensions = self.dates(given), self.asked_metrics(given), self.asked_dimensions(given)
        cells, average = self.asked(given, "cells"), self.asked(given, "average")
        days = replace(dates, calendar=replace(dates.calendar, period=Period.DAY))
        if average:
            self.check_spine(days, self.most_periods)
        keys = {
            "weekday": _Weekday(dates.local_date, dates.calendar.week_start),
            "hour": _HourOfDay(F(dates.field), dates.zone_words),
        }
        by = {name: key for name, key in keys.items() if name in cells}
        by |= {each.name: each.expression for each in dimensions}
        columns = {column.name for column in self.get_columns()}
        return {
            "average": average,
            "averaged": [each.name for each in metrics if f"{each.name}_average" in columns and _is_additive(each)],
            "cells": {name: name in cells for name in keys},
            "days": days,
            "dimensions": dimensions,
            "facts": grouped(dates.within(self.rows_of_source()), by, metrics.needed),
            "metrics": metrics,
            "shown": [name for name in keys if name in columns],
            "week_start": dates.calendar.week_start,
        }


def _is_additive(output: Output) -> bool:
    """Return whether it is a count or a sum, of which there is so much per day."""
    return not output.is_ratio and output.metrics[0].merge == "sum"


class _Weekday(Func):
    """The day of the week of a date, from 1."""

    template = "mod(extract(isodow FROM %(expressions)s)::integer + 7 - %(week_start)s, 7) + 1"
    output_field = IntegerField()

    def __init__(self, day: Any, week_start: int) -> None:
        super().__init__(day, week_start=week_start)


class _HourOfDay(Func):
    """The hour of an instant on the clocks of a zone, 0 to 23. An hour that comes twice is one."""

    template = "extract(hour FROM %(expressions)s)::integer"
    arg_joiner = " AT TIME ZONE "
    output_field = IntegerField()

    def __init__(self, instant: Any, zone: str) -> None:
        super().__init__(instant, Value(zone))
