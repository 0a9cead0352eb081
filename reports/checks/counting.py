"""Counting templates against the rows that they count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections

from reports.checks.faults import Fault
from reports.checks.refusals import refusal
from reports.errors import QueryError, QueryTimeout
from reports.header import Column
from reports.source import TemplateSource

_HINT = "A counting template gives one row of one column, a whole number: as many as the report has rows."


def check_count_columns(file: str, columns: Sequence[Column]) -> Iterator[Fault]:
    """Yield a fault unless a counting template gives one column of whole numbers."""
    if len(columns) != 1 or columns[0].type not in ("smallint", "integer", "bigint"):
        given = ", ".join(column.type for column in columns)
        yield Fault("E025", f"{file}: the counting template gives columns of the types {given}.", _HINT)


def check_count(file: str, rows: TemplateSource, count: TemplateSource, *, using: str) -> Iterator[Fault]:
    """Yield a fault when a counting template does not give ``count(*)`` of the rows.

    Both numbers come from one statement, so that no row is written between them. It runs under the report's timeout.
    """
    connection: Any = connections[using]
    try:
        with connection.cursor() as cursor:
            count_sql, count_params = count.as_sql(None, connection)
            rows_sql, rows_params = rows.as_sql(None, connection)
            cursor.execute(
                f"SELECT (SELECT array_agg(n) FROM ({count_sql}\n) AS counted (n)),"  # noqa: S608 - values are bound
                f" (SELECT count(*) FROM ({rows_sql}\n) AS report)",
                (*count_params, *rows_params),
            )
            counted, real = cursor.fetchone()
    except QueryTimeout as error:
        yield refusal(error, count.report, count.query, using=using)
        return
    except QueryError as error:
        # PostgreSQL names no place in a statement that it has begun to run.
        yield Fault("E025", f"{file}: counting the report fails with the error {error.sqlstate}.", _HINT)
        return
    if counted != [real]:
        told = "no number" if not counted else ", ".join("NULL" if n is None else str(n) for n in counted[:5])
        yield Fault("E025", f"{file}: the counting template gives {told}, and the report has {real} rows.", _HINT)
