"""An index that is there for a moment: built in a transaction, measured, rolled back whatever happens.

CREATE INDEX takes a SHARE lock: until the rollback writers of the table wait, readers do not. CONCURRENTLY would not
lock, but has no transaction.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from reports.errors import QueryTimeout
from reports.explain import explain
from reports.plan import Plan

# Seconds to wait for the lock. Who waits for it makes later writers wait too.
LOCK_SECONDS = 2
_MEGABYTE = 1024 * 1024
_RUNS = 2
_LOCKED, _CANCELED = "55P03", "57014"


class NotTried(Exception):
    """An index that could not be built or used at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A report's statement, to be measured on a connection. ``seconds`` it may run."""

    connection: BaseDatabaseWrapper
    sql: str
    params: Sequence[Any]
    seconds: float

    def plan(self) -> Plan:
        """Return how it would be run."""
        return explain(self.connection, self.sql, self.params)

    def measured(self) -> Plan:
        """Return how it was run. Reading the clock at each row would take more than some rows do."""
        return explain(self.connection, self.sql, self.params, analyze=True, timing=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an index. ``after`` is None when the planner does not use it; ``milliseconds`` is the best run."""

    after: Plan | None
    milliseconds: float | None
    megabytes: float


def try_index(statement: Statement, definition: str) -> Trial:
    """Return what an index does to a statement.

    Raises:
        NotTried: It cannot be built, or not be used by the transaction that builds it.
        QueryError: The statement fails.
    """
    name = f"sql_reports_trial_{secrets.token_hex(4)}"
    with _built(statement, name, definition) as megabytes:
        if not statement.plan().uses_index(name):
            return Trial(None, None, megabytes)
        try:
            plans = [statement.measured() for _ in range(_RUNS)]
        except QueryTimeout:
            raise NotTried(f"with it the statement runs into its timeout of {statement.seconds:g} s") from None
        return Trial(plans[0], min(plan.milliseconds or 0.0 for plan in plans), megabytes)


def changes(before: Plan, after: Plan) -> tuple[list[str], list[str]]:
    """Return the nodes that only one of two plans has, without the name of an index that was tried."""
    old, new = (Counter(_described(plan)) for plan in (before, after))
    return sorted((old - new).elements()), sorted((new - old).elements())


@contextmanager
def _built(statement: Statement, name: str, definition: str) -> Iterator[float]:
    """Build an index, give its size in megabytes, and roll it back: also on an error and an interruption."""
    connection = statement.connection
    with transaction.atomic(using=connection.alias):
        try:
            yield _create(connection, name, definition, statement.seconds)
        finally:
            transaction.set_rollback(True, using=connection.alias)


def _create(connection: BaseDatabaseWrapper, name: str, definition: str, seconds: float) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
            [f"{LOCK_SECONDS}s", str(max(round(seconds * 1000), 1))],
        )
        try:
            cursor.execute(f"CREATE INDEX {name} ON {definition}")
        except Error as error:
            raise NotTried(_why(error, seconds)) from error
        # Rows that have just been updated may be missing in it for older transactions: this one counts as such.
        cursor.execute(
            "SELECT indcheckxmin, pg_relation_size(indexrelid) FROM pg_index JOIN pg_class ON indexrelid = oid "
            "WHERE relname = %s",
            [name],
        )
        is_barred, size = cursor.fetchone()
    if is_barred:
        raise NotTried("rows of its table were updated just before, so that only later transactions could use it")
    return float(size) / _MEGABYTE


def _why(error: Error, seconds: float) -> str:
    """Return why an index was not built. PostgreSQL's own text may quote a value."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate == _LOCKED:
        return f"another transaction holds its table for more than {LOCK_SECONDS} s"
    if sqlstate == _CANCELED:
        return f"building it takes longer than the report's timeout of {seconds:g} s"
    return f"PostgreSQL's error {sqlstate} ({type(error.__cause__).__name__})"


def _described(plan: Plan) -> Iterator[str]:
    for node in plan.nodes:
        text = f"{node.title} on {node.relation}" if node.relation else node.title
        if node.index:
            text += " using the index" if node.index.startswith("sql_reports_trial_") else f" using {node.index}"
        yield text
