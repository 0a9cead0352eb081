"""COPY … TO STDOUT of a query, as bytes.

PostgreSQL writes the text, and no Python code runs for a row. The rules are the guard's: the statement goes through
Django's execute wrappers, is read only, and leaves nothing behind. Two timeouts count: the report's until the first
bytes are there, ``EXPORT_TIMEOUT`` for the whole. Both are held by timers, because a reader who takes his time is no
slow query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from reports import conf
from reports.copy_cursors import CopyCursor
from reports.errors import QueryError
from reports.execution import Execution
from reports.guard import reports_in, shown, timeout
from reports.timers import Deadline
from reports.transactions import command, rolled_back

Shape = Callable[[str, Sequence[int]], str]


class Copy:
    """A COPY of a query: bytes until the last. From the first read to ``close()`` it has the connection for itself.

    Args:
        connection: Where it runs; nothing does before the first ``read()``.
        sql: The query, as Django compiled it, with its ``params``.
        options: What stands in parentheses at the statement's end.
        shape: Makes the query to copy from the query and the types of its columns, as PostgreSQL tells them.
        report: Its name in errors when the query reads no report.
    """

    def __init__(
        self, connection: Any, sql: str, params: Sequence[Any], *, options: str, report: str, shape: Shape | None = None
    ) -> None:
        self._connection, self._sql, self._params = connection, sql, params
        self._options, self._report, self._shape = options, report, shape
        self._stack: ExitStack | None = None
        self._execution: Execution | None = None
        self._deadline: Deadline | None = None
        self.rows: int | None = None

    def read(self) -> bytes:
        """Return the next bytes, none after the last, when the connection is free again.

        Raises:
            QueryTimeout: It ran into one of its timeouts.
            QueryError: PostgreSQL refused it, or broke it off; or another export has the connection.
        """
        if self._execution is None:
            self._open()
        opened, self._stack = self._stack, None
        if opened is None:
            return b""
        execution: Any = self._execution
        with execution.errors(), opened as stack:
            if execution.deadline.has_passed:  # the reader was slow; what is left is not handed on any more
                raise psycopg.errors.QueryCanceled
            data: bytes = execution.cursor.read()
            if not execution.cursor.has_ended:
                self._stack = stack.pop_all()
                return data
        self.rows = execution.cursor.rows
        execution.finished(self.rows)
        return data

    def cancel(self) -> None:
        """Cancel what runs; the one who waits in ``read()`` gets an error. Any thread may call it."""
        if self._deadline is not None:
            self._deadline.cancel()

    def close(self) -> None:
        """Give the rest up: PostgreSQL stops, the transaction ends, the connection is free. In the reader's thread."""
        stack, self._stack = self._stack, None
        if stack is not None and self._execution is not None:
            with suppress(QueryError), self._execution.errors():  # nobody is left to be told but the log
                stack.close()
            self._execution.drop_closed()
            self._execution.finished(None)

    def _open(self) -> None:
        connection = self._connection
        _check_free(connection)
        connection.validate_no_broken_transaction()
        wrapper = connection.cursor()
        cursor = wrapper.cursor = CopyCursor(connection.connection)
        reports = reports_in(self._sql) or (self._report,)
        execution = Execution(connection, cursor, reports, self._sql, timeout(reports), conf.slow())
        self._execution = execution
        with execution.errors(), ExitStack() as stack:
            stack.enter_context(wrapper)
            stack.enter_context(rolled_back(execution))
            sql = self._sql
            if self._shape is not None:
                sql = self._shape(sql, cursor.types(sql, self._params))
            execution.sql = shown(f"COPY ({sql}\n) TO STDOUT ({self._options})", reports)
            command(execution.driver, "SET LOCAL statement_timeout = 0")
            whole = conf.export_timeout()
            self._deadline = stack.enter_context(Deadline(execution.driver, whole, cuts=True))
            stack.callback(self._stop)
            stack.enter_context(_in_use(connection, reports[0]))
            with Deadline(execution.driver, execution.timeout, cuts=True) as execution.deadline:
                wrapper.execute(execution.sql, self._params)
            execution.deadline, execution.timeout = self._deadline, whole
            self._stack = stack.pop_all()

    def _stop(self) -> None:
        execution: Any = self._execution
        if not execution.cursor.has_ended:
            self.cancel()
            execution.cursor.discard()


class _InUse:
    """An execute wrapper that refuses statements while an export has the connection."""

    def __init__(self, report: str, driver: Any) -> None:
        self._report, self._driver = report, driver
        self._is_begun = False

    def __call__(self, run: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._is_begun:
            self.check(context["connection"])
        self._is_begun = True  # the first is the COPY itself
        return run(sql, params, many, context)

    def check(self, connection: BaseDatabaseWrapper) -> None:
        """Raise QueryError, unless Django has closed the export's connection and opened another."""
        if connection.connection is self._driver:
            error = QueryError(
                f"report {self._report!r} is being exported on the connection {connection.alias!r}: read the export to"
                " its end or close it before the next statement."
            )
            error.report = self._report
            raise error


@contextmanager
def _in_use(connection: BaseDatabaseWrapper, report: str) -> Iterator[None]:
    wrapper = _InUse(report, connection.connection)
    connection.execute_wrappers.insert(0, wrapper)
    try:
        yield
    finally:
        connection.execute_wrappers.remove(wrapper)


def _check_free(connection: BaseDatabaseWrapper) -> None:
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, _InUse):
            wrapper.check(connection)
