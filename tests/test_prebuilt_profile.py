"""Profiles by weekday and hour, against an oracle that looks at the clock of each row."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db.models import Avg, Count, DurationField, F, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Period, ProfileCells, WeekdayProfile
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import near, stored
from tests.series import ADDED, METRICS, Days, cases, figures, make_sales, options, zeroed


class Profile(WeekdayProfile):
    name = "tests.profile"
    source = Sale
    date_field = "at"
    metrics = METRICS
    dimensions = ["kind"]


def profile(**attributes):
    return type("Given", (Profile,), attributes)()


def cell(local, cells, week_start):
    """Return where a moment stands in a grid."""
    weekday = local.isoweekday() - week_start
    found = {"weekday": (weekday + 7 if weekday < 0 else weekday) + 1, "hour": local.hour}
    return tuple(found[name] for name in ("weekday", "hour") if name in cells)


GRIDS: dict[str, list[tuple[int, ...]]] = {
    "weekday_hour": [(weekday, hour) for weekday in range(1, 8) for hour in range(24)],
    "weekday": [(weekday,) for weekday in range(1, 8)],
    "hour": [(hour,) for hour in range(24)],
}


@pytest.mark.django_db
@settings(max_examples=40)
@given(case=cases([Period.DAY]), cells=st.sampled_from(ProfileCells), average=st.booleans(), is_open=st.booleans())
def test_profile_is_that_of_the_oracle(case, cells, average, is_open):
    facts, days, start, end = case
    if is_open and not average:
        start = end = None
    groups = defaultdict(list)
    for (_, kind), rows in Days(days.zone, Period.DAY).groups(facts, start, end).items():
        for fact in rows:
            groups[cell(fact["at"].astimezone(days.zone), cells, days.week_start), kind].append(fact)
    expected = {
        (place, kind): zeroed(figures(groups.get((place, kind), [])))
        for place in GRIDS[cells]
        for kind in {kind for _, kind in groups}
    }
    if average:
        of_range = days.between(start, end)
        for (place, _), row in expected.items():
            number = sum(
                cells == "hour" or cell(datetime(day.year, day.month, day.day), cells, days.week_start)[0] == place[0]
                for day in of_range
            )
            row |= {f"{name}_average": near(Decimal(row[name]) / number) if number else None for name in ADDED}
    report = type("Grid", (Profile,), options(days, start=start, end=end, cells=cells, average=average))

    with stored(facts):
        rows = list(report().run())

    names = [name for name in ("weekday", "hour") if name in cells]
    found = {(tuple(row.pop(name) for name in names), row.pop("kind")): row for row in rows}
    assert len(found) == len(rows)
    assert found == expected


def test_sql():
    report = profile(
        cells="weekday",
        average=True,
        metrics={"n": Count("pk")},
        start=date(2026, 1, 1),
        end=date(2026, 2, 1),
        week_start=7,
    )

    query = report.query()

    assert query.sql == (
        """\
WITH facts AS  (SELECT mod(extract(isodow FROM ("tests_sale"."at" AT TIME ZONE %s)::date)::integer + 7 - 7, 7) + 1\
 AS "by_weekday", "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."id") AS "of_n" FROM "tests_sale"\
 WHERE ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s) GROUP BY 1, 2),
days AS (
    SELECT mod(extract(isodow FROM period)::integer + 7 - (%s)::integer, 7) + 1 AS weekday, count(*) AS days
    FROM (
    SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s AND i AT TIME ZONE %s < (i + interval '1 day') AT TIME ZONE %s
    ) AS spine
    GROUP BY 1
),
grid AS (
    SELECT w.weekday, h.hour, "d"."by_kind"
    FROM generate_series(1, 7) AS w (weekday)
    CROSS JOIN (VALUES (NULL::integer)) AS h (hour)
    CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
)
SELECT "g"."weekday", "g"."by_kind" AS "kind",
    coalesce(("f"."of_n")::bigint, (%s)::bigint) AS "n",
    (coalesce(("f"."of_n")::bigint, (%s)::bigint))::numeric / n.days AS "n_average"
FROM grid AS g
LEFT JOIN facts AS f ON true AND f.by_weekday = g.weekday AND ARRAY["f"."by_kind"] = ARRAY["g"."by_kind"]
LEFT JOIN days AS n ON n.weekday = g.weekday"""
    )


COUNTED = {"metrics": {"n": Count("pk")}, "dimensions": ()}


@pytest.mark.django_db
def test_clock_is_that_of_the_zone_and_its_repeated_hour_is_one():
    zone = ZoneInfo("Europe/Berlin")
    hours = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    report = profile(**COUNTED, time_zone=zone)

    with stored([{"at": at} for at in hours]):
        rows = list(report.run())

    assert len(rows) == 168
    assert [row for row in rows if row["n"]] == [{"weekday": 7, "hour": 2, "n": 2}]
    assert [(row["weekday"], row["hour"]) for row in rows] == GRIDS["weekday_hour"]


@pytest.mark.django_db
def test_average_is_over_the_days_that_the_range_has():
    """Nine days from a Thursday on: two Thursdays and Fridays, one of each other day."""
    report = profile(
        **COUNTED, cells="weekday", average=True, time_zone="UTC", start=date(2026, 1, 1), end=date(2026, 1, 10)
    )
    days = (1, 1, 1, 9, 3)

    with stored([{"at": datetime(2026, 1, day, tzinfo=UTC)} for day in days]):
        found = [(row["n"], row["n_average"]) for row in report.run()]

    assert found == [(0, 0), (0, 0), (0, 0), (3, Decimal("1.5")), (1, Decimal("0.5")), (1, 1), (0, 0)]


@pytest.mark.django_db
def test_weekday_that_the_range_has_not_has_no_average():
    report = profile(**COUNTED, cells="weekday", average=True, start=date(2026, 1, 5), end=date(2026, 1, 6))

    assert [row["n_average"] for row in report.run()] == [0, *[None] * 6]


@pytest.mark.django_db
def test_average_of_times():
    metrics = {"time": Sum(F("until") - F("at"), output_field=DurationField()), "mean": Avg("quantity")}
    report = profile(
        metrics=metrics, dimensions=(), cells="weekday", average=True, start=date(2026, 1, 1), end=date(2026, 1, 15)
    )
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)

    with stored([{"at": at, "until": at + timedelta(hours=3), "quantity": 4}]):
        found = list(report.run())

    thursday = {"weekday": 4, "time": timedelta(hours=3), "time_average": timedelta(hours=1.5), "mean": 4}
    friday = {"weekday": 5, "time": timedelta(), "time_average": timedelta(), "mean": None}
    assert found[3:5] == [thursday, friday]


@pytest.mark.django_db
def test_weekdays_of_dates():
    report = profile(**COUNTED, date_field="day", cells="weekday", time_zone="Pacific/Kiritimati")

    with stored([{"day": date(2026, 1, 4)}]):
        assert [row["n"] for row in report.run()] == [0, 0, 0, 0, 0, 0, 1]


@pytest.mark.django_db
def test_cells_and_average_are_asked_for_by_a_request():
    fields = {"cells": forms.CharField(required=False), "average": forms.BooleanField(required=False)}
    report = profile(
        **COUNTED,
        Params=type("Params", (forms.Form,), fields),
        time_zone="UTC",
        start=date(2026, 1, 1),
        end=date(2026, 1, 3),
    )

    with stored([{"at": datetime(2026, 1, 1, 23, tzinfo=UTC)}]):
        found = [
            next(row for row in report.run(params) if row["n"])
            for params in ({}, {"cells": "weekday"}, {"cells": "hour", "average": True})
        ]

    assert found == [
        {"weekday": 4, "hour": 23, "n": 1, "n_average": None},
        {"weekday": 4, "hour": None, "n": 1, "n_average": None},
        {"weekday": None, "hour": 23, "n": 1, "n_average": Decimal("0.5")},
    ]
    with pytest.raises(ParamsError, match="cells: It must be one of weekday_hour, weekday, hour"):
        report.run({"cells": "month"})


@pytest.mark.django_db
def test_average_of_an_open_range_is_refused():
    fields = {"average": forms.BooleanField(required=False)}
    report = profile(**COUNTED, Params=type("Params", (forms.Form,), fields))

    assert len(report.run({})) == 168
    with pytest.raises(ParamsError, match=r"start: .*needs a start and an end"):
        report.run({"average": True})


@pytest.mark.django_db
def test_no_row_at_all():
    assert {row["n"] for row in profile(**COUNTED).run()} == {0}
    assert list(profile().run()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("cells", ProfileCells)
def test_scans(cells):
    make_sales()
    report = profile(cells=cells, average=True, start=date(2024, 1, 1), end=date(2025, 1, 1))

    assert_scans(report.run(), {Sale: report.scans})


@pytest.mark.django_db
def test_range_is_found_by_an_index():
    make_sales()

    assert profile(start=date(2024, 1, 1), end=date(2024, 1, 8)).run().plan().uses_index("sale_at")


@pytest.mark.django_db
@pytest.mark.parametrize(("materialized", "scans"), [(True, 1), (False, 2), (None, 1)])
def test_materialized(materialized, scans):
    """The facts are used twice: for the dimensions of the grid, and in it."""
    make_sales(2000)

    assert profile(materialized=materialized).run().plan(analyze=True).scans(Sale) == scans


def test_columns():
    attributes = {
        "metrics": {"n": Count("pk"), "mean": Avg("amount")},
        "start": date(2026, 1, 1),
        "end": date(2026, 2, 1),
    }

    assert [
        (each.name, each.type, each.pk, each.null) for each in profile(**attributes, average=True).get_columns()
    ] == [
        ("weekday", "integer", False, False),
        ("hour", "integer", False, False),
        ("kind", "character varying", False, True),
        ("n", "bigint", False, False),
        ("n_average", "numeric", False, True),
        ("mean", "numeric", False, True),
    ]
    assert [(each.name, each.pk) for each in profile(**COUNTED, cells="hour").get_columns()] == [
        ("hour", True),
        ("n", False),
    ]
    assert profile(**COUNTED).get_ordering() == ("weekday", "hour")


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"date_field": "day"}, "date_field 'day' holds dates, which have no hour; set cells = 'weekday'"),
        ({"average": True}, "an average per day needs a start and an end, or last"),
        ({"metrics": {"hour": Count("pk")}}, "there would be several columns of one name: hour"),
    ],
)
def test_wrong_declaration(attributes, problem):
    with pytest.raises(DeclarationError, match=f"^Given: {problem}"):
        profile(**attributes).get_columns()


@pytest.mark.parametrize("attributes", [{"cells": "month"}, {"average": 1}, {"week_start": 0}])
def test_wrong_attribute(attributes):
    (name,) = attributes

    with pytest.raises(TypeError, match=rf"Given\.{name} is .*; it must be "):
        profile(**attributes)
