"""Key figures against an oracle that counts row by row, and the ranges that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Avg, Count, Max, Q, StdDev, Sum
from django.forms import ChoiceField, DateField, Form, MultipleChoiceField
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Against, Period, Ratio, Tiles
from reports.prebuilt.dates.range_before import range_before
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import days, instants, near, sales, stored, zones

Facts = Sequence[Mapping[str, Any]]

METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "share": Ratio("priced", "count"),
}
APART = {"kinds": Count("kind", distinct=True), "count": Count("pk"), "each": Ratio("count", "kinds")}
# Also a week, a month and a year before the days of the ranges.
moments = st.builds(
    lambda at, shift: at - timedelta(days=shift), instants, st.sampled_from([0, 0, 7, 30, 31, 364, 365])
)
dated = sales(at=st.one_of(st.none(), moments))
# Around 00:01 of 2006-10-29 in Newfoundland, when the clocks went back into the day before.
torn = st.integers(-4, 8).map(
    lambda quarters: datetime(2006, 10, 29, 2, 30, tzinfo=UTC) + timedelta(minutes=15) * quarters
)


class KeyFigures(Tiles):
    name = "tests.tiles"
    source = Sale
    date_field = "at"
    metrics = METRICS
    start = date(2025, 1, 1)
    end = date(2025, 2, 1)


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def figures(facts: Facts) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly. A count or a sum of nothing is 0."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    return {
        "count": len(facts),
        "priced": len(amounts),
        "total": sum(amounts, Decimal()),
        "mean": sum(amounts, Decimal()) / len(amounts) if amounts else None,
        "most": max((fact["quantity"] for fact in facts if fact["quantity"] is not None), default=None),
        "share": Decimal(len(amounts)) / len(facts) if facts else None,
    }


def apart(facts: Facts) -> dict[str, Any]:
    """Return the metrics that cannot be merged, and others."""
    kinds = len({fact["kind"] for fact in facts} - {None})
    return {"kinds": kinds, "count": len(facts), "each": Decimal(len(facts)) / kinds if kinds else None}


def compared(value: Any, before: Any, target: Any = None) -> dict[str, Any]:
    """Return a value beside the one before, and beside its target."""
    delta = None if value is None or before is None else Decimal(value) - before
    change = delta / abs(before) if before and delta is not None else None
    return {
        "value": value if value is None else near(value),
        "before": before if before is None else near(before),
        # A difference of rounded quotients.
        "delta": None if delta is None else pytest.approx(delta, rel=Decimal("1e-9"), abs=Decimal("1e-9")),
        "change": None if change is None else pytest.approx(change, rel=Decimal("1e-9"), abs=Decimal("1e-9")),
        "target": target,
        "target_share": None if not target or value is None else near(value / Decimal(target)),
    }


def oracle(facts: Facts, spans: Sequence[Sequence[date]], zone: Any, points: Sequence[date], count: Any) -> Any:
    """Return the rows of both spans of days. A point is the first day of a week."""
    by_day = [(fact["at"].astimezone(zone).date(), fact) for fact in facts if fact["at"] is not None]
    now, before = (count([fact for day, fact in by_day if day in span]) for span in spans)
    lines = [
        count([fact for day, fact in by_day if day in spans[0] and 0 <= (day - point).days < 7]) for point in points
    ]
    return [
        {
            "name": name,
            "position": position,
            "label": name.capitalize(),
            **compared(now[name], before[name]),
            "sparkline": [None if line[name] is None else near(line[name]) for line in lines],
        }
        for position, name in enumerate(now, start=1)
    ]


def span(first: date, length: int) -> list[date]:
    return [first + timedelta(days=each) for each in range(length)]


def check_weeks(facts: Facts, zone: ZoneInfo, first: date, length: int, *, is_merged: bool) -> None:
    """Compare some days, beside as many before, and their weeks, with the oracle."""
    metrics, count = (METRICS, figures) if is_merged else (APART, apart)
    weeks = sorted({day - timedelta(days=day.weekday()) for day in span(first, length)})
    start, end = first, first + timedelta(days=length)
    attributes = {"start": start, "end": end, "metrics": metrics, "period": Period.WEEK, "week_start": 1}
    report = variant(KeyFigures, **attributes)
    spans = [span(first, length), span(first - timedelta(days=length), length)]

    with stored(facts), timezone.override(zone):
        rows = list(report().run())

    assert rows == oracle(facts, spans, zone, weeks, count)


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=dated, zone=zones, first=days, length=st.integers(0, 40), is_merged=st.booleans())
def test_tiles_are_those_of_the_oracle(facts, zone, first, length, is_merged):
    check_weeks(facts, zone, first, length, is_merged=is_merged)


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    facts=sales(at=torn),
    first=st.dates(date(2006, 10, 28), date(2006, 10, 30)),
    length=st.integers(0, 2),
    is_merged=st.booleans(),
)
def test_days_torn_by_a_change_of_clocks_are_those_of_the_oracle(facts, first, length, is_merged):
    check_weeks(facts, ZoneInfo("America/St_Johns"), first, length, is_merged=is_merged)


@pytest.mark.django_db
@pytest.mark.parametrize("metrics", [{"sold": Count("pk")}, {"sold": Count("at", distinct=True)}])
def test_the_hour_before_a_torn_midnight_is_of_the_day_before(metrics):
    report = variant(
        KeyFigures,
        start=date(2006, 10, 29),
        end=date(2006, 10, 30),
        time_zone="America/St_Johns",
        metrics=metrics,
    )

    # The clocks went back from 00:01 to 23:01 of the day before.
    with stored([{"at": datetime(2006, 10, 28, 23, 15, fold=1, tzinfo=ZoneInfo("America/St_Johns"))}]):
        (row,) = report().run()

    assert (row["value"], row["before"], row["sparkline"]) == (0, 1, [0])


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=dated, zone=zones, first=days, length=st.integers(1, 500), is_merged=st.booleans())
def test_the_year_before_is_that_of_the_oracle(facts, zone, first, length, is_merged):
    metrics, count = (METRICS, figures) if is_merged else (APART, apart)
    now = span(first, length)
    report = variant(
        KeyFigures,
        start=first,
        end=first + timedelta(days=length),
        metrics=metrics,
        against="year",
    )

    # A day is of the year before when it is one of the same days, or lies between two of them.
    same = {(day.year - 1, day.month, min(day.day, 28) if day.month == 2 else day.day) for day in now}
    low, high = date(*min(same)), date(*max(same))
    if (now[-1].month, now[-1].day) in ((2, 29), (2, 28)) and (now[-1] + timedelta(days=1)).month == 3:
        high = date(high.year, 3, 1) - timedelta(days=1)
    spans = [now, span(low, (high - low).days + 1)]

    with stored(facts), timezone.override(zone):
        rows = list(report().run())

    expected = oracle(facts, spans, zone, (), count)
    names = ("name", "value", "before", "delta", "change")
    assert [[row[name] for name in names] for row in rows] == [[row[name] for name in names] for row in expected]
    assert all(len(row["sparkline"]) in (length, length - 1) for row in rows)  # Samoa left out a day


@pytest.mark.django_db
@settings(max_examples=30)
@given(value=st.decimals(-1000, 1000, places=2), before=st.decimals(-1000, 1000, places=2), target=st.integers(-2, 2))
def test_changes_and_shares_of_targets_are_those_of_the_oracle(value, before, target):
    report = variant(KeyFigures, metrics={"total": Sum("amount")}, targets={"total": target})
    facts = [
        {"at": datetime(2025, 1, 15, tzinfo=UTC), "amount": value},
        {"at": datetime(2024, 12, 15, tzinfo=UTC), "amount": before},
    ]

    with stored(facts):
        (row,) = report().run()

    assert {name: row[name] for name in compared(0, 0)} == compared(value, before, Decimal(target))


# The SQL.


def test_sql_groups_the_facts_by_period_and_range():
    class One(KeyFigures):
        metrics = {"sold": Count("pk")}
        time_zone = "UTC"
        targets = {"sold": 5}

    query = One().query()

    now = '"tests_sale"."at" >= %s AND "tests_sale"."at" < %s'
    sold = 'coalesce((sum("f"."of_sold") )::bigint, (%s)::bigint) AS "sold"'
    assert query.sql == (
        f'WITH facts AS  (SELECT CASE WHEN ({now}) THEN ("tests_sale"."at" AT TIME ZONE %s)::date ELSE NULL END'
        ' AS "by_period", COUNT("tests_sale"."id") AS "of_sold" FROM "tests_sale"'
        f" WHERE ({now}) GROUP BY 1),\n"
        "present AS (\n"
        f"    SELECT {sold}\n"
        "    FROM facts AS f\n"
        "    WHERE f.by_period IS NOT NULL\n"
        "),\n"
        "previous AS (\n"
        f"    SELECT {sold}\n"
        "    FROM facts AS f\n"
        "    WHERE f.by_period IS NULL\n"
        "),\n"
        "spine AS (\n"
        "    SELECT i::date AS period\n"
        "    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i\n"
        "    WHERE %s AND i AT TIME ZONE %s < (i + interval '1 day') AT TIME ZONE %s\n"
        "),\n"
        "points AS (\n"
        "    -- No metric's name ends with an underscore.\n"
        f"    SELECT s.period AS period_, {sold}\n"
        "    FROM spine AS s\n"
        "    LEFT JOIN facts AS f ON f.by_period = s.period\n"
        "    GROUP BY s.period\n"
        "),\n"
        "lines AS (\n"
        "    SELECT\n"
        '        array_agg("p"."sold"::numeric ORDER BY p.period_) AS "sold"\n'
        "    FROM points AS p\n"
        ")\n"
        "SELECT t.name, t.position, t.label, t.value, t.before,\n"
        "    t.value - t.before AS delta,\n"
        "    (t.value - t.before) / nullif(abs(t.before), 0) AS change,\n"
        "    t.target,\n"
        "    t.value / nullif(t.target, 0) AS target_share,\n"
        "    coalesce(t.sparkline, '{}') AS sparkline\n"
        "FROM present\n"
        "CROSS JOIN previous\n"
        "CROSS JOIN lines\n"
        "CROSS JOIN LATERAL (\n"
        "    VALUES\n"
        "        ((%s)::text, 1, (%s)::text,\n"
        '            "present"."sold"::numeric,\n'
        '            "previous"."sold"::numeric,\n'
        '            (%s)::numeric, "lines"."sold")\n'
        ") AS t (name, position, label, value, before, target, sparkline)"
    )
    assert query.params[-3:] == ("sold", "Sold", 5)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("attributes", "scans"),
    [({}, 1), ({"against": None}, 1), ({"against": "year"}, 1), ({"metrics": APART}, 2)],
)
def test_facts_are_read_as_often_as_the_class_says(attributes, scans):
    report = variant(KeyFigures, **attributes)

    assert report.scans == scans
    assert_scans(report().run(), {Sale: scans})


@pytest.mark.django_db
def test_facts_that_are_not_materialized_are_read_for_each_part():
    def scans(materialized):
        return variant(KeyFigures, materialized=materialized)().run().plan().scans(Sale)

    assert [scans(each) for each in (True, None)] == [1, 1]
    assert scans(False) > 1


# The range before.


@pytest.mark.parametrize(
    ("against", "period", "start", "end", "before"),
    [
        ("previous", "month", date(2025, 3, 1), date(2025, 4, 1), (date(2025, 2, 1), date(2025, 3, 1))),
        ("previous", "day", date(2025, 3, 1), date(2025, 4, 1), (date(2025, 1, 29), date(2025, 3, 1))),
        ("previous", "quarter", date(2025, 1, 1), date(2025, 7, 1), (date(2024, 7, 1), date(2025, 1, 1))),
        ("previous", "month", date(2025, 3, 1), date(2025, 3, 16), (date(2025, 2, 14), date(2025, 3, 1))),
        ("previous", "hour", date(2025, 3, 30), date(2025, 3, 31), (date(2025, 3, 29), date(2025, 3, 30))),
        ("year", "day", date(2025, 2, 1), date(2025, 3, 1), (date(2024, 2, 1), date(2024, 3, 1))),
        ("year", "day", date(2024, 2, 28), date(2024, 2, 29), (date(2023, 2, 28), date(2023, 3, 1))),
        ("year", "day", date(2024, 2, 29), date(2024, 2, 29), (date(2023, 2, 28), date(2023, 2, 28))),
        ("year", "iso_week", date(2025, 3, 3), date(2025, 3, 17), (date(2024, 3, 4), date(2024, 3, 18))),
        ("year", "iso_week", date(2025, 3, 1), date(2025, 4, 1), (date(2024, 3, 1), date(2024, 4, 1))),
    ],
)
def test_the_range_before_has_as_many_periods_or_days(against, period, start, end, before):
    attributes = {"against": against, "period": period, "start": start, "end": end, "time_zone": "Europe/Berlin"}
    found: Any = range_before(variant(KeyFigures, **attributes)().dates({}), Against(against))

    local = [bound.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for bound in (found.start, found.end)]
    assert local == [datetime.combine(day, time()) for day in before]


def test_a_range_within_a_day_has_one_of_its_length_before_it():
    start, end = datetime(2025, 3, 30, 0, tzinfo=UTC), datetime(2025, 3, 30, 6, tzinfo=UTC)
    attributes = {"start": start, "end": end, "time_zone": "Europe/Berlin", "period": "hour"}

    def before(against):
        found: Any = range_before(variant(KeyFigures, **attributes)().dates({}), Against(against))
        return found.start, found.end

    assert before("previous") == (datetime(2025, 3, 29, 18, tzinfo=UTC), start)
    # At the same hours of the clock, which summer time has moved.
    assert before("year") == (datetime(2024, 3, 30, 0, tzinfo=UTC), datetime(2024, 3, 30, 7, tzinfo=UTC))


@pytest.mark.django_db
def test_two_years_and_those_one_year_back_overlap():
    report = variant(
        KeyFigures,
        start=date(2024, 1, 1),
        end=date(2026, 1, 1),
        against=Against.YEAR,
        period=Period.YEAR,
        metrics={"sold": Count("pk")},
    )
    facts = [{"at": datetime(year, 6, 1, tzinfo=UTC)} for year in (2023, 2024, 2024, 2025)]

    with stored(facts):
        (row,) = report().run()

    assert (row["value"], row["before"], row["sparkline"]) == (3, 3, [2, 1])


@pytest.mark.django_db
def test_without_a_range_before_there_is_no_change():
    with stored([{"at": datetime(2025, 1, 2, tzinfo=UTC)}, {"at": datetime(2024, 12, 30, tzinfo=UTC)}]):
        row = variant(KeyFigures, against=None)().run().get(name="count")

    assert {name: row[name] for name in ("value", "before", "delta", "change")} == {
        "value": 1,
        "before": None,
        "delta": None,
        "change": None,
    }


@pytest.mark.django_db
def test_hours_of_a_sparkline_keep_the_one_that_autumn_repeats():
    report = variant(
        KeyFigures,
        start=date(2025, 10, 26),
        end=date(2025, 10, 27),
        period=Period.HOUR,
        time_zone="Europe/Berlin",
        metrics={"sold": Count("pk")},
    )

    with stored([{"at": datetime(2025, 10, 26, hour, 30, tzinfo=UTC)} for hour in (0, 1, 1)]):
        (row,) = report().run()

    assert row["sparkline"] == [0, 0, 1, 2, *[0] * 21]


@pytest.mark.django_db
def test_dates_have_no_zone():
    report = variant(KeyFigures, date_field="day", end=date(2025, 1, 4), metrics={"n": Count("pk")})

    with stored([{"day": date(2025, 1, day)} for day in (1, 3, 3, 4)]):
        (row,) = report().run()

    assert (row["value"], row["sparkline"]) == (3, [1, 0, 2])


@pytest.mark.django_db
@pytest.mark.parametrize("against", [None, "previous", "year"])
@pytest.mark.parametrize("distinct", [False, True])
def test_metrics_may_have_any_name(against, distinct):
    names = ("by_period", "period", "by_before", "by_now", "value", "f", "name")
    metrics = {name: Count("kind", distinct=distinct) for name in names}
    report = variant(KeyFigures, against=against, end=date(2025, 1, 3), metrics=metrics)

    with stored([{"at": datetime(2025, 1, 2, 12, tzinfo=UTC), "kind": "a"}]):
        rows = list(report().run())

    assert [(row["name"], row["value"], row["sparkline"]) for row in rows] == [(name, 1, [0, 1]) for name in names]


def test_every_fault_of_a_declaration_is_told():
    report = variant(
        KeyFigures, end=None, date_field="", metrics={"kind": Max("kind")}, targets={"a": 1}, labels={"b": "B"}
    )

    with pytest.raises(DeclarationError) as caught:
        report.get_columns()

    faults = (
        "needs a start and an end",
        "date_field is not set",
        "are none: kind",
        "targets has 'a'",
        "labels has 'b'",
    )
    assert [fault for fault in faults if fault not in str(caught.value)] == []


# Targets and labels.


@pytest.mark.django_db
def test_targets_may_depend_on_the_user():
    class Aimed(KeyFigures):
        metrics = {"sold": Count("pk"), "spread": StdDev("amount")}

        def get_targets(self):
            return {"sold": self.user}

    rows = Aimed(user=Decimal("2.5")).run()

    assert list(rows.values_list("name", "value", "target", "target_share")) == [
        ("sold", 0, Decimal("2.5"), 0),
        ("spread", None, None, None),
    ]
    with pytest.raises(
        DeclarationError, match=r"get_targets\(\) has 'solds', which is no metric .*Did you mean 'sold'"
    ):
        variant(Aimed, get_targets=lambda self: {"solds": 1})().run()


@pytest.mark.django_db
def test_labels_are_texts_of_the_reader_s_language():
    class Labelled(KeyFigures):
        metrics = {"sold_items": Count("pk"), "on_monday": Count("pk")}
        labels = {"on_monday": gettext_lazy("Monday")}

    with translation.override("de"):
        assert list(Labelled().run().values_list("label", flat=True)) == ["Sold items", "Montag"]


# Requests.


class Asked(KeyFigures):
    """The range, the period, the comparison and the metrics may be asked for."""

    name = "tests.asked_tiles"
    period = [Period.DAY, Period.MONTH]
    most_periods = 100

    class Params(Form):
        start = DateField(required=False)
        period = ChoiceField(choices=[("day", "day"), ("month", "month")], required=False)
        against = ChoiceField(choices=[*Against.choices, ("none", "none")], required=False)
        metrics = MultipleChoiceField(choices=[(name, name) for name in METRICS], required=False)


@pytest.mark.django_db
def test_a_request_takes_metrics_of_the_class():
    rows = Asked().run({"metrics": ["share", "priced"], "period": "month", "start": date(2024, 12, 1)})

    assert [(row["position"], row["name"], row["sparkline"]) for row in rows] == [
        (2, "priced", [0, 0]),
        (6, "share", [None, None]),
    ]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"start": date(2024, 1, 1)}, "The range has 397 periods; there may be at most 100"),
        ({"start": date(2025, 3, 1)}, "It must not be before the start"),
        ({"against": "none"}, "It must be one of previous, year, or None"),
    ],
)
def test_requests_that_do_not_fit_are_refused(params, problem):
    with pytest.raises(ParamsError, match=problem):
        Asked().run(params)


def test_a_range_at_the_first_year_is_refused():
    report = variant(KeyFigures, start=date(1, 1, 2), end=date(1, 1, 20), against="year")

    with pytest.raises(ParamsError, match="too near"):
        report().query()


# Declarations.


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"metrics": {}}, r"metrics must be set\."),
        ({"metrics": {"latest": Max("at"), "kind": Max("kind")}}, r"are none: kind \(text\), latest \(timestamptz\)"),
        ({"end": None}, "a tile needs a start and an end, or last"),
        ({"date_field": ""}, "date_field is not set"),
        ({"date_field": "day", "period": "hour"}, "finer than date_field 'day'"),
        ({"targets": {"counts": 1}}, "targets has 'counts', which is no metric .*Did you mean 'count'"),
        ({"labels": {"counts": "Counts"}}, "labels has 'counts', which is no metric"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(attributes, problem):
    report = variant(KeyFigures, **attributes)

    with pytest.raises(DeclarationError, match=f"^KeyFigures: .*{problem}"):
        report.get_columns()


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"targets": {"count": "many"}}, "must be a dict of finite numbers by metric"),
        ({"targets": {"count": float("nan")}}, "must be a dict of finite numbers by metric"),
        ({"targets": [1]}, "must be a dict of finite numbers by metric"),
        ({"labels": {"count": ""}}, "must be a dict of texts by metric"),
        ({"dimensions": ["kind"]}, "must be left out"),
        ({"against": "month"}, "must be one of previous, year, or None"),
        ({"target": 5}, "Did you mean 'targets'"),
    ],
)
def test_attributes_of_another_type_are_refused(attributes, problem):
    with pytest.raises(TypeError, match=problem):
        variant(KeyFigures, **attributes)
