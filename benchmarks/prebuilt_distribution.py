"""The distributions against SQL written by hand and the ORM's best; ``PREBUILT_ROWS`` is the number of tickets."""

from __future__ import annotations

import io
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Case, Count, FloatField, IntegerField, Max, Min, Q, Value, When
from django.db.models.functions import Cast, Floor, Least

from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from example_project.helpdesk.loading import load
from example_project.helpdesk.models import Ticket
from reports.prebuilt import Ageing, BoxPlot, Histogram, Percentiles

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
TODAY = date(2026, 7, 1)
EDGES = (0, 1, 8, 24, 72, 168, 1000)

HISTOGRAM = """
WITH ends AS (SELECT min(resolution_hours) AS low, max(resolution_hours) AS high FROM helpdesk_ticket)
SELECT least(width_bucket(t.resolution_hours, e.low, e.high, 20), 20) AS bucket, count(*)
FROM helpdesk_ticket AS t CROSS JOIN ends AS e WHERE t.resolution_hours IS NOT NULL
GROUP BY 1 ORDER BY 1
"""
EDGED = """
SELECT width_bucket(resolution_hours, ARRAY[0, 1, 8, 24, 72, 168, 1000]::numeric[]) AS bucket, count(*)
FROM helpdesk_ticket WHERE resolution_hours IS NOT NULL GROUP BY 1 ORDER BY 1
"""
PERCENTILES = """
SELECT department_id, count(resolution_hours),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY resolution_hours),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY resolution_hours),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY resolution_hours),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY resolution_hours)
FROM helpdesk_ticket GROUP BY department_id ORDER BY department_id
"""
BOXES = """
WITH cuts AS (
    SELECT priority, count(resolution_hours) AS rows, min(resolution_hours), max(resolution_hours),
           percentile_cont(0.25) WITHIN GROUP (ORDER BY resolution_hours) AS q1,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY resolution_hours) AS median,
           percentile_cont(0.75) WITHIN GROUP (ORDER BY resolution_hours) AS q3
    FROM helpdesk_ticket GROUP BY priority
)
SELECT c.*, w.* FROM cuts AS c CROSS JOIN LATERAL (
    SELECT min(resolution_hours) FILTER (WHERE resolution_hours >= q1 - 1.5 * (q3 - q1)),
           max(resolution_hours) FILTER (WHERE resolution_hours <= q3 + 1.5 * (q3 - q1)),
           count(*) FILTER (WHERE resolution_hours < q1 - 1.5 * (q3 - q1) OR resolution_hours > q3 + 1.5 * (q3 - q1))
    FROM helpdesk_ticket AS t WHERE t.priority = c.priority
) AS w ORDER BY priority
"""
AGES = """
SELECT count(*) FILTER (WHERE age < 0), count(*) FILTER (WHERE age >= 0 AND age < 30),
       count(*) FILTER (WHERE age >= 30 AND age < 60), count(*) FILTER (WHERE age >= 60 AND age < 90),
       count(*) FILTER (WHERE age >= 90)
FROM (SELECT date '2026-07-01' - (opened_at AT TIME ZONE 'UTC')::date AS age FROM helpdesk_ticket) AS t
"""


class Hours(Histogram):
    """Hours in 20 buckets of equal width."""

    source = Ticket
    value = "resolution_hours"
    buckets = 20


class EdgedHours(Histogram):
    """Hours between edges."""

    source = Ticket
    value = "resolution_hours"
    edges = EDGES


class Promised(Percentiles):
    """Hours of each department."""

    source = Ticket
    value = "resolution_hours"
    dimensions = ("department",)


class Boxes(BoxPlot):
    """Hours of each priority."""

    source = Ticket
    value = "resolution_hours"
    dimensions = ("priority",)


class Ages(Ageing):
    """Ages of all tickets."""

    source = Ticket
    date_field = "opened_at"
    as_of = TODAY
    time_zone = "UTC"


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand, and most against the ORM."""
    load(ROWS, io.StringIO())
    execute("VACUUM ANALYZE helpdesk_ticket")
    known: list[tuple[str, type[Any], str, Callable[[], object] | None]] = [
        ("histogram", Hours, HISTOGRAM, _histogram),
        ("histogram of edges", EdgedHours, EDGED, _edged),
        ("percentiles by department", Promised, PERCENTILES, _percentiles),
        ("box plot by priority", Boxes, BOXES, None),
        ("ageing", Ages, AGES, _ages),
    ]
    for name, report, sql, orm in known:
        yield compare(f"{name}, {ROWS:,} tickets / by hand", run(report), lambda sql=sql: execute(sql))  # type: ignore[misc]
        if orm:
            yield compare(f"{name}, {ROWS:,} tickets / the ORM", run(report), orm, runs=5)


def _histogram() -> object:
    """The ends in one statement, and the count of each whole number of widths in another."""
    tickets = Ticket.objects.filter(resolution_hours__isnull=False)
    ends = tickets.aggregate(low=Min("resolution_hours"), high=Max("resolution_hours"))
    place = Floor(
        (Cast("resolution_hours", FloatField()) - float(ends["low"])) * 20 / float(ends["high"] - ends["low"])
    )
    return list(tickets.values(bucket=Least(place, 19.0)).annotate(rows=Count("pk")).order_by("bucket"))


def _edged() -> object:
    """A condition for each bucket."""
    cases = [When(resolution_hours__lt=edge, then=Value(number)) for number, edge in enumerate(EDGES)]
    bucket = Case(*cases, default=Value(len(EDGES)), output_field=IntegerField())
    tickets = Ticket.objects.filter(resolution_hours__isnull=False)
    return list(tickets.values(bucket=bucket).annotate(rows=Count("pk")).order_by("bucket"))


def _percentiles() -> object:
    """All values, cut in Python: the ORM has no percentile."""
    groups: dict[int, list[float]] = defaultdict(list)
    tickets = Ticket.objects.filter(resolution_hours__isnull=False)
    for department, value in tickets.values_list("department_id", Cast("resolution_hours", FloatField())).iterator():
        groups[department].append(value)
    return {
        department: statistics.quantiles(values, n=100, method="inclusive")
        for department, values in groups.items()
        if len(values) > 1
    }


def _ages() -> object:
    """A count with a filter for each bucket."""
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(days=1)
    ends = [None, *(midnight - timedelta(days=days) for days in (0, 30, 60, 90)), None]
    filters = {
        f"bucket_{number}": Count("pk", filter=_between(high, low)) for number, (low, high) in enumerate(pairwise(ends))
    }
    return Ticket.objects.aggregate(**filters)


def _between(start: datetime | None, end: datetime | None) -> Any:
    bounds = {name: value for name, value in (("opened_at__gte", start), ("opened_at__lt", end)) if value}
    return Q(**bounds)
