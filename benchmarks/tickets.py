"""The table that the measurements of many rows read."""

from __future__ import annotations

from django.db import connection, models

from reports import Report

ROWS = 200_000
CREATE = """
DROP TABLE IF EXISTS benchmark_tickets;
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


class BenchmarkTicket(models.Model):
    """The table as a model, for what the others do with it."""

    department_id = models.IntegerField()
    status = models.TextField()
    priority = models.IntegerField()
    resolution_hours = models.DecimalField(max_digits=8, decimal_places=2)
    opened_at = models.DateTimeField()

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_tickets"

    def __str__(self) -> str:
        return f"Ticket {self.pk}"


def create_table(rows: int = ROWS) -> None:
    """Make the table of tickets."""
    with connection.cursor() as cursor:
        for statement in CREATE.format(rows=rows).split(";")[:-1]:
            cursor.execute(statement)
