"""A driver's error to the QueryError of a report: SQLSTATE, report and template line, and no value."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from reports import source
from reports.errors import QueryError, QueryTimeout

_CANCELED = "57014"


def query_error(
    error: BaseException, *, report: str, sql: str, cursor: Any, elapsed: float, timeout: float
) -> QueryError:
    """Return the error to raise for a failed statement.

    Args:
        error: Django's error, or the driver's.
        sql: The statement as Django has it, with ``%s`` for each value.
        cursor: The driver's cursor, which knows the text that was sent.
        elapsed: Seconds since the statement was sent; ``timeout`` seconds are allowed.
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate == _CANCELED and elapsed >= timeout:
        found: QueryError = query_timeout(report, timeout)
    elif sqlstate is None:
        found = QueryError(f"report {report!r}: the driver or the connection failed ({type(cause).__name__}).")
    else:
        place = _place(cause, report, sql, cursor)
        where = f" at {place[0]}:{place[1]}" if place else ""
        found = QueryError(f"report {report!r}: PostgreSQL's error {sqlstate} ({type(cause).__name__}){where}.")
        found.file, found.line, found.offset = place or (None, None, None)
    found.report, found.sqlstate = report, sqlstate
    return found


def query_timeout(report: str, timeout: float) -> QueryTimeout:
    """Return the error to raise for a statement that was stopped after ``timeout`` seconds."""
    found = QueryTimeout(f"report {report!r}: stopped after its timeout of {timeout:g} s.")
    found.report = report
    return found


def _place(cause: Any, report: str, sql: str, cursor: Any) -> tuple[str, int, int] | None:
    """Return (file, line, offset in the query) of the position that PostgreSQL names, None when it cannot be told."""
    position = getattr(cause.diag, "statement_position", None)
    sent = getattr(getattr(cursor, "_query", None), "query", None)
    entry = source.seen.get(report)
    if not position or not sent or not entry:
        return None
    head = f"{source.tag(report)} "
    for statement, lines in list(entry.lines.items()):  # another thread may add to them
        if f"{head}{statement}\n)" in sql:
            text = bytes(sent).decode(errors="replace")
            begin = text.rfind(head) + len(head)
            offset = _offset(statement, text, begin, int(position) - 1)
            place = lines.at(offset)
            return (*place, offset) if place else None
    return None


def _offset(statement: str, sent: str, begin: int, position: int) -> int:
    """Return the place in a statement of a position in the text sent, in which values stand for the placeholders."""
    offset = 0
    for part in re.split("(%[s%])", statement):
        if part == "%s":  # a value of unknown length: the next piece of text says where it ended
            offset += 2
            continue
        text = "%" if part == "%%" else part
        found = sent.find(text, begin)
        if found < 0 or position < found:
            return offset
        if position < found + len(text):
            return offset + position - found
        begin, offset = found + len(text), offset + len(part)
    return offset
