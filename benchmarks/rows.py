"""Reading many rows: dicts of a report against a loop written by hand over the same statement."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from benchmarks.timing import Comparison, compare
from reports import Report

ROWS = 200_000
CREATE = """
CREATE UNLOGGED TABLE benchmark_tickets (id bigint PRIMARY KEY, department_id int NOT NULL, status text NOT NULL,
    priority int NOT NULL, resolution_hours numeric(8,2) NOT NULL, opened_at timestamptz NOT NULL);
SELECT setseed(0.42);
INSERT INTO benchmark_tickets SELECT i, 1 + (random() * 499)::int, (ARRAY['open','closed','pending'])[1 + i % 3],
    1 + (random() * 4)::int, (random() * 200)::numeric(8,2), timestamptz '2024-01-01' + random() * interval '730 days'
FROM generate_series(1, {rows}) AS i;
VACUUM ANALYZE benchmark_tickets;
"""


class Tickets(Report):
    """Every ticket."""

    template = "benchmarks/tickets.sql"


class TicketsAsText(Report):
    """Every ticket, with a column whose type is not fetched in the binary format."""

    template = "benchmarks/tickets_as_text.sql"


def create_table(rows: int) -> None:
    """Make the table of tickets."""
    with connection.cursor() as cursor:
        for statement in CREATE.format(rows=rows).split(";")[:-1]:
            cursor.execute(statement)


def measure() -> Iterator[Comparison]:
    """Yield the ratios: at most 0.85 where the columns allow the binary format, at most 1.0 where not."""
    create_table(ROWS)
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
