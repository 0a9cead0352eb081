"""The groups in which a metric changed most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.range_before import range_before
from reports.prebuilt.dates.ranges import Range, between, make_range
from reports.prebuilt.dates.shifts import Against
from reports.prebuilt.dates.spans import over_span
from reports.prebuilt.ranking.ranked import Ranked
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, whole
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.selection import Metrics


class Direction(models.TextChoices):
    """Which changes count."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class BiggestMovers(Ranked):
    """The groups whose metric changed most from one range to another. One row per group that changed.

    The range from ``start`` to ``end``, or of ``last`` periods, is compared with that from ``before_start`` to
    ``before_end``; by default the one before it, which has as many periods where the range is of whole ones, else as
    many days, and within a day is as long. ``delta`` is the difference, ``change`` that as a part of the value before,
    whose sign does not matter. ``relative`` ranks by the latter; from 0 there is none, and such groups are ranked last,
    by the difference. Nothing is 0 for counts and sums; a mean or a ratio that is NULL in one of the ranges has no
    change.
    """

    template = "prebuilt/biggest_movers.sql"

    before_start: ClassVar[Any] = None
    before_end: ClassVar[Any] = None
    direction: ClassVar[str] = Direction.BOTH
    relative: ClassVar[bool] = False
    limit: ClassVar[int] = 10

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Ranked.vocabulary,
        "before_start": attributes.moment,
        "before_end": attributes.moment,
        "direction": member(Direction),
        "relative": attributes.flag,
        "limit": whole(1, 100_000),
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the rank, the dimensions, each metric and what it was before, and how the one ranked by changed."""
        cls.is_of_dates()
        cls.check_closed("a comparison")
        if others := [output.name for output in cls.read_outputs() if not output.is_number]:
            raise DeclarationError(f"a change is the difference of numbers, and no number is {listed(others)}.")
        rank, *columns = super().read_columns()
        zeros = {output.name: output.metrics[0].zero for output in cls.read_outputs() if not output.is_ratio}
        can_be_left_out = "metrics" in cls.get_form_class().base_fields
        yield rank
        for column in columns:
            if column.name not in cls.metrics:
                yield column
                continue
            column = replace(column, null=can_be_left_out or zeros.get(column.name) is None)
            yield from (column, replace(column, name=f"{column.name}_before"))
        yield Column("delta", cls.ranks_type())
        yield Column("change", cls.quotient_type(), null=True)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, by, metrics = self.dates(given), self.ranked_by(given), self.asked_metrics(given)
        if not dates.range.is_closed:
            missing = "start" if dates.range.first_day is None else "end"
            raise self.refused(missing, "A comparison needs a start and an end.")
        now, before = dates.range, self.before(given, dates)
        spans = {"now": between(dates.field, now, dates.zone), "before": between(dates.field, before, dates.zone)}
        both = between(dates.field, Range(before.start, now.end, before.first_day, now.end_day), dates.zone)
        rows = self.rows_of_source().filter(both if before.end == now.start else spans["now"] | spans["before"])
        compared = {name: over_span(Metrics((*metrics, by)), name, span) for name, span in spans.items()}
        dimensions = self.asked_dimensions(given)
        keys = {each.name: each.expression for each in dimensions}
        needed = [metric for each in compared.values() for metric in each.needed]
        return {
            "by": {name: each.outputs[-1] for name, each in compared.items()},
            "dimensions": dimensions,
            "direction": self.asked(given, "direction"),
            "facts": grouped(rows, keys, needed),
            "is_relative": self.asked(given, "relative"),
            "limit": self.asked(given, "limit"),
            "metrics": [dict(zip(compared, pair, strict=True)) for pair in zip(*compared.values(), strict=True)][:-1],
            "type": self.ranks_type(),
            "quotient_type": self.quotient_type(),
        }

    def before(self, given: Mapping[str, Any], dates: Dates) -> Range:
        """Return the range that a run's is compared with.

        Raises:
            ParamsError: Its bounds do not fit, or there are no such days.
        """
        start, end = self.moment(given, "before_start"), self.moment(given, "before_end")
        if start is None and end is not None:
            raise self.refused("before_start", "It must be given where before_end is.")
        try:
            if start is None:
                return range_before(dates, Against.PREVIOUS)
            found = make_range(start, end or dates.range.start, dates.zone, of_dates=dates.of_dates)
        except (OverflowError, ValueError):
            raise self.refused("before_start" if start else "start", TOO_FAR) from None
        if found.start and found.end and found.end < found.start:
            raise self.refused("before_end", "It must not be before the before_start.")
        return found
