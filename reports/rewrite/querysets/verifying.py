"""Verifying a queryset: which rewritten form is compared with its original statement, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from django.db import connections, models

from reports import conf
from reports.rewrite.compiled import Compiled, compile_queryset
from reports.rewrite.finding import rewriting_of
from reports.rewrite.proof.verification import Verification
from reports.rewrite.proof.verifying import verify
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.choosing import ways_of
from reports.rewrite.sending.decisions import Decision
from reports.rewrite.sending.instrument import Rewriter
from reports.rewrite.sending.measuring import Questions
from reports.rewrite.sql.numbered import Sendable


def verify_queryset(queryset: models.QuerySet[Any, Any], strategy: Strategy | None) -> Verification:
    """Return what comparing a queryset's rows with those of its rewritten form shows.

    Args:
        queryset: Of PostgreSQL.
        strategy: As ``consolidate`` takes it. Where the original is to be sent, the candidate of the least cost is
            compared.

    Raises:
        django.db.Error: PostgreSQL refused the original statement.
    """
    compiled = compile_queryset(queryset)
    if compiled is None:
        return Verification(Strategy.ORIGINAL, True, reason="Django knows that there are no rows, and sends nothing")
    connection: Any = connections[queryset.db]
    with connection.wrap_database_errors, connection.cursor() as cursor:
        context = {"connection": connection, "cursor": cursor}
        found = Rewriter(strategy).look_up(compiled.sql, compiled.params, context)
        decision = Decision(reason=found) if isinstance(found, str) else found.decision
        chosen, sent = decision.strategy, decision.sent
        if sent is None:
            questions = Questions(connection, cursor.cursor, compiled.params, conf.rewrite_measure())
            chosen, sent = _best(compiled, questions)
    reason = str(decision.reason) or None
    if sent is None:
        refusals = rewriting_of(queryset)[0].refusals
        return Verification(Strategy.ORIGINAL, True, reason=reason, refusals=refusals)
    before, after = (compiled.sql, compiled.params), (sent.sql, sent.params(compiled.params))
    verification = verify(connection, before, after, strategy=chosen, order=compiled.order)
    return verification if decision.sent else replace(verification, is_sent=False, reason=reason)


def _best(compiled: Compiled, questions: Questions) -> tuple[Strategy, Sendable | None]:
    """Return the rewritten form of the least cost, of those that PostgreSQL takes."""
    found = ways_of(compiled.sql, compiled.params, questions)
    costs: dict[Strategy, float] = {}
    for way, statement in found.ways.items():
        if way is not Strategy.ORIGINAL:
            try:
                costs[way] = questions.cost(statement)
            except psycopg.Error:  # the decision's reason says so
                continue
    best = min(costs, key=lambda way: costs[way], default=Strategy.ORIGINAL)
    return best, found.ways[best] if costs else None
