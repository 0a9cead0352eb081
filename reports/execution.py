"""One statement of a report: what is known of it, what is said when it ends, what is raised when it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

from reports.errors import QueryError
from reports.failures import query_error, query_timeout
from reports.timers import Deadline

report_executed = Signal()
"""Sent after each statement of a report, with ``report`` (its name), ``alias``, ``milliseconds`` and ``rows``.

``sender`` is the class of the connection. ``rows`` counts what was fetched, None for a statement that failed; a
server-side cursor sends when closed. A receiver that raises is logged by Django and fails nothing.
"""

slow_log = logging.getLogger("reports.slow")


@dataclass(slots=True)
class Execution:
    """A statement under way. ``cursor`` is the driver's; ``timeout`` and ``slow`` are in seconds.

    ``seconds`` adds up what was spent in the database: a reader who takes his time over a cursor is not in it.
    ``deadline`` holds the timeout where PostgreSQL does not.
    """

    connection: BaseDatabaseWrapper
    cursor: Any
    reports: tuple[str, ...]
    sql: str
    timeout: float
    slow: float
    seconds: float = 0.0
    deadline: Deadline | None = None
    _is_told: bool = False

    @property
    def driver(self) -> psycopg.Connection[Any]:
        """The driver's connection."""
        driver: psycopg.Connection[Any] = self.cursor.connection
        return driver

    @property
    def milliseconds(self) -> int:
        """``timeout`` as PostgreSQL takes it; 0 would mean none."""
        return max(round(self.timeout * 1000), 1)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise a database error as QueryError, without values in its text; leave the connection usable."""
        begun = time.perf_counter()
        try:
            yield
        except (Error, psycopg.Error) as error:
            elapsed = time.perf_counter() - begun
            self.seconds += elapsed
            found = self._error(error, elapsed)
            self.finished(None)
            self.drop_closed()
            raise found from error
        self.seconds += time.perf_counter() - begun

    def drop_closed(self) -> None:
        """Let Django open a new connection for the next query when the driver's was lost outside a transaction."""
        connection = self.connection
        if self.driver.closed and connection.connection is self.driver and not connection.in_atomic_block:
            connection.close()

    def _error(self, error: Error | psycopg.Error, elapsed: float) -> QueryError:
        report, deadline = self.reports[0], self.deadline
        if deadline is not None and deadline.has_cut:
            return query_timeout(report, self.timeout)
        if deadline is not None and deadline.has_passed:
            elapsed = self.timeout
        return query_error(
            error, report=report, sql=self.sql, cursor=self.cursor, elapsed=elapsed, timeout=self.timeout
        )

    def finished(self, rows: int | None) -> None:
        """Tell receivers and, from ``slow`` on, the log; once. ``rows`` is None when the statement failed."""
        if self._is_told:
            return
        self._is_told = True
        for report in self.reports:
            report_executed.send_robust(
                sender=type(self.connection),
                report=report,
                alias=self.connection.alias,
                milliseconds=self.seconds * 1000,
                rows=rows,
            )
            if self.seconds >= self.slow:
                told = "failed" if rows is None else f"{rows} rows"
                slow_log.warning(
                    "report %s took %.0f ms on %s: %s", report, self.seconds * 1000, self.connection.alias, told
                )
