"""The ways back from a relation to the model that has it, those that are no foreign keys, and names on them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection, models
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Q, Sum, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.test.utils import isolate_apps

from reports.prebuilt import GroupedMetrics, Variant
from reports.prebuilt.relations.back import Immovable, moved, way_back
from reports.prebuilt.vocabulary.facts import as_queryset
from reports.prebuilt.vocabulary.once import is_cut, is_filtered
from tests.models import Buyer, Figure, Region, Sale, Shelf, Store, Tag


@pytest.mark.parametrize(
    ("model", "path", "fact", "names", "is_single", "is_sound"),
    [
        (Buyer, "sales", Sale, "buyer", True, True),
        (Shelf, "children", Shelf, "parent", True, True),
        (Region, "stores__figures", Figure, "store__region", True, False),
        (Store, "tags", Tag, "stores", False, True),
        (Tag, "stores", Store, "tags", False, True),
        (Region, "stores__tags", Tag, "stores__region", False, True),
        (Store, "region__stores", Store, "region__stores", False, True),
        (Sale, "shelf__children__sales", Sale, "shelf__parent__sales", False, True),
    ],
)
def test_way_back_leads_from_the_facts_to_the_source(model, path, fact, names, is_single, is_sound):
    back = way_back(model, tuple(path.split("__")))

    assert back is not None
    assert back.passed[-1] is fact
    assert (back.names, back.is_single, back.is_sound) == (tuple(names.split("__")), is_single, is_sound)


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("stores__figures__revenue", "revenue"),
        ("stores__figures", "pk"),
        ("stores__figures__in", "pk__in"),
        ("stores__figures__pk", "pk"),
        ("stores__figures__store__name", "store__name"),
        ("stores__figures__month__year__gte", "month__year__gte"),
        ("stores", "store__pk"),
        ("stores__isnull", "store__pk__isnull"),
        ("stores__name__in", "store__name__in"),
        ("stores__tags__name", "store__tags__name"),
        ("name", "store__region__name"),
        ("pk", "store__region__pk"),
    ],
)
def test_names_on_the_way_back(name, renamed):
    back = way_back(Region, ("stores", "figures"))

    assert back is not None
    assert back.rename(name) == renamed


def test_name_that_is_no_field_cannot_be_moved():
    back = way_back(Region, ("stores",))

    assert back is not None
    with pytest.raises(Immovable):
        back.rename("annotated")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (F("a"), F("x_a")),
        (Q(a=1) | ~Q(b__in=[F("c"), 2]), Q(x_a=1) | ~Q(x_b__in=[F("x_c"), 2])),
        (Q(Q(a=F("b") + 1), Exact(Lower("c"), "d")), Q(Q(x_a=F("x_b") + 1), Exact(Lower("x_c"), "d"))),
        (Sum("a", filter=Q(b=1)), Sum("x_a", filter=Q(x_b=1))),
        (Count("a", distinct=True) * 2, Count("x_a", distinct=True) * 2),
        (
            Max(Case(When(a=1, then="b"), default=Value(None))),
            Max(Case(When(x_a=1, then="x_b"), default=Value(None))),
        ),
        (
            ArrayAgg("a", order_by=[F("b").desc(), "c"]),
            ArrayAgg("x_a", order_by=[F("x_b").desc(), "x_c"]),
        ),
        (ArrayAgg(Lower("a"), filter=Q(b__isnull=True)), ArrayAgg(Lower("x_a"), filter=Q(x_b__isnull=True))),
    ],
)
def test_moved_expression_has_other_names(expression, expected):
    before = repr(expression)

    assert repr(moved(expression, "x_{}".format)) == repr(expected)
    assert repr(expression) == before


@pytest.mark.parametrize(
    "expression",
    [
        OuterRef("a"),
        Count("a", filter=Exists(Sale.objects.filter(pk=OuterRef("b")))),
        Sum(RawSQL("amount", ())),
        Count("a", filter=Q(b__in=Sale.objects.all())),
        Count("a", filter=Q(b=Sale(pk=1))),
        Count("a", filter=Q(b__in=[Sale(pk=1)])),
    ],
)
def test_expression_that_cannot_be_looked_into_is_not_moved(expression):
    with pytest.raises(Immovable):
        moved(expression, "x_{}".format)


def test_what_is_known_of_a_source():
    every, some = Buyer.objects.all(), Buyer.objects.filter(region="a")
    joined = Buyer.objects.filter(sales__kind="a")

    assert [is_filtered(each) for each in (every, some)] == [False, True]
    assert [is_cut(as_queryset(each)) for each in (every, some, some[:3])] == [False, False, True]
    assert as_queryset(some).query.where == some.query.where
    assert 'JOIN "tests_sale"' not in str(as_queryset(joined).query).partition("IN (SELECT")[0]


# Relations that are more than foreign keys to the key.


@pytest.fixture
def world(db):
    """Models with unusual relations, their tables and a few rows."""
    ContentType.objects.clear_cache()
    with isolate_apps("tests"):

        class Note(models.Model):
            kind = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
            number = models.TextField()
            about = GenericForeignKey("kind", "number")
            words = models.IntegerField()

        class Colour(models.Model):
            name = models.TextField()

        class Maker(models.Model):
            code = models.CharField(max_length=5, unique=True)
            notes = GenericRelation(Note, "number", "kind")
            colours = models.ManyToManyField(Colour, related_name="+")
            friends = models.ManyToManyField("self")

        class Special(Maker):
            rank = models.IntegerField()

        class Item(models.Model):
            maker = models.ForeignKey(Maker, models.CASCADE, to_field="code", related_name="items")
            price = models.IntegerField()

        class Thing(models.Model):
            maker = models.ForeignKey(Maker, models.CASCADE, related_name="+")
            seller = models.ForeignKey(Maker, models.CASCADE, related_name="+")

        made = [Note, Colour, Maker, Special, Item, Thing]
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        one, two = Special._default_manager.create(code="7", rank=5), Maker._default_manager.create(code="8")
        for maker, price in ((one, 10), (one, 20), (two, 5)):
            Item._default_manager.create(maker_id=maker.code, price=price)
        kind, other = ContentType.objects.get_for_model(Maker), ContentType.objects.get_for_model(Item)
        Note._default_manager.bulk_create(Note(kind=each, number=str(one.pk), words=3) for each in (kind, kind, other))
        one.colours.set([Colour._default_manager.create(name="red"), Colour._default_manager.create(name="blue")])
        one.friends.set([two])
        Thing._default_manager.create(maker=one, seller=two)
        Thing._default_manager.create(maker=two, seller=one)
        yield SimpleNamespace(**{model.__name__: model for model in made}, one=one.pk, two=two.pk)
    ContentType.objects.clear_cache()


UNUSUAL = {
    "items": Count("items"),
    "dear": Sum("items__price", filter=Q(items__price__gt=5)),
    "by_code": Count("items", filter=Q(items__maker="7")),
    "notes": Count("notes"),
    "words": Sum("notes__words"),
    "colours": Count("colours"),
    "blue": Count("colours", filter=Q(colours__name="blue")),
    "friends": Count("friends"),
}


@pytest.mark.parametrize("variant", Variant)
def test_relations_that_are_more_than_foreign_keys(world, variant):
    report: Any = type("Makers", (GroupedMetrics,), {"source": world.Maker, "metrics": UNUSUAL, "variant": variant})

    rows = report().run().order_by("items")

    first = {"items": 1, "dear": None, "by_code": 0, "notes": 0, "words": None, "colours": 0, "blue": 0, "friends": 1}
    last = {"items": 2, "dear": 30, "by_code": 2, "notes": 2, "words": 6, "colours": 2, "blue": 1, "friends": 1}
    assert list(rows) == [{"id": world.two, **first}, {"id": world.one, **last}]
    assert list(rows.filter(id=world.one)) == [{"id": world.one, **last}]
    assert list(rows.order_by("-id")[:1]) == [{"id": world.two, **first}]


def test_relations_that_are_inherited(world):
    """To Django a note about a maker is none about a special one: they are of two content types."""

    class Specials(GroupedMetrics):
        source = world.Special
        fields = ["code", "rank"]
        metrics = {**UNUSUAL, "ranked": Count("items", filter=Q(rank__gt=3))}

    class Ranks(GroupedMetrics):
        source = world.Special
        dimensions = ["rank"]
        metrics = {"items": Count("items"), "notes": Count("notes")}

    row = Specials().run().values("code", "rank", "items", "dear", "notes", "friends", "ranked").get()
    assert row == {"code": "7", "rank": 5, "items": 2, "dear": 30, "notes": 0, "friends": 1, "ranked": 2}
    assert list(Ranks().run()) == [{"rank": 5, "items": 2, "notes": 0}]


def test_rows_of_a_relation_that_is_joined_to_the_source_can_be_chosen(world):
    class Makers(GroupedMetrics):
        source = world.Maker
        metrics = {"words": Sum("notes__words"), "colours": Count("colours")}
        branches = {"notes": Q(words__gt=5), "colours": world.Colour._default_manager.filter(name="red")}

    assert list(Makers().run().values_list("words", "colours")) == [(None, 1), (None, 0)]


def test_relations_of_one_hidden_name_are_not_taken_for_one_another(world):
    """From a made thing its maker's items are known, but its maker's things have two hidden names."""

    class Things(GroupedMetrics):
        source = world.Thing
        metrics = {
            "items": Count("maker__items"),
            "of_seller": Count("seller__items"),
            "price": Sum("maker__items__price"),
        }

    assert list(Things().run().values_list("items", "of_seller", "price")) == [(2, 1, 30), (1, 2, 5)]


def test_keys_of_several_columns_are_refused():
    with isolate_apps("tests"):

        class Cell(models.Model):
            pk = models.CompositePrimaryKey("x", "y")
            x = models.IntegerField()
            y = models.IntegerField()

        report: Any = type("Cells", (GroupedMetrics,), {"source": Cell, "metrics": {"n": Count("x")}})
        grouped: Any = type(
            "Columns", (GroupedMetrics,), {"source": Cell, "dimensions": ["x"], "metrics": {"n": Count("y")}}
        )

        with pytest.raises(Exception, match=re.escape("Cells: Cell has a key of several columns: set dimensions.")):
            report.get_columns()
        assert [column.name for column in grouped.get_columns()] == ["x", "n"]


def test_path_that_is_too_long_for_a_name_is_numbered():
    path = "__".join(["shelf", *["children", "parent"] * 4, "children"])
    report: Any = type("Long", (GroupedMetrics,), {"source": Sale, "metrics": {"n": Count(path)}})

    assert 'WITH "of_relation_1" AS' in report().query().sql
