"""What a statement with ``$1`` for its parameters costs by the planner, whatever their values. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import DatabaseError, transaction

from reports.explain import json_of
from reports.plan import Plan
from reports.rewrite.sql.numbered import parameters

TIMEOUT = 5000  # milliseconds that one EXPLAIN may take
_GENERIC_PLAN = 160000  # the first version that explains a text with parameters
_NAME = "sql_reports_estimate"


class NoEstimate(Exception):
    """PostgreSQL does not plan a text; the exception's text says why."""


def estimate(connection: Any, text: str) -> Plan:
    """Return the plan of a statement whose parameters are numbered, for whatever values they may have.

    Raises:
        NoEstimate: PostgreSQL refuses the text, such as ``interval $1`` in which a constant was no parameter.
    """
    is_prepared = connection.pg_version < _GENERIC_PLAN
    try:
        with _harmless(connection), connection.cursor() as cursor:
            (output,) = (_prepared if is_prepared else _generic)(cursor, text)
    except DatabaseError as error:
        cause = error.__cause__
        words = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
        raise NoEstimate(f"PostgreSQL does not plan the text: {words or error}") from error
    finally:
        if is_prepared:
            _forget(connection)
    (found,) = json_of(output)
    return Plan.of(found)


@contextmanager
def _harmless(connection: Any) -> Iterator[None]:
    """Read only and under a timeout; whatever was set or made ends with the block."""
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %s, true),"
                " set_config('plan_cache_mode', 'force_generic_plan', true)",
                [str(TIMEOUT)],
            )
        yield
        transaction.set_rollback(True, using=connection.alias)


def _generic(cursor: Any, text: str) -> Any:
    cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON, VERBOSE) {text}")
    return cursor.fetchone()


def _prepared(cursor: Any, text: str) -> Any:
    """Explain a prepared statement, its parameters NULL: a generic plan does not look at them."""
    count = max((number for number, _, _ in parameters(text)), default=0)
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    cursor.execute(f"PREPARE {_NAME} AS {text}")
    cursor.execute(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {_NAME}{values}")
    return cursor.fetchone()


def _forget(connection: Any) -> None:
    """Drop the prepared statement, which outlives the transaction that made it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = %s)", [_NAME])
        if cursor.fetchone()[0]:
            cursor.execute(f"DEALLOCATE {_NAME}")
