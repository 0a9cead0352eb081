"""Months, quarters and years to date, against an oracle that asks of each row on which day of the period it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db.models import Count, Max, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Against, Period, ToDate
from reports.testing import assert_scans
from tests.changes import compared, how_far, same
from tests.models import Sale
from tests.sales import days, near_instants, sales, stored, zones
from tests.series import DAYS, METRICS, Days, figures, make_sales, zeroed


class UpTo(ToDate):
    name = "tests.to_date"
    source = Sale
    date_field = "at"
    metrics = METRICS
    dimensions = ["kind"]


def up_to(**attributes):
    return type("Given", (UpTo,), attributes)()


def reached(day, months, back):
    """Return where a day stands that is so far back: as a tuple, to which no day is missing."""
    if not months:
        return day - timedelta(days=back)
    return day.year * 12 + day.month - months, day.day


def place(day, months):
    return (day.year * 12 + day.month, day.day) if months else day


@st.composite
def moments(draw):
    """Return a day, and rows in the fifteen months before it."""
    day = draw(days)
    back = st.sampled_from([0, 1, 7, 28, 31, 90, 364, 365, 366])
    near = back.flatmap(lambda number: near_instants(day - timedelta(days=number)))
    return day, draw(sales(at=st.one_of(st.none(), near)))


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    moment=moments(),
    zone=zones,
    spans=st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True),
    against=st.sampled_from(Against),
    week_start=st.integers(1, 7),
    fiscal_start=st.integers(1, 12),
)
def test_spans_are_those_of_the_oracle(moment, zone, spans, against, week_start, fiscal_start):
    through, facts = moment
    expected: dict[Any, Any] = {}
    for period in spans:
        walk = Days(zone, period, week_start, fiscal_start)
        months, back = how_far(period, against)
        first, after = walk.first(through), through + timedelta(days=1)
        low, high = reached(first, months, back), reached(after, months, back)
        for fact in facts:
            local = fact["at"] and fact["at"].astimezone(zone).date()
            now, before = expected.setdefault((period, fact["kind"]), ([], []))
            if local and first <= local < after:
                now.append(fact)
            if local and low <= place(local, months) < high:
                before.append(fact)
    met = {kind for (_, kind), rows in expected.items() if any(rows)}
    report = type(
        "Day",
        (UpTo,),
        {
            "through": through,
            "spans": spans,
            "against": against,
            "time_zone": zone,
            "week_start": week_start,
            "fiscal_start": fiscal_start,
        },
    )

    with stored(facts):
        rows = list(report().run())

    found = {(row.pop("period"), row.pop("kind")): row for row in rows}
    assert len(found) == len(rows)
    for (period, _), row in found.items():
        walk = Days(zone, period, week_start, fiscal_start)
        assert (row.pop("first_day"), row.pop("last_day")) == (walk.first(through), through)
        months, back = how_far(period, against)
        prior, last = row.pop("first_day_before"), row.pop("last_day_before")
        assert place(prior, months) == reached(walk.first(through), months, back)
        assert place(last, months) < reached(through + timedelta(days=1), months, back)
        assert place(last + timedelta(days=1), months) >= reached(through + timedelta(days=1), months, back)
    same(
        found,
        {
            (period, kind): compared(*(zeroed(figures(rows)) for rows in both))
            for (period, kind), both in expected.items()
            if kind in met
        },
    )


def test_sql():
    report = up_to(
        through=date(2026, 3, 30),
        spans=["month", "year"],
        metrics={"paid": Sum("amount")},
        time_zone="UTC",
        against="year",
    )

    query = report.query()

    paid = 'SUM("tests_sale"."amount") FILTER (WHERE ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s))'
    assert query.sql == (
        f"""\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", {paid} AS "month_now_of_paid",\
 {paid} AS "month_before_of_paid", {paid} AS "year_now_of_paid",\
 {paid} AS "year_before_of_paid" FROM "tests_sale"\
 WHERE (("tests_sale"."at" >= %s AND "tests_sale"."at" < %s) OR ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s))\
 GROUP BY 1)
SELECT s.period, s.first_day, s.last_day, s.first_day_before, s.last_day_before, "f"."by_kind" AS "kind",
    "s"."now_paid" AS "paid", "s"."before_paid" AS "paid_before", "s"."now_paid" - "s"."before_paid" AS "paid_delta",
    ("s"."now_paid" - "s"."before_paid")::numeric / nullif(abs("s"."before_paid"), 0) AS "paid_change"
FROM facts AS f
CROSS JOIN LATERAL (
    VALUES
    ((%s)::text, (%s)::date, (%s)::date, (%s)::date, (%s)::date,
        coalesce(("f"."month_now_of_paid")::numeric, (%s)::numeric),
        coalesce(("f"."month_before_of_paid")::numeric, (%s)::numeric)),
    ((%s)::text, (%s)::date, (%s)::date, (%s)::date, (%s)::date,
        coalesce(("f"."year_now_of_paid")::numeric, (%s)::numeric),
        coalesce(("f"."year_before_of_paid")::numeric, (%s)::numeric))
) AS s (period, first_day, last_day, first_day_before, last_day_before, "now_paid", "before_paid")"""
    )
    spans = [date(2026, 1, 1), date(2026, 3, 31), date(2025, 1, 1), date(2025, 3, 31)]
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in spans]
    assert query.params[8:12] == (midnights[2], midnights[3], midnights[0], midnights[1])


COUNTED = {"metrics": {"n": Count("pk")}, "dimensions": (), "time_zone": "UTC"}


def at(*days):
    return stored([{"at": datetime(year, month, day, 12, tzinfo=UTC)} for year, month, day in days])


def before(report, params=None):
    return {row["period"]: (row["n"], row["n_before"]) for row in report.run(params)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "last_before"),
    [
        (date(2026, 3, 12), date(2026, 2, 12)),
        (date(2026, 3, 28), date(2026, 2, 28)),
        (date(2026, 3, 29), date(2026, 2, 28)),
        (date(2026, 3, 31), date(2026, 2, 28)),
        (date(2026, 2, 27), date(2026, 1, 27)),
        (date(2026, 2, 28), date(2026, 1, 31)),  # a whole month and a whole month
        (date(2024, 2, 28), date(2024, 1, 28)),
        (date(2026, 1, 31), date(2025, 12, 31)),
    ],
)
def test_same_part_of_the_month_before(day, last_before):
    (row,) = up_to(**COUNTED, through=day, spans="month").run()

    assert (row["first_day"], row["last_day"]) == (day.replace(day=1), day)
    assert (row["first_day_before"], row["last_day_before"]) == (last_before.replace(day=1), last_before)


@pytest.mark.django_db
def test_month_quarter_and_year():
    report = up_to(**COUNTED, through=date(2026, 5, 15))

    with at((2026, 5, 15), (2026, 5, 16), (2026, 4, 1), (2026, 4, 16), (2026, 2, 15), (2025, 5, 15), (2025, 5, 16)):
        found = before(report)

    assert found == {"month": (1, 1), "quarter": (3, 1), "year": (4, 1)}
    assert [row["period"] for row in report.run()] == ["month", "quarter", "year"]


@pytest.mark.django_db
def test_fiscal_year_and_week():
    report = up_to(
        **COUNTED, through=date(2026, 3, 11), spans=["fiscal_year", "iso_week"], fiscal_start=4, against="year"
    )

    with at((2025, 4, 1), (2025, 3, 31), (2025, 3, 11), (2026, 3, 9), (2024, 4, 1), (2025, 3, 12), (2025, 3, 13)):
        found = before(report)

    assert found == {"fiscal_year": (2, 2), "iso_week": (1, 2)}


@pytest.mark.django_db
def test_through_is_today_in_the_zone():
    zone = ZoneInfo("Pacific/Kiritimati")
    before = datetime.now(zone).date()

    (row,) = up_to(**{**COUNTED, "time_zone": zone}, spans=["day"]).run()

    assert before <= row["first_day"] == row["last_day"] <= datetime.now(zone).date()


@pytest.mark.django_db
def test_through_spans_and_against_are_asked_for_by_a_request():
    params = type(
        "Params",
        (forms.Form,),
        {
            "through": forms.DateField(required=False),
            "against": forms.CharField(required=False),
            "spans": forms.MultipleChoiceField(choices=Period.choices, required=False),
        },
    )
    report = up_to(**COUNTED, Params=params, through=date(2026, 1, 1), spans=["month", "year"])

    with at((2025, 6, 3), (2025, 6, 4), (2025, 5, 3)):
        assert before(report) == {"month": (0, 0), "year": (0, 0)}
        assert before(report, {"through": "2025-06-03"}) == {"month": (1, 1), "year": (2, 0)}
        assert before(report, {"through": "2025-06-03", "spans": ["month"]}) == {"month": (1, 1)}
        assert before(report, {"through": "2025-06-03", "spans": ["month"], "against": "year"}) == {"month": (1, 0)}
    with pytest.raises(ParamsError, match=r"spans: .*quarter.* month, year"):
        report.run({"spans": ["quarter"]})
    with pytest.raises(ParamsError, match="through: The range is too near to the first"):
        report.run({"through": "0001-01-05"})


@pytest.mark.django_db
def test_days_of_dates():
    report = up_to(**COUNTED, date_field="day", through=lambda: date(2026, 3, 2), spans=["month"])

    with stored([{"day": date(2026, 3, 2)}, {"day": date(2026, 3, 3)}, {"day": date(2026, 2, 2)}]):
        assert before(report) == {"month": (1, 1)}


@pytest.mark.django_db
def test_no_row_at_all():
    (row,) = up_to(**COUNTED, through=date(2026, 3, 2), spans=["month"]).run()

    assert [row[name] for name in ("n", "n_before", "n_delta", "n_change")] == [0, 0, 0, None]
    assert list(up_to(through=date(2026, 3, 2)).run()) == []


@pytest.mark.django_db
def test_counts_of_distinct_values():
    report = up_to(
        **{**COUNTED, "metrics": {"n": Count("kind", distinct=True)}}, through=date(2026, 3, 2), spans=["month", "year"]
    )
    instants = [datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 3)]

    with stored([{"at": instant, "kind": "a"} for instant in instants]):
        assert before(report) == {"month": (1, 1), "year": (1, 0)}


@pytest.mark.django_db
@pytest.mark.parametrize("materialized", [True, False, None])
def test_scans(materialized):
    make_sales()

    plan = up_to(through=date(2025, 10, 8), materialized=materialized).run().plan()

    assert_scans(plan, {Sale: ToDate.scans})


@pytest.mark.django_db
def test_spans_are_found_by_an_index():
    """Two of a week, and nothing of the year that lies between."""
    make_sales()

    plan = up_to(through=date(2025, 10, 8), spans=["week"], against="year").run().plan()

    assert plan.uses_index("sale_at")


def test_columns():
    columns = up_to(metrics={"n": Count("pk"), "latest": Max("at")}).get_columns()

    assert [(each.name, each.type, each.pk, each.null) for each in columns] == [
        ("period", "text", False, False),
        *((name, "date", False, False) for name in ("first_day", "last_day", "first_day_before", "last_day_before")),
        ("kind", "character varying", False, True),
        ("n", "bigint", False, False),
        ("n_before", "bigint", False, False),
        ("n_delta", "bigint", False, False),
        ("n_change", "numeric", False, True),
        ("latest", "timestamptz", False, True),
        ("latest_before", "timestamptz", False, True),
    ]
    assert up_to().get_ordering() == ("kind", "-first_day", "period")
    assert [each.pk for each in up_to(dimensions=()).get_columns()][:2] == [True, False]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        (
            {"start": date(2026, 1, 1), "last": 3},
            "spans and through say where a span begins and ends; leave out last, start",
        ),
        ({"period": Period.MONTH}, "spans and through say where a span begins and ends; leave out period"),
        ({"spans": ["month", "hour"]}, "spans are of days and longer, not of an hour"),
        ({"metrics": {"first_day": Count("pk")}}, "there would be several columns of one name: first_day"),
        ({"metrics": {"n": Count("pk"), "n_before": Count("pk")}}, "there would be .* one name: n_before"),
        ({"date_field": "kind"}, "date_field 'kind' is a CharField, and no date"),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        up_to(**attributes).get_columns()


@pytest.mark.parametrize(
    "attributes", [{"through": datetime(2026, 1, 1, tzinfo=UTC)}, {"through": "2026"}, {"spans": []}, {"against": 2}]
)
def test_wrong_attribute(attributes):
    (name,) = attributes

    with pytest.raises(TypeError, match=rf"Given\.{name} is .*; it must be "):
        up_to(**attributes)


@pytest.mark.django_db
def test_change_is_relative_to_what_was_before():
    metrics = {"paid": Sum("amount")}
    report = up_to(**{**COUNTED, "metrics": metrics}, through=date(2026, 3, 2), spans=["month"])
    amounts = {3: Decimal(30), 2: Decimal(20)}

    with stored([{"at": datetime(2026, month, 1, tzinfo=UTC), "amount": amount} for month, amount in amounts.items()]):
        (row,) = report.run()

    assert (row["paid_delta"], row["paid_change"]) == (10, Decimal("0.5"))
