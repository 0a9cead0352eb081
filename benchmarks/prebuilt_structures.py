"""The reports about structures and processes against SQL by hand and the ORM; ``PREBUILT_ROWS`` is how many rows."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Count, Max, Q, Sum, Window
from django.db.models.functions import Lead

from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from example_project.dashboards import loading as dashboards
from example_project.dashboards.models import StatusChange, Visit
from example_project.helpdesk import loading as helpdesk
from example_project.helpdesk.models import Ticket
from example_project.shop import loading as shop
from reports.prebuilt import ActiveAsOf, ActiveUsers, TimeInStatus, TreeRollup

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
RUNS = 5 if ROWS <= 100_000 else 1  # a query for each day takes minutes
START, END = date(2025, 1, 1), date(2026, 1, 1)
DAYS = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=each) for each in range(365)]

# A tenth as many nodes as facts, each below one of an eighth of its number: a depth of up to 6.
CREATE = """
DROP TABLE IF EXISTS benchmark_facts, benchmark_nodes;
CREATE UNLOGGED TABLE benchmark_nodes (id bigint PRIMARY KEY, parent_id bigint);
INSERT INTO benchmark_nodes SELECT i, nullif(i / 8, 0) FROM generate_series(1, {nodes}) AS i;
CREATE INDEX ON benchmark_nodes (parent_id);
CREATE UNLOGGED TABLE benchmark_facts (id bigint PRIMARY KEY, node_id bigint NOT NULL, amount numeric(10,2) NOT NULL);
INSERT INTO benchmark_facts
SELECT i, 1 + mod(i * 7919, {nodes}), mod(i, 1000) FROM generate_series(1::bigint, {rows}) AS i;
VACUUM ANALYZE benchmark_nodes;
VACUUM ANALYZE benchmark_facts
"""
PAIRS = """
WITH RECURSIVE pairs AS (
    SELECT id AS ancestor, id FROM benchmark_nodes
    UNION ALL SELECT p.ancestor, n.id FROM pairs AS p JOIN benchmark_nodes AS n ON n.parent_id = p.id
),
facts AS (SELECT node_id, count(*) AS count, sum(amount) AS total FROM benchmark_facts GROUP BY node_id)
SELECT p.ancestor, sum(f.count), sum(f.total) FROM pairs AS p LEFT JOIN facts AS f ON f.node_id = p.id GROUP BY 1
"""
STATUSES = """
WITH intervals AS (
    SELECT status, coalesce(lead(at) OVER (PARTITION BY ticket_id ORDER BY at, id), '2026-07-01Z') - at AS time
    FROM dashboards_statuschange WHERE at < '2026-07-01Z'
)
SELECT status, count(*), sum(time), avg(time), percentile_cont(0.5) WITHIN GROUP (ORDER BY time),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY time)
FROM intervals GROUP BY status
"""
RANGE_JOIN = """
SELECT d, count(t.id), count(t.id) FILTER (WHERE t.priority = 5)
FROM generate_series(timestamptz '2025-01-01Z', '2025-12-31Z', '1 day') AS d
LEFT JOIN helpdesk_ticket AS t
    ON t.opened_at < d + interval '1 day' AND (t.closed_at IS NULL OR t.closed_at >= d + interval '1 day')
GROUP BY d
"""
LATERAL = """
SELECT d, f.*
FROM generate_series(timestamptz '2025-01-01Z', '2025-12-31Z', '1 day') AS d
CROSS JOIN LATERAL (
    SELECT count(*), max(priority) FROM helpdesk_ticket AS t
    WHERE t.opened_at < d + interval '1 day' AND (t.closed_at IS NULL OR t.closed_at >= d + interval '1 day')
) AS f
"""
ANEW = """
SELECT d, w.*
FROM generate_series(timestamptz '2025-01-01Z', '2025-12-31Z', '1 day') AS d
CROSS JOIN LATERAL (
    SELECT count(DISTINCT customer_id) FILTER (WHERE at >= d),
           count(DISTINCT customer_id) FILTER (WHERE at >= d - interval '6 days'), count(DISTINCT customer_id)
    FROM dashboards_visit WHERE at >= d - interval '29 days' AND at < d + interval '1 day'
) AS w
"""
SPREAD = """
WITH days AS (
    SELECT DISTINCT customer_id, (at AT TIME ZONE 'UTC')::date AS day FROM dashboards_visit
    WHERE at >= '2024-12-03Z' AND at < '2026-01-01Z'
)
SELECT day + i, count(DISTINCT customer_id) FILTER (WHERE i = 0), count(DISTINCT customer_id) FILTER (WHERE i < 7),
       count(DISTINCT customer_id)
FROM days CROSS JOIN generate_series(0, 29) AS i
WHERE day + i >= '2025-01-01' AND day + i < '2026-01-01' GROUP BY 1
"""


class BenchmarkNode(models.Model):
    """A tree."""

    parent = models.ForeignKey("self", models.DO_NOTHING, null=True, related_name="children")

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_nodes"

    def __str__(self) -> str:
        return f"Node {self.pk}"


class BenchmarkFact(models.Model):
    """What is counted at its nodes."""

    node = models.ForeignKey(BenchmarkNode, models.DO_NOTHING, related_name="facts")
    amount = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_facts"

    def __str__(self) -> str:
        return f"Fact {self.pk}"


class Tree(TreeRollup):
    """Facts below each node."""

    source = BenchmarkNode
    metrics = {"count": Count("facts"), "total": Sum("facts__amount")}


class Statuses(TimeInStatus):
    """The whole log."""

    source = StatusChange
    subject = "ticket"
    status = "status"
    date_field = "at"
    as_of = datetime(2026, 7, 1, tzinfo=UTC)


class Open(ActiveAsOf):
    """Tickets at the end of each day of a year, added where they come and subtracted where they go."""

    source = Ticket
    start_field = "opened_at"
    end_field = "closed_at"
    metrics: ClassVar[Any] = {"count": Count("pk"), "urgent": Count("pk", filter=Q(priority=5))}
    start = START
    end = END
    time_zone = "UTC"


class Most(Open):
    """The same with a metric that is merged for each day."""

    metrics = {"count": Count("pk"), "most": Max("priority")}


class Users(ActiveUsers):
    """Customers of each day of a year."""

    source = Visit
    actor = "customer"
    date_field = "at"
    start = START
    end = END
    time_zone = "UTC"


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand, and against the ORM."""
    _load()
    known: list[tuple[str, type[Any], str, Callable[[], object]]] = [
        ("tree / pairs by hand", Tree, PAIRS, _tree),
        ("time in status / by hand", Statuses, STATUSES, _statuses),
        ("active as of / a join by range", Open, RANGE_JOIN, _open),
        ("active as of, a maximum / LATERAL", Most, LATERAL, _open),
        ("active users / counted anew", Users, ANEW, _users),
        ("active users / spread over 30 days", Users, SPREAD, _users),
    ]
    for name, report, sql, orm in known:
        subject = name.partition(" / ")[0]
        yield compare(f"{name}, {ROWS:,} rows", run(report), lambda sql=sql: execute(sql), runs=RUNS)  # type: ignore[misc]
        if name != known[-1][0]:
            yield compare(f"{subject} / the ORM, {ROWS:,} rows", run(report), orm, runs=RUNS)


def _load() -> None:
    helpdesk.load(ROWS, io.StringIO())
    shop.load(ROWS // 4, io.StringIO())
    dashboards.load(io.StringIO())
    for statement in CREATE.format(rows=ROWS, nodes=ROWS // 10).split(";"):
        execute(statement)
    for table in ("helpdesk_ticket", "dashboards_statuschange", "dashboards_visit"):
        execute(f"VACUUM ANALYZE {table}")


def _tree() -> object:
    """Facts by node, added up in Python from the last node to the first: its parents come before a node."""
    rows = BenchmarkNode._default_manager.annotate(count=Count("facts"), total=Sum("facts__amount")).order_by("-pk")
    found: dict[int | None, list[Any]] = defaultdict(lambda: [0, 0])
    for pk, parent, count, total in rows.values_list("pk", "parent_id", "count", "total"):
        own = found[pk]
        own[0] += count
        own[1] += total or 0
        found[parent][0] += own[0]
        found[parent][1] += own[1]
    return found


def _statuses() -> object:
    """The next change by a window, counted in Python: the ORM does not aggregate over windows."""
    after = Window(Lead("at"), partition_by="ticket_id", order_by=["at", "pk"])
    times: dict[str, list[timedelta]] = defaultdict(list)
    for status, at, until in StatusChange.objects.values_list("status", "at", after).iterator():
        times[status].append((until or Statuses.as_of) - at)
    for found in times.values():
        found.sort()
    return {status: (len(found), sum(found, timedelta()), found[len(found) // 2]) for status, found in times.items()}


def _open() -> object:
    """A query for each day, as slick-reporting's series are made."""
    found = []
    for day in DAYS:
        after = day + timedelta(days=1)
        rows = Ticket.objects.filter(opened_at__lt=after).filter(Q(closed_at=None) | Q(closed_at__gte=after))
        found.append(rows.aggregate(count=Count("pk"), urgent=Count("pk", filter=Q(priority=5)), most=Max("priority")))
    return found


def _users() -> object:
    """A query for each day."""
    found = []
    for day in DAYS:
        rows = Visit.objects.filter(at__gte=day - timedelta(days=29), at__lt=day + timedelta(days=1))
        week = Q(at__gte=day - timedelta(days=6))
        counts = [Count("customer", distinct=True, filter=each) for each in (Q(at__gte=day), week, None)]
        found.append(rows.aggregate(**dict(zip(("daily", "weekly", "monthly"), counts, strict=True))))
    return found
