"""Server-side cursors of a report: DECLARE and each FETCH read only and under the timeout.

Inside a transaction DECLARE and every FETCH have a savepoint that is released, because rolling it back would close
the cursor. Outside, Django declares the cursor WITH HOLD: PostgreSQL runs the whole query at COMMIT, where no
``statement_timeout`` counts, so a timer cancels it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

from reports.execution import Execution
from reports.timers import Deadline
from reports.transactions import committed, is_alone, released


class ReportCursor:
    """The driver's cursor, its fetches guarded. Everything else is the driver's.

    ``runs`` says whether PostgreSQL still runs the query when rows are fetched. It does not for a cursor WITH HOLD and
    for one of the client: there only the errors are ours, those of values that the driver cannot read.
    """

    def __init__(self, cursor: Any, execution: Execution, *, runs: bool) -> None:
        self._cursor = cursor
        self._execution = execution
        self._rows = 0
        self._runs = runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(getattr(self._cursor, "itersize", 100)):
            yield from rows

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        row = self._fetch(self._cursor.fetchone)
        self._rows += row is not None
        return row

    def fetchmany(self, size: int = 0) -> Sequence[Any]:
        """Return the next rows, none after the last."""
        return self._counted(self._fetch(self._cursor.fetchmany, size))

    def fetchall(self) -> Sequence[Any]:
        """Return the rows that are left."""
        return self._counted(self._fetch(self._cursor.fetchall))

    def close(self) -> None:
        """Close the cursor; tell how many rows it gave."""
        self._cursor.close()
        self._execution.finished(self._rows)

    def _counted(self, rows: Sequence[Any]) -> Sequence[Any]:
        self._rows += len(rows)
        return rows

    def _fetch(self, fetch: Callable[..., Any], *args: Any) -> Any:
        with self._execution.errors():
            if not self._runs:
                return fetch(*args)
            with released(self._execution):
                return fetch(*args)


def declare(execution: Execution, execute: Callable[[], Any]) -> Any:
    """Run a DECLARE; return what it returns."""
    if not is_alone(execution.driver):
        with released(execution):
            return execute()
    try:
        with Deadline(execution.driver, execution.timeout), committed(execution):
            return execute()
    except BaseException:
        # A failed COMMIT took the cursor with it. Closed like this, as a client's cursor, it sends no CLOSE.
        psycopg.Cursor.close(execution.cursor)
        raise
