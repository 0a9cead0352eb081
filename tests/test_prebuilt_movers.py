"""The biggest movers against an oracle that counts each range by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db.models import Count, Min, Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import ParamsError
from reports.errors import DeclarationError
from reports.prebuilt import BiggestMovers, Direction, Period
from reports.testing import assert_scans
from tests.models import Sale
from tests.ranked import METRICS, dimensions_place, figures, grouped
from tests.sales import days, instants, near, sales, stored, zones

# Where clocks went back at one minute past midnight, into the day before.
TORN = ZoneInfo("America/St_Johns"), date(2006, 10, 29)
around = st.integers(-90, 90).map(
    lambda minutes: datetime(2006, 10, 29, 2, 30, tzinfo=UTC) + timedelta(minutes=minutes)
)


class Movers(BiggestMovers):
    name = "tests.movers"
    source = Sale
    dimensions = ["kind"]
    metrics = METRICS
    date_field = "at"
    start = date(2026, 3, 1)
    end = date(2026, 4, 1)


def made(report: type[Any], **attributes: Any) -> Any:
    return type("Made", (report,), attributes)


def compared(now: Any, before: Any) -> dict[str, Any]:
    """Return the metrics of a group in both ranges; counts and sums of nothing are 0."""
    found = {}
    for name in METRICS:
        nothing = 0 if name in ("count", "priced", "total") else None
        for suffix, values in (("", now), ("_before", before)):
            found[name + suffix] = nothing if values[name] is None else values[name]
    return found


def moved(row: dict[str, Any], by: str, direction: Direction) -> bool:
    """Return whether a group counts, having put its change into the row."""
    now, before = row[by], row[f"{by}_before"]
    if None in (now, before):
        return False
    row["delta"] = now - before
    row["change"] = near(Decimal(now - before) / abs(before)) if before else None
    return bool({Direction.UP: now > before, Direction.DOWN: now < before, Direction.BOTH: now != before}[direction])


def size(row: dict[str, Any], by: str, *, relative: bool) -> Any:
    """Return what sorts changes, the largest first; relative ones from nothing last."""
    change, before = abs(row["delta"]), row[f"{by}_before"]
    if not relative:
        return -change
    return (not before, -Fraction(change) / abs(before) if before else 0, -change)


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(at=st.one_of(st.none(), instants, around)),
    zone=zones | st.just(TORN[0]),
    span=st.tuples(days | st.just(TORN[1]), st.integers(0, 9)),
    other=st.one_of(st.none(), st.tuples(days, st.integers(0, 9))),
    ranking=st.sampled_from(
        [
            (by, relative, direction)
            for by, relative in [("count", False), ("count", True), ("total", False), ("most", False)]
            for direction in Direction
        ]
    ),
    limit=st.integers(1, 4),
)
def test_movers_are_those_of_the_oracle(facts, zone, span, other, ranking, limit):
    (start, length), (by, relative, direction) = span, ranking
    end = start + timedelta(days=length)
    first, number = other or (start - timedelta(days=length), length)
    attributes = {"before_start": first, "before_end": first + timedelta(days=number)} if other else {}
    local = [(fact, fact["at"].astimezone(zone).date()) for fact in facts if fact["at"] is not None]
    now = grouped([fact for fact, day in local if start <= day < end], ["kind"])
    before = grouped([fact for fact, day in local if first <= day < first + timedelta(days=number)], ["kind"])
    rows_by_key = {key: compared(figures(now.get(key, [])), figures(before.get(key, []))) for key in {**now, **before}}
    expected = {key: row for key, row in rows_by_key.items() if moved(row, by, direction)}
    sizes = {key: size(row, by, relative=relative) for key, row in expected.items()}
    ordered = sorted(sizes, key=lambda key: (sizes[key], dimensions_place(key)))[:limit]
    ranked = [(1 + sum(other < sizes[key] for other in sizes.values()), key) for key in ordered]
    report = made(
        Movers, start=start, end=end, by=by, relative=relative, direction=direction, limit=limit, **attributes
    )

    with stored(facts), timezone.override(zone):
        rows = list(report().run())

    assert rows == [{"rank": rank, "kind": key[0], **expected[key]} for rank, key in ranked]


@pytest.mark.parametrize(
    ("attributes", "first"),
    [
        ({}, date(2026, 1, 29)),  # 31 days before March
        ({"period": Period.MONTH}, date(2026, 2, 1)),
        ({"period": Period.QUARTER, "start": date(2026, 4, 1), "end": date(2026, 7, 1)}, date(2026, 1, 1)),
        ({"period": Period.MONTH, "start": date(2026, 3, 2)}, date(2026, 1, 31)),  # no whole month: 30 days
        ({"period": Period.HOUR}, date(2026, 1, 29)),
    ],
)
def test_range_before_has_as_many_periods(attributes, first):
    report = made(Movers, time_zone="UTC", **attributes)()

    before = report.before({}, report.dates({}))

    assert (before.start, before.end_day) == (datetime(first.year, first.month, first.day, tzinfo=UTC), report.start)


def test_range_before_within_a_day_is_as_long():
    start, end = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 15, 30, tzinfo=UTC)
    report = made(Movers, start=start, end=end)()

    before = report.before({}, report.dates({}))

    assert (before.start, before.end) == (datetime(2026, 3, 1, 8, 30, tzinfo=UTC), start)


def test_range_before_the_last_months_is_of_months(monkeypatch):
    report = made(Movers, start=None, end=None, last=2, period=Period.MONTH, time_zone="UTC")()
    dates = report.dates({})

    before = report.before({}, dates)

    assert before.end == dates.range.start
    assert before.first_day == dates.calendar.step_from(dates.range.first_day, -2)


@pytest.mark.django_db
def test_day_before_has_the_hour_that_came_twice():
    zone, day = TORN
    facts = [{"kind": "a", "at": datetime(2006, 10, 29, 2, 45, tzinfo=UTC)}]  # 23:15 of the 28th, for the second time
    report = made(Movers, start=day, end=day + timedelta(days=1), time_zone=zone, metrics={"count": Count("pk")})

    with stored(facts):
        rows = list(report().run().values_list("count", "count_before", "delta"))

    assert rows == [(0, 1, -1)]


@pytest.mark.parametrize("name", ["before_start", "before_end"])
@pytest.mark.parametrize(("value", "kind"), [(datetime(2026, 1, 1), "datetime"), ("2026-01-01", "str")])
def test_function_that_gives_no_moment_is_refused(name, value, kind):
    report = made(Movers, **{"before_start": date(2026, 1, 1), name: lambda: value})

    with pytest.raises(DeclarationError, match=f"Made: the function {name} gave a {kind}; it must give a date"):
        report().query()


def test_range_before_may_be_given_by_its_start_alone():
    report = made(Movers, before_start=lambda: date(2025, 3, 1))()
    dates = report.dates({})

    before = report.before({}, dates)

    assert (before.first_day, before.end) == (date(2025, 3, 1), dates.range.start)


class Asked(forms.Form):
    """What a request may ask for."""

    by = forms.CharField(required=False)
    direction = forms.CharField(required=False)
    relative = forms.NullBooleanField(required=False)
    limit = forms.IntegerField(required=False)
    start = forms.DateField(required=False)
    before_start = forms.DateField(required=False)
    before_end = forms.DateField(required=False)
    metrics = forms.CharField(required=False)
    dimensions = forms.CharField(required=False)


@pytest.mark.django_db
def test_movers_of_a_request():
    facts = [
        {"kind": "a", "amount": 1, "at": datetime(2026, 3, 5, tzinfo=UTC)},
        {"kind": "b", "amount": 9, "at": datetime(2026, 2, 25, tzinfo=UTC)},
        {"kind": "c", "amount": 5, "at": datetime(2026, 3, 5, tzinfo=UTC)},
    ]
    report = made(
        Movers, Params=Asked, dimensions=["kind", "day"], metrics={"count": Count("pk"), "total": Sum("amount")}
    )

    with stored(facts):
        rows = list(
            report().run({"by": "total", "direction": "up", "metrics": "count", "dimensions": "kind", "limit": 1})
        )

    assert rows == [
        {
            "rank": 1,
            "kind": "c",
            "day": None,
            "count": 1,
            "count_before": 0,
            "total": None,
            "total_before": None,
            "delta": 5,
            "change": None,
        }
    ]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            {"by": "totl"},
            "by: It must be one of count, mean, most, priced, rate, total. Did you mean 'total'?",
        ),
        ({"direction": "sideways"}, "direction: It must be one of up, down, both."),
        ({"limit": 0}, "limit: It must be a whole number from 1 to 100000."),
        ({"before_end": "2026-01-01"}, "before_start: It must be given where before_end is."),
        (
            {"before_start": "2026-01-02", "before_end": "2026-01-01"},
            "before_end: It must not be before the before_start.",
        ),
        ({"start": "0001-01-03"}, "start: The range is too near to the first or the last day that a date can be."),
        ({"start": "0500-01-01"}, "start: The range is too near to the first or the last day that a date can be."),
        ({"metrics": "median"}, "metrics: "),
    ],
)
def test_request_that_does_not_fit_is_refused(params, problem):
    report = made(Movers, Params=Asked)

    with pytest.raises(ParamsError) as caught:
        report().query(params)

    assert problem in str(caught.value)


class AskedRange(forms.Form):
    """A range that a request may leave open."""

    start = forms.DateField(required=False)
    end = forms.DateField(required=False)


@pytest.mark.parametrize(("params", "missing"), [({}, "start"), ({"start": "2026-03-01"}, "end")])
def test_range_that_a_request_leaves_open_is_refused(params, missing):
    report = made(Movers, Params=AskedRange, start=None, end=None)

    with pytest.raises(ParamsError, match=f"{missing}: A comparison needs a start and an end."):
        report().query(params)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"date_field": ""}, "Made: date_field is not set; name a date of the source."),
        (
            {"start": None, "end": None},
            "Made: a comparison needs a start and an end, or last: an open range has no last period.",
        ),
        ({"dimensions": []}, "Made: dimensions must be set: there is a row for each group."),
        ({"metrics": {}}, "Made: metrics must be set."),
        (
            {"metrics": {"first": Min("kind"), "count": Count("pk")}},
            "Made: a change is the difference of numbers, and no number is first.",
        ),
        (
            {"by": "cont"},
            "Made: by: There is no 'cont' to rank by (there are: count, mean, most, priced, rate, total).",
        ),
    ],
)
def test_declaration_that_does_not_fit_is_refused(attributes, problem):
    report = made(Movers, **attributes)

    with pytest.raises(DeclarationError) as caught:
        report.get_columns()

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "attributes", [{"direction": "sideways"}, {"relative": 1}, {"limit": 0}, {"before_start": "2026"}, {"by": None}]
)
def test_attribute_that_does_not_fit_is_refused(attributes):
    with pytest.raises(TypeError, match=f"Made.{next(iter(attributes))} is .*; it must be "):
        made(Movers, **attributes)


@pytest.mark.django_db
def test_both_ranges_are_read_in_one_scan():
    assert_scans(Movers().run(), {Sale: 1})


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
@pytest.mark.django_db
def test_facts_are_kept_where_asked(materialized, is_kept):
    plan = made(Movers, materialized=materialized)().run().plan()

    assert any(node.type == "CTE Scan" for node in plan.nodes) is is_kept


def test_change_is_of_the_type_of_what_is_ranked_by():
    asked = made(Movers, Params=Asked)

    assert [column.type for column in Movers.get_columns()[-2:]] == ["bigint", "numeric"]
    assert [column.type for column in asked.get_columns()[-2:]] == [
        "numeric",
        "numeric",
    ]  # a count, or a sum of amounts
