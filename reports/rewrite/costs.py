"""What the planner expects a statement to cost, and the cheapest of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from reports import conf
from reports.rewrite.rewriting import Rewriting
from reports.rewrite.sending.choosing import cheapest, ways_of
from reports.rewrite.sending.measuring import Questions
from reports.rewrite.sql.numbered import sendable


def estimated_costs(rewriting: Rewriting, params: Sequence[Any], using: str) -> tuple[float, float | None]:
    """Return the costs of the original and of the cheapest that could be sent, None where there is none.

    Raises:
        django.db.Error: PostgreSQL refuses the original.
    """
    connection = connections[using]
    original = sendable(rewriting.original)
    with connection.wrap_database_errors, connection.cursor() as cursor:
        questions = Questions(connection, cursor.cursor, params, conf.rewrite_measure())
        ways = ways_of(original.sql, params, questions)
        best = cheapest(ways, questions)
        return questions.cost(original), None if best is None else questions.cost(ways.statements[best])
