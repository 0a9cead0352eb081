"""The time series against an oracle that counts row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Avg, Count, Max, Q, Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.prebuilt import Fill, Period, PeriodTotals, Ratio
from tests.models import Sale
from tests.sales import days, near, sales, stored, zones

Facts = Sequence[Mapping[str, Any]]

METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "share": Ratio("priced", "count"),
}


class Totals(PeriodTotals):
    name = "tests.totals"
    source = Sale
    date_field = "at"
    period = list(Period)
    metrics = METRICS


def first_day(day: date, period: Period, week_start: int, fiscal_start: int) -> date:
    """Walk back to the day on which a period begins."""
    begins = {
        Period.DAY: lambda each: True,
        Period.WEEK: lambda each: each.isoweekday() == week_start,
        Period.ISO_WEEK: lambda each: each.isoweekday() == 1,
        Period.MONTH: lambda each: each.day == 1,
        Period.QUARTER: lambda each: each.day == 1 and each.month in (1, 4, 7, 10),
        Period.YEAR: lambda each: (each.month, each.day) == (1, 1),
        Period.FISCAL_QUARTER: lambda each: each.day == 1 and (each.month - fiscal_start) % 3 == 0,
        Period.FISCAL_YEAR: lambda each: (each.month, each.day) == (fiscal_start, 1),
    }[period]
    while not begins(day):
        day -= timedelta(days=1)
    return day


def figures(facts: Facts) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    quantities = [fact["quantity"] for fact in facts if fact["quantity"] is not None]
    return {
        "count": len(facts),
        "priced": len(amounts),
        "total": sum(amounts, Decimal()) if amounts else None,
        "mean": near(sum(amounts, Decimal()) / len(amounts)) if amounts else None,
        "most": max(quantities, default=None),
        "share": near(Decimal(len(amounts)) / len(facts)) if facts else None,
    }


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    zone=zones,
    period=st.sampled_from([period for period in Period if period is not Period.HOUR]),
    week_start=st.integers(1, 7),
    fiscal_start=st.integers(1, 12),
)
def test_totals_are_those_of_the_oracle(facts, zone, period, week_start, fiscal_start):
    groups = defaultdict(list)
    for fact in facts:
        if fact["at"] is not None:
            day = first_day(fact["at"].astimezone(zone).date(), period, week_start, fiscal_start)
            groups[day].append(fact)
    report = type("Days", (Totals,), {"period": period, "week_start": week_start, "fiscal_start": fiscal_start})

    with stored(facts), timezone.override(zone):
        rows = list(report().run())

    assert rows == [{"period": day, **figures(groups[day])} for day in sorted(groups)]


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=sales(), zone=zones, first=days, length=st.integers(0, 40), fill=st.sampled_from(Fill))
def test_filled_grid_is_that_of_the_oracle(facts, zone, first, length, fill):
    end = first + timedelta(days=length)
    report = type(
        "Filled", (Totals,), {"period": Period.WEEK, "start": first, "end": end, "fill": fill, "dimensions": ["kind"]}
    )
    weeks = sorted({first_day(first + timedelta(days=each), Period.WEEK, 1, 1) for each in range(length)})
    groups = defaultdict(list)
    for fact in facts:
        if fact["at"] is not None and first <= (day := fact["at"].astimezone(zone).date()) < end:
            groups[first_day(day, Period.WEEK, 1, 1), fact["kind"]].append(fact)
    expected = {}
    for kind in {kind for _, kind in groups}:
        shown = dict.fromkeys(METRICS)
        for week in weeks:
            if (week, kind) in groups:
                shown = figures(groups[week, kind])
            elif fill != Fill.LAST:
                shown = dict.fromkeys(METRICS)
            if (week, kind) not in groups and fill == Fill.ZERO:
                shown = {**shown, "count": 0, "priced": 0, "total": 0}
            expected[week, kind] = shown

    with stored(facts), timezone.override(zone):
        rows = list(report().run())

    assert {(row.pop("period"), row.pop("kind")): row for row in rows} == expected
