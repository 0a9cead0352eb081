"""The checks of quality against SQL written by hand and the ORM's best; ``PREBUILT_ROWS`` is the number of tickets."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q

from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from example_project.helpdesk.loading import load
from example_project.helpdesk.models import Department, Employee, Invoice, Ticket
from reports.prebuilt import Duplicates, Freshness, MissingValues

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
FIELDS = ("assignee", "closed_at", "resolution_hours")

MISSING = """
SELECT count(*), count(*) - count(assignee_id), count(*) - count(closed_at), count(*) - count(resolution_hours)
FROM helpdesk_ticket
"""
TWICE = """
SELECT department_id, resolution_hours, count(*), min(id), max(id) FROM helpdesk_ticket
WHERE resolution_hours IS NOT NULL
GROUP BY department_id, resolution_hours HAVING count(*) > 1
ORDER BY count(*) DESC, min(id) LIMIT 100
"""
LATEST = """
SELECT 'tickets', count(*), max(opened_at) FROM helpdesk_ticket
UNION ALL SELECT 'invoices', count(*), max(issued) FROM helpdesk_invoice
UNION ALL SELECT 'employees', count(*), max(hired) FROM helpdesk_employee
UNION ALL SELECT 'departments', count(*), max(created) FROM helpdesk_department
"""


class Missing(MissingValues):
    """Three fields of the tickets."""

    source = Ticket
    fields = FIELDS


class Twice(Duplicates):
    """Tickets of a department that took equally long."""

    source = Ticket
    fields = ("department", "resolution_hours")
    limit = 100


class Latest(Freshness):
    """Four tables."""

    sources = {
        "departments": (Department, "created"),
        "employees": (Employee, "hired"),
        "invoices": (Invoice, "issued"),
        "tickets": (Ticket, "opened_at"),
    }
    within = timedelta(days=1)
    time_zone = "UTC"


class Estimated(Latest):
    """The same without a count of the rows."""

    counting = "estimate"


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand, and against the ORM."""
    load(ROWS, io.StringIO())
    execute("VACUUM ANALYZE helpdesk_ticket")
    known: list[tuple[str, type[Any], str, Callable[[], object]]] = [
        ("missing values", Missing, MISSING, _missing),
        ("duplicates", Twice, TWICE, _twice),
        ("freshness", Latest, LATEST, _latest),
        ("freshness with estimates", Estimated, LATEST, _latest),
    ]
    for name, report, sql, orm in known:
        yield compare(f"{name}, {ROWS:,} tickets / by hand", run(report), lambda sql=sql: execute(sql))  # type: ignore[misc]
        yield compare(f"{name}, {ROWS:,} tickets / the ORM", run(report), orm)


def _missing() -> object:
    """A count with a filter for each field."""
    missing = {name: Count("pk", filter=Q(**{f"{name}__isnull": True})) for name in FIELDS}
    return Ticket.objects.aggregate(rows=Count("pk"), **{f"missing_{name}": count for name, count in missing.items()})


def _twice() -> object:
    """A group with HAVING."""
    tickets = Ticket.objects.filter(resolution_hours__isnull=False).values("department_id", "resolution_hours")
    groups = tickets.annotate(rows=Count("pk"), first=Min("pk"), last=Max("pk")).filter(rows__gt=1)
    return list(groups.order_by("-rows", "first")[:100])


def _latest() -> object:
    """A statement for each table."""
    dates: list[tuple[Any, str]] = [
        (Department, "created"),
        (Employee, "hired"),
        (Invoice, "issued"),
        (Ticket, "opened_at"),
    ]
    return [model.objects.aggregate(rows=Count("pk"), latest=Max(field)) for model, field in dates]
