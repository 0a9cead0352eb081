"""Customers' states, and recency, frequency and monetary value, against oracles that look at each buyer alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, Max, Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import RFM, CustomerStates, FirstEvent
from reports.testing import assert_scans
from tests import acting_sql
from tests.acting import BUYERS, Case, Facts, cases, floor, many
from tests.models import Buyer, Sale, Visit
from tests.sales import stored


class States(CustomerStates):
    name = "tests.states"
    source = Sale
    actor = "buyer"
    date_field = "at"
    start = date(2025, 1, 1)
    end = date(2025, 4, 1)


class Scores(RFM):
    name = "tests.scores"
    source = Sale
    actor = "buyer"
    date_field = "at"
    as_of = date(2025, 4, 1)
    monetary = Sum("amount")


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def acts(case: Case, own: Mapping[int, Facts], first: FirstEvent) -> tuple[dict[date, set[int]], dict[date, set[int]]]:
    """Return who is active and who is new in each period of the range, and of the 400 days before it."""
    earlier = case.periods(case.start - timedelta(days=400), case.start)
    every = sorted({*earlier, *case.shown})
    active: dict[date, set[int]] = {each: set() for each in every}
    new: dict[date, set[int]] = {each: set() for each in every}
    for buyer, facts in own.items():
        days = [day for day in map(case.day, facts) if day < case.end]
        days = [day for day in days if first == FirstEvent.EVER or day >= case.start]
        for day in days:
            # The period in which the range begins has only its part that is in the range.
            if day >= case.start or floor(day, case.period) not in case.shown:
                active[floor(day, case.period)].add(buyer)
        if days and min(days) >= case.start:
            new[floor(min(days), case.period)].add(buyer)
    return active, new


@pytest.mark.django_db
@settings(max_examples=40)
@given(case=cases(), first=st.sampled_from(FirstEvent), lapse=st.integers(1, 3))
def test_states_are_those_of_the_oracle(case, first, lapse):
    expected = {}
    for key, own in case.parts():
        active, new = acts(case, own, first)
        every = sorted(active)
        if case.dimension and not any(active[each] for each in every[-len(case.shown) - lapse :]):
            continue
        for each in case.shown:
            place = every.index(each)
            stayed = set().union(*(active[every[place - back]] for back in range(1, lapse + 1)))
            lately = set().union(*(active[every[place - back]] for back in range(lapse)))
            expected[each, *key] = {
                "active": len(active[each]),
                "new": len(new[each]),
                "returning": len(active[each] - new[each]),
                "reactivated": len(active[each] - new[each] - stayed),
                "churned": len(active[every[place - lapse]] - lately),
            }
    report = variant(States, **case.attributes, first=first, lapse=lapse)

    with stored(case.facts, buyers=BUYERS), timezone.override(case.zone):
        rows = list(report().run())

    names = ["period", *([case.dimension] if case.dimension else [])]
    assert {tuple(row.pop(name) for name in names): row for row in rows} == expected
    assert all(row["new"] + row["returning"] == row["active"] for row in rows)
    if lapse == 1 and not case.dimension:
        for before, row in pairwise(rows):
            assert row["active"] == before["active"] - row["churned"] + row["new"] + row["reactivated"]


def test_states_are_this_sql():
    query = variant(States, dimensions=["kind"], lapse=2, time_zone="UTC")().query()

    assert query.sql.split() == acting_sql.STATES.split()
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert query.params == (
        *("UTC", datetime(2025, 4, 1, tzinfo=UTC)),
        *(date(2025, 1, 1), date(2024, 10, 1), date(2025, 4, 1), "1 months", True),
        *(start, 2, 2, date(2025, 1, 1), start, 2, 2),
    )


@pytest.mark.django_db
def test_states_read_the_events_once():
    with many():
        assert_scans(States().run(), {Sale: 1})
        assert_scans(variant(States, dimensions=["kind"])().run(), {Sale: 1})


@pytest.mark.django_db
@pytest.mark.parametrize("report", [States, Scores])
@pytest.mark.parametrize("materialized", [True, False])
def test_facts_are_materialized_as_asked(report, materialized):
    plan = variant(report, materialized=materialized)().run().plan()

    assert ("CTE facts" in {node.label for node in plan.nodes}) is materialized


@pytest.mark.django_db
def test_period_in_which_the_range_begins_has_a_part():
    """The first buyer acts before the range only, the second before and in it: neither is new."""
    days = [(1, 1, 10), (2, 1, 10), (2, 1, 20)]
    facts = [{"buyer_id": buyer, "at": datetime(2025, month, day, tzinfo=UTC)} for buyer, month, day in days]

    with stored(facts, buyers=BUYERS):
        rows = list(variant(States, start=date(2025, 1, 15))().run())

    assert [tuple(row.values())[1:] for row in rows] == [(1, 0, 1, 1, 0), (0, 0, 0, 0, 1), (0, 0, 0, 0, 0)]


@pytest.mark.django_db
def test_lapse_of_a_request_counts():
    class Params(forms.Form):
        lapse = forms.IntegerField(required=False)

    facts = [{"buyer_id": 1, "at": datetime(2025, month, 9, tzinfo=UTC)} for month in (1, 3)]
    report = variant(States, Params=Params)()

    with stored(facts, buyers=BUYERS):
        assert [row["reactivated"] for row in report.run()] == [0, 0, 1]
        assert [row["churned"] for row in report.run()] == [0, 1, 0]
        assert [row["reactivated"] for row in report.run({"lapse": 2})] == [0, 0, 0]
    with pytest.raises(ParamsError, match="a whole number from 1 to 1000"):
        report.run({"lapse": 0})


def test_periods_before_the_calendar_are_refused():
    report = variant(States, start=date(1, 1, 2), end=date(1, 3, 1), time_zone="UTC")

    with pytest.raises(ParamsError, match="too near to the first or the last day"):
        report().run()


def tiles(values: dict[int, Any], scores: int) -> dict[int, int]:
    """Return ntile() of values that are sorted, equal ones all in the lowest tile of theirs."""
    ordered = sorted(values, key=lambda buyer: (values[buyer] is not None, values[buyer] or 0))
    size, more = divmod(len(ordered), scores)
    found: dict[int, int] = {}
    for tile in range(1, scores + 1):
        for _ in range(size + (tile <= more)):
            found[ordered[len(found)]] = tile
    return {buyer: min(found[each] for each in found if values[each] == values[buyer]) for buyer in values}


def scored(values: dict[int, Any], limits: list[Any] | None, scores: int) -> dict[int, int]:
    if limits is None:
        return tiles(values, scores)
    return {buyer: 1 if value is None else 1 + sum(value >= each for each in limits) for buyer, value in values.items()}


some_limits = st.none() | st.sets(st.integers(-50, 50), min_size=2, max_size=2).map(sorted)


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    case=cases(dimensions=[None]),
    as_of=st.integers(-20, 60),
    is_open=st.booleans(),
    limits=st.fixed_dictionaries({"recency": some_limits, "frequency": some_limits, "monetary": some_limits}),
)
def test_scores_are_those_of_the_oracle(case, as_of, is_open, limits):
    start, day = date.min if is_open else case.start, case.start + timedelta(days=as_of)
    recency, frequency, monetary = {}, {}, {}
    for buyer, facts in next(case.parts())[1].items():
        known = [fact for fact in facts if start <= case.day(fact) < day]
        if known:
            recency[buyer] = (day - max(map(case.day, known))).days
            frequency[buyer] = len(known)
            paid = [fact["amount"] for fact in known if fact["amount"] is not None]
            monetary[buyer] = sum(paid, Decimal()) if paid else None
    if limits["recency"]:
        r = {buyer: 3 - sum(value >= each for each in limits["recency"]) for buyer, value in recency.items()}
    else:
        r = tiles({buyer: -value for buyer, value in recency.items()}, 3)
    f, m = scored(frequency, limits["frequency"], 3), scored(monetary, limits["monetary"], 3)
    given_limits = {name: found for name, found in limits.items() if found}
    attributes = {**case.attributes, "start": None if is_open else start, "end": None, "as_of": day}
    report = variant(Scores, **attributes, scores=3, limits=given_limits)

    with stored(case.facts, buyers=BUYERS), timezone.override(case.zone):
        rows = list(report().run())

    assert all(case.day({case.field: row.pop("latest")}) < day for row in rows)
    assert rows == [
        {
            "buyer_id": buyer,
            "recency": recency[buyer],
            "frequency": frequency[buyer],
            "monetary": monetary[buyer],
            "recency_score": r[buyer],
            "frequency_score": f[buyer],
            "monetary_score": m[buyer],
            "cell": f"{r[buyer]}{f[buyer]}{m[buyer]}",
        }
        for buyer in sorted(recency)
    ]


def test_scores_are_this_sql():
    query = variant(Scores, limits={"recency": [30, 90, 180, 365]}, time_zone="UTC")().query()

    assert query.sql.split() == acting_sql.SCORES.split()
    assert query.params[-3:] == (5, 5, [Decimal(30), Decimal(90), Decimal(180), Decimal(365)])


@pytest.mark.django_db
def test_scores_read_the_rows_once():
    with many():
        assert_scans(Scores().run(), {Sale: 1})


@pytest.mark.django_db
def test_equal_values_have_equal_scores():
    """ntile() alone would give the four of them four scores."""
    facts = [{"buyer_id": buyer["id"], "at": datetime(2025, 3, 1, 12, tzinfo=UTC), "amount": 5} for buyer in BUYERS]

    with stored(facts, buyers=BUYERS):
        assert {row["cell"] for row in Scores().run()} == {"111"}


@pytest.mark.django_db
def test_look_is_from_the_end_of_the_range_or_from_today():
    today = timezone.localdate()
    facts = [
        {"buyer_id": 1, "at": timezone.now() - timedelta(days=2)},
        {"buyer_id": 1, "at": timezone.now() + timedelta(days=3)},
    ]

    with stored(facts, buyers=BUYERS):
        (open_,) = variant(Scores, as_of=None)().run()
        (closed,) = variant(Scores, as_of=None, end=today + timedelta(days=1))().run()
        (called,) = variant(Scores, as_of=lambda: today + timedelta(days=9))().run()
        (cut,) = variant(Scores, as_of=today + timedelta(days=9), end=today)().run()

    assert [row["recency"] for row in (open_, closed, called, cut)] == [2, 3, 6, 11]
    assert [row["frequency"] for row in (open_, closed, called, cut)] == [1, 1, 2, 1]


@pytest.mark.parametrize(("value", "kind"), [(datetime(2025, 4, 1), "datetime"), ("2025-04-01", "str")])
def test_function_that_gives_no_moment_is_refused(value, kind):
    with pytest.raises(DeclarationError, match=f"Scores: the function as_of gave a {kind}; it must give a date"):
        variant(Scores, as_of=lambda: value)().query()


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["at", "day"])
def test_day_from_which_one_looks_back_does_not_count(field):
    days = [date(2025, 3, 31), date(2025, 4, 1)]
    facts = [{"buyer_id": 1, "day": day, "at": datetime(day.year, day.month, day.day, tzinfo=UTC)} for day in days]

    with stored(facts, buyers=BUYERS):
        (row,) = variant(Scores, date_field=field, time_zone="UTC")().run()

    assert (row["recency"], row["frequency"]) == (1, 1)


@pytest.mark.django_db
def test_today_counts_where_the_field_holds_dates():
    today = timezone.localdate()
    facts = [{"buyer_id": 1, "day": today}, {"buyer_id": 1, "day": today + timedelta(days=1)}]

    with stored(facts, buyers=BUYERS):
        (row,) = variant(Scores, as_of=None, date_field="day")().run()

    assert (row["latest"], row["recency"], row["frequency"]) == (today, 0, 1)


@pytest.mark.django_db
def test_rows_count_once_where_the_value_is_of_many():
    visit = {"buyer_id": 1, "at": datetime(2025, 3, 1, tzinfo=UTC)}
    report = variant(Scores, source=Visit, monetary=Sum("buyer__sales__amount"))

    with stored([{"buyer_id": 1, "amount": 2}, {"buyer_id": 1, "amount": 3}], visits=[visit], buyers=BUYERS):
        (row,) = report().run()

    assert (row["frequency"], row["monetary"]) == (1, 5)


@pytest.mark.django_db
def test_frequency_and_value_may_be_any_number():
    at = datetime(2025, 3, 1, tzinfo=UTC)
    facts = [
        {"buyer_id": 1, "at": at, "kind": kind, "amount": amount} for kind, amount in (("a", 2), ("a", 3), ("b", None))
    ]
    report = variant(Scores, frequency=Count("kind", distinct=True), monetary=Avg("amount"))

    with stored(facts, buyers=BUYERS):
        (row,) = report().run()

    assert (row["frequency"], row["monetary"]) == (2, Decimal("2.5"))


def test_scores_of_a_request_need_their_limits():
    class Params(forms.Form):
        scores = forms.IntegerField(required=False)

    report = variant(Scores, Params=Params, limits={"recency": [1, 2, 3, 4]})()

    with pytest.raises(ParamsError, match="4 scores need 3 limits, and not so many has recency"):
        report.run({"scores": 4})


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"scores": 10}, "Scores.scores is 10; it must be a whole number from 2 to 9."),
        (
            {"limits": {"recency": [3, 1]}},
            "it must be a dict of lists of rising numbers, by recency, frequency, monetary.",
        ),
        ({"limits": {"money": [1, 2]}}, "it must be a dict of lists of rising numbers"),
        ({"limits": {"monetary": [1, float("nan")]}}, "it must be a dict of lists of rising numbers"),
        ({"monetary": "amount"}, "Scores.monetary is 'amount'; it must be one of Django's aggregates, or None."),
        ({"dimensions": ["kind"]}, "Scores.dimensions is ['kind']; it must be left out: the report has none."),
        ({"as_of": "today"}, "Scores.as_of is 'today'; it must be a date"),
    ],
)
def test_wrong_attribute_is_refused_with_its_class(attributes, problem):
    with pytest.raises(TypeError, match=re.escape(problem)):
        variant(Scores, **attributes)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"monetary": None}, "Scores: monetary is not set"),
        ({"frequency": Max("kind")}, "Scores: frequency is a text, and no number."),
        (
            {"limits": {"recency": [1, 2]}},
            "Scores: limits: 5 scores need 4 limits, and not so many has recency.",
        ),
        (
            {"source": Buyer, "actor": "sales__buyer", "date_field": "joined"},
            "Scores: actor 'sales__buyer': leads to many rows",
        ),
    ],
)
def test_wrong_declaration_is_refused(attributes, problem):
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        variant(Scores, **attributes).get_columns()


def test_states_need_a_closed_range():
    with pytest.raises(DeclarationError, match="States: a filled series needs a start and an end, or last"):
        variant(States, start=None).get_columns()
