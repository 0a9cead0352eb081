"""Rows that would be counted several times, and groups of no row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.db.models import Avg, Count, Max, Q, Sum, Value
from django.db.models.functions import Upper

from reports.errors import DeclarationError
from reports.prebuilt import GroupedMetrics, RunningTotal, TopN
from tests.models import Sale
from tests.sales import stored

make_class: Any = type
VISITED = Q(buyer__visits__step="y")
SALES = [{"buyer_id": 1, "kind": "a", "amount": Decimal(amount)} for amount in (10, 20, 5)]
VISITS = [{"buyer_id": 1, "step": "y"}] * 3


def top(**attributes: Any) -> type[TopN]:
    return type("Top", (TopN,), {"source": Sale, "dimensions": ["kind"], "metrics": {"n": Count("pk")}, **attributes})


@pytest.mark.parametrize("metric", [Sum("amount", filter=VISITED), Avg("amount", filter=VISITED) * 2])
@pytest.mark.parametrize("parent", [TopN, GroupedMetrics, RunningTotal])
def test_filter_over_more_rows_than_the_values_is_refused(parent, metric):
    attributes = {"source": Sale, "metrics": {"total": metric}}

    with pytest.raises(DeclarationError, match="would count a value once for each of 'buyer__visits'"):
        make_class("Multiplied", (parent,), attributes).get_columns()


@pytest.mark.django_db
def test_filter_over_more_rows_is_right_where_a_repeated_value_is_one():
    metrics = {
        "most": Max("amount", filter=VISITED),
        "sales": Count("pk", filter=VISITED, distinct=True),
    }

    with stored(SALES, buyers=[{"id": 1}], visits=VISITS):
        rows = list(top(metrics=metrics, by="most")().run())

    assert rows == [{"rank": 1, "kind": "a", "most": Decimal(20), "sales": 3}]


@pytest.mark.django_db
def test_source_of_further_tables_has_each_row_once():
    source = Sale.objects.extra(tables=["tests_visit"], where=["tests_visit.buyer_id = tests_sale.buyer_id"])

    with stored(SALES, buyers=[{"id": 1}], visits=VISITS):
        assert source.count() == 9
        assert [row["n"] for row in top(source=source)().run()] == [3]


def test_dimension_that_is_the_same_for_every_row_is_refused():
    with pytest.raises(DeclarationError, match="dimension 'c' is the same for every row"):
        top(dimensions={"c": Value("x")}).get_columns()


def test_annotation_that_the_rows_of_a_user_lack_is_a_declaration_error():
    class Uppered(TopN):
        source = Sale.objects.annotate(upper=Upper("kind"))
        dimensions = ["upper"]
        metrics = {"n": Count("pk")}

        def get_source(self) -> models.QuerySet[Sale]:
            return Sale.objects.filter(buyer__visits__step="x").annotate(upper=Upper("kind"))

    with pytest.raises(DeclarationError, match=r"Uppered: .*upper"):
        Uppered().query()
