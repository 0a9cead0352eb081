"""Active users against an oracle that looks at the days behind each day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import ActiveUsers, Period
from reports.testing import assert_scans
from tests.acting import BUYERS, anchors
from tests.models import Sale, Visit
from tests.sales import near, stored, zones

SQL = """\
WITH days AS  (SELECT DISTINCT "tests_sale"."buyer_id" AS "by_actor", ("tests_sale"."at" AT TIME ZONE %s)::date AS \
"by_period", "tests_sale"."kind" AS "by_kind" FROM "tests_sale" WHERE ("tests_sale"."at" >= %s AND \
"tests_sale"."at" < %s AND "tests_sale"."buyer_id" IS NOT NULL)),
neighbours AS (
    SELECT d.by_period, "d"."by_kind",
        d.by_period - lag(d.by_period) OVER by_day AS since, lead(d.by_period) OVER by_day - d.by_period AS until
    FROM days AS d
    WINDOW by_day AS (PARTITION BY d.by_actor, "d"."by_kind" ORDER BY d.by_period)
),
facts AS (
    SELECT n.by_period, "n"."by_kind", count(*) AS daily,
        count(*) FILTER (WHERE n.since > %s OR n.since IS NULL) AS "weekly_begins",
        count(*) FILTER (WHERE n.until > %s OR n.until IS NULL) AS "weekly_ends",
        count(*) FILTER (WHERE n.since > %s OR n.since IS NULL) AS "monthly_begins",
        count(*) FILTER (WHERE n.until > %s OR n.until IS NULL) AS "monthly_ends"
    FROM neighbours AS n
    GROUP BY n.by_period, "n"."by_kind"
),
spine AS (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s AND i AT TIME ZONE %s < (i + interval '1 day') AT TIME ZONE %s
),
grid AS (
    SELECT s.period, "d"."by_kind"
    FROM spine AS s
    CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
),
counted AS (
    SELECT g.period, "g"."by_kind", coalesce(f.daily, 0) AS daily,
        (coalesce(sum(f."weekly_begins") OVER (by_day RANGE UNBOUNDED PRECEDING), 0)
            - coalesce(sum(f."weekly_ends") OVER (
                by_day RANGE BETWEEN UNBOUNDED PRECEDING AND %s * interval '1 day' PRECEDING
            ), 0))::bigint AS "weekly",
        (coalesce(sum(f."monthly_begins") OVER (by_day RANGE UNBOUNDED PRECEDING), 0)
            - coalesce(sum(f."monthly_ends") OVER (
                by_day RANGE BETWEEN UNBOUNDED PRECEDING AND %s * interval '1 day' PRECEDING
            ), 0))::bigint AS "monthly"
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period AND ARRAY["f"."by_kind"] = ARRAY["g"."by_kind"]
    WINDOW by_day AS (PARTITION BY "g"."by_kind" ORDER BY g.period)
)
SELECT c.period AS day, "c"."by_kind" AS "kind", c.daily, c.weekly, c.monthly, c.daily::numeric / nullif(c.monthly, \
0) AS stickiness
FROM counted AS c
WHERE c.period >= (%s)::date AND %s"""


class Users(ActiveUsers):
    name = "tests.active_users"
    source = Sale
    actor = "buyer"
    date_field = "at"
    start = date(2025, 1, 1)
    end = date(2025, 2, 1)


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def acts(anchor: date) -> st.SearchStrategy[dict[str, Any]]:
    """Return sales of few buyers on few days, half days apart."""
    noon = datetime.combine(anchor, time(12), UTC)
    at = st.integers(-24, 25).map(lambda each: None if each == 25 else noon + timedelta(hours=12 * each))
    buyers, kinds = st.sampled_from([1, 2, None]), st.sampled_from(["a", None])
    rows = st.fixed_dictionaries({"buyer_id": buyers, "at": at, "kind": kinds})
    return rows.map(lambda row: {**row, "day": row["at"] and row["at"].date()})  # type: ignore[union-attr]


def is_a_day(day: date, zone: Any) -> bool:
    """Return whether a day has any instants: one day was left out in Samoa."""
    first, last = (
        datetime.combine(each, time(), tzinfo=zone).astimezone(UTC) for each in (day, day + timedelta(days=1))
    )
    return first < last


def actors(facts: Sequence[tuple[date, Any, int]], day: date, days: int, kind: Any) -> int:
    """Return how many acted in the days that end with one."""
    first = day - timedelta(days=days - 1)
    return len({actor for on, of, actor in facts if first <= on <= day and of == kind})


@pytest.mark.django_db
@settings(max_examples=80)
@given(
    data=st.data(),
    zone=zones,
    field=st.sampled_from(["at", "day"]),
    by_kind=st.booleans(),
    length=st.integers(0, 40),
    spans=st.tuples(st.sampled_from([1, 2, 7]), st.sampled_from([1, 3, 30])),
)
def test_numbers_are_those_of_the_oracle(data, zone, field, by_kind, length, spans):
    weekly, monthly = spans
    anchor = data.draw(anchors)
    start = anchor + timedelta(days=data.draw(st.integers(-15, 5)))
    end = start + timedelta(days=length)
    facts = data.draw(st.lists(acts(anchor), max_size=25))
    before = start - timedelta(days=max(weekly, monthly) - 1)
    known = [
        (
            fact["day"] if field == "day" else fact["at"].astimezone(zone).date(),
            fact["kind"] if by_kind else None,
            fact["buyer_id"],
        )
        for fact in facts
        if fact["buyer_id"] is not None and fact[field] is not None
    ]
    known = [fact for fact in known if before <= fact[0] < end]
    expected = {}
    for day in (start + timedelta(days=each) for each in range(length)):
        if field == "at" and not is_a_day(day, zone):
            continue
        for kind in {kind for _, kind, _ in known} if by_kind else {None}:
            daily, week, month = (actors(known, day, days, kind) for days in (1, weekly, monthly))
            share = near(Decimal(daily) / month) if month else None
            expected[day, kind] = {"daily": daily, "weekly": week, "monthly": month, "stickiness": share}
    dimensions = {"of": "kind"} if by_kind else {}
    attributes = {"start": start, "end": end, "weekly_days": weekly, "monthly_days": monthly}
    report = variant(Users, date_field=field, dimensions=dimensions, **attributes)

    with stored(facts, buyers=BUYERS), timezone.override(zone):
        rows = list(report().run())

    assert {(row.pop("day"), row.pop("of", None)): row for row in rows} == expected
    assert len(rows) == len(expected)


def test_numbers_are_this_sql():
    query = variant(Users, dimensions=["kind"], time_zone="UTC")().query()

    assert query.params[:8] == (
        *("UTC", datetime(2024, 12, 3, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)),
        *(7, 7, 30, 30, date(2024, 12, 3)),
    )
    assert query.sql == SQL
    assert "WINDOW by_day AS (ORDER BY g.period)" in Users().query().sql


@pytest.mark.django_db
def test_events_before_the_range_count_in_its_first_days():
    """A filter of the events by the range would begin each month with an empty one."""
    with stored([{"buyer_id": 1, "at": datetime(2024, 12, 31, 12, tzinfo=UTC)}], buyers=BUYERS):
        rows = list(Users().run().values_list("daily", "weekly", "monthly"))

    assert rows == [(0, 1, 1)] * 6 + [(0, 0, 1)] * 23 + [(0, 0, 0)] * 2


@pytest.mark.django_db
def test_actor_of_each_day_counts_once_in_a_week():
    sales = [{"buyer_id": 1, "at": datetime(2025, 1, day, 12, tzinfo=UTC)} for day in range(1, 29) for _ in "ab"]

    with stored(sales, buyers=BUYERS):
        rows = list(Users().run().values_list("daily", "weekly", "monthly", "stickiness"))

    assert rows == [(1, 1, 1, 1)] * 28 + [(0, 1, 1, 0)] * 3


@pytest.mark.django_db
def test_day_is_that_of_the_zone():
    with stored([{"buyer_id": 1, "at": datetime(2025, 1, 2, 23, 30, tzinfo=UTC)}], buyers=BUYERS):
        days = [
            variant(Users, time_zone=zone)().run().get(daily=1)["day"]
            for zone in ("UTC", "Europe/Berlin", "Asia/Tokyo")
        ]

    assert days == [date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 3)]


@pytest.mark.django_db
def test_range_that_begins_within_a_day_has_the_day():
    noon = datetime(2025, 1, 2, 12, tzinfo=UTC)
    report = variant(Users, start=noon, end=noon + timedelta(hours=1), time_zone="UTC")
    hours = (-3, 0, 2)

    with stored(
        [{"buyer_id": each, "at": noon + timedelta(hours=hour)} for each, hour in enumerate(hours, 1)], buyers=BUYERS
    ):
        rows = list(report().run().values_list("day", "daily"))

    assert rows == [(date(2025, 1, 2), 2)]


@pytest.mark.django_db
def test_range_and_dimensions_are_asked_for():
    class Asked(Users):
        dimensions = ["kind"]

        class Params(forms.Form):
            start = forms.DateField()
            end = forms.DateField()
            dimensions = forms.MultipleChoiceField(choices=[("kind", "kind")], required=False)
            monthly_days = forms.IntegerField(required=False)

    days = {"start": "2025-01-02", "end": "2025-01-03"}
    with stored([{"buyer_id": 1, "at": datetime(2024, 12, 24, tzinfo=UTC), "kind": "a"}], buyers=BUYERS):
        rows = [*Asked().run(days), *Asked().run({**days, "dimensions": ["kind"], "monthly_days": 7})]

    day = date(2025, 1, 2)
    assert rows == [{"day": day, "kind": "a", "daily": 0, "weekly": 0, "monthly": 1, "stickiness": Decimal(0)}]
    with pytest.raises(ParamsError, match="It must be a whole number from 1 to 1000"):
        Asked().query({**days, "monthly_days": 0})
    with pytest.raises(ParamsError, match="The range is too near to the first or the last day"):
        Asked().query({"start": "0002-01-03", "end": "0002-01-04", "monthly_days": 1000})
    with pytest.raises(ParamsError, match="there may be at most 10000"):
        Asked().query({"start": "1990-01-03", "end": "2025-01-04"})


@pytest.mark.django_db
def test_events_are_read_once():
    first = datetime(2025, 1, 1, tzinfo=UTC)
    sales = [{"buyer_id": 1 + each % 4, "at": first + timedelta(hours=each)} for each in range(500)]

    with stored(sales, buyers=BUYERS):
        assert_scans(variant(Users, dimensions=["kind"])().run(), tests_sale=Users.scans)


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
def test_days_are_kept_when_materialized(materialized, is_kept):
    assert ("CTE days" in variant(Users, materialized=materialized)().run().plan().tree()) is is_kept


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"actor": ""}, "actor is not set; name the path from an event to who acts."),
        ({"end": None}, "a row for each day needs a start and an end, or last"),
        ({"source": Visit, "date_field": "step"}, "date_field 'step' is a CharField, and no date."),
        ({"dimensions": {"actor": "kind"}}, "no dimension may be called 'actor';"),
        ({"dimensions": {"daily": "kind"}}, "there would be several columns of one name: daily"),
    ],
)
def test_declaration_is_refused(attributes, message):
    with pytest.raises(DeclarationError, match=re.escape(f"Users: {message}")):
        variant(Users, **attributes).get_columns()


@pytest.mark.parametrize(
    "attributes", [{"period": Period.WEEK}, {"weekly_days": 0}, {"monthly_days": True}, {"metrics": {"n": 1}}]
)
def test_attribute_is_checked(attributes):
    with pytest.raises(TypeError, match=f"Users.{next(iter(attributes))} is .*; it must be "):
        variant(Users, **attributes)
