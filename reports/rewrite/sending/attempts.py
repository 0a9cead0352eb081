"""A rewritten statement sent, and the original after it when PostgreSQL refuses: the caller gets his rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import Error
from psycopg.pq import TransactionStatus

from reports.rewrite.sending import counts
from reports.rewrite.sending.decisions import Decision
from reports.rewrite.sending.measuring import is_answer
from reports.transactions import is_alone, savepoint

log = logging.getLogger("reports.rewrite")

Execute = Callable[..., Any]

_SAVEPOINT = "sql_reports_rewrite"
_CANCELED = "57014"


def send(
    execute: Execute,
    statement: tuple[str, str],
    params: Any,
    context: dict[str, Any],
    *,
    decision: Decision,
    retire: Callable[[], None],
) -> Any:
    """Send what was decided; when PostgreSQL refuses it, the original, once. ``retire`` ends the decision.

    Inside a transaction a statement that may raise has a savepoint. ``statement`` is in two parts: an EXPLAIN before
    it, or nothing, and its text.

    Raises:
        django.db.Error: The original failed too; or the statement was cancelled, or the connection lost.
    """
    driver, sent, (prefix, sql) = context["cursor"].cursor.connection, decision.sent, statement
    assert sent is not None
    values = None if params is None else sent.params(params)
    try:
        with nullcontext() if not decision.may_raise or is_alone(driver) else savepoint(driver, _SAVEPOINT):
            result = execute(prefix + sent.sql, values, False, context)
    except Error as error:
        if not is_answer(error.__cause__):
            raise
        counts.count("failed")
        retire()
        sqlstate = getattr(error.__cause__, "sqlstate", None)
        log.warning(
            "a rewritten statement (%s) failed on %s with %s (%s); it is not rewritten again: %s",
            *(decision.strategy, context["connection"].alias, sqlstate, type(error.__cause__).__name__, sql),
        )
        # Whoever cancelled, or set a timeout, wants no second try; and in a broken transaction there is none.
        if sqlstate == _CANCELED or driver.info.transaction_status == TransactionStatus.INERROR:
            raise
    else:
        counts.count("rewritten")
        return result
    return execute(prefix + sql, params, False, context)
