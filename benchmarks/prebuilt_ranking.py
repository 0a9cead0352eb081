"""The rankings against SQL written by hand and the ORM's best; ``PREBUILT_ROWS`` is the number of tickets."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Count, F, Q, Window
from django.db.models.functions import Abs, Rank, RowNumber

from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from example_project.helpdesk.loading import load
from example_project.helpdesk.models import Ticket
from reports.prebuilt import BiggestMovers, LatestPerGroup, TopAndOther, TopPerGroup

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
START, BEFORE, END = date(2025, 10, 1), date(2025, 7, 1), date(2026, 1, 1)
INSTANTS = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (BEFORE, START, END)]

LATEST = """
SELECT d.id, t.rank, t.opened_at, t.status
FROM helpdesk_department AS d
CROSS JOIN LATERAL (
    SELECT opened_at, status, row_number() OVER (ORDER BY opened_at DESC, id DESC) AS rank
    FROM helpdesk_ticket WHERE department_id = d.id ORDER BY opened_at DESC, id DESC LIMIT 3
) AS t
ORDER BY d.id, t.rank
"""
TOP_AND_OTHER = """
WITH facts AS (SELECT department_id, count(*) AS tickets FROM helpdesk_ticket GROUP BY department_id),
ranked AS (SELECT *, row_number() OVER (ORDER BY tickets DESC, department_id) AS place FROM facts)
SELECT least(place, 11), min(department_id) FILTER (WHERE place <= 10), sum(tickets) FROM ranked GROUP BY 1 ORDER BY 1
"""
TOP_PER_GROUP = """
SELECT * FROM (
    SELECT priority, department_id, count(*),
           row_number() OVER (PARTITION BY priority ORDER BY count(*) DESC, department_id) AS place
    FROM helpdesk_ticket GROUP BY priority, department_id
) AS ranked
WHERE place <= 3 ORDER BY priority, place
"""
MOVERS = """
WITH facts AS (
    SELECT department_id, count(*) FILTER (WHERE opened_at >= '2025-10-01Z') AS now,
           count(*) FILTER (WHERE opened_at < '2025-10-01Z') AS before
    FROM helpdesk_ticket WHERE opened_at >= '2025-07-01Z' AND opened_at < '2026-01-01Z' GROUP BY department_id
)
SELECT *, now - before FROM facts ORDER BY abs(now - before) DESC, department_id LIMIT 10
"""


class Latest(LatestPerGroup):
    """The latest three tickets of each department."""

    source = Ticket
    group = "department"
    date_field = "opened_at"
    fields = ["opened_at", "status"]
    limit = 3


class LatestByWindow(Latest):
    """The same without an index's help."""

    lateral = False


class LatestOfEmployees(Latest):
    """The latest three tickets of each employee: an index has the employee alone."""

    group = "assignee"


class LatestOfEmployeesByLateral(LatestOfEmployees):
    """The same by that index."""

    lateral = True


class BusiestAndOther(TopAndOther):
    """The ten departments with most tickets, and the others."""

    source = Ticket
    dimensions = ["department_id"]
    metrics = {"tickets": Count("pk")}


class BusiestByPriority(TopPerGroup):
    """The three departments with most tickets of each priority."""

    source = Ticket
    partition = ["priority"]
    dimensions = ["department_id"]
    metrics = {"tickets": Count("pk")}


class Movers(BiggestMovers):
    """The ten departments whose tickets changed most from one quarter to the next."""

    source = Ticket
    dimensions = ["department_id"]
    metrics = {"tickets": Count("pk")}
    date_field = "opened_at"
    start = START
    end = END
    before_start = BEFORE
    time_zone = "UTC"


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand and the ORM, and the two forms of LatestPerGroup."""
    load(ROWS, io.StringIO())
    execute("VACUUM ANALYZE helpdesk_ticket")
    known: list[tuple[str, type[Any], str, Callable[[], object]]] = [
        ("latest 3 of a department", Latest, LATEST, _latest),
        ("top 10 and other", BusiestAndOther, TOP_AND_OTHER, _top_and_other),
        ("top 3 of each priority", BusiestByPriority, TOP_PER_GROUP, _top_per_group),
        ("biggest movers", Movers, MOVERS, _movers),
    ]
    for name, report, sql, orm in known:
        yield compare(f"{name}, {ROWS:,} rows / by hand", run(report), lambda sql=sql: execute(sql))  # type: ignore[misc]
        yield compare(f"{name}, {ROWS:,} rows / the ORM", run(report), orm)
    yield compare(f"LATERAL with index, {ROWS:,} rows / window", run(Latest), run(LatestByWindow))
    yield compare(
        f"window, {ROWS:,} rows / LATERAL by an index of the group",
        run(LatestOfEmployees),
        run(LatestOfEmployeesByLateral),
    )


def _latest() -> object:
    rank = Window(RowNumber(), partition_by="department_id", order_by=[F("opened_at").desc(), F("id").desc()])
    rows = Ticket.objects.annotate(rank=rank).filter(rank__lte=3).order_by("department_id", "rank")
    return list(rows.values_list("department_id", "rank", "opened_at", "status"))


def _top_and_other() -> object:
    groups = Ticket.objects.values("department_id").annotate(tickets=Count("pk")).order_by("-tickets", "department_id")
    return list(groups[:10]), Ticket.objects.count()


def _top_per_group() -> object:
    groups = Ticket.objects.values("priority", "department_id").annotate(tickets=Count("pk"))
    rank = Window(Rank(), partition_by="priority", order_by=F("tickets").desc())
    return list(groups.annotate(rank=rank).filter(rank__lte=3).order_by("priority", "rank"))


def _movers() -> object:
    before, start, end = INSTANTS
    now = Count("pk", filter=Q(opened_at__gte=start))
    groups = Ticket.objects.filter(opened_at__gte=before, opened_at__lt=end).values("department_id")
    found = groups.annotate(now=now, before=Count("pk", filter=Q(opened_at__lt=start)))
    return list(found.annotate(change=F("now") - F("before")).order_by(Abs("change").desc(), "department_id")[:10])
