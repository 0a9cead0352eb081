"""A condition added to the filter of an aggregate, and ranges that touch made one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.postgres.aggregates import ArrayAgg, BoolOr
from django.db.models import Avg, Count, DecimalField, Exists, ExpressionWrapper, F, OuterRef, Q, Sum, Value
from django.db.models.functions import Coalesce, Round

from reports.prebuilt.dates.ranges import make_range
from reports.prebuilt.dates.spans import filtered, in_spans
from tests.models import Buyer, Sale
from tests.sales import stored

EXPRESSIONS = {
    "count": Count("pk"),
    "rows": Count("*"),
    "filtered": Count("pk", filter=Q(kind="a")),
    "distinct": Count("kind", distinct=True),
    "expression as filter": Count("pk", filter=Exists(Buyer.objects.filter(pk=OuterRef("buyer")))),
    "default": Sum("amount", filter=~Q(kind="b"), default=0),
    "coalesced": Coalesce(Sum("quantity"), Value(7)),
    "difference": ExpressionWrapper(Sum("amount") - Avg("amount"), output_field=DecimalField()),
    "rounded": Round(Avg("quantity", filter=Q(quantity__gt=1)), precision=1),
    "list": ArrayAgg("kind", filter=Q(kind__isnull=False), distinct=True),
    "any": BoolOr(Q(quantity=1)),
    "combined": Sum(F("quantity") * 2),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("day", [1, 2, 3])
def test_filtered_is_the_aggregate_over_fewer_rows(name, day):
    expression, condition = EXPRESSIONS[name], Q(day=date(2026, 1, day))
    before = repr(expression)
    sales = [
        {"day": date(2026, 1, 1 + index // 4), "kind": kind, "quantity": quantity, "amount": Decimal(index)}
        for index, (kind, quantity) in enumerate(
            zip(["a", "b", None, "a"] * 2, [1, 2, None, 3, None, 5, 6, 7], strict=True)
        )
    ]

    with stored(sales):
        found = Sale.objects.aggregate(metric=filtered(expression, condition))
        wanted = Sale.objects.filter(condition).aggregate(metric=expression)

    assert found == wanted
    assert repr(expression) == before


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(1, 3)], [(1, 3)]),
        ([(5, 7), (1, 3)], [(1, 3), (5, 7)]),
        ([(3, 5), (1, 3)], [(1, 5)]),
        ([(1, 9), (2, 3), (4, 12)], [(1, 12)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
        ([(1, 3), (1, 3)], [(1, 3)]),
    ],
)
def test_spans_that_touch_are_one(spans, expected):
    def day(number):
        return date(2026, 1, number)

    ranges = [make_range(day(start), day(end), UTC, of_dates=True) for start, end in spans]

    condition = in_spans("day", ranges, UTC)

    wanted = [Q(day__gte=day(start), day__lt=day(end)) for start, end in expected]
    assert condition == (wanted[0] if len(wanted) == 1 else wanted[0] | wanted[1])


def test_spans_of_instants():
    start, end = datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 1, 2, 6, tzinfo=UTC)

    assert in_spans("at", [make_range(start, end, UTC)], UTC) == Q(at__gte=start, at__lt=end)
