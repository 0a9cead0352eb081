"""Verifying a queryset: which rewritten form is compared with its original statement, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import connections, models

from reports import conf
from reports.rewrite.compiled import compile_queryset
from reports.rewrite.finding import rewriting_of
from reports.rewrite.proof.verification import Verification
from reports.rewrite.proof.verifying import verify
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.choosing import cheapest, ways_of
from reports.rewrite.sending.decisions import Decision
from reports.rewrite.sending.instrument import Rewriter
from reports.rewrite.sending.measuring import Questions


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
            ways = ways_of(compiled.sql, compiled.params, questions)
            chosen = cheapest(ways, questions) or Strategy.ORIGINAL
            sent = None if chosen is Strategy.ORIGINAL else ways.statements[chosen]
    reason = str(decision.reason) or None
    if sent is None:
        refusals = rewriting_of(queryset)[0].refusals
        return Verification(Strategy.ORIGINAL, True, reason=reason, refusals=refusals)
    before, after = (compiled.sql, compiled.params), (sent.sql, sent.params(compiled.params))
    verification = verify(connection, before, after, strategy=chosen, order=compiled.order)
    return verification if decision.sent else replace(verification, is_sent=False, reason=reason)
