"""What is at certain places among the sorted values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import models
from django.db.models import Aggregate

from reports.header import Column
from reports.prebuilt.distribution.edges import exact
from reports.prebuilt.shapes.measured import Measured, count_of
from reports.prebuilt.vocabulary.attributes import Check, finite, is_list, member
from reports.prebuilt.vocabulary.dimensions import Dimension
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part
from reports.prebuilt.vocabulary.numbers import NUMBERS

# What has a place in an order, and what can be interpolated.
_SORTED = (*NUMBERS, "character varying", "date", "interval", "text", "time", "timestamptz")
BETWEEN = (*NUMBERS, "interval")
_MOST = 100


class PercentileMethod(models.TextChoices):
    """What is at a place between two values: ``CONT`` what is interpolated there, ``DISC`` the smaller of the two."""

    CONT = "cont"
    DISC = "disc"


def column_of(percentile: Any) -> str:
    """Return the column of a percentile: p50, p99_9."""
    return "p" + format(exact(percentile).normalize() + 0, "f").replace(".", "_")


def percentages(value: Any) -> str | None:
    """Different numbers from 0 to 100."""
    fits = is_list(value) and 0 < len(value) <= _MOST and all(finite(each) is None for each in value)
    if fits and all(0 <= each <= 100 for each in value) and len({column_of(each) for each in value}) == len(value):
        return None
    return f"a list of 1 to {_MOST} different numbers from 0 to 100"


class Percentile(Aggregate):
    """Several percentiles of a value as one array, by one sort."""

    def __init__(self, value: Any, method: str, fractions: Sequence[float]) -> None:
        super().__init__(value)
        self.method, self.fractions = method, list(fractions)

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # type: ignore[override]
        template = "percentile_%(method)s(%%s::double precision[]) WITHIN GROUP (ORDER BY %(expressions)s)"
        sql, params = super().as_sql(compiler, connection, **context, template=template, method=str(self.method))
        return sql, [self.fractions, *params]


class OfSorted(Measured):
    """A report about places among the sorted values.

    With the method ``"cont"`` a place between two values has what is interpolated there, in double precision as
    ``percentile_cont`` does it: for numbers and durations. With ``"disc"`` it has the smaller one: exact, and for
    dates and texts too. NULL has no place; NaN comes after all numbers, as in PostgreSQL.
    """

    method: ClassVar[str] = PercentileMethod.CONT

    vocabulary: ClassVar[Mapping[str, Check]] = {**Measured.vocabulary, "method": member(PercentileMethod)}

    @classmethod
    def can_interpolate(cls) -> bool:
        """Return whether a run may interpolate, by the class's method or by that of a request."""
        return cls.method == PercentileMethod.CONT or "method" in cls.get_form_class().base_fields

    @classmethod
    def read_sorted(cls, types: Sequence[str]) -> tuple[Dimension, str]:
        """Return the value, and the type of what is at a place: double precision where numbers are interpolated."""
        can_interpolate = cls.can_interpolate()
        allowed = [kind for kind in types if kind in BETWEEN or not can_interpolate]
        advice = " For dates and texts set method = 'disc'." if len(allowed) < len(types) else ""
        value = cls.read_value(allowed, advice)
        return value, "double precision" if can_interpolate and value.type in NUMBERS else value.type

    @classmethod
    def grouped_columns(cls) -> Iterable[Column]:
        """Yield the dimensions and the count of values."""
        has_key = cls.has_key()
        yield from (dimension.column(pk=has_key) for dimension in cls.read_dimensions())
        yield Column("rows", "bigint")

    def cuts(self, value: Any, given: Mapping[str, Any], fractions: Sequence[float]) -> Metric:
        """Return the array of what is at some places, as a metric of the facts."""
        percentile = Percentile(value, self.asked(given, "method"), fractions)
        return Metric("cuts", "", None, None, (Part("cuts_of_value", percentile),))


class Percentiles(OfSorted):
    """The value at or below which so many percent of the values are. One row, or one per group of the dimensions.

    Each of ``percentiles`` is a column: ``p50``, and ``p99_9`` for 99.9. A request may ask for some of them. ``rows``
    counts the values.
    """

    template = "prebuilt/percentiles.sql"

    percentiles: ClassVar[Sequence[Any]] = (50, 90, 95, 99)

    vocabulary: ClassVar[Mapping[str, Check]] = {**OfSorted.vocabulary, "percentiles": percentages}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the dimensions, the count of values, the percentiles and the metrics."""
        kind = cls.read_sorted(_SORTED)[1]
        yield from cls.grouped_columns()
        yield from (Column(column_of(each), kind, null=True) for each in cls.percentiles)
        yield from cls.metric_columns()

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, metrics = self.asked_dimensions(given), self.asked_metrics(given)
        value, kind = self.read_sorted(_SORTED)
        asked, every = ({column_of(each): each for each in source} for source in self._percentiles(given))
        cuts = self.cuts(value.expression, given, [float(exact(each) / 100) for each in asked.values()])
        count = count_of(value.expression)
        keys = {each.name: each.expression for each in dimensions}
        return {
            "cut_type": kind,
            "dimensions": dimensions,
            "facts": grouped(self.rows_in_range(given), keys, (*count.metrics, cuts, *metrics.needed)),
            "metrics": metrics,
            "names": list(every),
            "number_of_values": count,
            "places": {name: place for place, name in enumerate(asked, start=1)},
        }

    def _percentiles(self, given: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the percentiles asked for, and all."""
        asked = self.asked(given, "percentiles")
        known = [column_of(each) for each in self.percentiles]
        if any(column_of(each) not in known for each in asked):
            raise self.refused("percentiles", f"They must be among {', '.join(name[1:] for name in known)}.")
        return asked, self.percentiles
