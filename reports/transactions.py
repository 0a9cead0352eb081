"""Read only and a timeout around one statement, and both put back afterwards.

The statements here go to the driver's connection, so that Django neither counts nor logs them. ``set_config`` and not
SET: as a query it takes the transaction's snapshot, after which read only cannot be switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from reports.execution import Execution

_SAVEPOINT = "sql_reports"
# The connections in a block of together(), with the timeout that is set in its transaction once that has begun.
_shared: WeakKeyDictionary[psycopg.Connection[Any], str | None] = WeakKeyDictionary()


def is_alone(driver: psycopg.Connection[Any]) -> bool:
    """Return True in autocommit and outside every transaction."""
    return driver.autocommit and driver.info.transaction_status == TransactionStatus.IDLE


@contextmanager
def together(connection: Any) -> Iterator[None]:
    """Let the reports' statements of a block see the same data, in one transaction instead of one each.

    Two round trips fewer for each but the first. Inside a transaction of the caller's nothing changes.
    """
    connection.ensure_connection()
    driver = connection.connection
    if not is_alone(driver):
        yield
        return
    _shared[driver] = None
    try:
        yield
    finally:
        if _shared.pop(driver) is not None and not driver.closed:
            _at_once(driver, "ROLLBACK")


@contextmanager
def _within(execution: Execution) -> Iterator[None]:
    """Run a statement in the transaction that it shares; after an error the next one begins another."""
    driver, timeout = execution.driver, _timeout(execution)
    begun = _shared[driver]
    try:
        if begun is None:
            _shared[driver] = timeout
            _at_once(driver, f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT {timeout}")
        elif begun != timeout:
            _shared[driver] = timeout
            _at_once(driver, f"SELECT {timeout}")
        yield
    except BaseException:
        _shared[driver] = None
        if not driver.closed:
            _at_once(driver, "ROLLBACK")
        raise


@contextmanager
def rolled_back(execution: Execution) -> Iterator[None]:
    """Roll back to where the statement began: its settings end, and so does whatever it changed for itself.

    A released savepoint would restore read only but leave ``statement_timeout`` behind.
    """
    driver = execution.driver
    if driver in _shared:
        with _within(execution):
            yield
        return
    if is_alone(driver):
        run, begin, end = _at_once, "BEGIN READ ONLY", "ROLLBACK"
        settings = f"SELECT {_timeout(execution)}"
    else:
        run, begin = command, f"SAVEPOINT {_SAVEPOINT}"
        end = f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}"
        settings = f"SELECT {_READ_ONLY}, {_timeout(execution)}"
    was_broken = driver.info.transaction_status == TransactionStatus.INERROR
    try:
        run(driver, f"{begin}; {settings}")  # may itself be cancelled
        yield
    finally:
        if not driver.closed and not was_broken:
            run(driver, end)


@contextmanager
def savepoint(driver: psycopg.Connection[Any], name: str) -> Iterator[None]:
    """Run statements inside a transaction that goes on when one of them fails."""
    command(driver, f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        if not driver.closed:
            command(driver, f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
        raise
    command(driver, f"RELEASE SAVEPOINT {name}")


@contextmanager
def released(execution: Execution) -> Iterator[None]:
    """Keep what the statement made (a cursor), inside the caller's transaction; put the timeout back.

    On an error the savepoint is rolled back, and the caller's transaction goes on.
    """
    driver = execution.driver
    command(driver, f"SAVEPOINT {_SAVEPOINT}")
    try:
        before = command(driver, f"SELECT current_setting('statement_timeout'), {_READ_ONLY}, {_timeout(execution)}")
        yield
    except BaseException:
        if not driver.closed:
            command(driver, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}")
        raise
    command(driver, f"RELEASE SAVEPOINT {_SAVEPOINT}; SELECT set_config('statement_timeout', '{before}', true)")


@contextmanager
def committed(execution: Execution) -> Iterator[None]:
    """Commit what the statement made: a cursor WITH HOLD, which PostgreSQL fills at COMMIT.

    ``statement_timeout`` does not bound a COMMIT; the caller's timer does.
    """
    driver = execution.driver
    try:
        command(driver, f"BEGIN READ ONLY; SELECT {_timeout(execution)}")
        yield
        command(driver, "COMMIT")
    except BaseException:
        if not driver.closed:
            command(driver, "ROLLBACK")
        raise


def command(driver: psycopg.Connection[Any], sql: str) -> Any:
    """Run statements of our own; return the first value of the first one, None when it has no rows."""
    with psycopg.ClientCursor(driver) as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _at_once(driver: psycopg.Connection[Any], sql: str) -> None:
    """Run short statements in autocommit by libpq's own call, which takes two thirds of a cursor's time."""
    result = driver.pgconn.exec_(sql.encode())
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise psycopg.errors.error_from_result(result)


_READ_ONLY = "set_config('transaction_read_only', 'on', true)"


def _timeout(execution: Execution) -> str:
    return f"set_config('statement_timeout', '{execution.milliseconds}', true)"
