"""How old rows are, in buckets of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from django.db.models import F, Value

from reports.header import Column
from reports.prebuilt.dates.dated import Dated, Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.ranges import local_day, make_range
from reports.prebuilt.distribution.edges import array, ascending, bucket_of
from reports.prebuilt.shapes.measured import check_counted, count_of
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, flag, whole
from reports.prebuilt.vocabulary.facts import grouped


class Ageing(Dated):
    """How many rows are how old. One row per bucket of days, or per bucket and dimensions, also of empty ones.

    The age is how many days the row's date lies before the day of ``as_of``, by default today, in the zone: a row of
    that day counts and is 0 days old, at whatever time; one of yesterday 1, be it an hour ago or 47. A day begins at
    its first midnight. ``edges`` end one bucket and begin the next: 30, 60, 90 make the buckets ``0-29``, ``30-59``,
    ``60-89`` and ``90+``, with ``from_days ≤ age < to_days``. What is due on a later day is in the bucket ``future``,
    number 0; without ``future`` it is left out, as rows without a date are.
    """

    template = "prebuilt/ageing.sql"

    edges: ClassVar[Sequence[int]] = (30, 60, 90)
    as_of: ClassVar[Any] = None
    future: ClassVar[bool] = True

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "edges": ascending(whole(1, 1_000_000), 1, "whole numbers of days above 0"),
        "as_of": attributes.moment,
        "future": flag,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.has_hours, partial(check_counted, cls)]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the bucket and its days, the dimensions, the count of rows and the metrics."""
        has_key = cls.has_key()
        yield Column("bucket", "integer", pk=has_key)
        yield Column("label", "text")
        yield from (Column(name, "integer", null=True, unit="days") for name in ("from_days", "to_days"))
        yield from (dimension.column(pk=has_key) for dimension in cls.read_dimensions())
        yield Column("rows", "bigint")
        yield from cls.metric_columns()

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions, metrics = self.dates(given), self.asked_dimensions(given), self.asked_metrics(given)
        edges = [0, *self.asked(given, "edges")]
        begins = self._begins(self._day(given, dates), edges, dates)
        # Of the days on which buckets begin, so many are not reached yet: no row's date is looked at in the zone.
        bucket = Value(len(edges)) - bucket_of(
            F(dates.field), array(begins, "date" if dates.of_dates else "timestamptz")
        )
        count = count_of("pk")
        keys = {"bucket": bucket, **{each.name: each.expression for each in dimensions}}
        return {
            "days": edges,
            "dimensions": dimensions,
            "facts": grouped(dates.within(self.rows_of_source()), keys, (*count.metrics, *metrics.needed)),
            "has_future": self.asked(given, "future"),
            "metrics": [count, *metrics],
        }

    def _day(self, given: Mapping[str, Any], dates: Dates) -> date:
        """Return the day on which rows are as old as is said."""
        found = self.moment(given, "as_of") or datetime.now(UTC)
        day = local_day(found, dates.zone)
        assert day is not None
        return day

    def _begins(self, today: date, edges: Sequence[int], dates: Dates) -> list[Any]:
        """Return when rows begin to be younger than each edge: the first midnight of a day, or the day; in order."""
        try:
            days = [today - timedelta(days=edge - 1) for edge in reversed(edges)]
            return [make_range(day, None, dates.zone, of_dates=dates.of_dates).start for day in days]
        except OverflowError:
            raise self.refused("as_of", TOO_FAR) from None
