"""Totals per period against an oracle that counts row by row."""

from __future__ import annotations

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.prebuilt import Fill, Period, PeriodTotals
from tests.models import Sale
from tests.sales import sales, stored, zones
from tests.series import DAYS, METRICS, NOTHING, Days, cases, figures, options, rows_of, zeroed


class Totals(PeriodTotals):
    name = "tests.totals"
    source = Sale
    date_field = "at"
    period = list(Period)
    metrics = METRICS


@pytest.mark.django_db
@settings(max_examples=50)
@given(facts=sales(), zone=zones, period=st.sampled_from(DAYS), week_start=st.integers(1, 7), month=st.integers(1, 12))
def test_totals_of_an_open_range_are_those_of_the_oracle(facts, zone, period, week_start, month):
    days = Days(zone, period, week_start, month)
    report = type("Days", (Totals,), {"dimensions": ["kind"], **options(days, time_zone=None)})

    with stored(facts), timezone.override(zone):
        found = rows_of(report)

    assert found == {key: figures(group) for key, group in days.groups(facts, None, None).items()}


@pytest.mark.django_db
@settings(max_examples=60)
@given(case=cases(), fill=st.sampled_from([None, *Fill]), by_kind=st.booleans())
def test_totals_of_a_range_are_those_of_the_oracle(case, fill, by_kind):
    facts, days, start, end = case
    facts = facts if by_kind else [{**fact, "kind": None} for fact in facts]
    dimensions = ["kind"] if by_kind else []
    report = type("Range", (Totals,), options(days, start=start, end=end, fill=fill, dimensions=dimensions))

    with stored(facts):
        found = rows_of(report)

    assert found == filled(days, days.groups(facts, start, end), days.between(start, end), fill, by_kind=by_kind)


@pytest.mark.django_db
@settings(max_examples=30)
@given(case=cases([Period.HOUR], longest=2), fill=st.sampled_from([None, *Fill]))
def test_hours_are_those_of_the_oracle(case, fill):
    facts, days, start, end = case
    report = type("Hours", (Totals,), options(days, start=start, end=end, fill=fill, dimensions=["kind"]))

    with stored(facts):
        found = rows_of(report)

    assert found == filled(days, days.groups(facts, start, end), days.between(start, end), fill, by_kind=True)


def filled(days, groups, periods, fill, *, by_kind):
    """Return the rows of a filled grid."""
    if fill is None:
        return {key: figures(group) for key, group in groups.items()}
    found = {}
    for kind in {kind for _, kind in groups} if by_kind else {None}:
        before = dict.fromkeys(METRICS)
        for period in periods:
            if (period, kind) in groups:
                shown = before = figures(groups[period, kind])
            else:
                shown = {Fill.ZERO: NOTHING, Fill.NULL: dict.fromkeys(METRICS), Fill.LAST: before}[fill]
            found[period, kind] = zeroed(shown) if fill == Fill.ZERO else shown
    return found
