"""Which names must have a value for an aggregate to see a row; that it is so is asked of PostgreSQL elsewhere.

``test_metrics_are_those_of_annotate_over_one_relation`` compares what comes of it.
"""

from __future__ import annotations

import pytest
from django.contrib.postgres.aggregates import ArrayAgg, BoolOr, Corr, JSONBAgg
from django.db.models import (
    Avg,
    Case,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    Max,
    Min,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Greatest, Lower, TruncDay

from reports.prebuilt.relations.strictness import needed_by
from reports.prebuilt.vocabulary.conditions import aggregates_in
from tests.models import Sale


class OwnSum(Sum):
    """May do anything with NULL."""


class OwnLower(Lower):
    """May do anything with NULL."""


@pytest.mark.parametrize(
    ("aggregate", "names"),
    [
        (Count("a"), "a"),
        (Count("*"), ""),
        (Count("a", distinct=True), "a"),
        (Sum(F("a") * F("b") + 1), "a b"),
        (Sum("a", default=0), "a"),
        (OwnSum("a"), ""),
        (Max(Lower("a")), "a"),
        (Max(OwnLower("a")), ""),
        (Max(Cast("a", FloatField())), "a"),
        (Max(TruncDay("a", output_field=DateTimeField())), "a"),
        (Sum(ExpressionWrapper(F("a") - F("b"), output_field=FloatField())), "a b"),
        (Max(Coalesce("a", 1)), ""),
        (Max(Greatest("a", "b")), ""),
        (Max(Func(F("a"), function="coalesce")), ""),
        (Avg(Value(1)), ""),
        (BoolOr("a"), "a"),
        (Corr("a", "b"), "a b"),
        (ArrayAgg("a"), ""),
        (JSONBAgg("a", filter=Q(b=1)), "b"),
        (Min(Case(When(a=1, then="b"))), "a b"),
        (Min(Case(When(a=1, then="b"), default="b")), "b"),
        (Min(Case(When(a=1, then=Value(1)), When(a=2, b=1, then=Value(2)))), "a"),
        (Min(Case(When(a=1, then="b"), default=Value(None))), "a b"),
        (Min(Case(When(a=1, then=Value(1)), default=Value(0))), ""),
        (Count("a", filter=Q(b=1)), "a b"),
        (Count("*", filter=None), ""),
        (ArrayAgg("a", filter=Q(b=1) & Q(c__gt=2, d__in=[1])), "b c__gt d__in"),
        (ArrayAgg("a", filter=Q(b=1) | Q(b=1, c=2)), "b"),
        (ArrayAgg("a", filter=Q(b=1) | Q(c=2)), ""),
        (ArrayAgg("a", filter=Q(b=1) ^ Q(b=1)), ""),
        (ArrayAgg("a", filter=~Q(b=1)), ""),
        (ArrayAgg("a", filter=Q(b=None)), ""),
        (ArrayAgg("a", filter=Q(b__isnull=True)), ""),
        (ArrayAgg("a", filter=Q(b__isnull=False)), "b"),
        (ArrayAgg("a", filter=Q(Exists(Sale.objects.all()))), ""),
        (ArrayAgg("a", filter=Q(Exists(Sale.objects.all()), b=1)), "b"),
    ],
)
def test_names_that_an_aggregate_needs(aggregate, names):
    assert needed_by(aggregate) == {*names.split()}


def test_aggregates_of_an_expression():
    one, other, third = Sum("a"), Count("b"), Max("c")

    assert list(aggregates_in(Coalesce(one, 0) / other + Case(When(Q(x=1), then=third), default=1))) == [
        one, other, third
    ]  # fmt: skip
