"""Metrics over several relations against an oracle that counts row by row, and against Django where it is right."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.contrib.postgres.aggregates import ArrayAgg, JSONBAgg
from django.db import connection, transaction
from django.db.models import Avg, Case, Count, Exists, Max, Min, OuterRef, Q, Sum, Value, When
from django.db.models.functions import Coalesce, Concat, Length, Lower
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.explain import explain
from reports.plan_nodes import Node
from reports.prebuilt import GroupedMetrics, Ratio, Variant
from reports.testing import assert_scans
from tests.models import Buyer, Figure, Region, Sale, Shelf, Store, Tag, Visit
from tests.sales import amounts, instants, kinds, near, quantities, stored

METRICS = {
    "n": Count("sales"),
    "priced": Count("sales__amount", filter=Q(sales__kind="a")),
    "total": Sum("sales__amount"),
    "mean": Avg("sales__amount"),
    "kinds": Count("sales__kind", distinct=True),
    "odd": Count("sales", filter=~Q(sales__kind="a") & ~Q(region="b")),
    "most": Max(Case(When(sales__quantity__gt=0, then="sales__quantity"))),
    "seen": Count("visits"),
    "first": Coalesce(Sum("visits__pk") - Sum("visits__pk"), Value(0)),
    "since": Max("joined"),
    "share": Ratio("priced", "n"),
    "per_visit": Ratio("n", "seen"),
}
ids = st.integers(1, 5)
people = st.lists(
    st.fixed_dictionaries(
        {
            "id": ids,
            "name": st.sampled_from(["a", "b", "Ab"]),
            "region": kinds,
            "joined": st.sampled_from([None, date(2024, 2, 29), date(2025, 1, 1)]),
        }
    ),
    max_size=5,
    unique_by=lambda buyer: buyer["id"],
)


@st.composite
def worlds(draw: Any) -> tuple[list[dict[str, Any]], ...]:
    """Draw buyers, their sales and their visits; some belong to nobody."""
    buyers = draw(people)
    owner = st.sampled_from([None, *(buyer["id"] for buyer in buyers)])
    sale = st.fixed_dictionaries({"buyer_id": owner, "kind": kinds, "amount": amounts, "quantity": quantities})
    visit = st.fixed_dictionaries({"buyer_id": owner, "step": kinds, "at": st.one_of(st.none(), instants)})
    return buyers, draw(st.lists(sale, max_size=10)), draw(st.lists(visit, max_size=8))


class Buyers(GroupedMetrics):
    name = "tests.buyers"
    source = Buyer
    metrics = METRICS


def figures(buyers, sales, visits):
    """Return the metrics of some buyers' sales and visits, counted slowly."""
    of = {buyer["id"]: buyer for buyer in buyers}
    sales = [sale for sale in sales if sale["buyer_id"] in of]
    visits = [visit for visit in visits if visit["buyer_id"] in of]
    amounts_ = [sale["amount"] for sale in sales if sale["amount"] is not None]
    priced = len([sale for sale in sales if sale["amount"] is not None and sale["kind"] == "a"])
    odd = [sale for sale in sales if sale["kind"] != "a" and of[sale["buyer_id"]]["region"] != "b"]
    quantities_ = [sale["quantity"] for sale in sales if (sale["quantity"] or 0) > 0]
    return {
        "n": len(sales),
        "priced": priced,
        "total": sum(amounts_, Decimal()) if amounts_ else None,
        "mean": near(sum(amounts_, Decimal()) / len(amounts_)) if amounts_ else None,
        "kinds": len({sale["kind"] for sale in sales} - {None}),
        "odd": len(odd),
        "most": max(quantities_, default=None),
        "seen": len(visits),
        "first": 0,
        "since": max((buyer["joined"] for buyer in buyers if buyer["joined"]), default=None),
        "share": near(Decimal(priced) / len(sales)) if sales else None,
        "per_visit": near(Decimal(len(sales)) / len(visits)) if visits else None,
    }


def of_each(buyers, sales, visits):
    return {
        buyer["id"]: figures(
            [buyer],
            [sale for sale in sales if sale["buyer_id"] == buyer["id"]],
            [visit for visit in visits if visit["buyer_id"] == buyer["id"]],
        )
        for buyer in buyers
    }


def by_key(rows):
    rows = list(rows)
    found = {row.pop("id"): row for row in rows}
    assert len(found) == len(rows)
    return found


# Rows of the source.


@pytest.mark.django_db
@settings(max_examples=60)
@given(world=worlds(), variant=st.sampled_from([None, *Variant]))
def test_rows_are_those_of_the_oracle(world, variant):
    buyers, sales, visits = world
    report: Any = type("Drawn", (Buyers,), {"variant": variant, "fields": ["name", "region"]})

    with stored(sales, visits=visits, buyers=buyers):
        found = by_key(report().run())

    expected = of_each(*world)
    for buyer in buyers:
        expected[buyer["id"]] = {"name": buyer["name"], "region": buyer["region"], **expected[buyer["id"]]}
    assert found == expected


@pytest.mark.django_db
@settings(max_examples=40)
@given(world=worlds(), variant=st.sampled_from(Variant), which=st.sampled_from(["a", "b", None]))
def test_rows_of_a_filtered_source_and_of_chosen_facts_are_those_of_the_oracle(world, variant, which):
    buyers, sales, visits = world

    class Chosen(Buyers):
        def get_source(self):
            return Buyer.objects.filter(region=which)

        def get_branches(self):
            return {"sales": Sale.objects.exclude(kind="b"), "visits": Q(step__isnull=False)}

    Chosen.variant = variant
    seen = [buyer for buyer in buyers if buyer["region"] == which]
    counted = [sale for sale in sales if sale["kind"] != "b"], [visit for visit in visits if visit["step"] is not None]

    with stored(sales, visits=visits, buyers=buyers):
        found = by_key(Chosen().run())

    assert found == of_each(seen, *counted)


@pytest.mark.django_db
def test_two_relations_are_not_multiplied_as_annotate_does():
    with stored(
        [{"buyer_id": 1, "amount": Decimal(5)}] * 3,
        visits=[{"buyer_id": 1}] * 2,
        buyers=[{"id": 1, "name": "a"}],
    ):
        wrong = Buyer.objects.annotate(n=Count("sales"), total=Sum("sales__amount"), seen=Count("visits"))
        right = Buyers().run()

        assert wrong.values_list("n", "total", "seen").get() == (6, Decimal(30), 6)
        assert right.values_list("n", "total", "seen").get() == (3, Decimal(15), 2)


# Metrics that see the row of NULLs which a LEFT JOIN gives where there is none, and others.
ALONE = {
    **{name: metric for name, metric in METRICS.items() if not isinstance(metric, Ratio)},
    "all_kinds": ArrayAgg("sales__kind"),
    "kinds_of_a": ArrayAgg("sales__kind", filter=Q(sales__kind="a")),
    "without": Count("pk", filter=Q(sales__isnull=True)),
    "with": Count("pk", filter=Q(sales__isnull=False)),
    "unknown": Count("pk", filter=Q(sales__kind__isnull=True)),
    "not_a": Count("pk", filter=~Q(sales__kind="a")),
    "either": Count("pk", filter=Q(sales__kind="a") | Q(region="a")),
    "zeros": Sum(Coalesce("sales__quantity", 1)),
    "sixes": Sum(Case(When(sales__kind="a", then=6), default=0)),
    "fives": Sum(Case(When(sales__kind="a", then=5))),
    "fours": Sum(Case(When(sales__kind="a", then=4), When(region="a", then=3))),
    "length": Max(Length("sales__kind") + 1),
    "joint": Min(Concat("name", "sales__kind")),
    "rows": Count("*"),
}


@pytest.mark.django_db
@settings(max_examples=40)
@given(world=worlds(), variant=st.sampled_from(Variant), together=st.booleans())
def test_metrics_are_those_of_annotate_over_one_relation(world, variant, together):
    buyers, sales, visits = world
    wanted = {name: metric for name, metric in ALONE.items() if variant != Variant.UNION or "kinds_of_a" not in name}
    if variant == Variant.UNION:
        wanted.pop("all_kinds")
    classes = [wanted] if together else [{name: metric} for name, metric in wanted.items()]
    reports: list[Any] = [type("Alone", (Buyers,), {"metrics": each, "variant": variant}) for each in classes]

    with stored(sales, visits=visits, buyers=buyers):
        for report in reports:
            found = by_key(report().run())
            for name, metric in report.metrics.items():
                rows = Buyer.objects.annotate(**{f"of_{name}": metric}).values_list("id", f"of_{name}")
                assert sorted_lists({key: row[name] for key, row in found.items()}) == sorted_lists(dict(rows))


def sorted_lists(values):
    """Return values in which arrays, which have no order, are sorted."""
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in values.items()}


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    parents=st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=5),
    sold=st.lists(st.integers(0, 4), max_size=6),
)
def test_metrics_over_what_is_not_there_are_those_of_annotate(parents, sold):
    """Children without sales: there is a relation further on than that which is counted."""
    metrics = {
        "unsold": Count("children", filter=Q(children__sales__isnull=True)),
        "sold": Count("children", filter=Q(children__sales__isnull=False), distinct=True),
        "not_a": Count("children", filter=~Q(children__sales__kind="a")),
        "names": ArrayAgg("children__name"),
        "deep": Count("children__sales"),
        "kinds": Count("children__sales__kind", distinct=True),
        "mine": Count("pk", filter=Q(children__sales__isnull=True)),
    }
    with transaction.atomic():
        size = len(parents)
        Shelf.objects.bulk_create(Shelf(id=number + 1, name=f"s{number}") for number in range(size))
        for number, parent in enumerate(parents):
            Shelf.objects.filter(pk=number + 1).update(
                parent=parent + 1 if parent is not None and parent < size else None
            )
        Sale.objects.bulk_create(Sale(shelf_id=number + 1, kind="ab"[number % 2]) for number in sold if number < size)
        for name, metric in metrics.items():
            report = type("Deep", (GroupedMetrics,), {"source": Shelf, "metrics": {name: metric}})
            expected = dict(Shelf.objects.annotate(**{f"of_{name}": metric}).values_list("id", f"of_{name}"))
            found = dict(report().run().values_list("id", name))
            assert sorted_lists(found) == sorted_lists(expected)
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_rows_that_count_are_not_for_metrics_that_see_what_is_not_there():
    metrics = {"n": Count("sales"), "kinds": ArrayAgg("sales__kind")}
    report: Any = type("Seeing", (Buyers,), {"metrics": metrics})
    chosen: Any = type("Chosen", (report,), {"branches": {"sales": Q(quantity__gt=0)}})
    metrics = {**metrics, "kinds": ArrayAgg("sales__kind", filter=Q(sales__quantity__gt=0))}
    filtered: Any = type("Filtered", (chosen,), {"metrics": metrics})

    with pytest.raises(
        DeclarationError, match=re.escape("Chosen: branches: 'sales' cannot be for kinds, to which no row means")
    ):
        chosen.get_columns()
    with stored(
        [{"buyer_id": 1, "kind": "a", "quantity": 1}, {"buyer_id": 1, "kind": "b"}, {"buyer_id": 2, "kind": "c"}],
        buyers=[{"id": number, "name": "x"} for number in (1, 2)],
    ):
        assert list(filtered().run()) == [{"id": 1, "n": 1, "kinds": ["a"]}, {"id": 2, "n": 0, "kinds": None}]


@pytest.mark.django_db
def test_rows_that_count_are_counted_once():
    """Conditions over relations to many join rows several times."""
    shelves = [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "parent_id": 1}, {"id": 3, "name": "c", "parent_id": 1}]

    class Shelves(GroupedMetrics):
        source = Shelf
        metrics = {"children": Count("children")}
        branches = {"children": Q(sales__kind="a")}

    with stored([{"shelf_id": 2, "kind": "a"}] * 2, shelves=shelves):
        assert list(Shelves().run().values_list("id", "children")) == [(1, 1), (2, 0), (3, 0)]


@pytest.mark.django_db
def test_source_whose_conditions_join_many_rows_gives_each_row_once():
    report: Any = type("Joined", (Buyers,), {"source": Buyer.objects.filter(sales__kind="a")})

    with stored(
        [{"buyer_id": 1, "kind": "a"}, {"buyer_id": 1, "kind": "a"}, {"buyer_id": 1, "kind": "b"}, {"buyer_id": 2}],
        buyers=[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    ):
        rows = list(report().run().values_list("id", "n"))

    assert rows == [(1, 3)]


@pytest.mark.django_db
@pytest.mark.parametrize("variant", Variant)
def test_slice_as_a_source_is_read_once(variant):
    """Two reads of a slice whose order has ties need not give the same rows."""
    report: Any = type("Sliced", (Buyers,), {"source": Buyer.objects.order_by("region")[:2], "variant": variant})

    with stored(
        [{"buyer_id": number} for number in (1, 2, 3)], buyers=[{"id": number, "name": "a"} for number in (1, 2, 3)]
    ):
        rows = report().run().order_by("id")[:1]
        found = list(report().run().values_list("n", flat=True))

    assert found == [1, 1]
    assert report().query().sql.count("LIMIT 2") == 1
    assert "this_page" not in str(rows.query)


def test_sql_of_rows():
    class Short(Buyers):
        name = "tests.short"
        fields = ["region"]
        metrics = {"n": Count("sales"), "seen": Count("visits"), "share": Ratio("n", "seen")}

    query = Short().query()

    assert query.sql == (
        'WITH "of_sales" AS  (SELECT "tests_sale"."buyer_id" AS "by_id", COUNT(*) AS "of_n" FROM "tests_sale"'
        " GROUP BY 1),\n"
        '"of_visits" AS  (SELECT "tests_visit"."buyer_id" AS "by_id", COUNT(*) AS "of_seen" FROM "tests_visit"'
        " GROUP BY 1)\n"
        'SELECT "r"."by_id" AS "id", "r"."by_region" AS "region",\n'
        '    ("r"."of_n")::bigint AS "n",\n'
        '    ("r"."of_seen")::bigint AS "seen",\n'
        '    ("r"."of_n")::numeric / nullif(("r"."of_seen")::numeric, 0) AS "share"\n'
        "FROM (\n"
        "    SELECT s.*,\n"
        '        coalesce("of_sales"."of_n", (%s)::bigint) AS "of_n",\n'
        '        coalesce("of_visits"."of_seen", (%s)::bigint) AS "of_seen"\n'
        '    FROM (SELECT "tests_buyer"."id" AS "by_id", "tests_buyer"."region" AS "by_region" FROM "tests_buyer")'
        " AS s\n"
        '    LEFT JOIN "of_sales" ON "of_sales"."by_id" = "s"."by_id"\n'
        '    LEFT JOIN "of_visits" ON "of_visits"."by_id" = "s"."by_id"\n'
        ") AS r"
    )
    assert query.params == (0, 0)


# Nested, many-to-many, self and hidden relations.


@pytest.fixture
def regions(db):
    """Two regions; the first has two stores with tags and figures, of which one tag is of both, the other nothing."""
    north, south = Region.objects.create(name="north"), Region.objects.create(name="south")
    one = Store.objects.create(name="one", region=north)
    two = Store.objects.create(name="two", region=north)
    Store.objects.create(name="three")
    red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
    Tag.objects.create(name="unused")
    one.tags.set([red, blue])
    two.tags.set([red])
    for store, revenue in ((one, 10), (one, 20), (two, 5)):
        Figure.objects.create(store=store, month=date(2025, 1, 1), revenue=revenue)
    return north.pk, south.pk


@pytest.mark.parametrize("variant", Variant)
def test_nested_paths_are_branches_of_their_own(regions, variant):
    class Regions(GroupedMetrics):
        source = Region
        metrics = {
            "stores": Count("stores"),
            "revenue": Sum("stores__figures__revenue"),
            "of_one": Sum("stores__figures__revenue", filter=Q(stores__name="one")),
            "named": Count("stores__figures", filter=Q(name="north", stores__name__startswith="t")),
            "tags": Count("stores__tags"),
            "different": Count("stores__tags__name", distinct=True),
        }

    Regions.variant = variant
    found = by_key(Regions().run())

    north, south = regions
    assert found == {
        north: {"stores": 2, "revenue": 35, "of_one": 30, "named": 1, "tags": 3, "different": 2},
        south: {"stores": 0, "revenue": None, "of_one": None, "named": 0, "tags": 0, "different": 0},
    }


@pytest.mark.parametrize("variant", Variant)
def test_many_to_many_relations_in_both_directions(regions, variant):
    """Conditions on what is passed on the way are about the row that is grouped by."""

    class Stores(GroupedMetrics):
        source = Store.objects.exclude(name="three")
        fields = ["name"]
        metrics = {
            "tags": Count("tags"),
            "red": Count("tags", filter=Q(tags__name="red")),
            "sum": Sum("figures__revenue"),
        }

    class Tags(GroupedMetrics):
        source = Tag
        fields = ["name"]
        metrics = {"stores": Count("stores"), "of_one": Count("stores", filter=Q(stores__name="one"))}
        branches = {"stores": Store.objects.filter(tags__name="red")}

    Stores.variant = Tags.variant = variant

    assert list(Stores().run().values_list("name", "tags", "red", "sum")) == [("one", 2, 1, 30), ("two", 1, 1, 5)]
    assert list(Stores().run().filter(name="two").values_list("name", "tags")) == [("two", 1)]
    assert list(Tags().run().values_list("name", "stores", "of_one")) == [
        ("red", 2, 1), ("blue", 1, 1), ("unused", 0, 0)
    ]  # fmt: skip
    assert list(Tags().run().order_by("name")[:1].values_list("name", "stores")) == [("blue", 1)]


@pytest.mark.django_db
@settings(max_examples=30)
@given(
    parents=st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=5),
    shelves=st.lists(st.integers(0, 4), max_size=8),
    variant=st.sampled_from(Variant),
)
def test_self_relation_is_that_of_the_oracle(parents, shelves, variant):
    """A shelf may be above itself. Sales of the children go by two foreign keys."""
    parents = [parent if parent is None or parent < len(parents) else None for parent in parents]
    sold = [number for number in shelves if number < len(parents)]

    class Shelves(GroupedMetrics):
        source = Shelf
        metrics = {"children": Count("children"), "sold": Count("sales"), "below": Count("children__sales")}

    Shelves.variant = variant
    with transaction.atomic():
        Shelf.objects.bulk_create(Shelf(id=number + 1, name="s") for number in range(len(parents)))
        for number, parent in enumerate(parents):
            Shelf.objects.filter(pk=number + 1).update(parent=None if parent is None else parent + 1)
        Sale.objects.bulk_create(Sale(shelf_id=number + 1) for number in sold)
        found = by_key(Shelves().run())
        transaction.set_rollback(True)

    assert found == {
        number + 1: {
            "children": parents.count(number),
            "sold": sold.count(number),
            "below": sum(sold.count(child) for child, parent in enumerate(parents) if parent == number),
        }
        for number in range(len(parents))
    }


@pytest.mark.django_db
@pytest.mark.parametrize("variant", Variant)
def test_metric_with_a_sub_select_is_grouped_from_the_source(variant):
    later = Exists(Visit.objects.filter(buyer=OuterRef("sales__buyer"), step=OuterRef("sales__kind")))
    report: Any = type(
        "Hidden",
        (Buyers,),
        {
            "metrics": {"n": Count("sales"), "met": Count("sales", filter=Q(later)), "seen": Count("visits")},
            "branches": {"sales": Q(quantity__gt=0)},
            "variant": variant,
        },
    )

    with stored(
        [
            {"buyer_id": 1, "kind": "a", "quantity": 1},
            {"buyer_id": 1, "kind": "b", "quantity": 1},
            {"buyer_id": 1, "kind": "a", "quantity": 0},
            {"buyer_id": None, "kind": "a", "quantity": 1},
        ],
        visits=[{"buyer_id": 1, "step": "a"}] * 2,
        buyers=[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    ):
        found = by_key(report().run())
        page = by_key(report().run()[:1])

    assert found == {1: {"n": 2, "met": 1, "seen": 2}, 2: {"n": 0, "met": 0, "seen": 0}}
    assert page == {1: found[1]}
    assert 'LEFT OUTER JOIN "tests_sale"' not in report().query().sql  # the source joined with the rows that are there
    assert 'INNER JOIN "tests_sale"' in report().query().sql


# Groups of the source's rows.


@pytest.mark.django_db
@settings(max_examples=50)
@given(world=worlds(), variant=st.sampled_from([Variant.CTE, Variant.UNION]), is_filtered=st.booleans())
def test_groups_are_those_of_the_oracle(world, variant, is_filtered):
    buyers, sales, visits = world
    report: Any = type(
        "Groups",
        (Buyers,),
        {
            "source": Buyer.objects.exclude(name="b") if is_filtered else Buyer,
            "dimensions": {"region": "region", "lower": Lower("name")},
            "variant": variant,
        },
    )
    seen = [buyer for buyer in buyers if not is_filtered or buyer["name"] != "b"]
    groups = {(buyer["region"], buyer["name"].lower()) for buyer in seen}

    with stored(sales, visits=visits, buyers=buyers):
        rows = list(report().run())

    found = {(row.pop("region"), row.pop("lower")): row for row in rows}
    assert len(rows) == len(found)
    assert found == {
        group: figures(
            [buyer for buyer in seen if (buyer["region"], buyer["name"].lower()) == group],
            *(
                [fact for fact in facts if fact["buyer_id"] in members]
                for members in [{buyer["id"] for buyer in seen if (buyer["region"], buyer["name"].lower()) == group}]
                for facts in (sales, visits)
            ),
        )
        for group in groups
    }


def test_groups_of_facts_that_lead_nowhere_are_left_out(regions):
    """Nothing in the database holds a figure to its store."""
    Figure.objects.create(store_id=10**6, month=date(2025, 1, 1), revenue=1000)

    class Stores(GroupedMetrics):
        source = Store
        dimensions = ["region__name"]
        metrics = {"stores": Count("pk"), "revenue": Sum("figures__revenue"), "tags": Count("tags")}

    assert list(Stores().run()) == [
        {"region_name": "north", "stores": 2, "revenue": 35, "tags": 3},
        {"region_name": None, "stores": 1, "revenue": None, "tags": 0},
    ]


def test_sql_of_groups():
    class Short(Buyers):
        name = "tests.short_groups"
        dimensions = ["region"]
        metrics = {"n": Count("sales"), "since": Max("joined")}

    sql = Short().query().sql

    assert '"of_sales" AS  (SELECT "tests_buyer"."region" AS "by_region", COUNT(*) AS "of_n" FROM "tests_sale"' in sql
    assert 'WHERE "tests_sale"."buyer_id" IS NOT NULL GROUP BY 1)' in sql
    assert 'LEFT JOIN "of_sales" ON ARRAY["of_sales"."by_region"] = ARRAY["s"."by_region"]' in sql
    assert "this_page" not in str(Short().run().filter(region="a")[:1].query)


# What a request may ask for.


class Asking(Buyers):
    name = "tests.asking"
    metrics = {"n": Count("sales"), "seen": Count("visits"), "kinds": JSONBAgg("sales__kind")}

    class Params(forms.Form):
        metrics = forms.MultipleChoiceField(choices=[(name, name) for name in ("n", "seen", "kinds")], required=False)
        variant = forms.ChoiceField(choices=Variant.choices, required=False)


@pytest.mark.django_db
def test_relation_of_which_no_metric_is_asked_for_is_not_read():
    with stored([{"buyer_id": 1}], visits=[{"buyer_id": 1}], buyers=[{"id": 1, "name": "a"}]):
        rows = Asking().run({"metrics": ["seen"], "variant": "lateral"})

        assert list(rows) == [{"id": 1, "n": None, "seen": 1, "kinds": None}]
        assert_scans(rows, {Sale: 0, Visit: 1})


def test_variant_that_the_metrics_do_not_allow_is_refused():
    with pytest.raises(ParamsError, match=re.escape("variant: max(), which picks the values, does not know the types")):
        Asking().run({"variant": "union"})


# Plans.


def shape(node: Node) -> Any:
    """Return a plan without its names: what is done, to which tables, in which order."""
    return node.type, node.title.split(" on ")[0], node.relation, [shape(child) for child in node.children]


@pytest.fixture
def many(db):
    """A thousand buyers, twenty thousand sales, ten thousand visits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tests_buyer (name, region) SELECT 'b' || i % 300, (array['a', 'b'])[1 + i % 2]"
            " FROM generate_series(1, 1000) AS i"
        )
        cursor.execute(
            "CREATE TEMPORARY TABLE ids ON COMMIT DROP AS SELECT id, row_number() OVER () AS n FROM tests_buyer"
        )
        for table, count in (("sale", 20_000), ("visit", 10_000)):
            cursor.execute(
                f"INSERT INTO tests_{table} (buyer_id) SELECT ids.id FROM generate_series(1, {count}) AS i"
                " JOIN ids ON ids.n = 1 + i % 1000"
            )
        cursor.execute("ANALYZE tests_buyer, tests_sale, tests_visit")


class Counted(Buyers):
    name = "tests.counted"
    fields = ["name", "region"]
    metrics = {"n": Count("sales"), "kinds": Count("sales", filter=Q(sales__kind="a")), "seen": Count("visits")}


def test_plan_is_that_of_the_hand_written_query(many):
    by_hand = """
        SELECT * FROM (
            WITH s AS (
                SELECT buyer_id, count(*) AS n, count(*) FILTER (WHERE kind = 'a') AS kinds
                FROM tests_sale GROUP BY buyer_id
            ), v AS (SELECT buyer_id, count(*) AS seen FROM tests_visit GROUP BY buyer_id)
            SELECT b.id, b.name, b.region, coalesce(s.n, 0), coalesce(s.kinds, 0), coalesce(v.seen, 0)
            FROM tests_buyer AS b LEFT JOIN s ON s.buyer_id = b.id LEFT JOIN v ON v.buyer_id = b.id
        ) AS r ORDER BY id
    """

    ours, other = Counted().run().plan(), explain(connection, by_hand, (), analyze=False)

    assert shape(ours.root) == shape(other.root)


@pytest.mark.parametrize("variant", [Variant.CTE, Variant.UNION])
def test_each_table_is_read_once_and_a_page_reads_the_source_twice(many, variant):
    report: Any = type("Varied", (Counted,), {"variant": variant})
    rows = report().run()

    assert_scans(rows, {Buyer: 1, Sale: 1, Visit: 1})
    assert_scans(rows.order_by("-n")[:20], {Buyer: 1, Sale: 1, Visit: 1})
    assert_scans(rows.order_by("name", "id")[:20], {Buyer: Counted.scans, Sale: 1, Visit: 1})
    assert_scans(rows.plan(count=True), {Buyer: 1, Sale: 0, Visit: 0})


def test_page_reads_no_other_facts(many):
    page = Counted().run().order_by("name", "id")[:20].plan(analyze=True)

    sales = [node for node in page.nodes if node.relation == "tests_sale"]
    assert sum(node.rows or 0 for node in sales) == 400


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
def test_materialized_says_whether_a_relation_is_kept(many, materialized, is_kept):
    report: Any = type("Kept", (Counted,), {"materialized": materialized})

    plan = report().run().plan()

    assert ("CTE Scan" in {node.type for node in plan.nodes}) is is_kept


def test_lookups_that_are_pushed_down_to_the_facts(many):
    found = Counted().run().pushdown()

    assert found["id"] == ["exact", "in", "range"]
    assert found["name"] == ["exact", "in", "range"]
    assert found["n"] == []


# What is wrong.


def test_metric_over_two_relations_is_refused():
    report: Any = type("Wrong", (Buyers,), {"metrics": {"x": Sum("sales__quantity") / Count("visits")}})

    with pytest.raises(DeclarationError) as error:
        report.get_columns()

    assert str(error.value) == (
        "Wrong: metric 'x' reads sales and visits, whose rows would multiply one another;"
        " make a metric of each, and a Ratio of the two."
    )


def test_metric_that_reads_a_relation_in_a_sub_select_only_is_refused():
    hidden = Exists(Visit.objects.filter(step=OuterRef("sales__kind")))
    report: Any = type("Wrong", (Buyers,), {"metrics": {"x": Count("visits", filter=Q(hidden))}})

    with pytest.raises(DeclarationError, match="metric 'x' reads a relation to many in a sub-select only"):
        report.get_columns()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"metrics": {}}, "metrics must be set"),
        ({"fields": ["name"], "dimensions": ["region"]}, "set one of the two"),
        ({"fields": ["nam"]}, "there is no field 'nam'"),
        ({"fields": ["sales__kind"]}, "field 'sales_kind' leads to many rows by 'sales'"),
        ({"fields": {"n": "name"}}, "several columns of one name: n"),
        ({"dimensions": ["region"], "variant": "lateral"}, "variant 'lateral': a row is looked up by its key"),
        ({"variant": "union", "metrics": {"x": ArrayAgg("sales__kind")}}, "does not know the types of x"),
        (
            {"branches": {"sale": Q(kind="a")}},
            "branches: sale, over which no metric is (there are: sales, visits). Did you mean 'sales'?",
        ),
        ({"branches": {"sales": Visit.objects.all()}}, "branches: 'sales' is of Sale, and not of Visit"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(attributes, message):
    report: Any = type("Wrong", (Buyers,), attributes)

    with pytest.raises(DeclarationError, match=re.escape(message)):
        report.get_columns()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"branches": [Q()]}, "it must be a dict of querysets or Q by the path of a relation"),
        ({"variant": "fast"}, "it must be one of cte, lateral, union, or None"),
        ({"fields": "name"}, "it must be a list of field names"),
    ],
)
def test_values_that_no_attribute_may_have_are_refused(attributes, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        type("Wrong", (Buyers,), attributes)


def test_branches_of_a_run_that_do_not_fit_are_refused():
    report: Any = type("Wrong", (Buyers,), {"get_branches": lambda self: {"visit": Q(step="a")}})

    with pytest.raises(DeclarationError, match=r"^Wrong: branches: visit, over which no metric is"):
        report().run()


def test_columns_and_ordering():
    class Some(Buyers):
        fields = ["name", "region"]
        metrics = {"n": Count("sales"), "total": Sum("sales__amount"), "share": Ratio("n", "n")}

    assert [(each.name, each.type, each.pk, each.null) for each in Some.get_columns()] == [
        ("id", "bigint", True, False),
        ("name", "character varying", False, False),
        ("region", "character varying", False, True),
        ("n", "bigint", False, False),
        ("total", "numeric", False, True),
        ("share", "numeric", False, True),
    ]
    assert Some.get_ordering() == ("id",)
