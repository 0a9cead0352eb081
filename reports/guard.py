"""Every statement that holds a report runs read only and under a timeout.

One ``execute_wrapper`` on each PostgreSQL connection knows a report by its tag, also when it stands inside another
model's query, a union, a subquery or an aggregate. For Django a report is one query: the guard's own statements go to
the driver's connection. In autocommit the statement has a transaction of its own, inside a transaction a savepoint;
both are rolled back, see ``reports.transactions``. Server-side cursors outlive the statement, see ``reports.cursors``.

Read only is a seat belt and no boundary: give reports a database role that may only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from reports import conf, source
from reports.connecting import put_first
from reports.cursors import ReportCursor, declare
from reports.execution import Execution
from reports.transactions import is_alone, rolled_back

_TAG = re.compile(r"/\* report=([\w.]+) \*/")
# (?>…): a comment ends at its first end, so that a word behind a later one is not taken for the statement's first.
_QUERY = re.compile(
    r"(?:\s|\(|(?>/\*.*?\*/)|--[^\n]*\n)*(?:select|with|explain|values|table)\b", re.IGNORECASE | re.DOTALL
)
# pg_stat_activity shows the first 1024 bytes of a statement (track_activity_query_size).
_SHOWN = 900

_Execute = Callable[..., Any]


def guard(execute: _Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement, guarded when it reads a report: an ``execute_wrapper``.

    Raises:
        QueryTimeout: It ran into the timeout of its report, or the longest of its reports.
        QueryError: PostgreSQL refused it, or the connection was lost. The caller's transaction can go on.
    """
    if many or not isinstance(sql, str) or source.MARK not in sql or not _QUERY.match(sql):
        return execute(sql, params, many, context)
    reports = reports_in(sql)
    if not reports:
        return execute(sql, params, many, context)
    connection = context["connection"]
    connection.validate_no_broken_transaction()
    wrapper = context["cursor"]
    execution = Execution(connection, wrapper.cursor, reports, sql, timeout(reports), conf.slow())
    sql = shown(sql, reports)
    if isinstance(wrapper.cursor, psycopg.ServerCursor):
        with execution.errors():
            result = declare(execution, lambda: execute(sql, params, many, context))
        wrapper.cursor = ReportCursor(wrapper.cursor, execution, runs=not is_alone(execution.driver))
        return result
    with execution.errors(), rolled_back(execution):
        result = execute(sql, params, many, context)
    execution.finished(wrapper.cursor.rowcount)
    wrapper.cursor = ReportCursor(wrapper.cursor, execution, runs=False)
    return result


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Put the guard on a PostgreSQL connection: a receiver of ``connection_created``.

    It comes first in the list: wrappers of the project run inside it, under the same settings as the statement.
    """
    put_first(connection, guard)


def reports_in(sql: str) -> tuple[str, ...]:
    """Return the names of the reports that a statement reads."""
    # Compiling a report leaves its name there: a comment of the same form in somebody's own statement is no report.
    return tuple(name for name in dict.fromkeys(_TAG.findall(sql)) if name in source.seen)


def timeout(reports: Iterable[str]) -> float:
    """Return the seconds that a statement of these reports may run: the longest of theirs."""
    entries = [source.seen.get(report) for report in reports]
    return max((entry.timeout if entry else None) or conf.timeout() for entry in entries)


def shown(sql: str, reports: Sequence[str]) -> str:
    """Return the statement with a tag where pg_stat_activity shows it."""
    return f"{source.tag(reports[0])} {sql}" if sql.find(source.MARK, 0, _SHOWN) < 0 else sql
