"""The aggregates that a SELECT computes itself."""

from __future__ import annotations

from collections.abc import Iterator

from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Call, calls
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span


def own_calls(select: Select) -> Iterator[Call]:
    """Yield the calls of SELECT, HAVING and ORDER BY that stand in no SELECT within.

    Raises:
        Refused: One is written with a schema that is not PostgreSQL's own.
    """
    for clause in (Clause.ITEMS, Clause.HAVING, Clause.ORDER):
        for call in calls(select.text, select.clauses.get(clause, Span(0, 0))):
            if select.is_own(call.span.start):
                yield call


def own_aggregates(select: Select) -> Iterator[Call]:
    """Yield those of these calls that are aggregates: windows are none, nor what stands within an aggregate.

    Raises:
        Refused: As above.
    """
    end = 0
    for call in own_calls(select):
        if call.name in functions.AGGREGATES and not call.is_window and call.span.start >= end:
            end = call.span.end
            yield call
