"""Names that must have a value for an aggregate to take a row into account.

Where a relation has no row, a LEFT JOIN gives one of NULLs. ``Count("tickets")`` does not see it; ``ArrayAgg``, or a
``Case`` with a default, does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Case, ExpressionWrapper, F, Q, Transform, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast
from django.db.models.functions.datetime import TruncBase

from reports.prebuilt.vocabulary.conditions import condition_of

# Aggregates of Django that leave rows out whose argument is NULL, by their names: some have two homes.
_IGNORE_NULL = frozenset(
    {
        "AnyValue", "Avg", "BitAnd", "BitOr", "BitXor", "BoolAnd", "BoolOr", "Corr", "Count", "CovarPop", "Max", "Min",
        "RegrAvgX", "RegrAvgY", "RegrCount", "RegrIntercept", "RegrR2", "RegrSXX", "RegrSXY", "RegrSYY", "RegrSlope",
        "StdDev", "StringAgg", "Sum", "Variance",
    }
)  # fmt: skip
# Functions that are NULL when an argument is.
_STRICT = (Cast, CombinedExpression, ExpressionWrapper, Transform, TruncBase)


def needed_by(aggregate: Any) -> frozenset[str]:
    """Return names of which an aggregate ignores each row where one is NULL: by its argument, or its ``filter``."""
    needed = _needed_by_condition(condition_of(aggregate))
    kind = type(aggregate)
    if kind.__name__ in _IGNORE_NULL and kind.__module__.startswith("django."):
        count = 2 if kind.__name__.startswith(("Corr", "Covar", "Regr")) else 1
        needed |= _any(_needed(part) for part in aggregate.get_source_expressions()[:count])
    return needed


def _needed(expression: Any) -> frozenset[str]:
    """Return names of which one that is NULL makes the expression NULL."""
    if type(expression) is F:
        return frozenset({expression.name})  # type: ignore[attr-defined]
    if isinstance(expression, _STRICT) and type(expression).__module__.startswith("django."):
        return _any(_needed(part) for part in expression.get_source_expressions())
    if type(expression) is Case:
        *cases, default = expression.get_source_expressions()
        if not isinstance(default, Value) or default.value is not None:
            cases.append(default)
        return _all(_needed_by_case(case) for case in cases)
    return frozenset()


def _needed_by_case(case: Any) -> frozenset[str]:
    condition, result = case.get_source_expressions() if type(case).__name__ == "When" else (None, case)
    return _needed_by_condition(condition) | _needed(result)


def _needed_by_condition(condition: Any) -> frozenset[str]:
    """Return names of which one that is NULL makes the condition not true."""
    if not isinstance(condition, Q) or condition.negated:
        return frozenset()
    found = (
        _needed_by_lookup(*child) if isinstance(child, tuple) else _needed_by_condition(child)
        for child in condition.children
    )
    return _any(found) if condition.connector == Q.AND else _all(found) if condition.connector == Q.OR else frozenset()


def _needed_by_lookup(name: str, value: Any) -> frozenset[str]:
    is_null = name.endswith(f"{LOOKUP_SEP}isnull")
    if is_null or value is None:
        return frozenset({name.removesuffix(f"{LOOKUP_SEP}isnull")}) if is_null and value is False else frozenset()
    return frozenset({name})


def _any(found: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*found)


def _all(found: Iterable[frozenset[str]]) -> frozenset[str]:
    several = list(found)
    return several[0].intersection(*several[1:]) if several else frozenset()
