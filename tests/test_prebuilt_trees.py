"""The roll-up of trees against an oracle that walks from every node to all below it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db import connection, models
from django.db.models import Avg, Count, F, Max, Sum
from django.test.utils import isolate_apps
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Ratio, TreeRollup
from reports.testing import assert_scans
from tests.models import Shelf, Store
from tests.sales import near, sales, stored

HIDDEN = "hidden"

SQL = """\
WITH RECURSIVE nodes AS NOT MATERIALIZED (SELECT "tests_shelf"."id" AS "by_node", "tests_shelf"."parent_id" AS \
"by_parent", "tests_shelf"."name" AS "by_label" FROM "tests_shelf" WHERE NOT ("tests_shelf"."name" = %s)),
"facts_1" AS (SELECT "tests_sale"."shelf_id" AS "by_node", COUNT(*) AS "of_count", SUM("tests_sale"."amount") AS \
"of_total", SUM("tests_sale"."amount") AS "sum_of_mean", COUNT("tests_sale"."amount") AS "count_of_mean", \
MAX("tests_sale"."quantity") AS "of_most" FROM "tests_sale" GROUP BY 1),
facts AS (
    SELECT n.by_node,
        coalesce("facts_1"."of_count", (%s)::bigint) AS "of_count",
        "facts_1"."of_total",
        "facts_1"."sum_of_mean",
        "facts_1"."count_of_mean",
        "facts_1"."of_most"
    FROM nodes AS n
    LEFT JOIN "facts_1" ON "facts_1"."by_node" = n.by_node
),
tree AS (
    SELECT n.by_node, 0 AS depth, ARRAY[n.by_node]::bigint[] AS path, ARRAY[n.by_label]::text[] AS labels
    FROM nodes AS n
    WHERE NOT EXISTS (SELECT FROM nodes AS p WHERE p.by_node = n.by_parent)
    UNION ALL
    SELECT n.by_node, t.depth + 1, t.path || n.by_node, t.labels || n.by_label::text
    FROM tree AS t
    JOIN nodes AS n ON n.by_parent = t.by_node
),
lost AS (
    SELECT n.by_node, n.by_parent
    FROM nodes AS n
    WHERE NOT EXISTS (SELECT FROM tree AS t WHERE t.by_node = n.by_node)
),
above AS (
    -- UNION, so that the way up a circle ends when it would come round.
    SELECT l.by_node, l.by_node AS ancestor
    FROM lost AS l
    UNION
    SELECT a.by_node, l.by_parent
    FROM above AS a
    JOIN lost AS l ON l.by_node = a.ancestor
),
circles AS (
    SELECT l.by_node
    FROM lost AS l
    JOIN above AS a ON a.by_node = l.by_parent AND a.ancestor = l.by_node
),
pairs AS (
    SELECT t.by_node, p.ancestor
    FROM tree AS t
    CROSS JOIN unnest(t.path) AS p(ancestor)
    UNION ALL
    SELECT a.by_node, a.ancestor
    FROM above AS a
),
totals AS (
    SELECT p.ancestor,
        (sum("f"."of_count") )::bigint AS "count_total",
        (sum("f"."of_total") )::numeric AS "total_total",
        (sum("f"."sum_of_mean") ::numeric / nullif(sum("f"."count_of_mean") , 0))::numeric AS "mean_total",
        (max("f"."of_most") )::bigint AS "most_total",
        (sum("f"."of_count") )::numeric / nullif((sum("f"."sum_of_mean") ::numeric / \
nullif(sum("f"."count_of_mean") , 0))::numeric, 0) AS "share_total"
    FROM pairs AS p
    JOIN facts AS f ON f.by_node = p.by_node
    GROUP BY p.ancestor
)
SELECT n.by_node AS "id", t.depth, t.path, t.labels, c.by_node IS NOT NULL AS is_cycle,
    ("f"."of_count")::bigint AS "count", s."count_total",
    ("f"."of_total")::numeric AS "total", s."total_total",
    ("f"."sum_of_mean"::numeric / nullif("f"."count_of_mean", 0))::numeric AS "mean", s."mean_total",
    ("f"."of_most")::bigint AS "most", s."most_total",
    ("f"."of_count")::numeric / nullif(("f"."sum_of_mean"::numeric / nullif("f"."count_of_mean", 0))::numeric, 0) \
AS "share", s."share_total"
FROM nodes AS n
LEFT JOIN tree AS t ON t.by_node = n.by_node
LEFT JOIN circles AS c ON c.by_node = n.by_node
LEFT JOIN facts AS f ON f.by_node = n.by_node
LEFT JOIN totals AS s ON s.ancestor = n.by_node"""


class Tree(TreeRollup):
    name = "tests.tree"
    source = Shelf.objects.exclude(name=HIDDEN)
    label = "name"
    metrics = {
        "count": Count("sales"),
        "total": Sum("sales__amount"),
        "mean": Avg("sales__amount"),
        "most": Max("sales__quantity"),
        "share": Ratio("count", "mean"),
    }


class Sizes(TreeRollup):
    name = "tests.tree_sizes"
    source = Shelf
    metrics = {"nodes": Count("pk")}


def figures(facts: Sequence[Mapping[str, Any]], suffix: str = "") -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    quantities = [fact["quantity"] for fact in facts if fact["quantity"] is not None]
    mean = sum(amounts, Decimal()) / len(amounts) if amounts else None
    found = {
        "count": len(facts),
        "total": sum(amounts, Decimal()) if amounts else None,
        "mean": None if mean is None else near(mean),
        "most": max(quantities, default=None),
        "share": near(len(facts) / mean) if mean else None,
    }
    return {f"{name}{suffix}": value for name, value in found.items()}


def way_up(node: int, parents: Mapping[int, int | None]) -> list[int] | None:
    """Return the nodes from the root to one; None when the way up comes round."""
    path = [node]
    while (above := parents[path[0]]) is not None and above in parents:
        if above in path:
            return None
        path.insert(0, above)
    return path


def below(node: int, parents: Mapping[int, int | None]) -> set[int]:
    """Return a node and all below it."""
    found, size = {node}, 0
    while size < len(found):
        size = len(found)
        found |= {each for each, parent in parents.items() if parent in found}
    return found


@st.composite
def forests(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return shelves below any others: roots, chains, circles, the hidden among them."""
    ids = range(1, draw(st.integers(0, 9)) + 1)
    parents = st.one_of(st.none(), st.sampled_from([*ids, 1]))
    names = st.sampled_from(["a", "b", "", HIDDEN])
    return [{"id": each, "parent_id": draw(parents), "name": draw(names)} for each in ids]


@pytest.mark.django_db
@settings(max_examples=60)
@given(shelves=forests(), data=st.data())
def test_rollup_is_that_of_the_oracle(shelves, data):
    ids = [shelf["id"] for shelf in shelves]
    facts = data.draw(sales(shelf_id=st.sampled_from([None, *ids])))
    names = {shelf["id"]: shelf["name"] for shelf in shelves if shelf["name"] != HIDDEN}
    parents = {shelf["id"]: shelf["parent_id"] for shelf in shelves if shelf["id"] in names}
    expected = []
    for node, parent in parents.items():
        path = way_up(node, parents)
        row = {
            "id": node,
            "depth": path and len(path) - 1,
            "path": path,
            "labels": path and [names[each] for each in path],
            "is_cycle": parent in below(node, parents),
            **figures([fact for fact in facts if fact["shelf_id"] == node]),
            **figures([fact for fact in facts if fact["shelf_id"] in below(node, parents)], "_total"),
        }
        expected.append(row)

    with stored(facts, shelves=shelves):
        rows = list(Tree().run())

    assert sorted(rows, key=lambda row: row["id"]) == expected


def test_rollup_is_this_sql():
    query = Tree().query()

    assert query.params == (HIDDEN, 0)
    assert query.sql == SQL


@pytest.mark.django_db
def test_rows_are_in_the_order_of_the_tree():
    parents = {1: None, 2: 4, 3: 1, 4: None, 5: 1, 6: 3, 7: 7}

    with stored(shelves=[{"id": each, "parent_id": parent, "name": ""} for each, parent in parents.items()]):
        rows = list(Sizes().run())

    assert [row["id"] for row in rows] == [1, 3, 6, 5, 4, 2, 7]
    assert [row["nodes_total"] for row in rows] == [4, 2, 1, 1, 2, 1, 1]


@pytest.mark.django_db
def test_tree_without_metrics():
    class Bare(TreeRollup):
        source = Shelf
        fields = ["name"]

    with stored(shelves=[{"id": 1, "name": "a"}, {"id": 2, "name": "b", "parent_id": 1}]):
        rows = list(Bare().run().values_list("id", "name", "depth", "path", "is_cycle"))

    assert rows == [(1, "a", 0, [1], False), (2, "b", 1, [1, 2], False)]


@pytest.mark.django_db
def test_rows_of_a_branch_are_filtered_by_path():
    shelves = [{"id": each, "parent_id": each // 2 or None, "name": ""} for each in range(1, 8)]

    with stored(shelves=shelves):
        rows = list(Sizes().run().filter(path__contains=[3]).values_list("id", flat=True))

    assert rows == [3, 6, 7]


@pytest.mark.django_db
def test_chain_of_a_thousand():
    shelves = [{"id": each, "parent_id": each - 1 or None, "name": str(each)} for each in range(1, 1001)]

    with stored([{"shelf_id": 1000, "quantity": 1}], shelves=shelves):
        rows = list(Tree().run())

    assert [row["depth"] for row in rows] == list(range(1000))
    assert rows[-1]["labels"] == [str(each) for each in range(1, 1001)]
    assert {row["count_total"] for row in rows} == {1}


@pytest.mark.django_db
def test_circle_of_a_hundred_and_a_chain_below_it():
    """Each node of the circle has the totals of all; those of the chain only their own way down."""
    shelves = [{"id": each, "parent_id": each - 1 or 100, "name": ""} for each in range(1, 111)]

    with stored(shelves=shelves):
        rows = list(Sizes().run().order_by("id"))

    assert [row["is_cycle"] for row in rows] == [True] * 100 + [False] * 10
    assert [row["nodes_total"] for row in rows] == [110] * 100 + list(range(10, 0, -1))
    assert {(row["depth"], row["path"] and None) for row in rows} == {(None, None)}


@pytest.mark.django_db
def test_wide_tree():
    shelves = [{"id": each, "parent_id": None if each == 1 else 1, "name": ""} for each in range(1, 2001)]

    with stored(shelves=shelves):
        found = Sizes().run().get(id=1)

    assert found["nodes_total"] == 2000


@pytest.mark.django_db
def test_filter_across_a_relation_to_many_repeats_no_node():
    source = Shelf.objects.filter(sales__kind="a")
    report = type("Filtered", (Tree,), {"source": source})

    with stored([{"shelf_id": 1, "kind": "a"}] * 3, shelves=[{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]):
        rows = list(report().run().values_list("id", "count", "count_total"))

    assert rows == [(1, 3, 3)]


@pytest.mark.django_db
def test_source_of_the_user_makes_a_hidden_parents_children_roots():
    class Seen(Sizes):
        def get_source(self) -> Any:
            return Shelf.objects.filter(name=self.user)

    shelves = [
        {"id": 1, "name": "eve"},
        {"id": 2, "name": "bob", "parent_id": 1},
        {"id": 3, "name": "bob", "parent_id": 2},
    ]

    with stored(shelves=shelves):
        rows = list(Seen(user="bob").run().values_list("id", "depth", "path", "nodes_total"))

    assert rows == [(2, 0, [2], 2), (3, 1, [2, 3], 1)]


@pytest.mark.django_db
@isolate_apps("tests")
def test_keys_may_be_texts():
    class Part(models.Model):
        code = models.CharField(max_length=5, primary_key=True)
        within = models.ForeignKey("self", models.CASCADE, null=True)
        weight = models.DecimalField(max_digits=5, decimal_places=1)

        class Meta:
            app_label = "tests"

    class Parts(TreeRollup):
        name = "tests.parts"
        source = Part
        parent = "within"
        label = "weight"
        metrics = {"weight": Sum("weight")}

    with connection.schema_editor() as editor:
        editor.create_model(Part)
    Part._default_manager.bulk_create([Part(code="a", weight=1), Part(code="b", within_id="a", weight=Decimal("2.5"))])

    rows = list(Parts().run().values_list("code", "path", "labels", "weight_total"))

    assert rows == [("a", ["a"], ["1.0"], Decimal("3.5")), ("b", ["a", "b"], ["1.0", "2.5"], Decimal("2.5"))]


@pytest.mark.django_db
def test_relations_do_not_multiply_one_another():
    class Several(Tree):
        fields = ["parent", "name"]
        metrics = {
            "nodes": Count("pk"),
            "sales": Count("sales"),
            "children": Count("children"),
            "each": Ratio("sales", "nodes"),
            "age": Max("sales__buyer__joined"),
        }

    shelves: list[dict[str, Any]] = [
        {"id": 1, "name": "a"},
        *({"id": each, "name": "b", "parent_id": 1} for each in (2, 3)),
    ]
    buyer = {"id": 1, "name": "one", "joined": date(2025, 1, 1)}

    with stored([{"shelf_id": 1}] * 2 + [{"shelf_id": 3, "buyer_id": 1}], shelves=shelves, buyers=[buyer]):
        rows = list(Several().run())
        assert_scans(Several().run(), tests_sale=1)

    names = ("parent_id", "name", "nodes", "nodes_total", "sales_total", "children_total", "each_total", "age_total")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (None, "a", 1, 3, 3, 2, 1, date(2025, 1, 1)),
        (1, "b", 1, 1, 0, 0, 0, None),
        (1, "b", 1, 1, 1, 0, 1, date(2025, 1, 1)),
    ]


@pytest.mark.django_db
def test_metrics_are_asked_for():
    class Asked(Tree):
        class Params(forms.Form):
            metrics = forms.MultipleChoiceField(choices=[(each, each) for each in Tree.metrics], required=False)

    with stored([{"shelf_id": 1, "quantity": 2}], shelves=[{"id": 1, "name": "x"}]):
        (row,) = Asked().run({"metrics": ["most"]})

    assert {name: value for name, value in row.items() if value is not None} == {
        "id": 1,
        "depth": 0,
        "path": [1],
        "labels": ["x"],
        "is_cycle": False,
        "most": 2,
        "most_total": 2,
    }
    with pytest.raises(ParamsError):
        Asked().run({"metrics": ["none"]})


@pytest.mark.django_db
def test_facts_are_read_once():
    shelves = [{"id": each, "parent_id": each // 3 or None, "name": ""} for each in range(1, 200)]

    with stored([{"shelf_id": shelf["id"]} for shelf in shelves] * 5, shelves=shelves):
        assert_scans(Tree().run(), tests_sale=Tree.scans)


@pytest.mark.django_db
@pytest.mark.parametrize("materialized", [True, False, None])
def test_nodes_are_a_table_of_their_own_when_materialized(materialized):
    report = type("Kept", (Tree,), {"materialized": materialized})

    with stored([{"shelf_id": 1}], shelves=[{"id": 1, "name": "x"}, {"id": 2, "name": "y", "parent_id": 1}]):
        plan = report().run().plan(analyze=True)

    # Else each step of the recursion reads the table.
    assert (plan.scans("tests_shelf") == 1) is bool(materialized)
    assert plan.scans("tests_sale") == 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"parent": "parrent"},
            "parent is 'parrent', no ForeignKey of Shelf to itself (there are: parent). Did you mean 'parent'?",
        ),
        ({"parent": "name"}, "parent is 'name', no ForeignKey of Shelf to itself (there are: parent)."),
        ({"source": Store}, "parent is 'parent', no ForeignKey of Store to itself (there is none)."),
        ({"label": "title"}, "label 'title': there is no field 'title'"),
        (
            {"label": "sales__kind"},
            "label 'sales__kind': leads to many rows by 'sales'; take that model as the source.",
        ),
        (
            {"metrics": {"kinds": Count("sales__kind", distinct=True)}},
            "the values of nodes cannot be merged into a total for kinds; a count, sum, mean, minimum or maximum can,"
            " but none of distinct values.",
        ),
        ({"fields": {"label": "name"}}, "no field may be called 'label'; give it another name, as in a dict"),
        ({"fields": {"a__b": "name"}}, "field 'a__b' is no name for a column: two underscores"),
        ({"fields": {"n" * 41: "name"}}, f"field '{'n' * 41}' is no name for a column: it has 41 bytes"),
        ({"fields": {"path": "name"}}, "there would be several columns of one name: path"),
        ({"fields": ["nam"]}, "there is no field 'nam'"),
        ({"metrics": {"a": Sum(F("sales__amount") * F("children__id"))}}, "metric 'a' reads children and sales"),
    ],
)
def test_declaration_is_refused(attributes, message):
    report: Any = type("Wrong", (Tree,), {"metrics": {}, "label": "", **attributes})

    with pytest.raises(DeclarationError, match=re.escape(f"Wrong: {message}")):
        report.get_columns()


@pytest.mark.parametrize("attribute", ["parent", "label"])
def test_attribute_is_checked(attribute):
    with pytest.raises(TypeError, match=re.escape(f"Wrong.{attribute} is 1; it must be a text.")):
        type("Wrong", (Tree,), {attribute: 1})
