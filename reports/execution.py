"""One statement of a report: what is known of it, what is said when it ends, what is raised when it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

from reports import conf
from reports.failures import query_error

report_executed = Signal()
"""Sent after each statement of a report, with ``report`` (its name), ``alias``, ``milliseconds`` and ``rows``.

``sender`` is the class of the connection. ``rows`` counts what was fetched; a server-side cursor sends when closed.
"""

slow_log = logging.getLogger("reports.slow")


@dataclass(slots=True)
class Execution:
    """A statement under way. ``timeout`` is in seconds; ``cursor`` is the driver's."""

    connection: BaseDatabaseWrapper
    cursor: Any
    reports: tuple[str, ...]
    sql: str
    timeout: float
    started: float = field(default_factory=time.perf_counter)

    @property
    def driver(self) -> psycopg.Connection[Any]:
        """The driver's connection."""
        driver: psycopg.Connection[Any] = self.connection.connection
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
        except (DatabaseError, psycopg.Error) as error:
            found = query_error(
                error,
                report=self.reports[0],
                sql=self.sql,
                cursor=self.cursor,
                elapsed=time.perf_counter() - begun,
                timeout=self.timeout,
            )
            if self.driver.closed and not self.connection.in_atomic_block:
                self.connection.close()  # the next query opens a new one
            raise found from error

    def finished(self, rows: int) -> None:
        """Tell receivers and, from ``REPORTS["SLOW"]`` on, the log."""
        seconds = time.perf_counter() - self.started
        for report in self.reports:
            report_executed.send(
                sender=type(self.connection),
                report=report,
                alias=self.connection.alias,
                milliseconds=seconds * 1000,
                rows=rows,
            )
            if seconds >= conf.slow():
                slow_log.warning(
                    "report %s took %.0f ms on %s: %d rows", report, seconds * 1000, self.connection.alias, rows
                )
