"""The figures of a plan's nodes; what PostgreSQL really sends is in test_explain.py."""

from __future__ import annotations

from typing import Any

import pytest

from reports.plan_nodes import Node, read_nodes


def raw(kind: str, *plans: dict[str, Any], role: str = "Outer", rows: float = 1, cost: float = 1, **more: Any) -> Any:
    """A node of EXPLAIN's output; an underscore in a key is a blank."""
    found = {
        "Node Type": kind,
        "Parent Relationship": role,
        "Plan Rows": rows,
        "Total Cost": cost,
        "Plans": list(plans),
    }
    return found | {key.replace("_", " "): value for key, value in more.items()}


def scan(kind: str = "Seq Scan", **more: Any) -> Any:
    return raw(kind, **({"Relation_Name": "t", "Schema": "public", "Alias": "t"} | more))


def ran(loops: int = 1, rows: float = 1, ms: float = 1, temp: int = 0, **more: Any) -> dict[str, Any]:
    """What EXPLAIN (ANALYZE, BUFFERS) adds."""
    blocks = {f"{kind}_{what}_Blocks": 0 for kind in ("Shared", "Local") for what in ("Hit", "Read")}
    measured = {"Actual_Loops": loops, "Actual_Rows": rows, "Actual_Total_Time": ms, "Temp_Written_Blocks": temp}
    return blocks | measured | more


def worker(loops: int) -> dict[str, Any]:
    return {"Actual Loops": loops}


def found(root: Any) -> Node:
    """The one node that reads a table."""
    (node,) = (node for node in read_nodes(root).walk() if node.relation)
    return node


# How often a node runs, measured.


@pytest.mark.parametrize(
    ("plan", "runs"),
    [
        (scan(**ran()), 1),
        (scan("Index Only Scan", **ran(loops=500)), 500),
        (scan(**ran(loops=0)), 0),
        (raw("Nested Loop", raw("Seq Scan", **ran()), scan(role="Inner", **ran(loops=3)), **ran()), 3),
        # Three processes share one scan; five times.
        (raw("Gather", scan(Parallel_Aware=True, Workers=[worker(1), worker(1)], **ran(loops=3)), **ran()), 1),
        (raw("Gather", scan(Parallel_Aware=True, Workers=[worker(5), worker(5)], **ran(loops=15)), **ran()), 5),
        # The leader does not take part; no worker was to be had in the second of two rounds; there was none at all.
        (raw("Gather", scan(Parallel_Aware=True, Workers=[worker(5), worker(5)], **ran(loops=10)), **ran()), 5),
        (raw("Gather", scan(Parallel_Aware=True, Workers=[worker(1)], **ran(loops=3)), **ran()), 2),
        (raw("Gather", scan(Parallel_Aware=True, **ran(loops=1)), **ran()), 1),
        # Three processes scan a table each.
        (raw("Gather", raw("Hash", scan(Workers=[worker(1), worker(1)], **ran(loops=3)), **ran(3)), **ran()), 3),
        (scan("Bitmap Heap Scan", Plans=[raw("Bitmap Index Scan", **ran(loops=4))], **ran(loops=4)), 4),
    ],
)
def test_runs_measured(plan: Any, runs: int) -> None:
    assert found({"Workers Planned": 2} | plan).runs == runs


# How often a node runs, by the planner.


def sub_plan(name: str = "SubPlan 1", **more: Any) -> Any:
    return scan(role="SubPlan", Subplan_Name=name, **({"cost": 8.0} | more))


@pytest.mark.parametrize(
    ("plan", "runs"),
    [
        (scan(rows=1000), 1),
        (raw("Hash Join", raw("Seq Scan", rows=500), scan(role="Inner")), 1),
        (raw("Nested Loop", raw("Seq Scan", rows=500), scan(role="Inner")), 500),
        (raw("Nested Loop", raw("Seq Scan", rows=500), raw("Limit", scan(), role="Inner")), 500),
        (raw("Nested Loop", raw("Seq Scan", rows=500), raw("Materialize", scan(), role="Inner")), 1),
        (
            raw(
                "Nested Loop",
                raw("Seq Scan", rows=5),
                raw("Nested Loop", raw("Seq Scan", rows=7), scan(role="Inner"), role="Inner"),
            ),
            35,
        ),
        # A correlated SubPlan among what is selected: 500 rows at 8.0 and the scan of them at 20.
        (raw("Seq Scan", sub_plan(), rows=500, cost=4020), 502.5),
        # In a filter that leaves three rows of 500: the rows looked at count.
        (raw("Seq Scan", sub_plan(), rows=3, cost=4020), 502.5),
        (raw("Hash Join", raw("Seq Scan", rows=500, cost=20), sub_plan(), rows=500, cost=4020), 500),
        # Hashed: once. The name of another one is no sign.
        (raw("Seq Scan", sub_plan(), rows=500, cost=4020, Filter="(NOT (ANY (id = (hashed SubPlan 1).col1)))"), 1),
        (raw("Seq Scan", sub_plan(), rows=500, cost=4020, Filter="(ANY (id = (hashed SubPlan 10).col1))"), 502.5),
        (raw("Result", sub_plan(cost=0.0), rows=12, cost=0.0), 12),
        (raw("Result", scan()) | {"One-Time Filter": "false"}, 0),
        (raw("Result", scan(role="InitPlan", Subplan_Name="InitPlan 1"), rows=12), 1),
        # Two processes and a leader that takes part by 0.4; each process scans what is not shared.
        (raw("Gather", scan(Parallel_Aware=True), Workers_Planned=2), 1),
        (raw("Gather", scan(), Workers_Planned=2), 2.4),
        (raw("Gather", scan(), Workers_Planned=8), 8),
    ],
)
def test_runs_expected(plan: Any, runs: float) -> None:
    assert found(plan).runs == pytest.approx(runs)


def test_two_sub_plans_of_one_node_share_its_cost() -> None:
    plan = raw("Seq Scan", sub_plan(), sub_plan("SubPlan 2", cost=2.0), rows=1, cost=1000)

    assert [node.runs for node in read_nodes(plan).children] == [100, 100]


# Rows, time, blocks.


def test_rows_are_those_of_all_loops() -> None:
    node = found(scan(rows=4, **ran(loops=10, rows=2.5, Rows_Removed_by_Filter=3, Rows_Removed_by_Index_Recheck=1)))

    assert (node.expected, node.rows, node.removed) == (40, 25, 40)


def test_rows_of_parallel_nodes_are_those_of_all_processes() -> None:
    plan = raw("Gather", scan(rows=100, Parallel_Aware=True), rows=240, Workers_Planned=2)

    assert [node.expected for node in read_nodes(plan).walk()] == [240, 240]


def test_time_is_that_of_the_clock() -> None:
    """Per loop PostgreSQL gives the mean over the processes, which work at the same time."""
    below = scan(Parallel_Aware=True, Workers=[worker(2), worker(2)], **ran(loops=6, ms=10))
    root = read_nodes(raw("Gather", below, Workers_Planned=2, **ran(ms=25)))

    assert [(node.milliseconds, node.own_milliseconds) for node in root.walk()] == [(25, 5), (20, 20)]


def test_own_time_leaves_out_what_is_below() -> None:
    plan = raw(
        "Hash Join",
        scan(**ran(ms=30)),
        raw("Hash", role="Inner", **ran(ms=20)),
        sub_plan(**ran(4, ms=5)),
        **ran(ms=100),
    )

    assert read_nodes(plan).own_milliseconds == 30


def test_time_of_a_cte_belongs_to_the_node_that_reads_it() -> None:
    cte = raw("Aggregate", role="InitPlan", Subplan_Name="CTE s", **ran(ms=60))
    first, second = (
        raw("CTE Scan", role=role, CTE_Name="s", **ran(ms=ms)) for role, ms in (("Outer", 70), ("Inner", 5))
    )

    root = read_nodes(raw("Hash Join", cte, first, second, **ran(ms=80)))

    assert [node.own_milliseconds for node in root.walk()] == [5, 60, 10, 5]


def test_blocks_are_shared_and_local_ones() -> None:
    node = found(scan(**ran(Shared_Hit_Blocks=5, Local_Hit_Blocks=2, Shared_Read_Blocks=3, Local_Read_Blocks=1)))

    assert (node.hit, node.read) == (7, 4)


def test_spilled_is_the_nodes_own() -> None:
    root = read_nodes(raw("Sort", raw("Hash Join", raw("Seq Scan", **ran()), **ran(temp=100)), **ran(temp=350)))

    assert [node.spilled for node in root.walk()] == [2000, 800, 0]


def test_without_analyze_nothing_is_measured() -> None:
    node = found(scan())

    assert {node.rows, node.removed, node.milliseconds, node.own_milliseconds, node.hit, node.read, node.spilled} == {
        None
    }


def test_without_timing_there_is_no_time() -> None:
    measured = ran(rows=3)
    del measured["Actual_Total_Time"]

    node = found(scan(**measured))

    assert (node.rows, node.milliseconds, node.own_milliseconds) == (3, None, None)


# Names.


@pytest.mark.parametrize(
    ("plan", "title"),
    [
        (raw("Seq Scan", Parallel_Aware=True), "Parallel Seq Scan"),
        (raw("Index Scan", Scan_Direction="Backward"), "Index Scan Backward"),
        (raw("Index Scan", Scan_Direction="Forward"), "Index Scan"),
        (raw("Aggregate", Strategy="Plain", Partial_Mode="Simple"), "Aggregate"),
        (raw("Aggregate", Strategy="Sorted", Partial_Mode="Finalize"), "Finalize GroupAggregate"),
        (raw("Aggregate", Strategy="Hashed", Partial_Mode="Partial"), "Partial HashAggregate"),
        (raw("Aggregate", Strategy="Mixed"), "MixedAggregate"),
        (raw("Hash Join", Join_Type="Inner"), "Hash Join"),
        (raw("Hash Join", Join_Type="Right Anti", Parallel_Aware=True), "Parallel Hash Right Anti Join"),
        (raw("Merge Join", Join_Type="Left"), "Merge Left Join"),
        (raw("Nested Loop", Join_Type="Semi"), "Nested Loop Semi Join"),
    ],
)
def test_title_is_that_of_explains_text(plan: Any, title: str) -> None:
    assert read_nodes(plan).title == title


def test_conditions_are_not_in_the_repr() -> None:
    node = found(scan(Filter="(word = 's3cret'::text)", Output=["'s3cret'::text"]))

    assert node.conditions == {"Filter": "(word = 's3cret'::text)"}
    assert "s3cret" not in repr(node)
