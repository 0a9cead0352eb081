"""Shares and classes against an oracle that adds row by row."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, FloatField, Sum
from django.db.models.functions import Cast
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import ParamsError
from reports.errors import DeclarationError
from reports.prebuilt import Pareto, ShareOfTotal
from reports.testing import assert_scans
from tests.models import Sale
from tests.ranked import METRICS, figures, grouped, ranks
from tests.sales import near, sales, stored


class Shares(ShareOfTotal):
    name = "tests.shares"
    source = Sale
    dimensions = ["kind", "quantity"]
    share_within = ["kind"]
    metrics = METRICS


class Classes(Pareto):
    name = "tests.classes"
    source = Sale
    dimensions = ["kind", "quantity"]
    metrics = METRICS
    by = "total"


def made(report: type[Any], **attributes: Any) -> Any:
    return type("Made", (report,), attributes)


def quotient(value: Any, whole: Any) -> Any:
    """Return what a quotient of PostgreSQL is near to; None without a whole."""
    if value is None or not whole:
        return None
    exact = Fraction(value) / Fraction(whole)
    return near(Decimal(exact.numerator) / Decimal(exact.denominator))


def total(values: Any) -> Any:
    """Return the sum of values, of which None adds nothing; None of nothing."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=sales())
def test_shares_are_those_of_the_oracle(facts):
    groups = {key: figures(group) for key, group in grouped(facts, ["kind", "quantity"]).items()}
    expected = {}
    for key, group in groups.items():
        row = expected[key] = dict(group)
        for name in ("count", "priced", "total"):
            whole = total(each[name] for each in groups.values())
            within = total(each[name] for other, each in groups.items() if other[0] == key[0])
            row[f"{name}_share"] = quotient(group[name], whole)
            row[f"{name}_share_within"] = quotient(group[name], within)

    with stored(facts):
        rows = list(Shares().run())

    assert {(row.pop("kind"), row.pop("quantity")): row for row in rows} == expected


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    by=st.sampled_from(["count", "priced", "total"]),
    thresholds=st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_classes_are_those_of_the_oracle(facts, by, thresholds):
    groups = {key: figures(group) for key, group in grouped(facts, ["kind", "quantity"]).items()}
    ranked = ranks({key: group[by] for key, group in groups.items()})
    adds = {key: max(group[by] or 0, 0) for key, group in groups.items()}
    whole, so_far, expected = sum(adds.values()), Decimal(), []
    for rank, key in ranked:
        # The first class that is not full before this group; in a whole of nothing all are.
        full = sum(100 * so_far >= threshold * whole for threshold in thresholds)
        so_far += adds[key]
        shares = {"share": quotient(adds[key], whole), "cumulative_share": quotient(so_far, whole)}
        row = {"rank": rank, "kind": key[0], "quantity": key[1], **groups[key], **shares, "abc": "ABCDE"[full]}
        expected.append(row)
    report = made(Classes, by=by, thresholds=[Decimal(each) / 100 for each in thresholds])

    with stored(facts):
        rows = list(report().run())

    assert rows == expected


class Asked(forms.Form):
    """What a request may ask for."""

    metrics = forms.CharField(required=False)
    dimensions = forms.CharField(required=False)
    share_within = forms.CharField(required=False)
    by = forms.CharField(required=False)


@pytest.mark.django_db
def test_total_is_that_of_all_groups_when_rows_are_filtered():
    facts = [{"kind": "a"}, {"kind": "b"}, {"kind": "b"}, {"kind": "c"}]

    with stored(facts):
        rows = made(Shares, metrics={"count": Count("pk")}, dimensions=["kind"], share_within=[])().run()
        found = list(rows.filter(count__gt=1))

    assert found == [{"kind": "b", "count": 2, "count_share": Decimal("0.5")}]


@pytest.mark.django_db
def test_parts_of_both_signs_that_come_to_nothing_have_no_share():
    facts = [{"kind": "a", "amount": 5}, {"kind": "b", "amount": -5}]

    with stored(facts):
        rows = list(made(Shares, metrics={"total": Sum("amount")}, dimensions=["kind"], share_within=[])().run())

    assert [(row["total"], row["total_share"]) for row in rows] == [(5, None), (-5, None)]


@pytest.mark.django_db
def test_request_asks_for_shares_within_another_dimension():
    facts = [{"kind": "a", "quantity": 1}, {"kind": "b", "quantity": 1}, {"kind": "b", "quantity": 2}]
    report = made(Shares, Params=Asked, metrics={"count": Count("pk"), "total": Sum("amount")}, share_within=[])

    with stored(facts):
        within = list(
            report().run({"metrics": "count", "share_within": "quantity"}).values_list("kind", "count_share_within")
        )
        less = list(
            report().run({"dimensions": "kind", "share_within": "quantity"}).values_list("kind", "count_share_within")
        )

    assert within == [("a", Decimal("0.5")), ("b", Decimal("0.5")), ("b", 1)]
    assert less == [
        ("a", near(Decimal(1) / 3)),
        ("b", near(Decimal(2) / 3)),
    ]  # a dimension that is not there is the whole


@pytest.mark.django_db
def test_one_group_of_nearly_all_is_an_a():
    facts = [
        {"kind": "a", "amount": 96},
        {"kind": "b", "amount": 3},
        {"kind": "c", "amount": 1},
        {"kind": "d", "amount": -9},
    ]

    with stored(facts):
        rows = list(made(Classes, dimensions=["kind"])().run().values_list("kind", "cumulative_share", "abc"))

    assert rows == [("a", Decimal("0.96"), "A"), ("b", Decimal("0.99"), "C"), ("c", 1, "C"), ("d", 1, "C")]


@pytest.mark.django_db
def test_binary_numbers_add_up_to_the_whole():
    facts = [{"kind": kind, "amount": amount} for kind, amount in zip("abcdefghij", [0.1] * 10, strict=True)]
    metrics = {"total": Sum(Cast("amount", FloatField()))}
    reports = made(Classes, dimensions=["kind"], metrics=metrics), made(Shares, metrics=metrics)

    with stored(facts):
        classes, shares = (list(report().run()) for report in reports)

    assert (classes[-1]["cumulative_share"], classes[-1]["abc"]) == (1.0, "B")
    assert [type(row["total_share"]) for row in shares] == [float] * 10


@pytest.mark.parametrize("report", [Shares, Classes])
@pytest.mark.django_db
def test_shares_read_the_rows_once(report):
    assert_scans(report().run(), {Sale: 1})


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
@pytest.mark.parametrize("report", [Shares, Classes])
@pytest.mark.django_db
def test_facts_are_kept_where_asked(report, materialized, is_kept):
    plan = made(report, materialized=materialized)().run().plan()

    assert any(node.type == "CTE Scan" for node in plan.nodes) is is_kept


@pytest.mark.parametrize(
    ("report", "attributes", "problem"),
    [
        (Shares, {"share_within": ["day"]}, "share_within: There is no dimension 'day' (there are: kind, quantity)."),
        (
            Shares,
            {"metrics": {"mean": Avg("amount")}},
            "no metric is a count or a sum of numbers, of which there are shares.",
        ),
        (Shares, {"metrics": {"at": Count("pk"), "at_share": Count("pk")}}, "several columns of one name: at_share;"),
        (Shares, {"metrics": {}}, "Made: metrics must be set."),
        (Classes, {"metrics": {}, "by": ""}, "Made: metrics must be set."),
        (Classes, {"by": "mean"}, "by: There is no 'mean' to rank by (there are: count, priced, total)."),
        (
            Classes,
            {"by": "", "metrics": {"buyers": Count("buyer", distinct=True)}},
            "no metric is a count or a sum of numbers, which groups could add up to.",
        ),
    ],
)
def test_declaration_that_does_not_fit_is_refused(report, attributes, problem):
    with pytest.raises(DeclarationError) as caught:
        made(report, **attributes).get_columns()

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "thresholds", [0.8, [], [0], [0.95, 0.8], [0.8, 0.8], [0.8, 1], ["0.8"], [each / 100 for each in range(1, 27)]]
)
def test_thresholds_that_do_not_rise_within_the_whole_are_refused(thresholds):
    with pytest.raises(TypeError, match="a rising list of 1 to 25 numbers between 0 and 1"):
        made(Classes, thresholds=thresholds)


def test_share_within_must_be_names():
    with pytest.raises(TypeError, match=r"Made.share_within is .*; it must be a list of names of dimensions"):
        made(Shares, share_within={"kind": "kind"})


@pytest.mark.parametrize(
    ("report", "params", "problem"),
    [
        (Shares, {"share_within": "day"}, "share_within: "),
        (Classes, {"by": "most"}, "by: It must be one of count, priced, total."),
    ],
)
def test_request_that_does_not_fit_is_refused(report, params, problem):
    with pytest.raises(ParamsError) as caught:
        made(report, Params=Asked)().query(params)

    assert problem in str(caught.value)
