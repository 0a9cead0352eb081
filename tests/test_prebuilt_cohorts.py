"""Retention and lifetime value by cohort, against an oracle that looks at each buyer alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, Max, Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import CohortRetention, CustomerStates, FirstEvent, LifetimeValue, Period, Retention
from reports.testing import assert_scans
from tests import acting_sql
from tests.acting import BUYERS, Case, Facts, cases, floor, many
from tests.models import Buyer, Sale, Visit
from tests.sales import near, stored


class Kept(CohortRetention):
    name = "tests.kept"
    source = Sale
    actor = "buyer"
    date_field = "at"
    start = date(2025, 1, 1)
    end = date(2025, 4, 1)


class States(CustomerStates):
    name = "tests.states_of_cohorts"
    source = Sale
    actor = "buyer"
    date_field = "at"
    period = Period.MONTH


class Earned(LifetimeValue):
    name = "tests.earned"
    source = Sale
    actor = "buyer"
    date_field = "at"
    start = date(2025, 1, 1)
    end = date(2025, 4, 1)
    monetary = Sum("amount")


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def cohorts_of(case: Case, own: Mapping[int, Facts], first: FirstEvent) -> dict[date, list[list[tuple[int, Any]]]]:
    """Return, by cohort, the facts of each buyer in it with their ages."""
    found: dict[date, list[list[tuple[int, Any]]]] = {cohort: [] for cohort in case.shown}
    for facts in own.values():
        known = [fact for fact in facts if case.day(fact) < case.end]
        known = [fact for fact in known if first == FirstEvent.EVER or case.day(fact) >= case.start]
        if known and min(map(case.day, known)) >= case.start:
            cohort = min(map(case.begin, known))
            age = case.shown.index(cohort)
            found[cohort].append([(case.shown.index(case.begin(fact)) - age, fact) for fact in known])
    return found


def is_active(ages: set[int], age: int, kind: Retention) -> bool:
    return age in ages if kind == Retention.CLASSIC else max(ages, default=-1) >= age


def triangle(case: Case, last_age: int | None) -> list[tuple[date, int]]:
    """Return every cohort and age."""
    count = len(case.shown)
    every = [(cohort, age) for place, cohort in enumerate(case.shown) for age in range(count - place)]
    return [(cohort, age) for cohort, age in every if last_age is None or age <= last_age]


def keyed(rows: Any, case: Case) -> dict[Any, dict[str, Any]]:
    """Return rows by cohort, age and dimension, each once."""
    names = ["cohort", "age", *([case.dimension] if case.dimension else [])]
    found = {tuple(row.pop(name) for name in names): row for row in rows}
    assert len(found) == len(rows)
    return found


last_ages = st.sampled_from([None, 0, 2])


@pytest.mark.django_db
@settings(max_examples=40)
@given(case=cases(), kind=st.sampled_from(Retention), first=st.sampled_from(FirstEvent), last_age=last_ages)
def test_retention_is_that_of_the_oracle(case, kind, first, last_age):
    expected = {}
    for key, own in case.parts():
        cohorts = cohorts_of(case, own, first)
        if case.dimension and not any(cohorts.values()):
            continue
        for cohort, age in triangle(case, last_age):
            size = len(cohorts[cohort])
            active = sum(is_active({each for each, _ in facts}, age, kind) for facts in cohorts[cohort])
            share = near(Decimal(active) / size) if size else None
            expected[cohort, age, *key] = {"size": size, "active": active, "share": share}
    report = variant(Kept, **case.attributes, kind=kind, first=first, last_age=last_age)

    with stored(case.facts, buyers=BUYERS), timezone.override(case.zone):
        rows = list(report().run())

    assert keyed(rows, case) == expected


@pytest.mark.django_db
@settings(max_examples=40)
@given(case=cases(), first=st.sampled_from(FirstEvent), last_age=last_ages)
def test_value_is_that_of_the_oracle(case, first, last_age):
    expected = {}
    for key, own in case.parts():
        cohorts = cohorts_of(case, own, first)
        if case.dimension and not any(cohorts.values()):
            continue
        for cohort, age in triangle(case, last_age):
            size = len(cohorts[cohort])
            paid = [(when, fact["amount"] or 0) for facts in cohorts[cohort] for when, fact in facts]
            value = sum(amount for when, amount in paid if when == age)
            running = Decimal(sum(amount for when, amount in paid if when <= age))
            mean = near(running / size) if size else None
            expected[cohort, age, *key] = {"size": size, "value": value, "running": running, "per_actor": mean}
    report = variant(Earned, **case.attributes, first=first, last_age=last_age)

    with stored(case.facts, buyers=BUYERS), timezone.override(case.zone):
        rows = list(report().run())

    assert keyed(rows, case) == expected


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    case=cases(dimensions=[None]),
    kind=st.sampled_from(Retention),
    joined=st.lists(st.none() | st.integers(-9, 60), min_size=4, max_size=4),
)
def test_cohorts_of_those_who_joined_are_those_of_the_oracle(case, kind, joined):
    days = {number: case.start + timedelta(days=each) for number, each in enumerate(joined, 1) if each is not None}
    buyers = [{**buyer, "joined": days.get(number)} for number, buyer in enumerate(BUYERS, 1)]
    ((_, own),) = case.parts()
    expected, earned = {}, {}
    for cohort, age in triangle(case, None):
        members = [each for each, day in days.items() if case.start <= day < case.end]
        members = [each for each in members if floor(days[each], case.period) == cohort]
        facts = [[fact for fact in own.get(each, ()) if case.start <= case.day(fact) < case.end] for each in members]
        place = case.shown.index(cohort)
        aged = [[(case.shown.index(case.begin(fact)) - place, fact) for fact in each] for each in facts]
        active = sum(is_active({when for when, _ in each if when >= 0}, age, kind) for each in aged)
        share = near(Decimal(active) / len(members)) if members else None
        expected[cohort, age] = {"size": len(members), "active": active, "share": share}
        earned[cohort, age] = sum(fact["amount"] or 0 for each in aged for when, fact in each if 0 <= when <= age)
    report = variant(Kept, **case.attributes, kind=kind, actors=Buyer, joined="joined")
    value = variant(Earned, **case.attributes, actors=Buyer, joined="joined")

    with stored(case.facts, buyers=buyers), timezone.override(case.zone):
        rows, values = list(report().run()), list(value().run())

    assert keyed(rows, case) == expected
    assert {key: row["running"] for key, row in keyed(values, case).items()} == earned


def test_retention_is_this_sql():
    query = variant(Kept, dimensions=["kind"], kind=Retention.ROLLING, last_age=3, time_zone="UTC")().query()

    assert query.sql.split() == acting_sql.RETENTION.split()
    assert query.params[:2] == ("UTC", datetime(2025, 4, 1, tzinfo=UTC))
    assert query.params[-2:] == (datetime(2025, 1, 1, tzinfo=UTC), 3)


def test_retention_of_members_is_this_sql():
    query = variant(Kept, actors=Buyer, joined="joined", time_zone="UTC")().query()

    assert query.sql.split() == acting_sql.MEMBERS.split()


def test_value_is_this_sql():
    assert variant(Earned, time_zone="UTC")().query().sql.split() == acting_sql.VALUE.split()


@pytest.mark.django_db
def test_tables_are_read_once():
    with many():
        assert_scans(Kept().run(), {Sale: 1})
        assert_scans(variant(Kept, dimensions=["kind"], kind=Retention.ROLLING)().run(), {Sale: 1})
        assert_scans(variant(Kept, actors=Buyer, joined="joined")().run(), {Sale: 1, Buyer: 1})
        assert_scans(variant(Earned, dimensions=["kind"])().run(), {Sale: 1})


@pytest.mark.django_db
@pytest.mark.parametrize("report", [Kept, Earned])
@pytest.mark.parametrize("materialized", [True, False])
def test_facts_are_materialized_as_asked(report, materialized):
    plan = variant(report, materialized=materialized)().run().plan()

    assert ("CTE facts" in {node.label for node in plan.nodes}) is materialized


@pytest.mark.django_db
def test_who_came_before_the_range_is_in_no_cohort_unless_asked():
    facts = [
        {"buyer_id": 1, "at": datetime(2024, 12, 31, tzinfo=UTC)},
        {"buyer_id": 1, "at": datetime(2025, 1, 9, tzinfo=UTC)},
    ]

    with stored(facts, buyers=BUYERS):
        ever = variant(Kept, last_age=0)().run()
        in_range = variant(Kept, last_age=0, first=FirstEvent.IN_RANGE)().run()

        assert [row["size"] for row in ever] == [0, 0, 0]
        assert [row["size"] for row in in_range] == [1, 0, 0]


@pytest.mark.django_db
def test_who_came_in_the_hour_that_came_twice_is_in_the_cohort_of_its_day():
    """In Newfoundland one minute of the 29th was before the last hour of the 28th."""
    minutes = {1: [30], 2: [45], 3: [90], 4: [30, 45]}  # the 29th, the 28th, the 29th, both
    begin = datetime(2006, 10, 29, 2, tzinfo=UTC)
    at = [{"buyer_id": buyer, "at": begin + timedelta(minutes=each)} for buyer, own in minutes.items() for each in own]
    bounds = {"start": date(2006, 10, 29), "end": date(2006, 11, 1), "time_zone": "America/St_Johns"}

    with stored(at, buyers=BUYERS):
        (kept,) = variant(Kept, **bounds)().run()
        (earned,) = variant(Earned, **bounds, monetary=Count("pk"))().run()
        (states,) = variant(States, **bounds)().run()

    assert (kept["size"], earned["size"], earned["value"]) == (2, 2, 2)
    assert (states["active"], states["new"]) == (3, 2)


@pytest.mark.django_db
def test_who_joined_and_did_nothing_counts():
    people = [{"id": number, "name": "", "joined": date(2025, 1, 9)} for number in (1, 2, 3)]
    facts = [{"buyer_id": 1, "at": datetime(2025, month, 20, tzinfo=UTC), "amount": 6} for month in (1, 3)]

    with stored(facts, buyers=people):
        rows = list(variant(Kept, actors=Buyer, joined="joined")().run())[:3]
        values = list(variant(Earned, actors=Buyer, joined="joined")().run())[:3]

    assert [(row["age"], row["size"], row["active"]) for row in rows] == [(0, 3, 1), (1, 3, 0), (2, 3, 1)]
    assert [(row["age"], row["running"], row["per_actor"]) for row in values] == [(0, 6, 2), (1, 6, 2), (2, 12, 4)]


@pytest.mark.django_db
def test_actors_are_those_that_the_user_may_see():
    class Seen(Kept):
        actors = Buyer
        joined = "joined"

        def get_source(self):
            return Sale.objects.filter(buyer__region=self.user)

        def get_actors(self):
            return Buyer.objects.filter(region=self.user)

    people = [
        {"id": number, "name": "", "joined": date(2025, 1, 9), "region": region}
        for number, region in enumerate("abb", 1)
    ]
    facts = [{"buyer_id": number, "at": datetime(2025, 1, 20, tzinfo=UTC)} for number in (1, 2)]

    with stored(facts, buyers=people):
        (row, *_) = Seen(user="b").run()

    assert (row["size"], row["active"]) == (2, 1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "get_actors() gave a NoneType; it must give a model or a QuerySet."),
        (Sale.objects.all(), "get_actors() gave rows of tests.Sale; it must give those of tests.Buyer."),
        (Buyer.objects.using("other"), "get_actors() gave a QuerySet of the database 'other'"),
    ],
)
def test_other_actors_are_refused(given, problem):
    class Seen(Kept):
        actors = Buyer
        joined = "joined"

        def get_actors(self):
            return given

    with pytest.raises(DeclarationError, match=re.escape(f"Seen: {problem}")):
        Seen().query()


@pytest.mark.django_db
def test_who_joined_may_be_known_by_an_instant():
    """Each sale is its own actor, and joined when it was made: no zone may move either of the two alone."""
    report = variant(Kept, actor="id", actors=Sale, joined="at", period=Period.DAY, end=date(2025, 1, 3))
    at = datetime(2025, 1, 2, 2, tzinfo=UTC)  # the first of January in Newfoundland

    with stored([{"at": at}]):
        rows = list(report().run())

    assert [(row["cohort"].day, row["age"], row["size"], row["active"]) for row in rows] == [
        (1, 0, 1, 1),
        (1, 1, 1, 0),
        (2, 0, 0, 0),
    ]


@pytest.mark.django_db
def test_values_over_a_relation_to_many_are_added_once():
    shelves = [{"id": 1, "name": "top"}]
    facts = [{"shelf_id": 1, "amount": 2}, {"shelf_id": 1, "amount": 3}]
    visits = [{"buyer_id": 1, "at": datetime(2025, 1, 5, tzinfo=UTC)}]
    report = variant(Earned, source=Visit, monetary=Sum("buyer__sales__amount"), last_age=0)

    with stored([{**fact, "buyer_id": 1} for fact in facts], visits=visits, buyers=BUYERS, shelves=shelves):
        (first, *_) = report().run()

    assert (first["size"], first["value"], first["per_actor"]) == (1, 5, 5)


@pytest.mark.django_db
def test_request_chooses_the_kind_and_the_period():
    class Params(forms.Form):
        kind = forms.CharField(required=False)
        period = forms.CharField(required=False)

    report = variant(Kept, Params=Params, period=[Period.MONTH, Period.QUARTER])()

    assert report.run({"kind": "rolling", "period": "quarter"}).count() == 1
    assert report.run().count() == 6
    with pytest.raises(ParamsError, match="It must be one of classic, rolling"):
        report.run({"kind": "loose"})
    with pytest.raises(ParamsError, match="It must be one of month, quarter"):
        report.run({"period": "year"})


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"kind": "bounded"}, "Kept.kind is 'bounded'; it must be one of classic, rolling."),
        ({"first": "now"}, "Kept.first is 'now'; it must be one of ever, in_range."),
        ({"period": "hour"}, "Kept.period is 'hour'; it must be one of day, week, iso_week, month, quarter, year"),
        ({"metrics": {"n": Count("pk")}}, "it must be left out: the report has none."),
        ({"last_age": -1}, "Kept.last_age is -1; it must be a whole number from 0 to 10000, or None."),
        ({"actors": "buyers"}, "Kept.actors is 'buyers'; it must be a model or a QuerySet."),
    ],
)
def test_wrong_attribute_is_refused_with_its_class(attributes, problem):
    with pytest.raises(TypeError, match=re.escape(problem)):
        variant(Kept, **attributes)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"actor": ""}, "Kept: actor is not set; name the path from an event to who acts."),
        ({"actor": "byer"}, "Kept: actor 'byer': there is no field 'byer'"),
        ({"source": Buyer, "actor": "sales", "date_field": "joined"}, "Kept: actor 'sales': leads to many rows"),
        ({"end": None}, "Kept: a triangle of cohorts needs a start and an end, or last"),
        ({"dimensions": {"period": "kind"}}, "Kept: no dimension may be called 'period'; give it another name"),
        ({"joined": "joined"}, "Kept: actors and joined belong together"),
        ({"actors": Buyer}, "Kept: actors and joined belong together"),
        ({"actors": Buyer, "joined": "joined", "dimensions": ["kind"]}, "Kept: dimensions are of events"),
        ({"actors": Buyer, "joined": "name"}, "Kept: joined 'name' is a CharField, and no date."),
        ({"actors": Buyer, "joined": "born"}, "Kept: joined: there is no field 'born'"),
        ({"actors": Sale, "joined": "day"}, "Kept: actors are tests.Sale, to which actor 'buyer' does not lead."),
    ],
)
def test_wrong_declaration_is_refused(attributes, problem):
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        variant(Kept, **attributes).get_columns()


@pytest.mark.parametrize(
    ("monetary", "problem"),
    [
        (None, 'Earned: monetary is not set; give it an aggregate, such as Sum("amount").'),
        (Max("kind"), "Earned: monetary is a text, and no number."),
        (Avg("amount"), "it must be a Sum or a Count: periods are added."),
        (Count("kind", distinct=True), "it must be a Sum or a Count: periods are added."),
        (Sum("amout"), "Earned: metric 'monetary': there is no field 'amout'"),
    ],
)
def test_value_that_does_not_add_up_is_refused(monetary, problem):
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        variant(Earned, monetary=monetary).get_columns()


def test_spine_without_end_is_refused():
    report = variant(Kept, start=date(1900, 1, 1), period=Period.DAY)

    with pytest.raises(ParamsError, match="The range has 45746 periods"):
        report().run()
