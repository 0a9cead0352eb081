"""Sessions against an oracle that walks along each buyer's events."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, Max, Q, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Ratio, Sessions
from reports.testing import assert_scans
from tests import acting_sql
from tests.acting import BUYERS, Facts, buyers, many, several, sometimes
from tests.models import Sale, Visit
from tests.sales import amounts, near, stored

NOON = datetime(2025, 10, 25, 12, tzinfo=UTC)
GAP = timedelta(minutes=30)


class Stays(Sessions):
    name = "tests.stays"
    source = Sale
    actor = "buyer"
    date_field = "at"


def variant(**attributes: Any) -> Any:
    return type("Stays", (Stays,), attributes)


def figures(facts: Facts) -> dict[str, Any]:
    """Return the metrics of a session's events, counted slowly."""
    paid = [fact["amount"] for fact in facts if fact["amount"] is not None]
    return {
        "events": len(facts),
        "total": sum(paid, Decimal()) if paid else None,
        "mean": near(sum(paid, Decimal()) / len(paid)) if paid else None,
        "most": max(paid, default=None),
        "share": near(Decimal(len(paid)) / len(facts)),
    }


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    facts=several(
        st.fixed_dictionaries(
            {
                "buyer_id": buyers,
                "amount": amounts,
                "at": sometimes(st.integers(-20, 200).map(lambda each: NOON + timedelta(minutes=10 * each))),
            }
        )
    ),
    gap=st.integers(1, 12).map(lambda each: timedelta(minutes=10 * each)),
)
def test_sessions_are_those_of_the_oracle(facts, gap):
    metrics = {
        "events": Count("pk"),
        "total": Sum("amount"),
        "mean": Avg("amount"),
        "most": Max("amount"),
        "paid": Count("pk", filter=Q(amount__isnull=False)),
        "share": Ratio("paid", "events"),
    }
    expected = []
    for buyer in range(1, 5):
        own = [fact for fact in facts if fact["buyer_id"] == buyer and fact["at"] and fact["at"] >= NOON]
        stays: list[list[Any]] = []
        for fact in sorted(own, key=lambda each: each["at"]):
            if not stays or fact["at"] - stays[-1][-1]["at"] > gap:
                stays.append([])
            stays[-1].append(fact)
        for number, stay in enumerate(stays, 1):
            times = {
                "started_at": stay[0]["at"],
                "ended_at": stay[-1]["at"],
                "duration": stay[-1]["at"] - stay[0]["at"],
            }
            expected.append({"buyer_id": buyer, "number": number, **times, **figures(stay)})

    with stored(facts, buyers=BUYERS):
        rows = list(variant(gap=gap, metrics=metrics, start=NOON)().run())

    for row in rows:
        del row["paid"]
    assert rows == expected


def test_sessions_are_this_sql():
    query = Stays().query()

    assert query.sql.split() == acting_sql.SESSIONS.split()
    assert query.params == (GAP,)


@pytest.mark.django_db
def test_events_are_read_once():
    with many():
        assert_scans(variant(metrics={"n": Count("pk"), "mean": Avg("amount")})().run(), {Sale: 1})


@pytest.mark.django_db
@pytest.mark.parametrize("materialized", [True, False])
def test_facts_are_materialized_as_asked(materialized):
    plan = variant(materialized=materialized)().run().plan()

    assert ("CTE facts" in {node.label for node in plan.nodes}) is materialized


@pytest.mark.django_db
def test_pause_as_long_as_the_gap_goes_on():
    times = [NOON, NOON + GAP, NOON + 2 * GAP + timedelta(microseconds=1)]

    with stored(visits=[{"buyer_id": 1, "at": at} for at in times], buyers=BUYERS):
        rows = variant(source=Visit)().run()

        assert list(rows.values_list("number", "events", "duration")) == [(1, 2, GAP), (2, 1, timedelta())]
        assert rows.aggregate(mean=Avg("duration"), count=Count("number")) == {"mean": GAP / 2, "count": 2}


@pytest.mark.django_db
def test_gap_of_a_request_counts():
    class Params(forms.Form):
        gap = forms.DurationField(required=False)

    report = variant(Params=Params)()

    with stored([{"buyer_id": 1, "at": NOON + each * GAP} for each in range(4)], buyers=BUYERS):
        assert [row["events"] for row in report.run()] == [4]
        assert [row["events"] for row in report.run({"gap": "00:29:59"})] == [1, 1, 1, 1]
    with pytest.raises(ParamsError, match="It must be a timedelta above 0"):
        report.run({"gap": timedelta(-1)})


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"gap": 30}, "Stays.gap is 30; it must be a timedelta above 0"),
        ({"dimensions": ["kind"]}, "Stays.dimensions is ['kind']; it must be left out: the report has none."),
    ],
)
def test_wrong_attribute_is_refused_with_its_class(attributes, problem):
    with pytest.raises(TypeError, match=re.escape(problem)):
        variant(**attributes)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"date_field": "day"}, "Stays: date_field 'day' holds dates, between which there are no pauses."),
        (
            {"metrics": {"kinds": Count("kind", distinct=True), "n": Count("pk")}},
            "Stays: metrics of a session cannot be made of those of its instants: kinds. No distinct count",
        ),
        ({"actor": "kin"}, "Stays: actor 'kin': there is no field 'kin'"),
    ],
)
def test_wrong_declaration_is_refused(attributes, problem):
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        variant(**attributes).get_columns()
