"""What a report counts and sums: Django's aggregates, as given to ``annotate()``, and ratios of two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from django.core.exceptions import FieldError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Count, Expression, Sum
from django.db.models.functions import Coalesce

from reports.columns import NAMES
from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.conditions import condition_of, has_aggregate, never_elided
from reports.prebuilt.vocabulary.empties import value_over_nothing
from reports.prebuilt.vocabulary.paths import explained
from reports.types import Type, parse_type

# How the values of groups become that of the whole: PostgreSQL's aggregate; "mean" is a sum over a count.
Merge = Literal["sum", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "mean"]

# By the names of Django's own classes, of which some have two homes.
_MERGES: Mapping[str, Merge] = {
    "Avg": "mean",
    "BitAnd": "bit_and",
    "BitOr": "bit_or",
    "BoolAnd": "bool_and",
    "BoolOr": "bool_or",
    "Count": "sum",
    "Max": "max",
    "Min": "min",
    "RegrCount": "sum",
    "Sum": "sum",
}
_INTEGERS = ("smallint", "integer", "bigint")
_STRINGS = ("character", "character varying")


@dataclass(frozen=True, slots=True)
class Ratio:
    """One metric divided by another after both were aggregated, so that the ratio of a total is right.

    NULL where the second is 0 or NULL.
    """

    of: str
    to: str


@dataclass(frozen=True, slots=True)
class Part:
    """A column that the facts give for a metric: the aggregate itself, or the sum and the count of a mean.

    It is not called as the metric, which may have the name of a field that another metric reads.
    """

    name: str
    expression: Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a report.

    ``type`` is PostgreSQL's, of the result. ``empty`` is the value over no row: 0 for a count, None for a sum.
    ``merge`` says how totals are made of the values of groups; None when they cannot be, as for a count of distinct
    values.
    """

    name: str
    type: str
    empty: Any
    merge: Merge | None
    parts: tuple[Part, ...]

    @property
    def zero(self) -> Any:
        """What nothing comes to where gaps are filled with zeros: 0 for counts and sums, None for others."""
        if self.merge != "sum":
            return self.empty if self.empty == 0 else None  # that of a count of distinct values
        return timedelta() if self.type == "interval" else 0


def is_metric(value: object) -> bool:
    """Return whether a value can stand in ``metrics``: an aggregate, an expression of aggregates, or a Ratio."""
    return isinstance(value, Ratio) or has_aggregate(value)


def read_metric(queryset: models.QuerySet[Any], name: str, expression: Any) -> Metric:
    """Return a metric of a queryset's rows.

    Raises:
        DeclarationError: A name in it leads nowhere, or its type is no column's. Without the class's name.
    """
    expression, resolved = _resolved(queryset, name, expression)
    kind = _type(name, resolved)
    parts: tuple[Part, ...] = (Part(f"of_{name}", expression),)
    merge = _merge(expression)
    if merge == "mean" and kind in _INTEGERS:  # by its output_field: rounded, as no quotient of whole numbers is
        merge = None
    if merge == "mean":
        value, condition = expression.get_source_expressions()[0], condition_of(expression)
        parts = (
            Part(f"sum_of_{name}", Sum(value, filter=condition)),
            Part(f"count_of_{name}", Count(value, filter=condition)),
        )
    try:
        empty = value_over_nothing(resolved)
    except DeclarationError as error:
        raise DeclarationError(f"metric {name!r}: {error}") from None
    return Metric(name, kind, empty, merge, parts)


def type_words(field: models.Field[Any, Any]) -> Type | None:
    """Return the PostgreSQL type of a model field's column; None when it has none that a report can return."""
    if isinstance(field, models.DecimalField):  # that of an Avg has no digits
        return Type("numeric")
    words = field.db_type(connections[DEFAULT_DB_ALIAS])  # asks no database
    kind = parse_type(words) if words else None
    return kind if kind is not None and kind.name in NAMES else None


def _resolved(queryset: models.QuerySet[Any], name: str, expression: Any) -> tuple[Any, Any]:
    """Return an expression that can be written over no row, and what it is over a queryset's rows."""
    rows: Any = queryset.order_by().values("pk")
    try:
        written = never_elided(queryset.query, expression)
        found = rows.annotate(_metric=written).query.annotations["_metric"]  # under a name that no field has
        found.output_field  # noqa: B018 - finding it may fail
    except FieldError as error:
        raise DeclarationError(f"metric {name!r}: {explained(error, name)}") from None
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"metric {name!r}: {error}") from None
    return written, found


def _type(name: str, resolved: Any) -> str:
    kind = type_words(resolved.output_field)
    if kind is None:
        field = type(resolved.output_field).__name__
        raise DeclarationError(f"metric {name!r} is a {field}, which is no column's type; give it an output_field.")
    kind = replace(kind, sizes=())  # a sum has more digits than the column
    if kind.dimensions:
        return str(kind)
    if kind.name in _INTEGERS:  # a count is a bigint, though an integer to Django
        return "bigint"
    return "text" if kind.name in _STRINGS else kind.name


def _merge(expression: Any) -> Merge | None:
    """Return how a metric's values are merged. Only what is known by its class is: a subclass may mean anything."""
    sources = expression.get_source_expressions() if isinstance(expression, Expression) else ()
    if type(expression) is Coalesce and len(sources) == 2:
        return "sum" if _merge(sources[0]) == "sum" and _is_nothing(sources[1]) else None
    kind = type(expression)
    found = _MERGES.get(kind.__name__) if kind.__module__.startswith("django.") else None
    default = getattr(expression, "default", None)
    if default is not None and not (found == "sum" and _is_nothing(default)):
        return None  # min() of a default is not the default of a min()
    is_distinct = getattr(expression, "distinct", False)
    return None if is_distinct and found in ("sum", "mean") else found


def _is_nothing(value: Any) -> bool:
    """Return whether adding a value changes no sum."""
    return getattr(value, "value", value) in (0, timedelta())
