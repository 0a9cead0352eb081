"""Aggregates in an expression, and their ``filter``."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getattr_static
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Aggregate, Expression, Q, Value
from django.db.models.sql import Query


def has_aggregate(expression: Any) -> bool:
    """Return whether an expression that is not yet resolved is an aggregate, or has one in it."""
    if getattr_static(expression, "contains_aggregate", None) is True and not isinstance(expression, type):
        return True
    parts = expression.get_source_expressions() if isinstance(expression, Expression) else ()
    return any(map(has_aggregate, parts))


def aggregates_in(expression: Any) -> Iterator[Any]:
    """Yield the aggregates of an expression that is not resolved yet."""
    if isinstance(expression, Aggregate):
        yield expression
    elif hasattr(expression, "get_source_expressions"):
        for part in expression.get_source_expressions():
            yield from aggregates_in(part)


def condition_of(aggregate: Any) -> Any:
    """Return the ``filter`` that an aggregate was given, or None. Django 6 wraps it."""
    return getattr(aggregate.filter, "condition", aggregate.filter)


def never_elided(query: Query, expression: Any) -> Any:
    """Return an expression whose aggregates are written also where their ``filter`` lets no row pass.

    Of ``Sum("x", filter=Q(pk__in=[]))`` Django leaves a NULL without a type, of a function of it the number 0; a
    statement that has no other aggregate would give each row.
    """
    if not isinstance(expression, Expression) or not has_aggregate(expression):
        return expression
    found: Any = expression.copy()
    if not isinstance(expression, Aggregate):
        found.set_source_expressions([never_elided(query, part) for part in expression.get_source_expressions()])
    elif (condition := condition_of(expression)) is not None and _is_never_met(query, condition):
        nothing: Any = Q(Value(False))
        found.filter = type(expression.filter)(nothing) if condition is not expression.filter else nothing
    return found


def _is_never_met(query: Query, condition: Any) -> bool:
    rows = query.chain()
    try:
        rows.get_compiler(DEFAULT_DB_ALIAS).compile(condition.resolve_expression(rows))
    except EmptyResultSet:
        return True
    return False
