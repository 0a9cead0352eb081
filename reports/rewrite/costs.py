"""What the planner expects a statement to cost, and the cheapest of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, connections, transaction

from reports.explain import explain
from reports.rewrite.rewriting import Rewriting
from reports.rewrite.sql.numbered import Sendable, sendable


def estimated_costs(rewriting: Rewriting, params: Sequence[Any], using: str) -> tuple[float, float | None]:
    """Return the costs of the original and of the cheapest candidate, None where there is none.

    Raises:
        django.db.Error: PostgreSQL refuses the original.
    """
    original = _cost(sendable(rewriting.original), params, using)
    found = [_cost_or_none(sendable(text), params, using) for text in rewriting.candidates.values()]
    return original, min((cost for cost in found if cost is not None), default=None)


def _cost(statement: Sendable, params: Sequence[Any], using: str) -> float:
    return explain(connections[using], statement.sql, statement.params(params)).cost


def _cost_or_none(statement: Sendable, params: Sequence[Any], using: str) -> float | None:
    try:
        with transaction.atomic(using):
            return _cost(statement, params, using)
    except DatabaseError:
        return None  # PostgreSQL refuses it, so it would not be sent
