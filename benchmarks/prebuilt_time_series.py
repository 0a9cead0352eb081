"""The time series against SQL written by hand and the ORM's best; ``PREBUILT_ROWS`` is the table's size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, TruncDate, TruncMonth

from benchmarks.statements import execute, run
from benchmarks.tickets import BenchmarkTicket, create_table
from benchmarks.timing import Comparison, compare
from reports.prebuilt import (
    Against,
    Fill,
    MovingAverage,
    Period,
    PeriodComparison,
    PeriodTotals,
    RunningTotal,
    ToDate,
    WeekdayProfile,
)

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))
START, END = date(2025, 1, 1), date(2026, 1, 1)
AS_OF = date(2025, 11, 15)

TOTALS = """
WITH facts AS (
    SELECT (opened_at AT TIME ZONE 'UTC')::date AS day, status, count(*) AS tickets, sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at >= '2025-01-01Z' AND opened_at < '2026-01-01Z' GROUP BY 1, 2
)
SELECT d::date, s.status, coalesce(f.tickets, 0), coalesce(f.hours, 0)
FROM generate_series(timestamp '2025-01-01', '2025-12-31', '1 day') AS d
CROSS JOIN (SELECT DISTINCT status FROM facts) AS s
LEFT JOIN facts AS f ON f.day = d::date AND f.status = s.status
ORDER BY 1, 2
"""
RUNNING = """
WITH facts AS (
    SELECT CASE WHEN opened_at >= '2025-01-01Z' THEN (opened_at AT TIME ZONE 'UTC')::date END AS day,
           count(*) AS tickets, sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at < '2026-01-01Z' GROUP BY 1
)
SELECT * FROM (
    SELECT day, tickets, sum(tickets) OVER so_far, hours, sum(hours) OVER so_far FROM facts
    WINDOW so_far AS (ORDER BY day NULLS FIRST)
) AS added
WHERE day IS NOT NULL ORDER BY day
"""
MOVING = """
SELECT * FROM (
    SELECT d::date AS day, f.tickets, sum(f.tickets) OVER week / 7, sum(f.hours) OVER week / 7
    FROM generate_series(timestamp '2024-12-26', '2025-12-31', '1 day') AS d
    LEFT JOIN (
        SELECT (opened_at AT TIME ZONE 'UTC')::date AS day, count(*) AS tickets, sum(resolution_hours) AS hours
        FROM benchmark_tickets WHERE opened_at >= '2024-12-26Z' AND opened_at < '2026-01-01Z' GROUP BY 1
    ) AS f ON f.day = d::date
    WINDOW week AS (ORDER BY d ROWS 6 PRECEDING)
) AS averaged
WHERE day >= '2025-01-01' ORDER BY day
"""
COMPARISON = """
WITH facts AS (
    SELECT date_trunc('month', opened_at AT TIME ZONE 'UTC') AS month, count(*) AS tickets,
           sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at >= '2024-01-01Z' AND opened_at < '2026-01-01Z' GROUP BY 1
)
SELECT n.month, n.tickets, b.tickets, n.tickets - b.tickets, n.hours, b.hours, n.hours - b.hours
FROM facts AS n LEFT JOIN facts AS b ON b.month = n.month - interval '1 year'
WHERE n.month >= '2025-01-01' ORDER BY 1
"""
# By day first: the days are few, and each span is a part of them.
TO_DATE = """
WITH days AS (
    SELECT (opened_at AT TIME ZONE 'UTC')::date AS day, count(*) AS tickets, sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at >= '2024-01-01Z' AND opened_at < '2025-11-16Z' GROUP BY 1
)
SELECT s.period, sum(tickets) FILTER (WHERE day >= s.first),
       sum(tickets) FILTER (WHERE day >= s.prior AND day < s.until), sum(hours) FILTER (WHERE day >= s.first),
       sum(hours) FILTER (WHERE day >= s.prior AND day < s.until)
FROM days
CROSS JOIN (VALUES
    ('month', date '2025-11-01', date '2025-10-01', date '2025-10-16'),
    ('quarter', '2025-10-01', '2025-07-01', '2025-08-16'),
    ('year', '2025-01-01', '2024-01-01', '2024-11-16')
) AS s (period, first, prior, until)
GROUP BY s.period
"""
PROFILE = """
SELECT w, h, coalesce(f.tickets, 0), f.hours
FROM generate_series(1, 7) AS w CROSS JOIN generate_series(0, 23) AS h
LEFT JOIN (
    SELECT extract(isodow FROM opened_at AT TIME ZONE 'UTC')::integer AS weekday,
           extract(hour FROM opened_at AT TIME ZONE 'UTC')::integer AS hour,
           count(*) AS tickets, sum(resolution_hours) AS hours
    FROM benchmark_tickets WHERE opened_at >= '2025-01-01Z' AND opened_at < '2026-01-01Z' GROUP BY 1, 2
) AS f ON f.weekday = w AND f.hour = h
ORDER BY 1, 2
"""
METRICS = {"tickets": Count("pk"), "hours": Sum("resolution_hours")}


class Totals(PeriodTotals):
    """Tickets per day and status, gaps filled."""

    source = BenchmarkTicket
    date_field = "opened_at"
    start = START
    end = END
    time_zone = "UTC"
    dimensions = ["status"]
    metrics = METRICS
    fill = Fill.ZERO


class Running(RunningTotal):
    """Tickets so far, per day."""

    source = BenchmarkTicket
    date_field = "opened_at"
    start = START
    end = END
    time_zone = "UTC"
    metrics = METRICS
    opening = True


class Moving(MovingAverage):
    """Tickets per day, and on average over a week."""

    source = BenchmarkTicket
    date_field = "opened_at"
    start = START
    end = END
    time_zone = "UTC"
    metrics = METRICS


class AgainstLastYear(PeriodComparison):
    """Tickets per month, and of the month a year before."""

    source = BenchmarkTicket
    date_field = "opened_at"
    start = START
    end = END
    time_zone = "UTC"
    period = Period.MONTH
    against = Against.YEAR
    metrics = METRICS


class UpToDay(ToDate):
    """Tickets of the month, the quarter and the year to date."""

    source = BenchmarkTicket
    date_field = "opened_at"
    through = AS_OF
    time_zone = "UTC"
    metrics = METRICS


class ByWeekday(WeekdayProfile):
    """Tickets by weekday and hour."""

    source = BenchmarkTicket
    date_field = "opened_at"
    start = START
    end = END
    time_zone = "UTC"
    metrics = METRICS


def measure() -> Iterator[Comparison]:
    """Yield each class against SQL written by hand and the ORM."""
    create_table(ROWS)
    known: list[tuple[str, type[Any], str, Callable[[], object]]] = [
        ("totals per day", Totals, TOTALS, _totals),
        ("running total", Running, RUNNING, _running),
        ("moving average", Moving, MOVING, _moving),
        ("comparison", AgainstLastYear, COMPARISON, _comparison),
        ("to date", UpToDay, TO_DATE, _to_date),
        ("weekday and hour", ByWeekday, PROFILE, _profile),
    ]
    for name, report, sql, orm in known:
        yield compare(f"{name}, {ROWS:,} rows / by hand", run(report), lambda sql=sql: execute(sql))  # type: ignore[misc]
        yield compare(f"{name}, {ROWS:,} rows / the ORM", run(report), orm)


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _between(start: date, end: date = END) -> Any:
    return BenchmarkTicket.objects.filter(opened_at__gte=_instant(start), opened_at__lt=_instant(end))


def _totals() -> object:
    """Return the groups, and a Python loop over days and statuses."""
    groups = (
        _between(START).annotate(day=TruncDate("opened_at", tzinfo=UTC)).values("day", "status").annotate(**METRICS)
    )
    found = {(row["day"], row["status"]): row for row in groups}
    days = [date.fromordinal(day) for day in range(START.toordinal(), END.toordinal())]
    return [found.get((day, status)) for day in days for status in sorted({status for _, status in found})]


def _running() -> object:
    """Add up in Python: the ORM has no window over an aggregate."""
    before = BenchmarkTicket.objects.filter(opened_at__lt=_instant(START)).aggregate(**METRICS)
    days = _between(START).values(day=TruncDate("opened_at", tzinfo=UTC)).annotate(**METRICS).order_by("day")
    return list(accumulate((row["tickets"] for row in days), initial=before["tickets"]))


def _moving() -> object:
    days = _between(date(2024, 12, 26)).values(day=TruncDate("opened_at", tzinfo=UTC)).annotate(**METRICS)
    found = [row["tickets"] for row in days.order_by("day")]
    return [sum(found[index : index + 7]) / 7 for index in range(len(found) - 6)]


def _comparison() -> object:
    return [
        list(_between(*years).values(month=TruncMonth("opened_at", tzinfo=UTC)).annotate(**METRICS).order_by("month"))
        for years in ((START, END), (date(2024, 1, 1), START))
    ]


def _to_date() -> object:
    spans = [
        (date(2025, 11, 1), date(2025, 11, 16)),
        (date(2025, 10, 1), date(2025, 10, 16)),
        (date(2025, 10, 1), date(2025, 11, 16)),
        (date(2025, 7, 1), date(2025, 8, 16)),
        (date(2025, 1, 1), date(2025, 11, 16)),
        (date(2024, 1, 1), date(2024, 11, 16)),
    ]
    return [_between(*span).aggregate(**METRICS) for span in spans]


def _profile() -> object:
    cells = {"weekday": ExtractIsoWeekDay("opened_at", tzinfo=UTC), "hour": ExtractHour("opened_at", tzinfo=UTC)}
    return list(_between(START).values(**cells).annotate(**METRICS).order_by("weekday", "hour"))
