"""The latest rows of each group against an oracle that sorts them all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django import forms
from django.db import connection, models
from django.db.models import Count
from django.test.utils import isolate_apps
from hypothesis import given, settings
from hypothesis import strategies as st

from example_project.helpdesk.models import Department, Ticket
from reports import ParamsError
from reports.errors import DeclarationError
from reports.prebuilt import LatestPerGroup
from reports.testing import assert_scans
from tests.models import Buyer, Sale, Shelf, Visit
from tests.sales import days, instants, sales, stored

BUYERS = [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Ben", "region": "north"}, {"id": 3, "name": "Cleo"}]
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)

# Few buyers and moments, so that several rows are of one.
facts_of_buyers = sales(
    buyer_id=st.sampled_from([1, 2, None]),
    at=st.one_of(st.none(), st.just(NOON), st.just(NOON.replace(hour=1)), instants),
)


class Latest(LatestPerGroup):
    name = "tests.latest"
    source = Sale
    group = "buyer"
    date_field = "at"
    fields = ["kind", "amount"]
    dimensions = ["name", "region"]


class LatestTickets(LatestPerGroup):
    name = "tests.latest_tickets"
    source = Ticket
    group = "department"
    date_field = "opened_at"
    fields = ["status"]
    limit = 3


def made(report: type[Any], **attributes: Any) -> Any:
    return type("Made", (report,), attributes)


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=facts_of_buyers, limit=st.integers(1, 3), keep_empty=st.booleans(), lateral=st.booleans())
def test_latest_rows_are_those_of_the_oracle(facts, limit, keep_empty, lateral):
    expected = []
    for buyer in BUYERS:
        own = [fact for fact in facts if fact["buyer_id"] == buyer["id"] and fact["at"] is not None]
        # Of equal moments the later row has the larger key.
        places = sorted(range(len(own)), key=lambda place: (own[place]["at"], place), reverse=True)
        shown = {"buyer_id": buyer["id"], "name": buyer["name"], "region": buyer.get("region")}
        expected += [
            {**shown, "rank": rank, "kind": fact["kind"], "amount": fact["amount"]}
            for rank, fact in enumerate([own[place] for place in places[:limit]], start=1)
        ]
        if keep_empty and not own:
            expected.append({**shown, "rank": None, "kind": None, "amount": None})
    report = made(Latest, limit=limit, keep_empty=keep_empty, lateral=lateral)

    with stored(facts, buyers=BUYERS):
        rows = list(report().run())

    assert rows == expected


@pytest.mark.django_db
@settings(max_examples=30)
@given(facts=sales(buyer_id=st.sampled_from([1, 2])), end=days)
def test_latest_before_an_end_is_that_of_the_oracle(facts, end):
    expected = {}
    for fact in sorted((fact for fact in facts if fact["day"] is not None), key=lambda fact: fact["day"]):
        if fact["day"] < end:
            expected[fact["buyer_id"]] = fact["day"]
    report = made(Latest, date_field="day", fields=["day"], end=end)

    with stored(facts, buyers=BUYERS):
        rows = list(report().run())

    assert {row["buyer_id"]: row["day"] for row in rows} == expected


@pytest.mark.parametrize(("fixed", "lateral"), [(None, True), (False, False), (True, True)])
def test_lateral_is_chosen_where_an_index_serves_it(fixed, lateral):
    report = made(LatestTickets, lateral=fixed)

    assert ("LATERAL" in report().query().sql) is lateral


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        (Sale, {"group": "buyer", "date_field": "at"}),  # an index of the group alone
        (Visit, {"group": "buyer", "date_field": "at"}),
        (Ticket, {"group": "assignee__department", "date_field": "opened_at"}),  # its index is of another table
        (Ticket, {"group": "department", "date_field": "closed_at"}),
    ],
)
def test_window_is_chosen_where_no_index_serves_lateral(source, attributes):
    report = made(LatestPerGroup, name="tests.window", source=source, fields=["id"], **attributes)

    assert "LATERAL" not in report().query().sql
    assert "row_number() OVER (PARTITION BY" in report().query().sql


@isolate_apps("tests")
def test_unique_constraint_is_an_index():
    class Reading(models.Model):
        buyer = models.ForeignKey(Buyer, models.CASCADE)
        on = models.DateField()

        class Meta:
            constraints = [models.UniqueConstraint(fields=["buyer", "on"], name="once")]

    class Partly(models.Model):
        buyer = models.ForeignKey(Buyer, models.CASCADE)
        on = models.DateField()

        class Meta:
            indexes = [models.Index(fields=["buyer", "on"], name="partly", condition=models.Q(on__gt=date(2026, 1, 1)))]

    attributes = {"name": "tests.reading", "group": "buyer", "date_field": "on", "fields": ["on"]}

    assert made(LatestPerGroup, source=Reading, **attributes).has_index()
    assert not made(LatestPerGroup, source=Partly, **attributes).has_index()


@isolate_apps("tests")
def test_key_may_be_called_like_the_date():
    class Report(models.Model):
        date = models.DateField(primary_key=True)
        sent = models.DateField()
        buyer = models.ForeignKey(Buyer, models.CASCADE)

    report = made(LatestPerGroup, name="tests.sent", source=Report, group="buyer", date_field="sent", fields=["sent"])

    assert 'ORDER BY "f"."of_date_" DESC, "f"."of_date" DESC' in report().query().sql


def fill_tickets() -> None:
    """Make 20 departments with 500 tickets each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO helpdesk_department (id, name, region, created)"
            " SELECT i, 'D' || i, 'north', '2020-01-01' FROM generate_series(1, 20) AS i;"
            " INSERT INTO helpdesk_ticket (department_id, status, priority, opened_at)"
            " SELECT 1 + i % 20, 'open', 1, timestamptz '2026-01-01' + i * interval '1 minute'"
            " FROM generate_series(1, 10000) AS i; ANALYZE helpdesk_department, helpdesk_ticket"
        )


@pytest.mark.django_db
def test_lateral_reads_only_what_it_gives():
    fill_tickets()

    plan = LatestTickets().run().plan(analyze=True)

    assert plan.uses_index("ticket_department_latest")
    assert plan.scans(Ticket) == 20
    assert plan.scans(Department) == 1
    assert sum(node.rows or 0 for node in plan.nodes if node.relation == "helpdesk_ticket") == 60


@pytest.mark.django_db
def test_window_reads_the_rows_once():
    fill_tickets()

    assert_scans(made(LatestTickets, lateral=False)().run(), {Ticket: 1, Department: 1})


@pytest.mark.django_db
def test_groups_are_those_that_the_user_may_see():
    class Seen(Latest):
        keep_empty = True

        def get_outer(self):
            return Buyer.objects.filter(region=self.user)

    with stored(buyers=BUYERS):
        rows = list(Seen(user="north").run().values_list("buyer_id", flat=True))

    assert rows == [2]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "get_outer() gave a NoneType; it must give a model or a QuerySet."),
        (Shelf, "get_outer() gave rows of tests.Shelf; it must give those of tests.Buyer."),
        (Buyer.objects.using("other"), "get_outer() gave a QuerySet of the database 'other'"),
    ],
)
def test_other_groups_are_refused(given, problem):
    class Made(Latest):
        def get_outer(self):
            return given

    with pytest.raises(DeclarationError, match=re.escape(f"Made: {problem}")):
        Made().query()


@pytest.mark.django_db
def test_groups_may_be_a_part_of_the_model():
    with stored([{"buyer_id": 1, "at": NOON}, {"buyer_id": 2, "at": NOON}], buyers=BUYERS):
        rows = list(made(Latest, outer=Buyer.objects.order_by("-name")[:2])().run())

    assert [row["buyer_id"] for row in rows] == [2]


class Asked(forms.Form):
    """What a request may ask for."""

    limit = forms.IntegerField(required=False)
    keep_empty = forms.NullBooleanField(required=False)
    lateral = forms.NullBooleanField(required=False)
    fields = forms.CharField(required=False)  # type: ignore[assignment]
    dimensions = forms.CharField(required=False)
    end = forms.DateField(required=False)


@pytest.mark.parametrize("lateral", [False, True])
@pytest.mark.django_db
def test_request_asks_for_a_field_of_each_group(lateral):
    with stored([{"buyer_id": 1, "at": NOON, "kind": "a"}], buyers=BUYERS[:2]):
        rows = made(Latest, Params=Asked)().run(
            {"fields": "kind", "dimensions": "name", "keep_empty": True, "lateral": lateral}
        )
        found = list(rows)

    assert found == [
        {"buyer_id": 1, "name": "Ada", "region": None, "rank": 1, "kind": "a", "amount": None},
        {"buyer_id": 2, "name": "Ben", "region": None, "rank": None, "kind": None, "amount": None},
    ]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"group": ""}, "group must be set: it names the source's ForeignKey to the groups."),
        ({"group": "byer"}, "group: there is no field 'byer'"),
        ({"group": "kind"}, "group 'kind' is a CharField; it must be a ForeignKey."),
        ({"outer": Shelf}, "outer is of tests.Shelf, and group 'buyer' of tests.Buyer."),
        ({"fields": []}, "fields must be set: it names what to show of the latest rows."),
        ({"fields": ["kidn"]}, "there is no field 'kidn'"),
        ({"fields": {"a__b": "kind"}}, "field 'a__b' is no name for a column: two underscores"),
        ({"fields": {"f" * 62: "kind"}}, f"field '{'f' * 62}' is no name for a column: it has 62 bytes"),
        ({"dimensions": ["nmae"]}, "there is no field 'nmae'"),
        ({"date_field": ""}, "date_field is not set; name a date of the source."),
        (
            {"metrics": {"count": Count("pk")}},
            "metrics: the latest rows have none; name what to show of them in fields.",
        ),
    ],
)
def test_declaration_that_does_not_fit_is_refused(attributes, problem):
    with pytest.raises(DeclarationError) as caught:
        made(Latest, **attributes).get_columns()

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "attributes", [{"group": 1}, {"outer": "Buyer"}, {"fields": "kind"}, {"lateral": 1}, {"limit": 0}]
)
def test_attribute_that_does_not_fit_is_refused(attributes):
    with pytest.raises(TypeError, match=f"Made.{next(iter(attributes))} is .*; it must be "):
        made(Latest, **attributes)


def test_request_that_does_not_fit_is_refused():
    with pytest.raises(ParamsError, match="fields: "):
        made(Latest, Params=Asked)().query({"fields": "password"})


def test_keys_are_groups_and_ranks():
    assert [column.name for column in Latest.get_columns() if column.pk] == ["buyer_id", "rank"]
    assert not any(column.pk for column in made(Latest, keep_empty=True).get_columns())  # no rank where no row is


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False)])
@pytest.mark.django_db
def test_window_is_kept_where_asked(materialized, is_kept):
    plan = made(Latest, materialized=materialized)().run().plan()

    assert any(node.type == "CTE Scan" for node in plan.nodes) is is_kept
