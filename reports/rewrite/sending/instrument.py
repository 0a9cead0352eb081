"""The execute_wrapper that sends rewritten statements, and everything else as it was."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from reports import conf
from reports.rewrite.rewriting import Reason, Strategy
from reports.rewrite.sending import counts
from reports.rewrite.sending.attempts import Execute, send
from reports.rewrite.sending.choosing import choose, ways_of
from reports.rewrite.sending.decisions import Decision, Decisions, Kept, pattern
from reports.rewrite.sending.measuring import Questions
from reports.rewrite.sending.shadow import compare_candidates, is_due
from reports.rewrite.statements import LONGEST
from reports.source import MARK
from reports.transactions import together

log = logging.getLogger("reports.rewrite")

decisions = Decisions()
"""What was decided in this process, for every connection and thread."""

_EXPLAIN = re.compile(r"EXPLAIN\b(?:\s*\([^()]*\)|(?:\s+(?:ANALYZE|VERBOSE)\b)*)\s*(?=SELECT\b|WITH\b|\()")
# Statements of more values, lists of hundreds of keys, are no dashboard's, and looking one up would take too long.
_MOST = 500
_LISTS = (list, tuple)


def may_repeat(sql: object) -> bool:
    """Return whether a text can hold what is found: two subqueries, or two aggregates of DISTINCT values."""
    return isinstance(sql, str) and (sql.count("(SELECT") > 1 or sql.count("(DISTINCT") > 1)


class _Statement(NamedTuple):
    """A statement that was looked up. ``prefix`` is an EXPLAIN before it."""

    prefix: str
    sql: str
    shape: Hashable
    decision: Decision


class Rewriter:
    """An ``execute_wrapper``. Of several on one connection the last one acts.

    Args:
        strategy: Send this one, unmeasured, where there is one; None chooses.
        shadow: Send the originals, and compare this share of them with every candidate.
    """

    def __init__(self, strategy: Strategy | None = None, shadow: float = 0.0) -> None:
        self._strategy, self._share = strategy, shadow
        self._key = "shadow" if shadow else strategy

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        wrappers = context["connection"].execute_wrappers
        if wrappers and wrappers[-1] is not self and not self._acts_among(wrappers):
            return execute(sql, params, many, context)
        counts.count("seen")
        if many or not may_repeat(sql) or len(sql) > LONGEST:
            return execute(sql, params, many, context)
        try:
            found = self.look_up(sql, params, context)
        except Exception as error:  # noqa: BLE001 - whatever fails here, the user gets his rows
            _tell(error, sql)
            found = Kept.BROKEN
        if isinstance(found, str):
            counts.refuse(found)
            return execute(sql, params, many, context)
        prefix, text, shape, decision = found
        if decision.sent is not None:
            return send(
                *(execute, (prefix, text), params, context),
                decision=decision,
                retire=lambda: decisions.replace(shape, Decision(reason=Kept.FAILED)),
            )
        counts.refuse(decision.reason)
        result = execute(sql, params, many, context)
        if decision.candidates and not prefix and is_due(next(decision.numbers), self._share):
            try:
                compare_candidates(context, sql, params, decision)
            except Exception as error:  # noqa: BLE001 - the user's rows are there
                _tell(error, sql)
        return result

    def _acts_among(self, wrappers: Sequence[Any]) -> bool:
        return next((wrapper for wrapper in reversed(wrappers) if isinstance(wrapper, Rewriter)), self) is self

    def look_up(self, sql: str, params: Any, context: dict[str, Any]) -> _Statement | str:
        """Return the statement with its decision, or why it is not touched."""
        if reason := _untouched(sql, params, context):
            return reason
        match = _EXPLAIN.match(sql) if sql.startswith("EXPLAIN") else None
        prefix = match[0] if match else ""
        text = sql[len(prefix) :]
        shape = context["connection"].alias, self._key, text, pattern(params)
        decision = decisions.get(shape)
        # The rows of a server-side cursor are computed when they are fetched, and so are its errors.
        is_later = isinstance(context["cursor"].cursor, psycopg.ServerCursor)
        if decision is None:
            if is_later and self._strategy is None:
                return Kept.SERVER_CURSOR
            decision = self._decide(shape, text, params, context)
        if is_later and decision.may_raise:
            return Kept.SERVER_CURSOR
        return _Statement(prefix, text, shape, decision)

    def _decide(self, shape: Hashable, sql: str, params: Any, context: dict[str, Any]) -> Decision:
        """Return the decision for a shape that has none, and remember it.

        Raises:
            psycopg.Error: PostgreSQL refuses the original, or cannot be asked: that is not remembered.
        """
        with decisions.claimed(shape) as is_ours:
            if not is_ours:
                return Decision(reason=Kept.PENDING)
            if found := decisions.get(shape):  # decided since this thread looked
                return found
            age = conf.rewrite_age()
            try:
                decision = self._chosen(sql, params, context)
            except psycopg.Error:
                raise
            except Exception:
                decisions.keep(shape, Decision(reason=Kept.BROKEN), age)
                raise
            decisions.keep(shape, decision, age)
        counts.count("shapes")
        told = decision.strategy if decision.sent else f"not rewritten, {decision.reason}"
        log.debug("%s: %s", told, sql)
        return decision

    def _chosen(self, sql: str, params: Any, context: dict[str, Any]) -> Decision:
        connection = context["connection"]
        questions = Questions(connection, context["cursor"].cursor, params, conf.rewrite_measure())
        with together(connection):
            found = ways_of(sql, params, questions)
            return found.in_shadow() if self._share else choose(found, questions, self._strategy)


def _untouched(sql: str, params: Any, context: dict[str, Any]) -> str | None:
    """Return why a statement is not even looked up, None when it is."""
    connection, driver = context["connection"], getattr(context["cursor"].cursor, "connection", None)
    if connection.vendor != "postgresql" or not isinstance(driver, psycopg.Connection):
        return Kept.OTHER_DRIVER
    if MARK in sql:
        return Reason.REPORT
    if params is not None and (not isinstance(params, _LISTS) or len(params) > _MOST):
        return Kept.PARAMS
    if connection.needs_rollback or driver.pgconn.transaction_status == TransactionStatus.INERROR:
        return Kept.TRANSACTION
    return None


def _tell(error: Exception, sql: str) -> None:
    """Log an error of ours, or PostgreSQL's to a question of ours: where it was, and no value."""
    if isinstance(error, psycopg.Error):
        log.debug("not rewritten, PostgreSQL could not be asked (%s): %s", error.sqlstate, sql)
        return
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.warning("not rewritten, %s at %s:%s: %s", type(error).__name__, place.filename, place.lineno, sql)
