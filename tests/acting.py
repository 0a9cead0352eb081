"""Random events of a few buyers, for the reports that ask what each of them did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from hypothesis import strategies as st

from reports.prebuilt import Period
from tests.sales import amounts, stored, zones

Facts = Sequence[Mapping[str, Any]]

BUYERS = [{"id": number, "name": f"buyer {number}"} for number in range(1, 5)]
PERIODS = (Period.DAY, Period.WEEK, Period.MONTH)
# Around each of these, clocks change in some zone of ``tests.sales``, a day is missing or a year has 53 weeks.
_DAYS = (
    date(2025, 10, 26),
    date(2026, 3, 8),
    date(2018, 11, 4),
    date(2024, 2, 29),
    date(2011, 12, 30),
    date(2021, 1, 3),
)

anchors = st.sampled_from(_DAYS)
buyers = st.sampled_from([1, 1, 1, 2, 2, 3, 4, None])


@dataclass(frozen=True)
class Case:
    """Facts, and how a report looks at them. ``dimension`` is the only one there is, or None."""

    facts: Facts
    zone: ZoneInfo
    period: Period
    field: str
    dimension: str | None
    start: date
    end: date

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of a report's class."""
        dimensions = [self.dimension] if self.dimension else []
        given = {"date_field": self.field, "period": self.period, "dimensions": dimensions}
        return {**given, "start": self.start, "end": self.end}

    @property
    def shown(self) -> list[date]:
        """The periods that have a day of the range."""
        return self.periods(self.start, self.end)

    def periods(self, start: date, end: date) -> list[date]:
        """Return the periods that have a day from one on and before another; the one that Samoa left out is none."""
        days = [start + timedelta(days=each) for each in range((end - start).days)]
        left_out = date(2011, 12, 30) if self.field == "at" and str(self.zone) == "Pacific/Apia" else None
        return sorted({floor(day, self.period) for day in days if day != left_out})

    def day(self, fact: Mapping[str, Any]) -> date:
        """Return the date of a fact in the zone."""
        value = fact[self.field]
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    def begin(self, fact: Mapping[str, Any]) -> date:
        """Return the first day of the period of a fact."""
        return floor(self.day(fact), self.period)

    def parts(self) -> Iterator[tuple[tuple[Any, ...], dict[int, Facts]]]:
        """Yield each value of the dimension, and the facts that have it by buyer; without one all of them."""
        known = [fact for fact in self.facts if fact["buyer_id"] is not None and fact[self.field] is not None]
        values = {fact[self.dimension] for fact in known} if self.dimension else {None}
        for value in values:
            part = [fact for fact in known if self.dimension is None or fact[self.dimension] == value]
            by_buyer = {buyer: [each for each in part if each["buyer_id"] == buyer] for buyer in range(1, 5)}
            yield (value,) if self.dimension else (), {buyer: own for buyer, own in by_buyer.items() if own}


@st.composite
def cases(draw: st.DrawFn, dimensions: Sequence[str | None] = ("kind", None)) -> Case:
    """Return a case around a day: a range that begins before or after it, and events before, in and after the range."""
    anchor = draw(anchors)
    start = anchor + timedelta(days=draw(st.integers(-20, 5)))
    end = start + timedelta(days=draw(st.integers(0, 50)))
    zone = draw(zones)
    period, field = draw(st.sampled_from(PERIODS)), draw(st.sampled_from(["at", "day"]))
    return Case(draw(events(anchor)), zone, period, field, draw(st.sampled_from(dimensions)), start, end)


def events(anchor: date) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return lists of the values of sales within 45 days of a day: of few buyers, each field NULL at times."""
    noon = datetime(anchor.year, anchor.month, anchor.day, 12, tzinfo=UTC)
    hours = st.integers(-24 * 45, 24 * 45)
    at = sometimes(hours.map(lambda each: noon + timedelta(hours=each, minutes=30 * (each % 2))))
    fields = {"buyer_id": buyers, "at": at, "kind": st.sampled_from(["a", "b", None]), "amount": amounts}
    rows = several(st.fixed_dictionaries(fields))
    return rows.map(lambda found: [{**row, "day": row["at"] and row["at"].date()} for row in found])


def sometimes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that seldom gives None."""
    return st.one_of(values, values, values, values, st.none())


def several(values: st.SearchStrategy[Any], most: int = 24) -> st.SearchStrategy[list[Any]]:
    """Return lists of every length as often: those of hypothesis are short."""
    return st.integers(0, most).flatmap(lambda count: st.lists(values, min_size=count, max_size=count))


def floor(day: date, period: Period) -> date:
    """Return the first day of the period that holds a day."""
    if period == Period.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == Period.MONTH else day


@contextmanager
def many() -> Iterator[None]:
    """Put so many sales and visits into the tables that their plans are those of large tables."""
    people = [
        {"id": number, "name": "", "region": "ab"[number % 2], "joined": date(2025, 1, 9)} for number in range(1, 99)
    ]
    days = [datetime(2025, 1 + number % 3, 9, number % 24, tzinfo=UTC) for number in range(3_000)]
    acts = [{"buyer_id": number % 97 + 1, "at": at} for number, at in enumerate(days)]
    sold = [{**act, "kind": "ab"[number % 2], "amount": number} for number, act in enumerate(acts)]
    seen = [{**act, "step": "abc"[number % 3]} for number, act in enumerate(acts)]
    with stored(sold, visits=seen, buyers=people), connection.cursor() as cursor:
        cursor.execute("ANALYZE tests_sale, tests_visit, tests_buyer")
        yield
