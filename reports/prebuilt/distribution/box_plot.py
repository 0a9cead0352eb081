"""What a box plot draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import Max, Min
from django.db.models.lookups import IsNull

from reports.header import Column
from reports.prebuilt.distribution.edges import exact
from reports.prebuilt.distribution.percentiles import BETWEEN, OfSorted, PercentileMethod
from reports.prebuilt.shapes.measured import count_of
from reports.prebuilt.vocabulary.attributes import Check, finite
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part
from reports.prebuilt.vocabulary.numbers import EXACT

_ENDS: Mapping[str, Any] = {"min": Min, "max": Max}


def not_negative(value: Any) -> str | None:
    """A finite number from 0 on."""
    return None if finite(value) is None and value >= 0 else "a finite number that is not negative"


class BoxPlot(OfSorted):
    """Quartiles, whiskers and outliers of a value, after Tukey. One row, or one per group of the dimensions.

    A whisker ends at the last value that is at most ``whisker`` times the distance between the quartiles away from
    the box; ``outliers`` counts the values beyond. Few values may leave a whisker's end within the box. The table is
    read twice: the outliers are known when the quartiles are.
    """

    template = "prebuilt/box_plot.sql"
    scans: ClassVar[int] = 2

    whisker: ClassVar[Any] = 1.5

    vocabulary: ClassVar[Mapping[str, Check]] = {**OfSorted.vocabulary, "whisker": not_negative}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the dimensions, the count of values, the box from its least value to its greatest, and the metrics."""
        value, kind = cls.read_sorted(BETWEEN)
        yield from cls.grouped_columns()
        for name in ("min", "low_whisker", "q1", "median", "q3", "high_whisker", "max"):
            is_cut = name in ("q1", "median", "q3")
            yield Column(name, kind if is_cut else value.type, null=True)
        yield Column("outliers", "bigint")
        yield from cls.metric_columns()

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, metrics = self.asked_dimensions(given), self.asked_metrics(given)
        value, kind = self.read_sorted(BETWEEN)
        cuts = self.cuts(value.expression, given, [0.25, 0.5, 0.75])
        count = count_of(value.expression)
        ends = [Metric(name, "", None, None, (Part(f"of_{name}", of(value.expression)),)) for name, of in _ENDS.items()]
        rows = self.rows_in_range(given)
        keys = {each.name: each.expression for each in dimensions}
        is_exact = value.type in EXACT and self.asked(given, "method") == PercentileMethod.DISC
        by = {f"by_{name}": expression for name, expression in keys.items()}
        values: Any = rows.filter(IsNull(value.expression, False)).order_by()
        return {
            "cut_type": kind,
            "dimensions": dimensions,
            "facts": grouped(rows, keys, (*count.metrics, cuts, *ends, *metrics.needed)),
            "fence_type": "interval" if kind == "interval" else "numeric" if is_exact else "double precision",
            "metrics": metrics,
            "number_of_values": count,
            "times": exact(self.asked(given, "whisker")),
            "times_type": "numeric" if is_exact else "double precision",
            "value_type": value.type,
            "values": values.values(**by, of_value=value.expression),
        }
