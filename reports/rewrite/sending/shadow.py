"""Shadow mode: a statement is sent as it was, and a share of them is run again in every other way and compared."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from sqlglot import TokenType

from reports import conf
from reports.rewrite.proof.comparing import Difference, compare
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending import counts
from reports.rewrite.sending.decisions import Decision
from reports.rewrite.sending.measuring import Questions, is_answer
from reports.rewrite.sql.numbered import Sendable, read_tokens
from reports.transactions import together

log = logging.getLogger("reports.rewrite.shadow")

_DEPTHS = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}


def is_due(number: int, share: float) -> bool:
    """Return whether the ``number``-th statement of a shape is compared: the first, and ``share`` of them, evenly."""
    return number == 1 or int(number * share) > int((number - 1) * share)


def compare_candidates(context: dict[str, Any], sql: str, params: Any, decision: Decision) -> None:
    """Run a statement and its candidates in one snapshot and log each difference, without values.

    Inside a transaction of the caller's a statement may see what others have committed since: what differs counts only
    if the original gives the same rows again. That also passes over ``random()``.
    """
    connection, cursor = context["connection"], context["cursor"].cursor
    questions = Questions(connection, cursor, params, conf.rewrite_measure())
    original = Sendable(sql, tuple(range(len(params or ()))))
    is_ordered = _is_ordered(sql)
    with together(connection):
        before = questions.rows(original)
        for strategy, candidate in _run(questions, decision.candidates):
            found = compare(before, candidate, ordered=is_ordered)
            counts.count("compared")
            if found and compare(before, questions.rows(original), ordered=is_ordered) is None:
                counts.count("differing")
                _tell(connection.alias, strategy, found, decision.is_limited, sql)


def _run(
    questions: Questions, candidates: Mapping[Strategy, Sendable]
) -> Iterator[tuple[Strategy, list[tuple[Any, ...]]]]:
    for strategy, candidate in candidates.items():
        try:
            rows = questions.rows(candidate)
        except psycopg.errors.QueryCanceled:
            log.info("not compared, it took too long (%s): %s", strategy, candidate.sql)
        except psycopg.Error as error:
            if not is_answer(error):
                raise
            log.error("a rewriting (%s) fails with %s: %s", strategy, error.sqlstate, candidate.sql)  # noqa: TRY400 - the driver's text quotes values
        else:
            yield strategy, rows


def _tell(alias: str, strategy: Strategy, found: Difference, is_limited: bool, sql: str) -> None:
    which = ""
    if is_limited:
        which = "; the statement ends after some rows, and rows equal under its ORDER BY may take one another's place"
    elif found.is_order:
        which = "; rows equal under its ORDER BY may take one another's place"
    log.error("%s differs on %s: %s%s: %s", strategy, alias, found.summary, which, sql)


def _is_ordered(sql: str) -> bool:
    """Return whether the statement itself has an ORDER BY."""
    depth = 0
    for token in read_tokens(sql):
        depth += _DEPTHS.get(token.token_type, 0)
        if depth == 0 and token.token_type == TokenType.ORDER_BY:
            return True
    return False
