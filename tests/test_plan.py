"""What a plan answers, and its text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.db import connection, models

from example_project.helpdesk.models import Department, Ticket
from reports.explain import explain
from reports.plan import Plan
from tests.test_plan_nodes import ran, raw, scan, worker


def plan_of(root: Any, **more: Any) -> Plan:
    return Plan.of({"Plan": root, **{key.replace("_", " "): value for key, value in more.items()}})


def table(name: str, *, schema: str = "public", role: str = "Outer", **more: Any) -> Any:
    return scan(role=role, Relation_Name=name, Schema=schema, Alias=name, **more)


def join(*parts: Any, **more: Any) -> Any:
    return raw("Hash Join", *parts, **more)


# Scans, by the names of tables.


@pytest.mark.parametrize(
    ("asked", "scans"),
    [
        ("helpdesk_ticket", 2),
        ("public.helpdesk_ticket", 1),
        ("old.helpdesk_ticket", 1),
        ("older.helpdesk_ticket", 0),
        ("tickets", 2),
        ("Ticket", 2),
        ("helpdesk.Ticket", 2),
        ("helpdesk.ticket", 2),
        (Ticket, 2),
        ("legacy", 1),
        ("departments", 0),
        (Department, 0),
    ],
)
def test_scans_by_name(asked: Any, scans: int) -> None:
    plan = plan_of(join(table("helpdesk_ticket"), join(table("helpdesk_ticket", schema="old"), table("legacy"))))

    assert plan.scans(asked) == scans


def test_scans_of_an_alias_is_an_error() -> None:
    plan = plan_of(join(scan(Alias="newest", Relation_Name="helpdesk_ticket"), raw("CTE Scan", Alias="stats")))

    for alias in ("newest", "stats"):
        with pytest.raises(LookupError, match=f"no table is called '{alias}', and no model"):
            plan.scans(alias)


def test_scans_of_no_table_names_the_nearest() -> None:
    message = "no table is called 'tikets', and no model (the plan reads: legacy). Did you mean 'tickets'?"

    with pytest.raises(LookupError, match=f"^{re.escape(message)}$"):
        plan_of(table("legacy")).scans("tikets")


def test_scans_of_a_name_of_several_models(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ticket(models.Model):
        class Meta:
            app_label = "shop"
            apps = Apps()

    found = [*apps.get_models(), Ticket]
    monkeypatch.setattr(apps, "get_models", lambda: found)

    with pytest.raises(LookupError, match=r"^'tickets' may be each of these models: helpdesk\.Ticket, shop\.Ticket\."):
        plan_of(table("legacy")).scans("tickets")
    assert plan_of(table("shop_ticket")).scans("shop.Ticket") == 1


def test_a_table_in_the_plan_goes_before_a_model_of_that_name() -> None:
    assert plan_of(join(table("tickets"), table("helpdesk_ticket"))).scans("tickets") == 1


def test_scans_of_a_model_with_a_schema() -> None:
    class Item(models.Model):
        class Meta:
            app_label = "shop"
            db_table = 'stock"."item'
            apps = Apps()

    plan = plan_of(join(table("item", schema="stock"), table("item")))

    assert plan.scans(Item) == 1


def test_a_partitioned_table_is_scanned_as_often_as_its_most_scanned_partition() -> None:
    parts = raw("Append", table("sale_1"), table("sale_2"))
    plan = plan_of(raw("Nested Loop", parts, table("sale_2", role="Inner"), rows=1))
    partitions = {"public.sale_1": ("public.sale",), "public.sale_2": ("public.sale_b", "public.sale")}

    plan = replace(plan, partitions=partitions)

    assert [plan.scans(name) for name in ("sale", "public.sale", "sale_b", "sale_1", "sale_2")] == [2, 2, 2, 1, 2]
    assert plan.tables == ("sale_1", "sale_2")


def test_what_never_ran_does_not_count() -> None:
    idle = table("store", role="Inner", kind="Index Scan", Index_Name="store_pkey", **ran(loops=0))
    plan = plan_of(raw("Nested Loop", table("figure", **ran(rows=0)), idle, **ran(rows=0)))

    assert (plan.scans("public.store"), plan.tables, plan.indexes) == (0, ("figure",), ())
    assert not plan.uses_index("store_pkey")


def test_indexes() -> None:
    bitmaps = raw("BitmapAnd", *(raw("Bitmap Index Scan", Index_Name=name) for name in ("b", "a")))
    plan = plan_of(
        join(table("t", kind="Bitmap Heap Scan", Plans=[bitmaps]), table("u", kind="Index Scan", Index_Name="c"))
    )

    assert plan.indexes == ("a", "b", "c")
    assert plan.uses_index("a")
    assert not plan.uses_index("d")
    assert (plan.scans("public.t"), plan.scans("public.u")) == (1, 1)


# Totals.


def test_totals_of_a_plan() -> None:
    plan = plan_of(raw("Sort", table("t", rows=7), rows=7, cost=12.5), Planning_Time=0.25)

    assert (plan.is_analyzed, plan.rows, plan.cost, plan.milliseconds, plan.planning_milliseconds) == (
        False,
        7,
        12.5,
        None,
        0.25,
    )
    assert (plan.spills, [node.type for node in plan.nodes]) == ((), ["Sort", "Seq Scan"])


def test_totals_of_an_analyzed_plan() -> None:
    plan = plan_of(raw("Sort", table("t", **ran(rows=9)), rows=7, **ran(rows=9, temp=10)), Execution_Time=3.5)

    assert (plan.is_analyzed, plan.rows, plan.milliseconds, plan.spills) == (True, 9, 3.5, (plan.root,))


# The tree.

TREE = """\
                                 expected   rows  loops    ms  share
Sort                                1,000  1,000      1  90.0    20%  80 kB spilled to disk
└─ Hash Left Join                   1,000  1,000      1  72.0    13%
   ├─ Gather                        1,200  1,200      1  50.0    11%
   │  └─ Parallel Seq Scan on t     1,200  1,200      3  40.0    44%  7 rows filtered out; 1,234 blocks hit, 5 read
   └─ Hash                             10    100      1  10.0     0%  10× more than expected
      └─ Append                        10    100      1  10.0     9%  10× more than expected
         ├─ Index Scan on u x          10    100      1   2.0     2%  10× more than expected; 4 blocks hit
         └─ Index Scan on u y                         0               never ran
1,000 rows; 91.5 ms; planned in 0.5 ms; 2,000 blocks hit, 10 read; 80 kB spilled to disk"""


def shown() -> Plan:
    shared = table("t", rows=400, Parallel_Aware=True, Workers=[worker(1), worker(1)], Filter="(word = 's3cret'::text)")
    shared |= {k.replace("_", " "): v for k, v in ran(3, 400, 40, Shared_Hit_Blocks=1234, Shared_Read_Blocks=5).items()}
    shared["Rows Removed by Filter"] = 7 / 3
    gather = raw("Gather", shared, rows=1200, Workers_Planned=2, **ran(rows=1200, ms=50))
    scans = [
        table("u", kind="Index Scan", rows=10, **ran(rows=100, ms=2, Shared_Hit_Blocks=4)) | {"Alias": "x"},
        table("u", kind="Index Scan", rows=10, **ran(loops=0, rows=0, ms=0)) | {"Alias": "y"},
    ]
    append = raw("Append", *scans, rows=10, **ran(rows=100, ms=10))
    hash_ = raw("Hash", append, role="Inner", rows=10, **ran(rows=100, ms=10))
    joined = raw(
        "Hash Join", gather, hash_, rows=1000, Join_Type="Left", Hash_Cond="(t.id = x.id)", **ran(rows=1000, ms=72)
    )
    blocks = {"Shared_Hit_Blocks": 2000, "Shared_Read_Blocks": 10}
    root = raw("Sort", joined, rows=1000, cost=99, **ran(rows=1000, ms=90, temp=10, **blocks))
    return plan_of(root, Planning_Time=0.5, Execution_Time=91.5)


def test_tree() -> None:
    assert str(shown()) == TREE


def test_tree_without_conditions_holds_no_value() -> None:
    assert "s3cret" not in str(shown()) + repr(shown())


def test_tree_with_conditions() -> None:
    lines = shown().tree(conditions=True).splitlines()

    assert lines[3] == "   │  Hash Cond: (t.id = x.id)"
    assert lines[6] == "   │        Filter: (word = 's3cret'::text)"


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_tree_is_cut_to_the_width(width: int) -> None:
    lines = shown().tree(width=width, conditions=True).splitlines()

    assert max(map(len, lines)) <= width
    assert any(line.endswith("…") for line in lines)
    assert len(lines) == len(shown().tree(conditions=True).splitlines())


def test_tree_of_a_plan_that_was_not_run() -> None:
    cte = raw("Aggregate", role="InitPlan", rows=1234, cost=5432.1, Subplan_Name="CTE stats")
    index = table("t", kind="Index Only Scan", Index_Name="t_pkey", rows=1, cost=0.5)
    plan = plan_of(
        join(cte, raw("CTE Scan", Alias="s", rows=0.4, cost=8), index, rows=1, cost=5500), Planning_Time=1.25
    )

    assert str(plan) == (
        "                                      expected rows      cost\n"
        "Hash Join                                         1  5,500.00\n"
        "├─ CTE stats: Aggregate                       1,234  5,432.10\n"
        "├─ CTE Scan s                                     0      8.00\n"
        "└─ Index Only Scan on t using t_pkey              1      0.50\n"
        "1 row expected; cost 5,500.00; planned in 1.2 ms"
    )


def test_tree_without_timing_has_no_times() -> None:
    measured = ran(rows=3)
    del measured["Actual_Total_Time"]

    head, line, total = str(plan_of(table("t", rows=3, **measured))).splitlines()

    assert head.split() == ["expected", "rows", "loops"]
    assert line.split()[-7:] == ["t", "3", "3", "1", "0", "blocks", "hit"]
    assert total == "3 rows; 0 blocks hit, 0 read"


@pytest.mark.parametrize(
    ("expected", "rows", "note"),
    [
        (100, 11, ""),
        (100, 10, "10× fewer than expected"),
        (10, 99, ""),
        (10, 100, "10× more than expected"),
        (0, 5, ""),
        (9, 0, ""),
        (1, 2500, "2,500× more than expected"),
    ],
)
def test_estimates_that_are_off_are_marked(expected: float, rows: float, note: str) -> None:
    line = str(plan_of(raw("Result", rows=expected, **ran(rows=rows)))).splitlines()[1]

    assert line.partition("%")[2].strip() == note


def test_a_scan_that_a_limit_stops_is_not_off() -> None:
    sort = raw("Sort", table("t", rows=5000, **ran(rows=3)), rows=5000, **ran(rows=3))
    plan = plan_of(raw("Limit", raw("Nested Loop", sort, rows=5000, **ran(rows=3)), rows=3, **ran(rows=3)))

    notes = [line.partition("%")[2].strip() for line in str(plan).splitlines()[1:-1]]

    assert notes == ["", "", "", "1,667× fewer than expected; 0 blocks hit"]


# Plans of PostgreSQL.


def asked(sql: str, *params: Any, analyze: bool = True) -> Plan:
    return explain(connection, sql, params, analyze=analyze)


@pytest.fixture
def tables(db: None) -> None:
    """Forty stores, the first with thirty figures. New tables: those of other tests have dead rows, which cost."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE store AS SELECT id, 'store ' || id AS name FROM generate_series(1, 40) AS id")
        cursor.execute(
            "CREATE TABLE figure AS"
            " SELECT id, 1 AS store_id, id AS revenue, 'a' AS label FROM generate_series(1, 30) AS id"
        )
        cursor.execute("ALTER TABLE store ADD PRIMARY KEY (id)")
        cursor.execute("ALTER TABLE figure ADD PRIMARY KEY (id)")
        cursor.execute("CREATE INDEX figure_revenue ON figure (revenue)")
        cursor.execute("ANALYZE store, figure")


COUNT = "SELECT count(*) FROM figure AS f WHERE f.store_id = s.id"


@pytest.mark.parametrize(
    ("sql", "scans"),
    [
        ("SELECT * FROM figure", 1),
        ("SELECT * FROM figure AS a, figure AS b", 2),
        (f"SELECT s.id, ({COUNT}) FROM store AS s", 40),
        (f"SELECT s.id, ({COUNT}), ({COUNT} AND f.label = 'a') FROM store AS s", 80),
        (f"SELECT s.id FROM store AS s WHERE ({COUNT}) = 7", 40),
        (f"SELECT s.id, n FROM store AS s CROSS JOIN LATERAL ({COUNT} OFFSET 0) AS x (n)", 40),
        ("SELECT id, (SELECT max(revenue) FROM figure) FROM store", 1),
        ("SELECT id FROM store WHERE id NOT IN (SELECT store_id FROM figure)", 1),
        ("WITH f AS (SELECT store_id FROM figure) SELECT * FROM f", 1),
        ("WITH f AS MATERIALIZED (SELECT store_id FROM figure) SELECT * FROM f, f AS g", 1),
        ("SELECT store_id FROM figure UNION ALL SELECT store_id FROM figure", 2),
        ("SELECT * FROM figure WHERE id = 1 OR id = 2 OR id = 3", 1),
        ("SELECT * FROM store", 0),
    ],
)
def test_scans_are_those_of_postgresql(sql: str, scans: int, tables: None) -> None:
    assert asked(sql).scans("public.figure") == scans
    assert asked(sql, analyze=False).scans("public.figure") == pytest.approx(scans, rel=0.2)


def test_bitmap_scans_of_two_indexes_are_one_scan(tables: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    sql = "SELECT * FROM figure WHERE id = 1 OR revenue = 3"

    for analyze in (False, True):
        plan = asked(sql, analyze=analyze)

        assert "Bitmap Heap Scan" in [node.type for node in plan.nodes]
        assert (plan.indexes, plan.scans("figure")) == (("figure_pkey", "figure_revenue"), 1)


@pytest.mark.parametrize("leader", ["on", "off"])
def test_a_parallel_scan_is_one_scan(leader: str, tables: None) -> None:
    with connection.cursor() as cursor:
        for setting in ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0"):
            cursor.execute(f"SET LOCAL {setting}")
        cursor.execute(f"SET LOCAL parallel_leader_participation = {leader}")
        cursor.execute("ALTER TABLE figure SET (parallel_workers = 2)")

    for analyze in (False, True):
        plan = asked("SELECT count(*) FROM figure", analyze=analyze)

        assert "Parallel Seq Scan" in [node.title for node in plan.nodes]
        assert plan.scans("public.figure") == 1
        assert [node.rows for node in plan.nodes if node.relation] == [30 if analyze else None]


def test_partitions_are_found(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sale (day integer, region text) PARTITION BY RANGE (day)")
        cursor.execute("CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (1) TO (10)")
        cursor.execute("CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (10) TO (20) PARTITION BY LIST (region)")
        cursor.execute("CREATE TABLE sale_2n PARTITION OF sale_2 FOR VALUES IN ('north')")

    whole, one = asked("SELECT * FROM sale"), asked("SELECT * FROM sale WHERE day = %s", 12)

    assert (whole.tables, one.tables) == (("sale_1", "sale_2n"), ("sale_2n",))
    assert [plan.scans(name) for plan in (whole, one) for name in ("sale", "public.sale", "sale_2")] == [1] * 6
    assert asked("SELECT * FROM sale, sale AS other", analyze=False).scans("sale") == 2


def test_spills_are_found(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64kB'")

    plan = asked("SELECT repeat('x', 100) || n AS x FROM generate_series(1, 20000) AS n ORDER BY x")

    assert "Sort" in [node.type for node in plan.spills]
    assert "kB spilled to disk" in str(plan).splitlines()[-1]


def test_what_a_plan_asks_is_one_query(tables: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        asked("SELECT * FROM figure")
