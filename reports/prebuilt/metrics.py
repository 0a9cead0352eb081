"""What a report counts and sums: Django's aggregates, as given to ``annotate()``, and ratios of two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.contrib.postgres.aggregates import BitAnd, BitOr, BoolAnd, BoolOr
from django.core.exceptions import FieldError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Avg, Count, Max, Min, Q, Sum
from django.db.models.expressions import CombinedExpression, Value
from django.db.models.functions import Coalesce

from reports.columns import NAMES
from reports.errors import DeclarationError
from reports.prebuilt.paths import explained
from reports.types import Type, parse_type

# How the values of groups become that of the whole: PostgreSQL's aggregate; "mean" is a sum over a count.
Merge = Literal["sum", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "mean"]

_MERGES: Mapping[type[Any], Merge] = {
    Count: "sum",
    Sum: "sum",
    Min: "min",
    Max: "max",
    BoolAnd: "bool_and",
    BoolOr: "bool_or",
    BitAnd: "bit_and",
    BitOr: "bit_or",
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
    """A column that the facts give for a metric: the aggregate itself, or the sum and the count of a mean."""

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
            return None
        return timedelta() if self.type == "interval" else 0


def is_metric(value: object) -> bool:
    """Return whether a value can stand in ``metrics``: an aggregate, an expression of aggregates, or a Ratio."""
    return isinstance(value, Ratio) or bool(getattr(value, "contains_aggregate", False))


def read_metric(queryset: models.QuerySet[Any], name: str, expression: Any) -> Metric:
    """Return a metric of a queryset's rows.

    Raises:
        DeclarationError: A name in it leads nowhere, or its type is no column's. Without the class's name.
    """
    resolved = _resolved(queryset, name, expression)
    kind = _type(name, resolved.output_field)
    parts: tuple[Part, ...] = (Part(name, expression),)
    merge = _merge(expression)
    if merge == "mean":
        value, condition = expression.get_source_expressions()[0], expression.filter
        parts = (
            Part(f"{name}_sum", Sum(value, filter=condition)),
            Part(f"{name}_count", Count(value, filter=condition)),
        )
    return Metric(name, kind, _empty(resolved), merge, parts)


def type_words(field: models.Field[Any, Any]) -> Type | None:
    """Return the PostgreSQL type of a model field's column; None when it has none that a report can return."""
    if isinstance(field, models.DecimalField):  # that of an Avg has no digits
        return Type("numeric")
    words = field.db_type(connections[DEFAULT_DB_ALIAS])  # asks no database
    kind = parse_type(words) if words else None
    return kind if kind is not None and kind.name in NAMES else None


def _resolved(queryset: models.QuerySet[Any], name: str, expression: Any) -> Any:
    try:
        # Under a name that no field has.
        return queryset.model._base_manager.values("pk").annotate(_metric=expression).query.annotations["_metric"]
    except FieldError as error:
        raise DeclarationError(f"metric {name!r}: {explained(error, name)}") from None
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"metric {name!r}: {error}") from None


def _type(name: str, field: models.Field[Any, Any]) -> str:
    kind = type_words(field)
    if kind is None:
        raise DeclarationError(
            f"metric {name!r} is a {type(field).__name__}, which is no column's type; give it an output_field."
        )
    if kind.dimensions:
        return str(kind)
    if kind.name in _INTEGERS:  # a Count is declared as integer by Django, and is a bigint
        return "bigint"
    return "text" if kind.name in _STRINGS else kind.name  # a sum has more digits than the column


def _merge(expression: Any) -> Merge | None:
    """Return how a metric's values are merged. Only what is known by its class is: a subclass may mean anything."""
    if isinstance(expression, Coalesce) and len(expression.get_source_expressions()) == 2:
        expression, default = expression.get_source_expressions()
        return "sum" if type(expression) is Sum and getattr(default, "value", None) == 0 else None
    is_distinct = getattr(expression, "distinct", False)
    if type(expression) is Avg:
        return None if is_distinct else "mean"
    found = _MERGES.get(type(expression))
    default = getattr(expression, "default", None)
    if default is not None and not (found == "sum" and getattr(default, "value", default) == 0):
        return None  # min() of a default is not the default of a min()
    return None if found == "sum" and is_distinct else found


def _empty(resolved: Any) -> Any:
    """Return the value over no row.

    Raises:
        DeclarationError: It is not known.
    """
    if isinstance(resolved, CombinedExpression):
        if any(_empty(part) is None for part in resolved.get_source_expressions()):
            return None
        raise DeclarationError(f"the value of {resolved} over no row is not known; declare its parts, and a Ratio.")
    if isinstance(resolved, Value):
        return resolved.value
    found = resolved.empty_result_set_value
    if found is NotImplemented:
        sources = [part for part in resolved.get_source_expressions() if part is not None and not isinstance(part, Q)]
        if sources and _empty(sources[0]) is None:
            return None  # a function of NULL
        raise DeclarationError(f"the value of {resolved} over no row is not known; wrap it in Coalesce.")
    return found
