"""The first groups of an order against an oracle that ranks by counting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, Max, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import ParamsError
from reports.errors import DeclarationError
from reports.prebuilt import TopAndOther, TopN, TopPerGroup
from reports.testing import assert_scans
from tests.models import Sale
from tests.ranked import METRICS, figures, grouped, ranks
from tests.sales import days, sales, stored

exact = st.sampled_from(["count", "total", "most"])
some_dimensions = st.sampled_from([("kind",), ("kind", "quantity"), ("day", "kind")])


class Top(TopN):
    name = "tests.top"
    source = Sale
    dimensions = ["kind"]
    metrics = METRICS


class TopOf(TopPerGroup):
    name = "tests.top_of"
    source = Sale
    partition = ["kind"]
    dimensions = ["quantity"]
    metrics = METRICS


class Rest(TopAndOther):
    name = "tests.rest"
    source = Sale
    dimensions = ["kind"]
    metrics = METRICS


class Choices(forms.Form):
    """What a request may ask for."""

    by = forms.CharField(required=False)
    limit = forms.IntegerField(required=False)
    metrics = forms.CharField(required=False)
    dimensions = forms.CharField(required=False)
    ascending = forms.NullBooleanField(required=False)
    with_ties = forms.NullBooleanField(required=False)
    partition = forms.CharField(required=False)
    label = forms.CharField(required=False)


def made(report: type[Any], **attributes: Any) -> Any:
    return type("Made", (report,), attributes)


def named(names: Sequence[str], key: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, key, strict=True))


@pytest.mark.django_db
@settings(max_examples=50)
@given(
    facts=sales(), names=some_dimensions, by=exact, limit=st.integers(1, 4), ties=st.booleans(), ascending=st.booleans()
)
def test_top_is_that_of_the_oracle(facts, names, by, limit, ties, ascending):
    groups = {key: figures(group) for key, group in grouped(facts, names).items()}
    ranked = ranks({key: group[by] for key, group in groups.items()}, ascending=ascending)
    kept = [each for place, each in enumerate(ranked, start=1) if (each[0] if ties else place) <= limit]
    report = made(Top, dimensions=names, by=by, limit=limit, with_ties=ties, ascending=ascending)

    with stored(facts):
        rows = list(report().run())

    assert rows == [{"rank": rank, **named(names, key), **groups[key]} for rank, key in kept]


@pytest.mark.django_db
@settings(max_examples=50)
@given(facts=sales(), by=exact, limit=st.integers(1, 3), ties=st.booleans(), ascending=st.booleans())
def test_top_per_group_is_that_of_the_oracle(facts, by, limit, ties, ascending):
    expected = {}
    for (kind,), group in grouped(facts, ["kind"]).items():
        inner = {key: figures(each) for key, each in grouped(group, ["quantity"]).items()}
        ranked = ranks({key: each[by] for key, each in inner.items()}, ascending=ascending)
        kept = [each for place, each in enumerate(ranked, start=1) if (each[0] if ties else place) <= limit]
        expected[kind] = [{"rank": rank, "kind": kind, "quantity": key[0], **inner[key]} for rank, key in kept]
    report = made(TopOf, by=by, limit=limit, with_ties=ties, ascending=ascending)

    with stored(facts):
        rows = list(report().run())

    assert rows == [row for kind in sorted(expected, key=lambda each: (each is None, each)) for row in expected[kind]]


@pytest.mark.django_db
@settings(max_examples=40)
@given(facts=sales(), limit=st.integers(1, 3), ties=st.booleans())
def test_top_rows_are_those_of_the_oracle(facts, limit, ties):
    expected = []
    for (kind,), group in grouped(facts, ["kind"]).items():
        numbered = {(fact["amount"], fact["day"], number): fact["amount"] for number, fact in enumerate(group)}
        ranked = ranks(numbered)
        kept = [each for place, each in enumerate(ranked, start=1) if (each[0] if ties else place) <= limit]
        expected += [{"rank": rank, "kind": kind, "amount": key[0], "day": key[1]} for rank, key in kept]
    report = made(TopOf, metrics={}, dimensions=["amount", "day"], by="amount", limit=limit, with_ties=ties)

    with stored(facts):
        rows = list(report().run())

    def order(row: dict[str, Any]) -> Any:
        return row["kind"] is None, row["kind"], row["rank"], row["day"] is None, row["day"]

    assert sorted(rows, key=order) == sorted(expected, key=order)


@pytest.mark.django_db
@settings(max_examples=50)
@given(facts=sales(), names=some_dimensions, by=exact, limit=st.integers(1, 4), ascending=st.booleans())
def test_top_and_other_are_those_of_the_oracle(facts, names, by, limit, ascending):
    groups = grouped(facts, names)
    ranked = ranks({key: figures(group)[by] for key, group in groups.items()}, ascending=ascending)
    expected = [
        {"rank": rank, "is_other": False, **named(names, key), "members": 1, **figures(groups[key])}
        for rank, key in ranked[:limit]
    ]
    if rest := [key for _, key in ranked[limit:]]:
        merged = figures([fact for key in rest for fact in groups[key]])
        label = {name: "the rest" if name == "kind" else None for name in names}
        expected.append({"rank": None, "is_other": True, **label, "members": len(rest), **merged})
    report = made(Rest, dimensions=names, by=by, limit=limit, ascending=ascending, label="the rest")

    with stored(facts):
        rows = list(report().run())

    assert rows == expected


@pytest.mark.django_db
@settings(max_examples=20)
@given(facts=sales(), first=days)
def test_top_counts_the_rows_of_a_range(facts, first):
    groups = grouped([fact for fact in facts if fact["day"] is not None and fact["day"] >= first], ["kind"])
    report = made(Top, start=first, date_field="day")

    with stored(facts):
        rows = list(report().run())

    assert {row["kind"]: row["count"] for row in rows} == {key[0]: len(group) for key, group in groups.items()}


@pytest.mark.django_db
def test_label_is_no_group():
    facts = [{"kind": kind} for kind in ["other", "other", None, None, "a", "b"]]
    report = made(Rest, metrics={"count": Count("pk")}, limit=2)

    with stored(facts):
        rows = list(report().run())

    assert rows == [
        {"rank": 1, "is_other": False, "kind": "other", "members": 1, "count": 2},
        {"rank": 1, "is_other": False, "kind": None, "members": 1, "count": 2},
        {"rank": None, "is_other": True, "kind": "other", "members": 2, "count": 2},
    ]


@pytest.mark.django_db
def test_request_asks_for_less_and_in_another_order():
    facts = [{"kind": "a", "amount": 3}, {"kind": "b", "amount": 1}, {"kind": "b", "amount": 1}]
    report = made(
        Top, Params=Choices, metrics={"count": Count("pk"), "total": Sum("amount")}, dimensions=["kind", "day"]
    )
    params = {"by": "total", "ascending": True, "limit": 1, "metrics": "count", "dimensions": "kind"}

    with stored(facts):
        rows = list(report().run(params))

    assert rows == [{"rank": 1, "kind": "b", "day": None, "count": 2, "total": None}]


@pytest.mark.django_db
def test_request_asks_for_a_part_of_the_partition():
    facts = [{"kind": "a", "quantity": 1}, {"kind": "b", "quantity": 1}, {"kind": "b", "quantity": 2}]
    report = made(
        TopOf, Params=Choices, partition=["kind", "day"], metrics={"count": Count("pk")}, dimensions=["quantity", "id"]
    )

    with stored(facts):
        rows = list(report().run({"partition": "kind", "dimensions": "quantity", "limit": 1}))

    assert rows == [
        {"rank": 1, "kind": "a", "day": None, "quantity": 1, "id": None, "count": 1},
        {"rank": 1, "kind": "b", "day": None, "quantity": 1, "id": None, "count": 1},
    ]


@pytest.mark.django_db
def test_rows_are_ranked_by_a_field_that_is_not_shown():
    facts = [{"kind": "a", "quantity": 1, "amount": 1}, {"kind": "a", "quantity": 2, "amount": 9}]
    report = made(TopOf, Params=Choices, metrics={}, dimensions=["quantity", "amount"], by="amount", limit=1)

    with stored(facts):
        rows = list(report().run({"dimensions": "quantity"}))

    assert rows == [{"rank": 1, "kind": "a", "quantity": 2, "amount": None}]


@pytest.mark.django_db
def test_rest_of_a_mean_is_no_mean_of_means():
    facts = [{"kind": kind, "amount": amount} for kind, amount in [("a", 9), ("b", 1), ("c", 2), ("c", 2), ("c", 2)]]
    report = made(Rest, metrics={"mean": Avg("amount")}, by="mean", limit=1, label=None)

    with stored(facts):
        rows = list(report().run())

    assert [(row["kind"], row["is_other"], row["mean"]) for row in rows] == [
        ("a", False, 9),
        (None, True, Decimal("1.75")),
    ]


@pytest.mark.django_db
def test_label_of_a_request():
    with stored([{"kind": "a"}, {"kind": "b"}, {"kind": "b"}]):
        rows = list(made(Rest, Params=Choices, limit=1)().run({"label": "übrige"}))

    assert [row["kind"] for row in rows] == ["b", "übrige"]


@pytest.mark.parametrize("report", [Top, TopOf, Rest])
@pytest.mark.django_db
def test_ranking_reads_the_rows_once(report):
    assert_scans(report().run(), {Sale: 1})


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
@pytest.mark.parametrize("report", [Top, TopOf, Rest])
@pytest.mark.django_db
def test_facts_are_kept_where_asked(report, materialized, is_kept):
    plan = made(report, materialized=materialized)().run().plan()

    assert any(node.type == "CTE Scan" for node in plan.nodes) is is_kept


@pytest.mark.parametrize(
    ("report", "attributes", "problem"),
    [
        (Top, {"dimensions": []}, "dimensions must be set: there is a row for each group."),
        (
            Top,
            {"metrics": {}, "dimensions": []},
            "dimensions must be set: there is a row for each group. Made: metrics must be set.",
        ),
        (Top, {"start": date(2026, 1, 1)}, "start bound a date, and date_field is not set."),
        (Top, {"dimensions": {"rank": "kind"}}, "there would be several columns of one name: rank;"),
        (TopOf, {"partition": []}, "partition must be set: it names the groups of which each has its first rows."),
        (TopOf, {"partition": ["knid"]}, "there is no field 'knid'"),
        (TopOf, {"partition": ["quantity"]}, "there would be several columns of one name: quantity;"),
        (TopOf, {"partition": {"a__b": "kind"}}, "partition 'a__b' is no name for a column: two underscores"),
        (TopOf, {"partition": {"k" * 62: "kind"}}, f"partition '{'k' * 62}' is no name for a column: it has 62 bytes"),
        (TopOf, {"metrics": {}}, "without metrics, dimensions must be set, and by to the one to rank by."),
        (TopOf, {"metrics": {}, "by": "day"}, "by: There is no 'day' to rank by (there are: quantity)."),
        (
            Rest,
            {"metrics": {"buyers": Count("buyer", distinct=True), "most": Max("quantity")}},
            "the values of groups cannot be merged, as for a count of distinct values: the rest has no value of buyers",
        ),
    ],
)
def test_declaration_that_does_not_fit_is_refused(report, attributes, problem):
    with pytest.raises(DeclarationError) as caught:
        made(report, **attributes).get_columns()

    assert f"Made: {problem}" in str(caught.value)


def test_every_fault_of_a_declaration_is_told():
    with pytest.raises(DeclarationError) as caught:
        made(TopOf, partition=["knid"], dimensions=["dya"], by="cont").get_columns()

    assert all(word in str(caught.value) for word in ("'knid'", "'dya'", "'cont'"))


@pytest.mark.parametrize(
    ("report", "attributes"),
    [
        (Top, {"limit": 0}),
        (Top, {"limit": True}),
        (Top, {"ascending": 1}),
        (Top, {"with_ties": None}),
        (TopOf, {"partition": "kind"}),
        (Rest, {"label": 1}),
    ],
)
def test_attribute_that_does_not_fit_is_refused(report, attributes):
    with pytest.raises(TypeError, match=f"Made.{next(iter(attributes))} is .*; it must be "):
        made(report, **attributes)


@pytest.mark.parametrize(
    ("report", "params", "problem"),
    [
        (
            Top,
            {"by": "cuont"},
            "by: It must be one of count, mean, most, priced, rate, total. Did you mean 'count'?",
        ),
        (Top, {"limit": 0}, "limit: It must be a whole number from 1 to 100000."),
        (Top, {"dimensions": "password"}, "dimensions: "),
        (TopOf, {"partition": "quantity"}, "partition: "),
    ],
)
def test_request_that_does_not_fit_is_refused(report, params, problem):
    with pytest.raises(ParamsError) as caught:
        made(report, Params=Choices)().query(params)

    assert problem in str(caught.value)


def test_keys_are_those_of_the_groups():
    keys = made(Top, dimensions={"sale": "id"}), made(TopOf, partition=["id"], dimensions={"sale": "id"})

    assert [[column.name for column in report.get_columns() if column.pk] for report in keys] == [
        ["sale"],
        ["id", "sale"],
    ]
    assert not any(column.pk for column in Top.get_columns())  # a kind may be NULL
