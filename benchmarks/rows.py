"""Reading many rows: dicts of a report against a loop written by hand over the same statement."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from benchmarks.tickets import Tickets, TicketsAsText, create_table
from benchmarks.timing import Comparison, compare


def measure() -> Iterator[Comparison]:
    """Yield the ratios: at most 0.85 where the columns allow the binary format, at most 1.0 where not."""
    create_table()
    for name, report in (("binary format", Tickets), ("text format", TicketsAsText)):
        rows = report().run()
        sql, params = rows.query.sql_with_params()
        yield compare(
            f"200 000 dicts, {name} / execute + dict(zip(…))",
            lambda rows=rows: list(rows.all()),  # type: ignore[misc]
            lambda sql=sql, params=params: _by_hand(sql, params),  # type: ignore[misc]
        )


def _by_hand(sql: str, params: tuple[object, ...]) -> list[dict[str, object]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=False)) for row in cursor.fetchall()]
