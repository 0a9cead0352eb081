"""The funnel against an oracle that tries every chain of events."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db.models import F, Q
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Funnel
from reports.testing import assert_scans
from tests import acting_sql
from tests.acting import BUYERS, Facts, buyers, many, several, sometimes
from tests.models import Buyer, Sale, Visit
from tests.sales import near, stored

NOON = datetime(2025, 10, 25, 12, tzinfo=UTC)  # 13 hours before clocks change in Berlin
STEPS = {"look": Q(step="a"), "basket": Q(step="b"), "order": Q(step="c")}


class Way(Funnel):
    name = "tests.way"
    source = Visit
    actor = "buyer"
    date_field = "at"
    steps = STEPS


def variant(**attributes: Any) -> Any:
    return type("Way", (Way,), attributes)


def visits(*events: tuple[int, str | None]) -> list[dict[str, Any]]:
    """Return the visits of the first buyer: minutes after noon, and the step."""
    return [{"buyer_id": 1, "step": step, "at": NOON + timedelta(minutes=minutes)} for minutes, step in events]


def ways(facts: Facts, steps: list[frozenset[str]], within: timedelta | None) -> list[timedelta | None]:
    """Return, for each step that one buyer came to, how long after the step before that was when they came first."""
    order = sorted(range(len(facts)), key=lambda place: (facts[place]["at"], place))
    came = [place for place in order if facts[place]["step"] in steps[0]]
    found: list[timedelta | None] = [None] if came else []
    for step in steps[1:]:
        waits = {}
        for place in order:
            before = [each for each in came if order.index(each) < order.index(place)]
            if facts[place]["step"] in step and before:
                wait = facts[place]["at"] - max(facts[each]["at"] for each in before)
                if within is None or wait <= within:
                    waits[place] = wait
        if not waits:
            break
        came = list(waits)
        found.append(waits[came[0]])
    return found


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    facts=several(
        st.fixed_dictionaries(
            {
                "buyer_id": buyers,
                "step": st.sampled_from(["a", "b", "c", None]),
                "at": sometimes(st.integers(-4, 100).map(lambda each: NOON + timedelta(minutes=20 * each))),
            }
        )
    ),
    steps=st.lists(st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=2), min_size=2, max_size=4),
    within=st.none() | st.integers(1, 60).map(lambda each: timedelta(minutes=20 * each)),
    dimension=st.sampled_from(["buyer__region", None]),
    regions=st.lists(st.sampled_from(["north", None]), min_size=4, max_size=4),
)
def test_funnel_is_that_of_the_oracle(facts, steps, within, dimension, regions):
    named = {f"step {number}": Q(step__in=step) for number, step in enumerate(steps)}
    report = variant(steps=named, within=within, start=NOON, dimensions=[dimension] if dimension else [])
    known = [fact for fact in facts if fact["buyer_id"] and fact["at"] and fact["at"] >= NOON]
    known = [fact for fact in known if any(fact["step"] in step for step in steps)]
    parts: dict[Any, list[list[timedelta | None]]] = {} if dimension else {None: []}
    for buyer in {fact["buyer_id"] for fact in known}:
        own = [fact for fact in known if fact["buyer_id"] == buyer]
        parts.setdefault(regions[buyer - 1] if dimension else None, []).append(ways(own, steps, within))
    expected = {}
    for region, found in parts.items():
        for place, name in enumerate(named):
            counts = [sum(len(way) > each for way in found) for each in range(len(steps))]
            took = sorted(wait for way in found if len(way) > place and (wait := way[place]) is not None)
            expected[place + 1, region] = {
                "step": name,
                "actors": counts[place],
                "share_of_first": near(Decimal(counts[place]) / counts[0]) if counts[0] else None,
                "share_of_previous": near(Decimal(counts[place]) / counts[place - 1])
                if place and counts[place - 1]
                else None,
                "median_time": (took[(len(took) - 1) // 2] + took[len(took) // 2]) / 2 if took else None,
            }

    with stored(visits=facts, buyers=[{**buyer, "region": each} for buyer, each in zip(BUYERS, regions, strict=True)]):
        rows = list(report().run())

    assert {(row.pop("position"), row.pop("buyer_region", None)): row for row in rows} == expected


def test_funnel_is_this_sql():
    query = variant(within=timedelta(hours=1), dimensions=["buyer__region"])().query()

    assert query.sql.split() == acting_sql.FUNNEL.split()
    assert query.params == (
        *("a", True, False, "b", True, False, "c", True, False, "a", "b", "c"),
        *(timedelta(hours=1), timedelta(hours=1), "look", 2, "basket", 3, "order"),
    )


@pytest.mark.django_db
def test_events_are_read_once():
    with many():
        assert_scans(Way().run(), {Visit: 1})
        assert_scans(variant(dimensions=["buyer__region"], within=timedelta(1))().run(), {Visit: 1, Buyer: 1})


@pytest.mark.django_db
@pytest.mark.parametrize("materialized", [True, False])
def test_events_are_materialized_as_asked(materialized):
    plan = variant(materialized=materialized)().run().plan()

    assert ("CTE events" in {node.label for node in plan.nodes}) is materialized


@pytest.mark.django_db
def test_steps_without_anyone_are_rows():
    assert list(Way().run().values_list("position", "step", "actors", "share_of_first", "median_time")) == [
        (1, "look", 0, None, None),
        (2, "basket", 0, None, None),
        (3, "order", 0, None, None),
    ]


@pytest.mark.django_db
def test_second_attempt_counts():
    """A buyer who looks, leaves, and comes back the next day: drizzle-cube follows the first look only."""
    facts = visits((0, "a"), (1500, "a"), (1510, "b"), (1520, "c"))

    with stored(visits=facts, buyers=BUYERS):
        rows = list(variant(within=timedelta(hours=1))().run())

    assert [row["actors"] for row in rows] == [1, 1, 1]
    assert [row["median_time"] for row in rows] == [None, timedelta(minutes=10), timedelta(minutes=10)]


@pytest.mark.django_db
def test_event_is_one_step_only():
    """Two looks in a row need two events: a join of times that are the same or later, as Cube's, would find one."""
    report = variant(steps={"once": Q(step="a"), "again": Q(step="a")})

    with stored(visits=visits((0, "a")), buyers=BUYERS):
        assert [row["actors"] for row in report().run()] == [1, 0]
    with stored(visits=visits((0, "a"), (0, "a")), buyers=BUYERS):
        assert [row["actors"] for row in report().run()] == [1, 1]


@pytest.mark.django_db
def test_key_decides_at_one_instant():
    with stored(visits=visits((0, "a"), (0, "b"), (0, "c")), buyers=BUYERS):
        assert [row["actors"] for row in Way().run()] == [1, 1, 1]
    with stored(visits=visits((0, "b"), (0, "a")), buyers=BUYERS):
        assert [row["actors"] for row in Way().run()] == [1, 0, 0]


@pytest.mark.django_db
def test_day_of_the_limit_has_24_hours():
    """Berlin's night has 25 in between."""
    facts = visits((0, "a"), (24 * 60, "b"), (48 * 60 + 1, "c"))

    with stored(visits=facts, buyers=BUYERS):
        rows = list(variant(within=timedelta(days=1), time_zone="Europe/Berlin")().run())

    assert [row["actors"] for row in rows] == [1, 1, 0]
    assert rows[1]["median_time"] == timedelta(days=1)


@pytest.mark.django_db
def test_steps_may_be_of_dates():
    facts = [{"buyer_id": 1, "kind": kind, "day": date(2025, 1, day)} for kind, day in (("a", 1), ("b", 1), ("b", 9))]
    steps = {"a": Q(kind="a"), "b": Q(kind="b"), "again": Q(kind="b")}
    report = variant(source=Sale, date_field="day", steps=steps, within=timedelta(days=8))

    with stored(facts, buyers=BUYERS):
        rows = list(report().run())

    assert [row["actors"] for row in rows] == [1, 1, 1]
    assert [row["median_time"] for row in rows] == [None, timedelta(0), timedelta(days=8)]


@pytest.mark.django_db
def test_step_may_be_any_condition():
    steps = {"priced": Q(amount__gt=F("quantity")) & ~Q(kind="gift"), "north": Q(buyer__region="north") | Q(kind=None)}
    at = {"at": NOON, "buyer_id": 1}
    facts = [{**at, "amount": 5, "quantity": 2}, {**at, "kind": "x"}, {**at, "kind": None}]

    with stored(facts, buyers=BUYERS):
        rows = list(variant(source=Sale, steps=steps)().run())

    assert [row["actors"] for row in rows] == [1, 1]


@pytest.mark.django_db
def test_dimension_may_be_called_like_a_step():
    report = variant(dimensions={"step_2": "step", "of_step_1": "step"})

    with stored(visits=visits((0, "a"), (0, "b")), buyers=BUYERS):
        rows = list(report().run().filter(actors=1).values_list("position", "step_2", "of_step_1"))

    assert rows == [(1, "a", "a")]


@pytest.mark.django_db
def test_limit_of_a_request_counts():
    class Params(forms.Form):
        within = forms.DurationField(required=False)

    report = variant(Params=Params)()

    with stored(visits=visits((0, "a"), (30, "b")), buyers=BUYERS):
        assert [row["actors"] for row in report.run({"within": "00:20:00"})] == [1, 0, 0]
        assert [row["actors"] for row in report.run()] == [1, 1, 0]
    with pytest.raises(ParamsError, match="It must be a timedelta above 0, or None"):
        report.run({"within": timedelta()})


@pytest.mark.django_db
def test_dimensions_of_a_request_divide_the_actors():
    class Params(forms.Form):
        dimensions = forms.MultipleChoiceField(choices=[("region", "region"), ("name", "name")], required=False)

    report = variant(Params=Params, dimensions={"region": "buyer__region", "name": "buyer__name"})()
    people = [{**buyer, "region": region} for buyer, region in zip(BUYERS, ["a", "b", None, None], strict=True)]
    facts = [{"buyer_id": number, "step": "a", "at": NOON} for number in range(1, 5)]

    with stored(visits=facts, buyers=people):
        rows = list(report.run({"dimensions": ["region"]}))

    assert [(row["region"], row["name"], row["actors"]) for row in rows if row["position"] == 1] == [
        ("a", None, 1),
        ("b", None, 1),
        (None, None, 2),
    ]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"steps": [Q(step="a"), Q(step="b")]}, "it must be a dict of steps by name: a Q for each."),
        ({"steps": {"a": Q(step="a"), "b": Q()}}, "it must be a dict of steps by name: a Q for each."),
        ({"steps": {"a": Q(step="a"), 2: Q(step="b")}}, "it must be a dict of steps by name: a Q for each."),
        ({"within": 60}, "Way.within is 60; it must be a timedelta above 0, or None."),
    ],
)
def test_wrong_attribute_is_refused_with_its_class(attributes, problem):
    with pytest.raises(TypeError, match=re.escape(problem)):
        variant(**attributes)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"steps": {"a": Q(step="a")}}, "Way: steps must be two or more, and there is 1."),
        ({"steps": {"a": Q(stap="a"), "b": Q(step="b")}}, "Way: step 'a': there is no field 'stap'"),
        ({"steps": {"a": Q(step="a"), "b": Q(step__lik="b")}}, "Way: step 'b': 'b': Unsupported lookup 'lik'"),
        ({"steps": {"a": Q(step="a"), "b": Q(buyer__sales__kind="b")}}, "Way: step 'b' leads to many rows"),
        ({"dimensions": {"key": "step"}}, "Way: no dimension may be called 'key'"),
        (
            {"source": Buyer, "actor": "name", "date_field": "name"},
            "Way: date_field 'name' is a CharField, and no date.",
        ),
    ],
)
def test_wrong_declaration_is_refused(attributes, problem):
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        variant(**attributes).get_columns()
