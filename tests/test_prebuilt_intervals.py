"""What was active when, against an oracle that asks each row at one instant of each period."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django import forms
from django.db.models import Avg, Count, F, FloatField, Max, Q, Sum
from django.db.models.functions import Cast
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import ActiveAsOf, At, Period, Ratio
from reports.testing import assert_scans
from tests.acting import anchors, floor
from tests.models import Buyer, Sale
from tests.sales import near, near_instants, sales, stored, zones

MOVING = {
    "count": Count("pk"),
    "large": Count("pk", filter=Q(amount__gt=0)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "share": Ratio("total", "count"),
}


SQL = """\
WITH facts AS  (
    SELECT f.*
    FROM (SELECT date_trunc('month', (GREATEST("tests_sale"."at", %s) AT TIME ZONE %s)::date::timestamp)::date AS \
"by_entered", CASE WHEN "tests_sale"."until" < %s THEN date_trunc('month', ("tests_sale"."until" AT TIME ZONE \
%s)::date::timestamp)::date ELSE NULL END AS "by_left", "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."id") \
AS "of_count", COUNT("tests_sale"."id") FILTER (WHERE "tests_sale"."amount" > %s) AS "of_large", \
SUM("tests_sale"."amount") AS "of_total", SUM("tests_sale"."amount") AS "sum_of_mean", COUNT("tests_sale"."amount") \
AS "count_of_mean" FROM "tests_sale" WHERE ("tests_sale"."at" < %s AND ("tests_sale"."until" IS NULL OR \
"tests_sale"."until" > %s)) GROUP BY 1, 2, 3) AS f
    -- Without those that come and go between two such instants, or go before they come.
    WHERE coalesce(f.by_entered < f.by_left, true)
),
spine AS (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
),
grid AS (
    SELECT s.period, "d"."by_kind"
    FROM spine AS s
    CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
),
moves AS (
    SELECT f.by_entered AS period, "f"."by_kind", true AS is_move, sum(f."of_count") AS "of_count", \
sum(f."of_large") AS "of_large", sum(f."of_total") AS "of_total", sum(f."sum_of_mean") AS "sum_of_mean", \
sum(f."count_of_mean") AS "count_of_mean"
    FROM facts AS f
    GROUP BY f.by_entered, "f"."by_kind"
    UNION ALL
    SELECT f.by_left, "f"."by_kind", true, -sum(f."of_count"), -sum(f."of_large"), -sum(f."of_total"), \
-sum(f."sum_of_mean"), -sum(f."count_of_mean")
    FROM facts AS f
    WHERE f.by_left IS NOT NULL
    GROUP BY f.by_left, "f"."by_kind"
    UNION ALL
    SELECT g.period, "g"."by_kind", false, NULL, NULL, NULL, NULL, NULL
    FROM grid AS g
),
active AS (
    SELECT m.period, "m"."by_kind", m.is_move,
        coalesce(sum("m"."of_count") OVER so_far, %s) AS "of_count",
        coalesce(sum("m"."of_large") OVER so_far, %s) AS "of_large",
        coalesce(sum("m"."of_total") OVER so_far, %s) AS "of_total",
        sum("m"."sum_of_mean") OVER so_far AS "sum_of_mean",
        sum("m"."count_of_mean") OVER so_far AS "count_of_mean"
    FROM moves AS m
    -- What moves in a period has moved at its end, and not yet at its start. NULL is before all periods.
    WINDOW so_far AS (PARTITION BY "m"."by_kind" ORDER BY m.period NULLS FIRST, m.is_move DESC ROWS UNBOUNDED PRECEDING)
)
SELECT a.period AS period, "a"."by_kind" AS "kind",
    ("a"."of_count")::bigint AS "count",
    ("a"."of_large")::bigint AS "large",
    ("a"."of_total")::numeric AS "total",
    ("a"."sum_of_mean"::numeric / nullif("a"."count_of_mean", 0))::numeric AS "mean",
    ("a"."of_total")::numeric / nullif(("a"."of_count")::numeric, 0) AS "share"
FROM active AS a
WHERE NOT a.is_move"""

MERGED = """\
active AS (
    SELECT g.period, false AS is_move,
        max("f"."of_most")  AS "of_most"
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_entered <= g.period AND (f.by_left > g.period OR f.by_left IS NULL)
    GROUP BY g.period
)
"""
REPEATED = """\
WITH facts AS  (SELECT generate_series((COALESCE((CASE WHEN "tests_sale"."at" > %s THEN date_trunc('month', \
(("tests_sale"."at" - interval '1 microsecond') AT TIME ZONE %s)::date::timestamp)::date ELSE NULL END + interval \
'1 months'), %s))::timestamp, (COALESCE(CASE WHEN "tests_sale"."until" < %s THEN date_trunc('month', \
(("tests_sale"."until" - interval '1 microsecond') AT TIME ZONE %s)::date::timestamp)::date ELSE NULL END, \
%s))::timestamp, interval '1 months')::date AS "by_period", COUNT("tests_sale"."id") AS "of_count", \
COUNT("tests_sale"."id") FILTER (WHERE "tests_sale"."amount" > %s) AS "of_large", SUM("tests_sale"."amount") AS \
"of_total", SUM("tests_sale"."amount") AS "sum_of_mean", COUNT("tests_sale"."amount") AS "count_of_mean", \
MAX("tests_sale"."quantity") AS "of_most", COUNT(DISTINCT "tests_sale"."buyer_id") AS "of_buyers" FROM "tests_sale" \
WHERE ("tests_sale"."at" < %s AND ("tests_sale"."until" IS NULL OR "tests_sale"."until" > %s)) GROUP BY 1),
spine AS (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
),
grid AS (
    SELECT s.period
    FROM spine AS s
),
active AS (
    SELECT g.period, false AS is_move,
        coalesce("f"."of_count", %s) AS "of_count",
        coalesce("f"."of_large", %s) AS "of_large",
        coalesce("f"."of_total", %s) AS "of_total",
        "f"."sum_of_mean" AS "sum_of_mean",
        "f"."count_of_mean" AS "count_of_mean",
        "f"."of_most" AS "of_most",
        coalesce("f"."of_buyers", %s) AS "of_buyers"
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period
)
SELECT a.period AS period,
    ("a"."of_count")::bigint AS "count",
    ("a"."of_large")::bigint AS "large",
    ("a"."of_total")::numeric AS "total",
    ("a"."sum_of_mean"::numeric / nullif("a"."count_of_mean", 0))::numeric AS "mean",
    ("a"."of_total")::numeric / nullif(("a"."of_count")::numeric, 0) AS "share",
    ("a"."of_most")::bigint AS "most",
    ("a"."of_buyers")::bigint AS "buyers"
FROM active AS a
WHERE NOT a.is_move"""


class Active(ActiveAsOf):
    name = "tests.active"
    source = Sale
    start_field = "at"
    end_field = "until"
    metrics = MOVING
    start = date(2025, 1, 1)
    end = date(2025, 3, 1)
    period = Period.MONTH


class Most(Active):
    """Whose rows are merged for each period."""

    name = "tests.active_most"
    metrics = {**MOVING, "most": Max("quantity")}


class Buyers(Active):
    """Whose rows are repeated for each period."""

    name = "tests.active_buyers"
    metrics = {**MOVING, "most": Max("quantity"), "buyers": Count("buyer", distinct=True)}


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def figures(facts: Sequence[Mapping[str, Any]], report: type) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    total = sum(amounts, Decimal())
    found = {
        "count": len(facts),
        "large": sum(1 for amount in amounts if amount > 0),
        "total": total,
        "mean": near(total / len(amounts)) if amounts else None,
        "share": near(total / len(facts)) if facts else None,
    }
    if report is not Active:
        found["most"] = max((fact["quantity"] for fact in facts if fact["quantity"] is not None), default=None)
    if report is Buyers:
        found["buyers"] = len({fact["buyer_id"] for fact in facts} - {None})
    return found


def is_active(fact: Mapping[str, Any], at: Any, starts: str, ends: str) -> bool:
    """Return whether a row was active at an instant, or on a day."""
    return fact[starts] is not None and fact[starts] <= at and (fact[ends] is None or fact[ends] > at)


def begins(day: date, zone: Any) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def parts(start: date, end: date, period: Period, zone: Any) -> dict[date, tuple[datetime, datetime]]:
    """Return the first instant of each period's part in a range, and the first one after it."""
    found: dict[date, list[date]] = {}
    for each in range((end - start).days):
        found.setdefault(floor(start + timedelta(days=each), period), []).append(start + timedelta(days=each))
    instants = {
        first: (begins(days[0], zone), begins(days[-1] + timedelta(days=1), zone)) for first, days in found.items()
    }
    return {first: (low, high) for first, (low, high) in instants.items() if low < high}  # Samoa left out a day


@pytest.mark.django_db
@settings(max_examples=80)
@given(
    data=st.data(),
    report=st.sampled_from([Active, Most, Buyers]),
    edge=st.sampled_from(At),
    zone=zones,
    period=st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]),
    by_kind=st.booleans(),
)
def test_active_rows_are_those_of_the_oracle(data, report, edge, zone, period, by_kind):
    anchor = data.draw(anchors)
    start = anchor + timedelta(days=data.draw(st.integers(-3, 3)))
    end = start + timedelta(days=data.draw(st.integers(0, 6)) * (9 if period == Period.MONTH else 2))
    edges = st.sampled_from([begins(start, zone), begins(end, zone), begins(floor(start, period), zone)])
    when = st.one_of(st.none(), near_instants(anchor), edges)
    facts = data.draw(
        sales(at=when, until=when, kind=st.sampled_from(["a", None]), buyer_id=st.sampled_from([None, 1, 2]))
    )
    expected = {}
    counted = {}
    for first, (low, high) in parts(start, end, period, zone).items():
        at = low if edge is At.START else high - timedelta(microseconds=1)
        counted[first] = [fact for fact in facts if is_active(fact, at, "at", "until")]
    kinds = {fact["kind"] for found in counted.values() for fact in found} if by_kind else {None}
    for first, found in counted.items():
        for kind in kinds:
            own = [fact for fact in found if not by_kind or fact["kind"] == kind]
            expected[first, kind] = figures(own, report)
    dimensions = {"of": "kind"} if by_kind else {}
    made = variant(report, start=start, end=end, period=period, at=edge, dimensions=dimensions)

    with stored(facts, buyers=[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]), timezone.override(zone):
        rows = list(made().run())

    assert {(row.pop("period"), row.pop("of", None)): row for row in rows} == expected
    assert len(rows) == len(expected)


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    data=st.data(),
    report=st.sampled_from([Active, Most, Buyers]),
    edge=st.sampled_from(At),
    period=st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]),
    length=st.integers(0, 40),
)
def test_dates_are_those_of_the_oracle(data, report, edge, period, length):
    start = data.draw(anchors)
    when = st.one_of(st.none(), st.integers(-30, 30).map(lambda each: start + timedelta(days=each)))
    facts = data.draw(sales(day=when, buyer_id=st.none()))
    joined = data.draw(st.lists(when, min_size=len(facts), max_size=len(facts)))
    buyers = [{"id": number, "name": "", "joined": day} for number, day in enumerate(joined, 1)]
    facts = [{**fact, "buyer_id": number} for number, fact in enumerate(facts, 1)]
    seen = [{**fact, "joined": day} for fact, day in zip(facts, joined, strict=True)]
    expected = []
    for first, (low, high) in parts(start, start + timedelta(days=length), period, UTC).items():
        on = low.date() if edge is At.START else (high - timedelta(days=1)).date()
        found = [fact for fact in seen if is_active(fact, on, "day", "joined")]
        expected.append({"period": first, **figures(found, report)})
    attributes = {
        "start_field": "day",
        "end_field": "buyer__joined",
        "start": start,
        "end": start + timedelta(days=length),
    }

    with stored(facts, buyers=buyers):
        rows = list(variant(report, at=edge, period=period, **attributes)().run())

    assert rows == expected


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    data=st.data(),
    report=st.sampled_from([Active, Most]),
    edge=st.sampled_from(At),
    zone=zones,
    hours=st.integers(0, 30),
)
def test_hours_are_those_of_the_oracle(data, report, edge, zone, hours):
    anchor = data.draw(anchors)
    start = begins(anchor, UTC)
    end = start + timedelta(hours=hours)
    when = st.one_of(st.none(), near_instants(anchor))
    facts = data.draw(sales(at=when, until=when))

    with stored(facts), timezone.override(zone):
        hourly = variant(report, start=start, end=end, period=Period.HOUR, at=edge)
        rows = {row["period"]: row["count"] for row in hourly().run()}

    # The hours of a zone begin where PostgreSQL says; each quarter of the range lies in the last that has begun.
    quarters = [start + timedelta(minutes=15 * each) for each in range(4 * hours)]
    assert sorted(rows) == list(rows)
    if zone.key != "Australia/Lord_Howe":  # whose summer time is half an hour: an hour there may begin in another
        for first, count in rows.items():
            own = [each for each in quarters if first <= each < first + timedelta(hours=1)]
            at = own[0] if edge is At.START else own[-1] + timedelta(minutes=15, microseconds=-1)
            assert count == sum(is_active(fact, at, "at", "until") for fact in facts)
    assert bool(rows) == bool(hours)


def test_active_rows_are_this_sql():
    query = variant(Active, dimensions=["kind"], time_zone="UTC")().query()

    start, end = (datetime(2025, month, 1, tzinfo=UTC) for month in (1, 3))
    assert query.params[:8] == (start, "UTC", end, "UTC", Decimal(0), end, start, date(2025, 1, 1))
    assert query.sql == SQL
    assert "so_far AS (ORDER BY m.period NULLS FIRST" in Active().query().sql


def test_merged_rows_are_this_sql():
    sql = variant(Most, metrics={"most": Max("quantity")}, time_zone="UTC")().query().sql

    assert sql[sql.index("active AS") : sql.index("SELECT a.period")] == MERGED


def test_repeated_rows_are_this_sql():
    assert variant(Buyers, time_zone="UTC", at=At.START)().query().sql == REPEATED


@pytest.mark.django_db
def test_row_that_ends_at_midnight_is_not_active_on_the_next_day():
    """Half-open bounds, as slick-reporting's issue 113 asks for: the day of the end does not count twice."""
    first, second = (datetime(2025, 1, day, tzinfo=UTC) for day in (2, 3))
    days = {"start": date(2025, 1, 1), "end": date(2025, 1, 5), "period": Period.DAY, "time_zone": "UTC"}

    with stored([{"at": first, "until": second}, {"at": second}]):
        found = {edge: list(variant(Active, at=edge, **days)().run().values_list("count", flat=True)) for edge in At}

    assert found == {At.START: [0, 1, 1, 1], At.END: [0, 1, 1, 1]}


@pytest.mark.django_db
def test_row_that_ends_before_it_begins_was_never_active():
    at = datetime(2025, 1, 10, tzinfo=UTC)

    with stored([{"at": at, "until": at - timedelta(days=40)}, {"at": at, "until": at}]):
        rows = list(Active().run().values_list("count", "large"))

    assert rows == [(0, 0), (0, 0)]


@pytest.mark.django_db
@pytest.mark.parametrize("edge", At)
@pytest.mark.parametrize("report", [Active, Most, Buyers])
def test_kinds_that_are_counted_nowhere_have_no_rows(report, edge):
    """One comes and goes within a period, one comes after the last start."""
    first, last = (datetime(2025, month, 10, tzinfo=UTC) for month in (1, 2))
    facts = [{"at": first, "until": first + timedelta(days=1), "kind": "short"}, {"at": last, "kind": "late"}]

    with stored([*facts, {"at": first, "kind": "long"}]):
        kinds = set(variant(report, dimensions=["kind"], at=edge)().run().values_list("kind", flat=True))

    assert kinds == ({"long"} if edge is At.START else {"late", "long"})


@pytest.mark.django_db
def test_rounded_numbers_are_not_subtracted():
    """10^16 + 1 - 10^16 is 0 in double precision."""
    at = datetime(2025, 1, 10, tzinfo=UTC)
    metrics = {"total": Sum(Cast("amount", FloatField()))}
    facts = [{"at": at, "until": at + timedelta(days=1), "amount": Decimal(10**16)}, {"at": at, "amount": Decimal(1)}]

    with stored(facts):
        rows = list(variant(Active, metrics=metrics)().run().values_list("total", flat=True))

    assert rows == [1.0, 1.0]


@pytest.mark.django_db
def test_means_of_whole_numbers_are_subtracted():
    report = variant(Active, metrics={"mean": Avg("quantity")})
    at = datetime(2025, 1, 10, tzinfo=UTC)

    with stored([{"at": at, "quantity": 3, "until": datetime(2025, 2, 2, tzinfo=UTC)}, {"at": at, "quantity": 4}]):
        rows = list(report().run().values_list("mean", flat=True))

    assert rows == [3.5, 4.0]
    assert "by_entered" in report().query().sql


@pytest.mark.django_db
def test_edge_period_and_metrics_are_asked_for():
    class Asked(Buyers):
        period: ClassVar[Any] = [Period.MONTH, Period.WEEK]

        class Params(forms.Form):
            at = forms.ChoiceField(choices=At.choices, required=False)
            period = forms.ChoiceField(choices=Period.choices, required=False)
            metrics = forms.MultipleChoiceField(choices=[(each, each) for each in Buyers.metrics], required=False)

    with stored([{"at": datetime(2025, 1, 10, tzinfo=UTC), "quantity": 3}]):
        rows = list(Asked().run({"at": "start", "metrics": ["most"]}).values_list("count", "most"))
        weeks = list(Asked().run({"period": "week", "metrics": ["count"]}).values_list("count", "most"))

    assert rows == [(None, None), (None, 3)]
    assert weeks[:3] == [(0, None), (1, None), (1, None)]
    assert "by_entered" in Asked().query({"metrics": ["count"]}).sql
    with pytest.raises(ParamsError, match="period"):
        Asked().query({"period": "hour"})


def facts_of(number: int) -> list[dict[str, Any]]:
    first = datetime(2024, 12, 1, tzinfo=UTC)
    return [
        {"at": first + timedelta(hours=each), "until": first + timedelta(hours=20 * each), "amount": each}
        for each in range(number)
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("report", [Active, Most, Buyers])
def test_rows_are_read_once(report):
    with stored(facts_of(500)):
        assert_scans(variant(report, dimensions=["kind"], period=Period.DAY)().run(), tests_sale=report.scans)


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 2), (None, 1)])
def test_facts_are_kept_unless_they_may_not_be(materialized, scans):
    """They are read where rows come and where they go."""
    with stored(facts_of(50)):
        assert variant(Active, materialized=materialized)().run().plan(analyze=True).scans("tests_sale") == scans


def test_range_is_bounded():
    class Asked(Active):
        most_periods = 12

        class Params(forms.Form):
            start = forms.DateField()
            end = forms.DateField()

    with pytest.raises(ParamsError, match="The range has 13 periods; there may be at most 12"):
        Asked().query({"start": "2024-01-01", "end": "2025-01-02"})
    with pytest.raises(ParamsError, match="It must not be before the start"):
        Asked().query({"start": "2024-01-01", "end": "2023-01-01"})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"start_field": ""}, "start_field is not set; name a date of the source."),
        ({"end_field": "untill"}, "end_field: there is no field 'untill'"),
        ({"end_field": "kind"}, "end_field 'kind' is a CharField, and no date."),
        ({"end_field": "day"}, "of start_field 'at' and end_field 'day' only one has a time."),
        (
            {"source": Buyer, "start_field": "sales__at"},
            "start_field 'sales__at' leads to many rows by 'sales';",
        ),
        (
            {"start_field": "day", "end_field": "day", "period": Period.HOUR},
            "the period 'hour' is finer than start_field 'day'",
        ),
        (
            {"period": Period.HOUR, "metrics": {"a": Count("kind", distinct=True), "b": Count("pk")}},
            "a: distinct values, percentiles and lists cannot be told by hours.",
        ),
        ({"start": None}, "a filled series needs a start and an end"),
        ({"metrics": {}}, "metrics must be set."),
        *(
            ({"dimensions": {name: "kind"}}, f"no dimension may be called '{name}'; give it another name")
            for name in ("entered", "left", "period")
        ),
    ],
)
def test_declaration_is_refused(attributes, message):
    with pytest.raises(DeclarationError, match=re.escape(f"Active: {message}")):
        variant(Active, **attributes).get_columns()


def test_faults_are_told_at_once():
    with pytest.raises(DeclarationError) as error:
        variant(Active, start_field="", end_field="kind", start=None).get_columns()

    assert error.value.problems == (
        "Active: start_field is not set; name a date of the source.",
        "Active: end_field 'kind' is a CharField, and no date.",
        "Active: a filled series needs a start and an end, or last: an open range has no last period.",
    )


@pytest.mark.parametrize("attributes", [{"at": "middle"}, {"date_field": "at"}, {"end_field": F("until")}])
def test_attribute_is_checked(attributes):
    with pytest.raises(TypeError, match=f"Active.{next(iter(attributes))} is .*; it must be "):
        variant(Active, **attributes)
