"""Tables with subtotals and a grand total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.utils.functional import classproperty

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.shapes.groups import Grouped
from reports.prebuilt.tables.levels import Level, Levels, count_levels, read_levels, several_levels
from reports.prebuilt.vocabulary.attributes import Check, flag, whole
from reports.prebuilt.vocabulary.dimensions import Dimension
from reports.prebuilt.vocabulary.facts import grouped


class Subtotals(Grouped):
    """The metrics by the dimensions, and by fewer of them. One row per group of each level.

    ``levels`` are ROLLUP (the default: by all dimensions, by all but the last, …, the grand total), CUBE (by each
    subset of them), or those in a list, each a list of dimensions, perhaps with labels as a dict. A row's ``level`` is
    the level's label, ``depth`` how many dimensions it is grouped by. A dimension that a row totals over is NULL and
    its ``…_is_total`` true, which tells it from a NULL in the data. The grand total has a row also where there are no
    facts. Rows stand after their parts, or with ``totals_first`` before them.

    Metrics are aggregated once, for the finest groups, and those are added up. Where a metric cannot be, as a count of
    distinct values, the facts are read once for each level: ``scans`` says how often.
    """

    template = "prebuilt/subtotals.sql"

    levels: ClassVar[Any] = Levels.ROLLUP
    totals_first: ClassVar[bool] = False
    most_levels: ClassVar[int] = 64

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Grouped.vocabulary,
        "levels": several_levels,
        "totals_first": flag,
        "most_levels": whole(1, 1_000),
    }

    @classproperty
    def scans(cls) -> int:  # noqa: N805 - it is the class's
        """How often the facts are read: once, or for each level where a metric cannot be merged."""
        if cls.is_abstract() or all(metric.merge for metric in cls.read_metrics()):
            return 1
        return count_levels(cls.levels, len(cls.read_dimensions()))

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the level, the dimensions with their flags, and the metrics."""
        cls.check_groups()
        dimensions = cls.read_dimensions()
        if (count := count_levels(cls.levels, len(dimensions))) > cls.most_levels:
            raise DeclarationError(f"there would be {count} levels, and most_levels is {cls.most_levels}.")
        names = [dimension.name for dimension in dimensions]
        read_levels(cls.levels, names, names)
        yield Column("level", "text")
        yield Column("depth", "integer")
        yield from (replace(dimension.column(), null=True) for dimension in dimensions)
        yield from (Column(flag_of(dimension), "boolean") for dimension in dimensions)
        yield from cls.metric_columns()

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else the one in which totals stand after, or before, their parts."""
        sign = "-" if cls.totals_first else ""
        names = (name for each in cls.read_dimensions() for name in (f"{sign}{flag_of(each)}", each.name))
        return tuple(cls.ordering) or tuple(names)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        asked, metrics = self.asked_dimensions(given), self.asked_metrics(given)
        levels = self.asked_levels(given, [each.name for each in asked])
        # A dimension that no level is grouped by is as good as not asked for.
        dimensions = replace(asked, names=frozenset(name for level in levels for name in level.names))
        expressions = {each.name: each.expression for each in dimensions}
        rows = self.rows_in_range(given)
        is_merged = all(metric.merge for metric in metrics.needed)
        groups = [expressions] if is_merged else [{name: expressions[name] for name in each.names} for each in levels]
        return {
            # As grouping() has them: the last dimension's is the lowest.
            "bits": {name: 1 << place for place, name in enumerate(reversed(expressions))},
            "dimensions": dimensions,
            "facts": [grouped(rows, keys, metrics.needed) for keys in groups],
            "flags": {each.name: flag_of(each) for each in dimensions.every},
            "is_merged": is_merged,
            "levels": levels,
            "metrics": metrics,
        }

    def asked_levels(self, given: Mapping[str, Any], asked: list[str]) -> tuple[Level, ...]:
        """Return the levels of a run whose dimensions are those asked for.

        Raises:
            ParamsError: There is none, there are too many, or a request asks for others than ROLLUP and CUBE.
        """
        levels = self.asked(given, "levels")
        if given.get("levels") and levels not in Levels.values:
            raise self.refused("levels", f"It must be one of {', '.join(Levels.values)}.")
        if (count := count_levels(levels, len(asked))) > self.most_levels:
            raise self.refused("levels", f"There would be {count} levels; there may be at most {self.most_levels}.")
        found = read_levels(levels, [each.name for each in self.read_dimensions()], asked)
        if not found:
            raise self.refused("dimensions", "No level is of these dimensions alone.")
        return found


def flag_of(dimension: Dimension) -> str:
    """Return the name of the column that says whether a row totals over a dimension."""
    return f"{dimension.name}_is_total"
