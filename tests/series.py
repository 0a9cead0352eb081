"""What the tests of the time series share: metrics, counted slowly, and a calendar that is walked step by step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, Max, Q, Sum
from hypothesis import strategies as st

from reports import Report
from reports.prebuilt import Period, Ratio
from tests.sales import days, near, near_instants, sales, zones

Facts = Sequence[Mapping[str, Any]]

METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "amount": Sum("amount"),  # called like a field that others read
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "share": Ratio("priced", "count"),
}
ADDED = ("count", "priced", "amount")
NOTHING = {"count": 0, "priced": 0, "amount": 0, "mean": None, "most": None, "share": None}

DAYS = [period for period in Period if period is not Period.HOUR]


def figures(facts: Facts) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    quantities = [fact["quantity"] for fact in facts if fact["quantity"] is not None]
    return {
        "count": len(facts),
        "priced": len(amounts),
        "amount": sum(amounts, Decimal()) if amounts else None,
        "mean": near(sum(amounts, Decimal()) / len(amounts)) if amounts else None,
        "most": max(quantities, default=None),
        "share": near(Decimal(len(amounts)) / len(facts)) if facts else None,
    }


def zeroed(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics with 0 for the counts and sums that have no value."""
    return {name: 0 if name in ADDED and value is None else value for name, value in figures.items()}


@dataclass(frozen=True)
class Days:
    """A zone, and periods in it: found by walking."""

    zone: tzinfo
    period: Period
    week_start: int = 1
    fiscal_start: int = 1

    def of(self, instant: datetime) -> Any:
        """Return the period of an instant."""
        local = instant.astimezone(self.zone)
        if self.period is Period.HOUR:
            return instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return self.first(local.date())

    def first(self, day: date) -> date:
        """Walk back to the day on which a period begins."""
        begins: dict[Period, Callable[[date], bool]] = {
            Period.DAY: lambda each: True,
            Period.WEEK: lambda each: each.isoweekday() == self.week_start,
            Period.ISO_WEEK: lambda each: each.isoweekday() == 1,
            Period.MONTH: lambda each: each.day == 1,
            Period.QUARTER: lambda each: each.day == 1 and each.month in (1, 4, 7, 10),
            Period.YEAR: lambda each: (each.month, each.day) == (1, 1),
            Period.FISCAL_QUARTER: lambda each: each.day == 1 and (each.month - self.fiscal_start) % 3 == 0,
            Period.FISCAL_YEAR: lambda each: (each.month, each.day) == (self.fiscal_start, 1),
        }
        while not begins[self.period](day):
            day -= timedelta(days=1)
        return day

    def beginning(self, bound: date) -> datetime:
        """Walk to the first instant of a day; an instant is its own."""
        if isinstance(bound, datetime):
            return bound
        instant = datetime(bound.year, bound.month, bound.day, tzinfo=UTC) - timedelta(days=1)
        while instant.astimezone(self.zone).date() < bound:
            instant += timedelta(minutes=15)
        return instant

    def between(self, start: date, end: date) -> list[Any]:
        """Return the periods of which a part lies in a range, by asking instants that are less than one apart."""
        step = timedelta(minutes=15) if self.period is Period.HOUR else timedelta(hours=6)
        return sorted({self.of(instant) for instant in steps(self.beginning(start), self.beginning(end), step)})

    def groups(self, facts: Facts, start: date | None, end: date | None) -> dict[tuple[Any, Any], list[Any]]:
        """Return the rows of a range by period and kind."""
        low = datetime.min.replace(tzinfo=UTC) if start is None else self.beginning(start)
        high = datetime.max.replace(tzinfo=UTC) if end is None else self.beginning(end)
        found = defaultdict(list)
        for fact in facts:
            if fact["at"] is not None and low <= fact["at"] < high:
                found[self.of(fact["at"]), fact["kind"]].append(fact)
        return found


def steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """Yield instants of a range, so far apart, and its last."""
    instant = start
    while instant < end:
        yield instant
        instant += step
    if start < end:
        yield end - timedelta(microseconds=1)


def make_sales(number: int = 20_000) -> None:
    """Put in sales of two years, an index and statistics, so that plans are those of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tests_sale (kind, amount, at)"
            " SELECT chr(97 + i %% 3), i %% 7, timestamptz '2024-01-01Z' + i * interval '50 minutes'"
            " FROM generate_series(1, %s) AS i",
            [number],
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("CREATE INDEX sale_at ON tests_sale (at)")
        cursor.execute("ANALYZE tests_sale")


@st.composite
def cases(draw: st.DrawFn, periods: Sequence[Period] = DAYS, longest: int = 20) -> tuple[Facts, Days, date, date]:
    """Return rows around a day, periods, and a range near it, whose ends may lie within a day."""
    day = draw(days)
    facts = draw(sales(at=st.one_of(st.none(), near_instants(day), near_instants(day - timedelta(days=7)))))
    found = Days(draw(zones), draw(st.sampled_from(periods)), draw(st.integers(1, 7)), draw(st.integers(1, 12)))
    first = day - timedelta(days=draw(st.integers(0, longest)))
    last = first + timedelta(days=draw(st.integers(0, longest)))
    start, end = (draw(st.one_of(st.just(each), _within(each))) for each in (first, last))
    if found.beginning(start) > found.beginning(end):
        start, end = end, start
    return facts, found, start, end


def _within(day: date) -> st.SearchStrategy[datetime]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return st.integers(-720, 720).map(lambda minutes: noon + timedelta(minutes=minutes))


def rows_of(report: type[Report], params: Mapping[str, Any] | None = None) -> dict[tuple[Any, Any], dict[str, Any]]:
    """Return the rows of a report by period and kind, of which each is there once."""
    rows: list[dict[str, Any]] = list(report().run(params))
    found = {(row.pop("period"), row.pop("kind", None)): row for row in rows}
    assert len(found) == len(rows)
    return found


def options(days: Days, **others: Any) -> dict[str, Any]:
    """Return the attributes of a report for such periods."""
    return {
        "period": days.period,
        "week_start": days.week_start,
        "fiscal_start": days.fiscal_start,
        "time_zone": days.zone,
        **others,
    }
