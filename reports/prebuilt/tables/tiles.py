"""Key figures, as tiles of a dashboard show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django.db.models import Case, When
from django.utils.functional import classproperty

from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.moments import TOO_FAR
from reports.prebuilt.dates.range_before import range_before
from reports.prebuilt.dates.ranges import Range, between
from reports.prebuilt.dates.shifts import Against
from reports.prebuilt.dates.spans import in_spans, over_span
from reports.prebuilt.shapes.series import Series
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, optional
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.selection import Metrics, Output


def by_metric(check: Check, what: str) -> Check:
    """A dict by names of metrics, each value as another check allows."""

    def checked(value: Any) -> str | None:
        fits = isinstance(value, Mapping) and all(isinstance(name, str) and not check(value[name]) for name in value)
        return None if fits else f"a dict of {what} by metric"

    return checked


class Tiles(Series):
    """The metrics of a range beside those of an earlier one. One row per metric, in the order of the class.

    ``value`` is that of the range and ``before`` that of the one it is compared with, by ``against``: the previous one,
    which has as many periods, or is as long; that of the year before; or with None no other. ``delta`` is their
    difference, ``change`` the difference divided by the size of the value before, NULL where that is 0. ``targets``
    are numbers by metric, ``target_share`` what part of its target a value is, ``labels`` texts by metric.
    ``sparkline`` has the metric for each ``period`` of the range. A count or a sum of nothing is 0, any other metric
    NULL. All figures are numeric.

    The facts are read once. Where a metric cannot be merged, as a count of distinct values, they are read twice: for
    the ranges, and for the periods.
    """

    template = "prebuilt/tiles.sql"

    against: ClassVar[str | None] = Against.PREVIOUS
    targets: ClassVar[Mapping[str, Any]] = {}
    labels: ClassVar[Mapping[str, Any]] = {}
    most_periods: ClassVar[int] = 1_000

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Series.vocabulary,
        "dimensions": attributes.nothing,
        "against": optional(member(Against)),
        "targets": by_metric(attributes.finite, "finite numbers"),
        "labels": by_metric(lambda value: None if str(value) else "a text", "texts"),
    }

    @classproperty
    def scans(cls) -> int:  # noqa: N805 - it is the class's
        """How often the facts are read."""
        return 1 if cls.is_abstract() or all(metric.merge for metric in cls.read_metrics()) else 2

    def get_targets(self) -> Mapping[str, Any]:
        """Return a number to be reached for each metric that has one: the ``targets``. For subclasses."""
        return self.targets

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        names = [partial(cls._check_names, attribute, getattr(cls, attribute)) for attribute in ("targets", "labels")]
        return [*super().readings(), partial(cls.check_closed, "a tile"), cls.has_hours, cls._check_metrics, *names]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the metric's name, place and label, and its figures."""
        yield Column("name", "text", pk=True)
        yield Column("position", "integer")
        yield Column("label", "text")
        for name in ("value", "before", "delta", "change", "target", "target_share"):
            yield Column(name, "numeric", null=True)
        yield Column("sparkline", "numeric[]")

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of its metrics."""
        return tuple(cls.ordering) or ("position",)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, targets = self.dates(given), self.get_targets()
        self._check_names("get_targets()", targets)
        self.check_spine(dates, self.most_periods)
        tiles = Metrics(tuple(output for output in self.asked_metrics(given) if output.is_asked))
        before = self._before(dates, given)
        is_merged = all(metric.merge for metric in tiles.needed)
        shape = self._merged(dates, before, tiles) if is_merged else self._counted_apart(dates, before, tiles)
        return {
            "dates": dates,
            "has_before": before is not None,
            "is_merged": is_merged,
            "labels": {output.name: self.labels.get(output.name, _words(output.name)) for output in tiles},
            "nothing": {output.name: _nothing(output) for output in tiles},
            "positions": {name: position for position, name in enumerate(self.metrics, start=1)},
            "targets": targets,
            "tiles": tiles,
            **shape,
        }

    def _merged(self, dates: Dates, before: Range | None, tiles: Metrics) -> Mapping[str, object]:
        """Return the facts by period, and what is not in the range without one.

        That is the range before, unless a row may be in both: of two years, and of those one year back.
        """
        keys, overlaps, bounds = {"period": dates.period}, False, dates.range
        if before is not None:
            keys["period"] = Case(When(between(dates.field, bounds, dates.zone), then=dates.period))
            if overlaps := before.end > bounds.start:  # type: ignore[operator]
                keys["before"] = Case(When(between(dates.field, before, dates.zone), then=True), default=False)
        facts = grouped(self._in_either(dates, before), keys, tiles.needed)
        return {"facts": facts, "now": tiles, "earlier": tiles, "overlaps": overlaps}

    def _counted_apart(self, dates: Dates, before: Range | None, tiles: Metrics) -> Mapping[str, object]:
        """Return the facts of both ranges as one row, and those by period."""
        now = over_span(tiles, "now", between(dates.field, dates.range, dates.zone))
        past = (
            over_span(tiles, "before", between(dates.field, before, dates.zone)) if before is not None else Metrics(())
        )
        rows = self._in_either(dates, before)
        return {
            "facts": grouped(rows, {}, (*now.needed, *past.needed)),
            "by_period": grouped(dates.within(self.rows_of_source()), {"period": dates.period}, tiles.needed),
            "now": now,
            "earlier": past,
        }

    def _before(self, dates: Dates, given: Mapping[str, Any]) -> Range | None:
        against = self.asked(given, "against")
        try:
            return None if against is None else range_before(dates, Against(against))
        except (OverflowError, ValueError):
            raise self.refused("start", TOO_FAR) from None

    def _in_either(self, dates: Dates, before: Range | None) -> Any:
        spans = [dates.range] if before is None else [before, dates.range]
        return self.rows_of_source().filter(in_spans(dates.field, spans, dates.zone))

    @classmethod
    def _check_metrics(cls) -> None:
        cls.check_metrics()
        if wrong := [f"{output.name} ({output.type})" for output in cls.read_outputs() if not output.is_number]:
            raise DeclarationError(f"the tiles are numbers, and these metrics are none: {listed(wrong)}.")

    @classmethod
    def _check_names(cls, attribute: str, names: Iterable[str]) -> None:
        if unknown := sorted(set(names) - set(cls.metrics)):
            there = f"(there are: {listed(cls.metrics)}).{near(unknown[0], cls.metrics)}"
            raise DeclarationError(f"{attribute} has {unknown[0]!r}, which is no metric {there}")


def _nothing(output: Output) -> Any:
    """Return what a metric is over no rows: 0 for a count or a sum."""
    first = output.metrics[0]
    return None if output.is_ratio else first.empty if first.zero is None else first.zero


def _words(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
