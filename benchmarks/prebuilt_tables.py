"""Pivot, subtotals and tiles against SQL written by hand and the ORM's best; ``PREBUILT_ROWS`` is the table's size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, Q
from django.db.models.functions import TruncMonth

from benchmarks.tickets import BenchmarkTicket, create_table
from benchmarks.timing import Comparison, compare
from reports import Report
from reports.prebuilt import Period, Pivot, Subtotals, Tiles

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
STATUSES = ("open", "closed", "pending")
START, END = date(2025, 1, 1), date(2025, 7, 1)
BEFORE = date(2024, 7, 1)

PIVOT = """
SELECT department_id, count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE status = 'closed'),
       count(*) FILTER (WHERE status = 'pending'), count(*)
FROM benchmark_tickets GROUP BY department_id ORDER BY department_id
"""
SUBTOTALS = """
SELECT department_id, status, priority, count(*), avg(resolution_hours)
FROM benchmark_tickets GROUP BY ROLLUP (department_id, status, priority) ORDER BY 1, 2, 3
"""
TILES = """
WITH facts AS (
    SELECT date_trunc('month', opened_at) AS period, opened_at >= '2025-01-01' AS is_now, count(*) AS opened,
           count(*) FILTER (WHERE status = 'closed') AS closed, sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at >= '2024-07-01' AND opened_at < '2025-07-01' GROUP BY 1, 2
)
SELECT is_now, sum(opened), sum(closed), sum(hours) / sum(opened), array_agg(opened ORDER BY period),
       array_agg(closed ORDER BY period), array_agg(hours / opened ORDER BY period)
FROM facts GROUP BY is_now
"""
FIGURES = {"opened": Count("pk"), "closed": Count("pk", filter=Q(status="closed")), "hours": Avg("resolution_hours")}


class DepartmentsByStatus(Pivot):
    """Tickets by department and status."""

    source = BenchmarkTicket
    dimensions = ["department_id"]
    columns = "status"
    values = STATUSES
    other = False
    total = True
    metrics = {"tickets": Count("pk")}


class DepartmentsToTotal(Subtotals):
    """Tickets by department, status and priority, with subtotals."""

    source = BenchmarkTicket
    dimensions = ["department_id", "status", "priority"]
    metrics = {"tickets": Count("pk"), "hours": Avg("resolution_hours")}


class Figures(Tiles):
    """Key figures of half a year."""

    source = BenchmarkTicket
    date_field = "opened_at"
    period = Period.MONTH
    start = START
    end = END
    time_zone = "UTC"
    metrics = FIGURES


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand, which reads the facts as often, and against the ORM."""
    create_table(ROWS)
    known: list[tuple[str, type[Any], str, Any]] = [
        ("pivot", DepartmentsByStatus, PIVOT, _pivot),
        ("subtotals", DepartmentsToTotal, SUBTOTALS, _subtotals),
        ("tiles", Figures, TILES, _tiles),
    ]
    for name, report, sql, orm in known:
        for other, run in (("SQL by hand", partial(_fetched, sql)), ("the ORM", orm)):
            yield compare(f"{ROWS:>10,} rows: {name} / {other}", partial(_rows, report), run, runs=5)


def _rows(report: type[Report]) -> list[Any]:
    return list(report().run())


def _fetched(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _pivot() -> None:
    by_status = {status: Count("pk", filter=Q(status=status)) for status in STATUSES}
    list(
        BenchmarkTicket.objects.values("department_id")
        .annotate(**by_status, total=Count("pk"))
        .order_by("department_id")
    )


def _subtotals() -> None:
    """Run a query for each level."""
    names = ("department_id", "status", "priority")
    metrics = {"tickets": Count("pk"), "hours": Avg("resolution_hours")}
    for size in (3, 2, 1):
        list(BenchmarkTicket.objects.values(*names[:size]).annotate(**metrics).order_by(*names[:size]))
    BenchmarkTicket.objects.aggregate(**metrics)


def _tiles() -> None:
    """Run a query for each range, and one for the sparkline."""
    before, start, end = (datetime(each.year, each.month, each.day, tzinfo=UTC) for each in (BEFORE, START, END))
    now = BenchmarkTicket.objects.filter(opened_at__gte=start, opened_at__lt=end)
    now.aggregate(**FIGURES)
    BenchmarkTicket.objects.filter(opened_at__gte=before, opened_at__lt=start).aggregate(**FIGURES)
    list(now.annotate(month=TruncMonth("opened_at", tzinfo=UTC)).values("month").annotate(**FIGURES).order_by("month"))
