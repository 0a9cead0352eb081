"""The reports about customers against SQL by hand and the ORM's best; ``PREBUILT_ROWS`` is the number of visits."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, Q
from django.db.models.functions import TruncMonth

from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from example_project.dashboards import loading as dashboards
from example_project.dashboards.models import Visit
from example_project.helpdesk import loading as helpdesk
from example_project.shop import loading as shop
from reports.prebuilt import RFM, CohortRetention, CustomerStates, Funnel, LifetimeValue, Sessions

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
START, END = date(2024, 7, 1), date(2026, 7, 1)
FROM, TO = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (START, END))
HOUR = timedelta(hours=1)

RETENTION = """
WITH active AS (
    SELECT customer_id, date_trunc('month', at AT TIME ZONE 'UTC')::date AS month
    FROM dashboards_visit WHERE at < '2026-07-01Z' GROUP BY 1, 2
),
aged AS (SELECT min(month) OVER (PARTITION BY customer_id) AS cohort, month FROM active)
SELECT cohort, month, count(*) FROM aged WHERE cohort >= '2024-07-01' GROUP BY 1, 2 ORDER BY 1, 2
"""
WORTH = """
WITH active AS (
    SELECT customer_id, date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, count(*) AS steps
    FROM dashboards_visit WHERE at < '2026-07-01Z' GROUP BY 1, 2
),
aged AS (SELECT min(month) OVER (PARTITION BY customer_id) AS cohort, month, steps FROM active)
SELECT cohort, month, sum(sum(steps)) OVER (PARTITION BY cohort ORDER BY month)
FROM aged WHERE cohort >= '2024-07-01' GROUP BY 1, 2 ORDER BY 1, 2
"""
STATES = """
WITH active AS (
    SELECT customer_id, date_trunc('month', at AT TIME ZONE 'UTC')::date AS month
    FROM dashboards_visit WHERE at < '2026-07-01Z' GROUP BY 1, 2
),
moves AS (
    SELECT month, lag(month) OVER own AS before, lead(month) OVER own AS after
    FROM active WINDOW own AS (PARTITION BY customer_id ORDER BY month)
)
SELECT month, count(*), count(*) FILTER (WHERE before IS NULL),
       count(*) FILTER (WHERE before < month - interval '1 month'),
       lag(count(*) FILTER (WHERE after IS NULL OR after > month + interval '1 month')) OVER (ORDER BY month)
FROM moves GROUP BY 1 ORDER BY 1
"""
FUNNEL = """
WITH events AS (
    SELECT customer_id, at, id, step FROM dashboards_visit
    WHERE at >= '2024-07-01Z' AND at < '2026-07-01Z' AND step IN ('look', 'basket', 'order')
),
first AS (
    SELECT *, max(CASE WHEN step = 'look' THEN at END) OVER before AS looked
    FROM events
    WINDOW before AS (PARTITION BY customer_id ORDER BY at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
second AS (
    SELECT *, max(CASE WHEN step = 'basket' AND at - looked <= interval '1 hour' THEN at END) OVER before AS filled
    FROM first
    WINDOW before AS (PARTITION BY customer_id ORDER BY at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT count(DISTINCT customer_id) FILTER (WHERE step = 'look'),
       count(DISTINCT customer_id) FILTER (WHERE step = 'basket' AND at - looked <= interval '1 hour'),
       count(DISTINCT customer_id) FILTER (WHERE step = 'order' AND at - filled <= interval '1 hour')
FROM second
"""
SESSIONS = """
WITH begun AS (
    SELECT customer_id, at, at - lag(at) OVER own > interval '30 minutes' AS begins
    FROM dashboards_visit WINDOW own AS (PARTITION BY customer_id ORDER BY at)
),
numbered AS (
    SELECT customer_id, at, count(*) FILTER (WHERE begins IS NOT FALSE) OVER own AS number
    FROM begun WINDOW own AS (PARTITION BY customer_id ORDER BY at)
)
SELECT customer_id, number, min(at), max(at), max(at) - min(at), count(*) FROM numbered GROUP BY 1, 2 ORDER BY 1, 2
"""
SCORES = """
WITH rows AS (
    SELECT customer_id, date '2026-07-01' - (max(at) AT TIME ZONE 'UTC')::date AS recency, count(*) AS frequency,
           count(*) FILTER (WHERE step = 'order') AS orders
    FROM dashboards_visit WHERE at < '2026-07-01Z' GROUP BY 1
),
tiles AS (
    SELECT *, ntile(5) OVER (ORDER BY recency DESC) AS r, ntile(5) OVER (ORDER BY frequency) AS f,
           ntile(5) OVER (ORDER BY orders) AS m
    FROM rows
)
SELECT customer_id, recency, frequency, orders, min(r) OVER (PARTITION BY recency),
       min(f) OVER (PARTITION BY frequency), min(m) OVER (PARTITION BY orders)
FROM tiles ORDER BY customer_id
"""


class OfVisits:
    """What the customers did in two years, in months."""

    source = Visit
    actor = "customer"
    date_field = "at"
    start: Any = START
    end: Any = END
    period = "month"
    time_zone = "UTC"


class Kept(OfVisits, CohortRetention):
    """Retention by month."""


class Worth(OfVisits, LifetimeValue):
    """Steps by cohort."""

    monetary = Count("pk")


class States(OfVisits, CustomerStates):
    """States by month."""


class Way(OfVisits, Funnel):
    """Three steps, each at most an hour after the one before."""

    steps = {"look": Q(step="look"), "basket": Q(step="basket"), "order": Q(step="order")}
    within = HOUR


class Stays(OfVisits, Sessions):
    """Sessions of the whole table."""

    start = end = None


class Scores(OfVisits, RFM):
    """Scores of all customers."""

    start = None
    monetary = Count("pk", filter=Q(step="order"))


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand, or against the ORM, or both."""
    helpdesk.load(ROWS // 4 * shop.TICKETS_PER_ORDER, io.StringIO())
    shop.load(ROWS // 4, io.StringIO())
    dashboards.load(io.StringIO())
    execute("VACUUM ANALYZE dashboards_visit")
    known: list[tuple[str, type[Any], str, Callable[[], object] | None]] = [
        ("retention", Kept, RETENTION, _retention),
        ("lifetime value", Worth, WORTH, None),
        ("states", States, STATES, None),
        ("funnel", Way, FUNNEL, _funnel),
        ("sessions", Stays, SESSIONS, _sessions),
        ("RFM", Scores, SCORES, _scores),
    ]
    for name, report, sql, orm in known:
        yield compare(f"{name}, {ROWS:,} visits / by hand", run(report), lambda sql=sql: execute(sql))  # type: ignore[misc]
        if orm:
            yield compare(f"{name}, {ROWS:,} visits / the ORM", run(report), orm)


def _retention() -> object:
    """Cohorts in one statement and activity in another, put together in Python."""
    visits = Visit.objects.filter(at__lt=TO)
    first = dict(
        visits.values("customer_id")
        .annotate(first=Min(TruncMonth("at", tzinfo=UTC)))
        .values_list("customer_id", "first")
    )
    counts: dict[Any, int] = defaultdict(int)
    active = visits.values_list("customer_id", TruncMonth("at", tzinfo=UTC)).distinct()
    for customer, month in active:
        counts[first[customer], month] += 1
    return counts


def _funnel() -> object:
    """A chain of sub-queries: the first event of each step after the one before."""
    visits = Visit.objects.filter(at__gte=FROM, at__lt=TO)
    looks = visits.filter(step="look")
    own = {"customer": OuterRef("customer")}
    baskets = visits.filter(step="basket").annotate(
        came=Exists(looks.filter(**own, at__lt=OuterRef("at"), at__gte=OuterRef("at") - HOUR))
    )
    orders = visits.filter(step="order").annotate(
        came=Exists(baskets.filter(**own, came=True, at__lt=OuterRef("at"), at__gte=OuterRef("at") - HOUR))
    )
    return [
        rows.aggregate(count=Count("customer", distinct=True))["count"]
        for rows in (looks, baskets.filter(came=True), orders.filter(came=True))
    ]


def _sessions() -> object:
    """All events in their order, cut in Python: a window over a window is not the ORM's."""
    found: dict[Any, list[Any]] = defaultdict(list)
    last: dict[int, Any] = {}
    numbers: dict[int, int] = defaultdict(int)
    for customer, at in Visit.objects.order_by("customer_id", "at").values_list("customer_id", "at").iterator():
        if customer not in last or at - last[customer] > timedelta(minutes=30):
            numbers[customer] += 1
        last[customer] = at
        found[customer, numbers[customer]].append(at)
    return {key: (min(times), max(times), len(times)) for key, times in found.items()}


def _scores() -> object:
    """Grouped by the ORM, scored in Python."""
    orders = Count("pk", filter=Q(step="order"))
    rows = (
        Visit.objects.filter(at__lt=TO).values("customer_id").annotate(last=Max("at"), count=Count("pk"), orders=orders)
    )
    found = list(rows.order_by("customer_id"))
    for name in ("last", "count", "orders"):
        for place, row in enumerate(sorted(found, key=lambda row, name=name: row[name])):
            row[f"{name}_score"] = 1 + 5 * place // len(found)
    return found
