"""What an aggregate gives over no row: 0 for a count, None for a sum."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Aggregate, DecimalField, ExpressionWrapper, FloatField, IntegerField
from django.db.models.expressions import CombinedExpression, Value
from django.db.models.functions import Abs, Cast, Ceil, Coalesce, Floor, Greatest, Least, NullIf, Round

from reports.errors import DeclarationError

_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_NUMBERS = (IntegerField, FloatField, DecimalField)
# By name: Django 5.2 has no JSONArray. Every other function of NULL is NULL.
_NOT_STRICT = ("Case", "Concat", "ConcatPair", "JSONArray", "JSONObject", "When")


def value_over_nothing(expression: Any) -> Any:
    """Return the value of a resolved expression of aggregates over no row; None for NULL.

    Raises:
        DeclarationError: It is not known. Without the names of class and metric.
    """
    try:
        return _value(expression)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise DeclarationError(
            f"the value of {expression} over no row is not known; give its parts as metrics, or a Ratio of two."
        ) from None


def _value(part: Any) -> Any:
    """Return the value; raise an error when it is not known."""
    if isinstance(part, Value):
        return part.value
    if isinstance(part, Aggregate):
        return part.empty_result_set_value
    if isinstance(part, CombinedExpression):
        return _combined(_value(part.lhs), part.connector, _value(part.rhs))
    parts = [] if type(part).__name__ in _NOT_STRICT else part.get_source_expressions()
    if not parts or not part.contains_aggregate:
        raise LookupError
    if isinstance(part, (Coalesce, NullIf, Greatest, Least)):
        return _of_several(part, [_value(each) for each in parts])
    first = _value(parts[0])
    is_kept = isinstance(part, ExpressionWrapper) or _is_kept_by(part, first)
    if first is not None and not is_kept:
        raise LookupError
    return first


def _of_several(part: Any, values: list[Any]) -> Any:
    if isinstance(part, NullIf):
        return None if values[0] == values[1] else values[0]
    found = [value for value in values if value is not None]
    if isinstance(part, (Greatest, Least)):
        return (max if isinstance(part, Greatest) else min)(found, default=None)
    return found[0] if found else None


def _is_kept_by(part: Any, value: Any) -> bool:
    """Return whether a function gives a whole number itself."""
    is_whole = _is_number(value) and value == int(value)
    is_number = isinstance(part, Cast) and isinstance(part.output_field, _NUMBERS)
    return is_whole and (is_number or isinstance(part, (Ceil, Floor, Round)) or (isinstance(part, Abs) and value >= 0))


def _combined(left: Any, connector: str, right: Any) -> Any:
    if left is None or right is None:
        return None
    if not _is_number(left) or not _is_number(right):
        raise LookupError
    if connector == "/" and left == 0 and right != 0:
        return left
    return _OPERATIONS[connector](left, right)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
