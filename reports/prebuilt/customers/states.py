"""Who comes, who comes back, and who stays away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.db.models import F, Max, Min

from reports.header import Column
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.shapes.actors import SinceFirst
from reports.prebuilt.vocabulary.attributes import Check, whole
from reports.prebuilt.vocabulary.facts import BY, grouped


class CustomerStates(SinceFirst):
    """How many actors were active, new, returning, reactivated and lost. One row per period of the range.

    One who has no event in ``lapse`` periods is lost in the last of them, and reactivated when they come back.
    """

    template = "prebuilt/customer_states.sql"

    lapse: ClassVar[int] = 1
    keys = ("period",)

    vocabulary: ClassVar[Mapping[str, Check]] = {**SinceFirst.vocabulary, "lapse": whole(1, 1_000)}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the period, the dimensions and the counts."""
        yield from cls.keyed(Column("period", "date"))
        for name in ("active", "new", "returning", "reactivated", "churned"):
            yield Column(name, "bigint")

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), lambda: cls.check_closed("a filled series")]

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions, lapse = self.dates(given), self.asked_dimensions(given), self.asked(given, "lapse")
        self.check_spine(dates, self.most_periods)
        bounds = self.bounds_of_events(given, dates)
        assert dates.range.first_day is not None
        first = dates.calendar.floor(dates.range.first_day)
        try:
            before = dates.calendar.step_from(first, -lapse - 1)  # one more: a day may never have been
        except (OverflowError, ValueError):
            raise self.refused("lapse", TOO_FAR) from None
        keys = {"actor": F(self.actor), "period": dates.period, **{each.name: each.expression for each in dimensions}}
        moment, since = self.since(dates)
        facts: Any = grouped(self.events(dates, bounds), keys, ())
        return {
            # With the periods before the range in which someone who is lost in it may have been active last.
            "dates": replace(dates, range=replace(dates.range, first_day=before)),
            "dimensions": dimensions,
            "facts": facts.annotate(**{f"{BY}first": Min(moment), f"{BY}last": Max(moment)}),
            "first": first,
            "lapse": lapse,
            "since": since,
        }
