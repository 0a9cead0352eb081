"""The names that an expression reads, and the relations by which they leave a model."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import models
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import GreaterThan
from django.test.utils import isolate_apps

from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.paths import branch_of, branches_of, is_before, names_in
from tests.models import Buyer, Region, Sale, Store, Visit
from tests.test_prebuilt_metrics import DELIMITER, StringAgg

OTHERS = Sale.objects.filter(buyer=OuterRef("pk"))


@pytest.mark.parametrize(
    ("expression", "names", "is_whole"),
    [
        (F("a__b"), {"a__b"}, True),
        (Value("a"), set(), True),
        (Count("a"), {"a"}, True),
        (Count("*"), set(), True),
        (Sum("a", filter=Q(b__gt=1) | ~Q(c=F("d"), e__in=[F("f"), 1])), {"a", "b__gt", "c", "d", "e__in", "f"}, True),
        (Sum(F("a") * F("b") - 1, default=0), {"a", "b"}, True),
        (Coalesce(Sum("a"), F("b")), {"a", "b"}, True),
        (Case(When(Q(a=1), then=F("b")), When(c__lt=F("d"), then="e"), default=F("f")), set("abdef") | {"c__lt"}, True),
        (F("a").desc(nulls_last=True), {"a"}, True),
        (ArrayAgg("a", filter=Q(b=1), order_by=[F("c").asc(), "-d", Lower("e")]), set("abcde"), True),
        (StringAgg("a", DELIMITER, order_by="b"), {"a", "b"}, True),
        (Sum("a", filter=GreaterThan(F("b"), F("c"))), {"a", "b", "c"}, True),
        (OuterRef("a"), set(), False),
        (Subquery(OTHERS.values("amount")), set(), False),
        (OTHERS.values("amount"), set(), False),
        (Sum("a", filter=Exists(OTHERS) | Q(b__in=OTHERS)), {"a", "b__in"}, False),
    ],
)
def test_names_are_those_that_are_read(expression, names, is_whole):
    found = names_in(expression)

    assert found.names == {"a", *names} - ({"a"} - names)
    assert found.is_whole == is_whole


@pytest.mark.parametrize(
    ("queryset", "name", "branch"),
    [
        (Sale.objects.all(), "amount", ()),
        (Sale.objects.all(), "pk", ()),
        (Sale.objects.all(), "buyer", ()),
        (Sale.objects.all(), "buyer_id", ()),
        (Sale.objects.all(), "buyer__region", ()),
        (Sale.objects.all(), "amount__gt", ()),
        (Sale.objects.all(), "at__date__gte", ()),
        (Sale.objects.all(), "buyer__visits__step__in", ("buyer", "visits")),
        (Buyer.objects.all(), "sales", ("sales",)),
        (Buyer.objects.all(), "sales__at__date__year", ("sales",)),
        (Buyer.objects.all(), "sales__shelf__name", ("sales",)),
        (Buyer.objects.all(), "sales__shelf__children__name", ("sales", "shelf", "children")),
        (Store.objects.all(), "tags__name", ("tags",)),
        (Region.objects.all(), "stores__tags", ("stores", "tags")),
        (Buyer.objects.annotate(net=F("sales__amount")), "net__gt", ()),
        (Buyer.objects.alias(net=F("region")), "net", ()),
        (Buyer.objects.annotate(own=FilteredRelation("sales", condition=Q(sales__kind="a"))), "own__amount", ("own",)),
    ],
)
def test_branch_ends_with_the_last_relation_to_many(queryset, name, branch):
    assert branch_of(queryset.query, name) == branch


@isolate_apps("tests", "django.contrib.contenttypes")
def test_branch_of_generic_relations_and_of_one_to_one():
    class Note(models.Model):
        content_type = models.ForeignKey(ContentType, models.CASCADE)
        object_id = models.IntegerField()
        of = GenericForeignKey()

        class Meta:
            app_label = "tests"

    class Paper(models.Model):
        notes = GenericRelation(Note)

        class Meta:
            app_label = "tests"

    class Bill(Paper):
        class Meta:
            app_label = "tests"

    def branch(model: Any, name: str) -> Any:
        return branch_of(model.objects.all().query, name)

    assert branch(Paper, "notes__object_id") == ("notes",)
    assert branch(Bill, "notes") == ("notes",)
    assert branch(Bill, "paper_ptr__id") == ()
    assert branch(Paper, "bill__paper_ptr") == ()


@pytest.mark.parametrize(
    ("queryset", "name", "problem"),
    [
        (Visit.objects.all(), "stepp", "there is no field 'stepp' (there are: at, buyer, buyer_id, id, step)."),
        (
            Buyer.objects.all(),
            "sales__amuont",
            "there is no field 'amuont' as in 'sales__amuont' (there are: amount,",
        ),
        (Buyer.objects.all(), "", "there is no field '' (there are: "),
    ],
)
def test_unknown_name_is_told_with_those_known(queryset, name, problem):
    with pytest.raises(DeclarationError) as caught:
        branch_of(queryset.query, name)

    assert str(caught.value).startswith(problem)


def test_near_name_is_told():
    with pytest.raises(DeclarationError, match=r"Did you mean 'step'\?$"):
        branch_of(Visit.objects.all().query, "stepp")


@pytest.mark.parametrize(
    ("expression", "branches"),
    [
        (Count("pk"), {()}),
        (Count("*"), set()),
        (Count("sales", filter=Q(region="north")), {("sales",)}),
        (Count("sales", filter=Q(visits__step="a")), {("sales",), ("visits",)}),
        (Count("sales__shelf__children", filter=Q(sales__kind="a")), {("sales", "shelf", "children")}),
    ],
)
def test_branches_leave_out_those_on_the_way(expression, branches):
    assert branches_of(Buyer.objects.all().query, expression) == branches


def test_branch_is_before_those_that_go_on():
    assert is_before((), ("sales",))
    assert is_before(("sales",), ("sales", "shelf"))
    assert not is_before(("sales",), ("sales",))
    assert not is_before(("sale",), ("sales", "shelf"))
