"""What a request may ask for: an attribute that the form has a field for, within what the class lists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db.models import Avg, Count, Q, Sum
from django.http import QueryDict
from django.utils import timezone

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Fill, Period, PeriodTotals, Ratio
from tests.models import Sale
from tests.payloads import payloads
from tests.sales import stored


class Asked(forms.Form):
    """As a project would write it."""

    metrics = forms.MultipleChoiceField(required=False, choices=[(each, each) for each in ("n", "total", "mean")])
    dimensions = forms.MultipleChoiceField(required=False, choices=[("kind", "Kind"), ("buyer_name", "Buyer")])
    period = forms.ChoiceField(required=False, choices=Period.choices)
    start = forms.DateTimeField(required=False)
    end = forms.DateField(required=False)
    last = forms.IntegerField(required=False)
    time_zone = forms.CharField(required=False)
    week_start = forms.IntegerField(required=False)
    fill = forms.ChoiceField(required=False, choices=[("", "none"), *Fill.choices])


class Loose(forms.Form):
    """Whatever is sent comes through."""

    metrics = dimensions = period = start = time_zone = week_start = fill = materialized = forms.CharField(
        required=False
    )


class Totals(PeriodTotals):
    name = "tests.asked"
    source = Sale
    date_field = "at"
    period = [Period.MONTH, Period.WEEK, Period.DAY]
    metrics = {"n": Count("pk"), "total": Sum("amount"), "mean": Avg("amount"), "rate": Ratio("total", "n")}
    dimensions = ["kind", "buyer__name"]
    start: ClassVar[Any] = date(2025, 1, 1)
    end: ClassVar[Any] = date(2025, 3, 1)
    time_zone = "Asia/Kathmandu"
    Params: ClassVar[Any] = Asked


class AnyTotals(Totals):
    name = "tests.loose"
    Params = Loose


SALES = [
    {"at": datetime(2025, 1, 5, 19, tzinfo=UTC), "kind": "a", "amount": 2},  # Monday in Kathmandu
    {"at": datetime(2025, 1, 8, tzinfo=UTC), "kind": "a", "amount": 4},
    {"at": datetime(2025, 2, 1, tzinfo=UTC), "kind": "b", "amount": 8},
]


def rows(params: Any, report: Any = Totals) -> list[dict[str, Any]]:
    with stored(SALES):
        return [dict(row) for row in report().run(params)]


def test_nothing_asked_for_is_the_class_itself():
    class Unasked(Totals):
        Params = None

    given: list[Any] = [{}, {"metrics": [], "period": "", "start": None}, QueryDict("period=&last=&page=2")]
    for params in given:
        assert Totals().query(params) == Unasked().query()


@pytest.mark.django_db
def test_period_asked_for():
    assert [row["period"] for row in rows({})] == [date(2025, 1, 1), date(2025, 2, 1)]
    assert [row["period"].day for row in rows({"period": "day"})] == [6, 8, 1]
    assert [row["period"].day for row in rows(QueryDict("period=week&week_start=7"))] == [5, 26]


@pytest.mark.django_db
def test_metrics_asked_for():
    """The others are there, and NULL: the columns are the same for every request."""
    found = rows({"metrics": ["total"], "period": "week"})

    assert [(row["n"], row["total"], row["mean"], row["rate"]) for row in found] == [
        (None, 6, None, None),
        (None, 8, None, None),
    ]


def test_metric_that_is_not_asked_for_is_not_computed():
    sql = Totals().query(QueryDict("metrics=n")).sql

    assert "COUNT(" in sql
    assert "SUM(" not in sql


def test_ratio_asked_for_brings_its_parts():
    class Rated(AnyTotals):
        name = "tests.rated"

    sql = Rated().query({"metrics": "rate"}).sql

    assert "COUNT(" in sql
    assert "SUM(" in sql
    assert 'NULL::bigint AS "n"' in sql


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        (["kind"], [(1, "a", None, 2), (2, "b", None, 1)]),
        (["buyer_name", "kind"], [(1, "a", None, 2), (2, "b", None, 1)]),
        (["buyer_name"], [(1, None, None, 2), (2, None, None, 1)]),
    ],
)
def test_dimensions_asked_for(asked, groups):
    found = rows(QueryDict("&".join(f"dimensions={each}" for each in asked)))

    assert [(row["period"].month, row["kind"], row["buyer_name"], row["n"]) for row in found] == groups


def test_dimension_that_is_not_asked_for_groups_nothing():
    sql = Totals().query({"dimensions": ["kind"]}).sql

    assert '"by_kind"' in sql
    assert '"by_buyer_name"' not in sql
    assert "JOIN" not in sql


def test_date_and_time_of_a_form_is_in_the_zone_of_the_request():
    """Django makes it aware, by the zone that is current; a date begins in the report's."""
    with timezone.override(ZoneInfo("Europe/Berlin")):
        query = Totals().query({"start": "2025-01-01 12:00", "end": "2025-01-03"})

    assert datetime(2025, 1, 1, 11, tzinfo=UTC) in query.params
    assert datetime(2025, 1, 2, 18, 15, tzinfo=UTC) in query.params


def test_range_asked_for_in_part_keeps_the_classes_other_end():
    query = Totals().query({"end": "2025-02-01"})

    assert datetime(2024, 12, 31, 18, 15, tzinfo=UTC) in query.params
    assert datetime(2025, 1, 31, 18, 15, tzinfo=UTC) in query.params


def test_zone_asked_for():
    query = Totals().query({"time_zone": "America/Havana"})

    assert "America/Havana" in query.params
    assert "Asia/Kathmandu" not in query.params
    assert datetime(2025, 1, 1, 5, tzinfo=UTC) in query.params


@pytest.mark.django_db
def test_fill_asked_for():
    found = rows({"fill": "zero", "period": "month", "start": "2024-12-15 12:00"})

    assert [(row["period"].month, row["kind"], row["n"]) for row in found] == [
        (month, kind, 2 if (month, kind) == (1, "a") else int((month, kind) == (2, "b")))
        for month in (12, 1, 2)
        for kind in "ab"
    ]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"period": "year"}, "period: It must be one of month, week, day."),
        ({"period": "decade"}, "period: Select a valid choice. decade is not one of the available choices. Allowed: "),
        ({"metrics": ["other"]}, "metrics: Select a valid choice. other is not one of the available choices."),
        ({"dimensions": ["buyer__password"]}, "dimensions: Select a valid choice."),
        ({"start": "2025-02-30"}, "start: Enter a valid date/time. Allowed: a date and time such as 2026-01-31 13:45"),
        ({"end": "2024-12-31"}, "end: It must not be before the start."),
        ({"start": "0001-01-01"}, "start: The range is too near to the first or the last day that a date can be."),
        ({"end": "9999-12-31"}, "end: The range is too near to the first or the last day that a date can be."),
        ({"time_zone": "Mars"}, "time_zone: It must be a time zone such as 'Europe/Berlin', or None."),
        ({"week_start": 0}, "week_start: It must be a whole number from 1 to 7."),
        ({"week_start": 10**9}, "week_start: It must be a whole number from 1 to 7."),
        ({"last": 10_001}, "last: It must be a whole number from 1 to 10000, or None."),
        ({"fill": "some"}, "fill: Select a valid choice."),
        ({"perod": "day"}, "perod: No such parameter (there are: "),
    ],
)
def test_request_that_does_not_fit_is_refused(params, problem):
    with pytest.raises(ParamsError) as caught:
        Totals().query(params)

    assert str(caught.value).startswith(f"report 'tests.asked': {problem}")
    assert set(caught.value.message_dict) == set(params)


def test_more_periods_than_a_calendar_has_are_refused():
    class Last(Totals):
        start = end = None
        period = [Period.MONTH, Period.YEAR]

    with pytest.raises(ParamsError, match=r"last: The range is too near to the first or the last day"):
        Last().query({"last": 10_000, "period": "year"})
    assert Last().query({"last": 10_000}).sql


def test_naive_date_and_time_is_refused():
    class Naive(Totals):
        class Params(forms.Form):
            start = forms.Field(required=False)

    with pytest.raises(ParamsError, match=r"start: It must be a date, a date and time with a zone, a function of"):
        Naive().query({"start": datetime(2025, 1, 1)})


# "null" is what gaps may be filled with.
HOSTILE = [each for each in payloads() if each.strip() not in ("", "null")]


@pytest.mark.injection
@pytest.mark.parametrize("name", Loose.base_fields)
def test_hostile_value_is_refused_and_never_repeated(name):
    for value in HOSTILE:
        with pytest.raises(ParamsError) as caught:
            AnyTotals().query({name: value})

        assert len(value) < 8 or value not in str(caught.value)


@pytest.mark.injection
@pytest.mark.parametrize("name", ["metrics", "dimensions", "period"])
def test_hostile_value_is_refused_in_a_list_too(name):
    class Listed(AnyTotals):
        class Params(forms.Form):
            metrics = dimensions = period = forms.JSONField(required=False)

    for value in [["n", "x; DROP"], ["kind", {}], [[]], {"a": 1}, 1, True, [None], ["n", None]]:
        with pytest.raises(ParamsError):
            Listed().query({name: value})


# What the class itself gives for a bound.


def of(**attributes: Any) -> Any:
    return type("Bound", (Totals,), {"__module__": "tests", "Params": None, **attributes})


def first_of_may() -> date:
    return date(2025, 5, 1)


@pytest.mark.parametrize(
    "end",
    [
        first_of_may,
        staticmethod(first_of_may),
        lambda: date(2025, 5, 1),
        lambda: datetime(2025, 4, 30, 18, 15, tzinfo=UTC),
        date(2025, 5, 1),
    ],
)
def test_bound_may_be_a_function(end):
    assert datetime(2025, 4, 30, 18, 15, tzinfo=UTC) in of(end=end)().query().params


@pytest.mark.parametrize(
    ("given", "kind"), [("2025-05-01", "str"), (datetime(2025, 5, 1), "datetime"), (first_of_may, "function")]
)
def test_function_that_gives_no_bound_is_refused(given, kind):
    allowed = "it must give a date, or a date and time with a zone"
    with pytest.raises(DeclarationError, match=f"^Bound: the function end gave a {kind}; {allowed}"):
        of(end=lambda: given)().query()


def test_function_that_gives_none_leaves_the_range_open():
    (start,) = [each for each in of(end=lambda: None)().query().params if isinstance(each, datetime)]

    assert start == datetime(2024, 12, 31, 18, 15, tzinfo=UTC)


def test_last_periods_are_those_before_the_end(monkeypatch):
    query = of(start=None, end=None, last=1)().query()
    first, after = [each for each in query.params if isinstance(each, datetime)]

    assert first <= timezone.now() < after


@pytest.mark.parametrize(
    ("period", "end", "first"),
    [
        (Period.MONTH, date(2025, 5, 1), date(2025, 3, 1)),
        (Period.MONTH, date(2025, 5, 2), date(2025, 4, 1)),
        (Period.DAY, date(2025, 5, 1), date(2025, 4, 29)),
        (Period.YEAR, date(2025, 1, 1), date(2023, 1, 1)),
    ],
)
def test_last_periods_before_an_end(period, end, first):
    query = of(period=period, start=None, end=end, last=2)().query()
    kathmandu = ZoneInfo("Asia/Kathmandu")

    given = [each for each in query.params if isinstance(each, datetime)]

    assert given == [datetime(each.year, each.month, each.day, tzinfo=kathmandu) for each in (first, end)]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("limit", 3, "this report takes none"),
        ("filter", Q(kind="a"), r"get_source\(\) gives the rows that count"),
        ("order_by", ["-n"], "the rows' order is 'ordering'"),
    ],
)
def test_attribute_that_the_class_would_pass_over_is_refused(name, value, problem):
    with pytest.raises(TypeError, match=f"has no attribute '{name}': {problem}"):
        of(**{name: value})


def test_report_without_a_source_says_so():
    with pytest.raises(DeclarationError, match=r"source must be set"):
        type("Nothing", (PeriodTotals,), {"date_field": "at", "metrics": {"n": Count("pk")}})().query()


@pytest.mark.django_db
def test_source_may_be_chosen_by_a_parameter():
    class OfKind(PeriodTotals):
        source = Sale
        date_field = "day"
        metrics = {"n": Count("pk")}

        class Params(forms.Form):
            kind = forms.CharField(required=False)

        def get_source(self) -> Any:
            return Sale.objects.filter(kind=self.given["kind"]) if self.given.get("kind") else Sale

    report = OfKind()
    with stored([{"kind": kind, "day": date(2025, 1, 1)} for kind in "aab"]):
        found = [[row["n"] for row in report.run(params)] for params in ({}, {"kind": "a"}, {})]

    assert found == [[3], [2], [3]]
    assert dict(report.given) == {}
