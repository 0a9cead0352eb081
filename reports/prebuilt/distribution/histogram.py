"""How the values of rows are distributed over buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import models
from django.db.models import Func
from django.db.models.lookups import GreaterThan, IsNull

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.distribution.edges import MOST_BUCKETS, array, ascending, bucket_of, cast, exact, is_at, is_finite
from reports.prebuilt.shapes.measured import Measured, count_of
from reports.prebuilt.vocabulary.attributes import Check, finite, flag, member, optional, whole
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.numbers import BINARY, EXACT, NUMBERS


class HistogramScale(models.TextChoices):
    """How a histogram's edges follow one another: with an equal difference, or with an equal ratio."""

    LINEAR = "linear"
    LOG = "log"


class Histogram(Measured):
    """How many rows have a value from one edge to the next. One row per bucket, or per bucket and dimensions.

    A bucket holds its low edge and not its high one; only the last holds both. Every bucket has a row, also an empty
    one, with dimensions for each combination of theirs. The edges are ``edges``; or else ``buckets`` buckets are made
    from ``low`` to ``high``, which are the smallest and the largest value where they are not given: for that the table
    is read twice, by an index on the value only once. All values equal are one bucket; no value and no end is no row.

    ``outside`` keeps the rows beyond the ends that are given, and on a logarithmic scale those that are not above 0, in
    buckets of their own: 0 and the one after the last, with NULL for the edge that they have not. Rows whose value is
    NULL, NaN or infinite are left out.
    """

    template = "prebuilt/histogram.sql"
    scans: ClassVar[int] = 2

    buckets: ClassVar[int] = 10
    low: ClassVar[Any] = None
    high: ClassVar[Any] = None
    edges: ClassVar[Any] = None
    scale: ClassVar[str] = HistogramScale.LINEAR
    outside: ClassVar[bool] = True

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Measured.vocabulary,
        "buckets": whole(1, MOST_BUCKETS),
        "low": optional(finite),
        "high": optional(finite),
        "edges": optional(ascending(finite, 2, "finite numbers")),
        "scale": member(HistogramScale),
        "outside": flag,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_kind, cls._check_edges]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the bucket and its edges, the dimensions, the count of rows and the metrics."""
        has_key, kind = cls.has_key(), cls.read_kind()
        yield Column("bucket", "integer", pk=has_key)
        yield from (Column(name, kind, null=True) for name in ("low", "high"))
        yield from (dimension.column(pk=has_key) for dimension in cls.read_dimensions())
        yield Column("rows", "bigint")
        yield from cls.metric_columns()

    @classmethod
    def read_kind(cls) -> str:
        """Return the type of the edges: numeric, exactly, or double precision where the value is binary."""
        value = cls.read_value(NUMBERS, " Of a duration take Extract(…, 'epoch').")
        return "numeric" if value.type in EXACT else "double precision"

    @classmethod
    def _check_edges(cls) -> None:
        fields = cls.get_form_class().base_fields
        others = [
            name
            for name in ("high", "low", "scale")
            if name in fields or getattr(cls, name) != getattr(Histogram, name)
        ]
        if cls.edges is not None and others:
            raise DeclarationError(f"edges are given, and so {listed(others)} would mean nothing.")
        if problem := _problem(cls.low, cls.high, cls.scale):
            raise DeclarationError(f"{problem[0]} is {getattr(cls, problem[0])!r}; it {problem[1]}")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, metrics, kind = self.asked_dimensions(given), self.asked_metrics(given), self.read_kind()
        low, high, scale, found = (self.asked(given, name) for name in ("low", "high", "scale", "edges"))
        if found is None and (problem := _problem(low, high, scale)):
            raise self.refused(problem[0], f"It {problem[1]}")
        value, rows = self.read_value(NUMBERS), self.rows_in_range(given)
        number = value.expression if value.type == kind else cast(value.expression, kind)
        is_whole = value.type not in (*BINARY, "numeric")
        rows = rows.filter(IsNull(value.expression, False) if is_whole else is_finite(value.expression))
        is_log = scale == HistogramScale.LOG and found is None
        bounds = rows.filter(GreaterThan(value.expression, 0)) if is_log else rows
        outside = self.asked(given, "outside")
        count = count_of("pk")
        keys = {"bucket": _bucket(number, found, kind), **{each.name: each.expression for each in dimensions}}
        return {
            "dimensions": dimensions,
            "facts": grouped(rows, keys, (*count.metrics, *metrics.needed)),
            "has_above": outside and (found or high is not None),
            "has_below": outside and (found or low is not None or is_log),
            "is_log": is_log,
            "kind": kind,
            "metrics": [count, *metrics],
            "number_of_buckets": self.asked(given, "buckets"),
            "numbers": [exact(edge) for edge in found] if found else None,
            "from_low": None if low is None else exact(low),
            "to_high": None if high is None else exact(high),
            "values": bounds.order_by().values(of_value=value.expression),
        }


def _bucket(number: Any, found: Any, kind: str) -> Any:
    """Return the number of the bucket of a row: of given edges, or of those that the template finds."""
    if found:
        numbers = [exact(edge) for edge in found]
        thresholds, last = array(numbers, kind), cast(models.Value(numbers[-1]), kind)
    else:
        thresholds = Func(template="(SELECT edges FROM bucket_edges)")
        last = Func(template="(SELECT edges[cardinality(edges)] FROM bucket_edges)")
    return bucket_of(number, thresholds) - is_at(number, last)


def _problem(low: Any, high: Any, scale: str) -> tuple[str, str] | None:
    """Return which bound does not fit, and why."""
    if scale == HistogramScale.LOG:
        for name, bound in (("low", low), ("high", high)):
            if bound is not None and bound <= 0:
                return name, "must be above 0 on a logarithmic scale."
    if low is not None and high is not None and low >= high:
        return "high", "must be above low."
    return None
