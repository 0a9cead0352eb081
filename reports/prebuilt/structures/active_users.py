"""How many are active, and how often they come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from reports.header import Column
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.periods import Period
from reports.prebuilt.dates.ranges import Range, make_range
from reports.prebuilt.shapes.actors import Acting
from reports.prebuilt.vocabulary.attributes import Check, whole
from reports.prebuilt.vocabulary.facts import grouped


def only_days(value: Any) -> str | None:
    """A day, which no other period can stand for."""
    return None if value == Period.DAY else "'day': the report has a row for each"


class ActiveUsers(Acting):
    """How many acted on each day, and in the 7 and 30 days that end with it. One row per day of the range.

    ``daily``, ``weekly`` and ``monthly`` count each actor once; ``stickiness`` is daily divided by monthly.
    ``weekly_days`` and ``monthly_days`` are other lengths of time. Events before the range that lie in the 30 days of
    its first day count there; a start within a day stands for the day. With dimensions there is a row for every
    combination of theirs, and an actor counts in each in which they acted.
    """

    template = "prebuilt/active_users.sql"
    keys = ("day",)

    weekly_days: ClassVar[int] = 7
    monthly_days: ClassVar[int] = 30
    most_periods: ClassVar[int] = 10_000

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Acting.vocabulary,
        "period": only_days,
        "weekly_days": whole(1, 1_000),
        "monthly_days": whole(1, 1_000),
        "most_periods": whole(1, 1_000_000),
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the day, the dimensions and the numbers."""
        cls.has_hours()
        yield from cls.keyed(Column("day", "date"))
        yield from (Column(name, "bigint") for name in ("daily", "weekly", "monthly"))
        yield Column("stickiness", "numeric", null=True)
        cls.check_closed("a row for each day")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions = self.dates(given), self.asked_dimensions(given)
        self.check_spine(dates, self.most_periods)
        spans = {"weekly": self.asked(given, "weekly_days"), "monthly": self.asked(given, "monthly_days")}
        known = self._known(dates, max(spans.values()) - 1)
        keys = {"actor": self.read_actor().expression, "period": dates.local_date}
        by = {**keys, **{each.name: each.expression for each in dimensions}}
        return {
            "days": grouped(self.events(dates, known), by, ()).distinct(),
            "dates": dates,
            "dimensions": dimensions,
            "known": replace(dates, range=known),
            "spans": [*spans.items()],
        }

    def _known(self, dates: Dates, before: int) -> Range:
        """Return the range with some days before it."""
        assert dates.range.first_day is not None
        try:
            first = dates.range.first_day - timedelta(days=before)
            return make_range(first, dates.range.end, dates.zone, of_dates=dates.of_dates)
        except OverflowError:
            raise self.refused("start", TOO_FAR) from None
