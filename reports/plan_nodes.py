"""The nodes of a plan, from the output of ``EXPLAIN (FORMAT JSON, VERBOSE)``, with ``BUFFERS`` where it has ANALYZE.

PostgreSQL's figures are per loop, and under a Gather averages over the processes; a node's figures here are those of
all its loops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

BLOCK = 8  # kB, unless PostgreSQL was built otherwise
CONDITIONS = (
    "Index Cond", "Recheck Cond", "TID Cond", "Filter", "Hash Cond", "Merge Cond", "Join Filter", "One-Time Filter",
    "Run Condition", "Order By",
)  # fmt: skip
_AGGREGATES = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a plan and what is below it.

    ``type`` is PostgreSQL's ("Index Scan"), ``title`` what EXPLAIN's text says ("Parallel Index Scan"), ``label`` names
    a part ("SubPlan 1", "CTE stats"). ``rows``, ``milliseconds``, ``hit``, ``read`` and ``removed`` (rows that a filter
    dropped) are None unless the plan was analyzed, as is ``spilled``; ``hit`` and ``read`` are blocks of 8 kB,
    ``spilled`` is in kB. Time and blocks include the nodes below, ``own_milliseconds`` and ``spilled`` do not.

    ``loops`` is measured, or what the planner's figures come to; ``runs`` is the same but for a scan that several
    processes share, which runs once for them all. ``keys`` are what it sorts or groups by, ``output`` what it gives.
    Both and ``conditions`` hold the values of the query.
    """

    type: str
    title: str
    role: str = ""
    label: str | None = None
    relation: str | None = None
    schema: str | None = None
    alias: str | None = None
    index: str | None = None
    cost: float = 0.0
    expected: float = 0.0
    loops: float = 1.0
    runs: float = 1.0
    rows: float | None = None
    removed: float | None = None
    milliseconds: float | None = None
    own_milliseconds: float | None = None
    hit: int | None = None
    read: int | None = None
    spilled: int | None = None
    conditions: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: tuple[str, ...] = field(default=(), repr=False)
    output: tuple[str, ...] = field(default=(), repr=False)
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, in EXPLAIN's order."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_nodes(raw: Mapping[str, Any]) -> Node:
    """Return the tree of the ``Plan`` of EXPLAIN's output."""
    return _read(raw, 1.0, 1.0, {})


def _read(raw: Mapping[str, Any], loops: float, share: float, ctes: dict[str, Node]) -> Node:
    """Return a node with all below it.

    Args:
        raw: Of EXPLAIN.
        loops: How often the planner expects it to run.
        share: How many processes work on it, the planner's way: the leader counts less.
        ctes: The CTEs read so far, by name, whose time is part of the node that reads them.
    """
    below = share if raw["Node Type"] not in ("Gather", "Gather Merge") else _processes(raw["Workers Planned"])
    children = []
    for child in raw.get("Plans", ()):
        node = _read(child, _expected_loops(raw, child, loops) * below / share, below, ctes)
        children.append(node)
        if node.label and node.label.startswith("CTE "):
            ctes[node.label.removeprefix("CTE ")] = node
    is_shared = raw.get("Parallel Aware", False)
    measured: dict[str, Any] = {"loops": loops, "runs": loops / share if is_shared else loops}
    if "Actual Loops" in raw:
        parts = [child for child in children if child.role != "InitPlan"]
        # The first node that reads a CTE is taken to be the one that waits for it.
        parts += [ctes.pop(raw["CTE Name"])] if raw.get("CTE Name") in ctes else []
        measured = _measured(raw, parts)
    return Node(
        type=raw["Node Type"],
        title=_title(raw),
        role=raw.get("Parent Relationship", ""),
        label=raw.get("Subplan Name"),
        relation=raw.get("Relation Name"),
        schema=raw.get("Schema"),
        alias=raw.get("Alias"),
        index=raw.get("Index Name"),
        cost=raw["Total Cost"],
        expected=raw["Plan Rows"] * measured["loops"],
        conditions={key: str(raw[key]) for key in CONDITIONS if key in raw},
        keys=tuple(raw.get("Sort Key") or raw.get("Group Key") or ()),
        output=tuple(raw.get("Output", ())),
        children=tuple(children),
        **measured,
    )


def _measured(raw: Mapping[str, Any], parts: list[Node]) -> dict[str, Any]:
    """Return what was measured. ``parts`` are the nodes whose time and blocks are part of this one's."""
    loops = raw["Actual Loops"]
    workers = [worker.get("Actual Loops", 0) for worker in raw.get("Workers", ())]
    # Each process runs a scan that they share once for each time that the Gather starts it.
    most = max(loops - sum(workers), *workers) if workers else loops
    milliseconds = raw["Actual Total Time"] * most if "Actual Total Time" in raw else None
    found: dict[str, Any] = {
        "loops": loops,
        "runs": most if raw.get("Parallel Aware") else loops,
        "rows": raw["Actual Rows"] * loops,
        "removed": sum(raw[key] for key in raw if key.startswith("Rows Removed by ")) * loops,
        "milliseconds": milliseconds,
        "hit": raw["Shared Hit Blocks"] + raw["Local Hit Blocks"],
        "read": raw["Shared Read Blocks"] + raw["Local Read Blocks"],
        "spilled": max(raw["Temp Written Blocks"] * BLOCK - sum(_spilled_below(part) for part in parts), 0),
    }
    if milliseconds is not None:
        found["own_milliseconds"] = max(milliseconds - sum(part.milliseconds or 0 for part in parts), 0.0)
    return found


def _spilled_below(node: Node) -> int:
    return sum(part.spilled or 0 for part in node.walk())


def _expected_loops(parent: Mapping[str, Any], child: Mapping[str, Any], loops: float) -> float:
    """Return how often a child runs, by the planner's figures; rather too often than too rarely.

    The inner side of a nested loop runs once per row of the outer one, a correlated SubPlan once per row that its node
    looks at. How many those are PostgreSQL does not say, but it has reckoned the cost of each.
    """
    if parent.get("One-Time Filter") == "false":
        return 0.0
    if child["Node Type"] == "Materialize":  # runs what is below it once
        return loops
    role, siblings = child.get("Parent Relationship"), parent["Plans"]
    if role == "Inner" and parent["Node Type"] == "Nested Loop":
        outer: float = next(plan["Plan Rows"] for plan in siblings if plan["Parent Relationship"] == "Outer")
        return loops * outer
    if role == "SubPlan" and not _is_hashed(parent, child):
        asked = [plan for plan in siblings if plan["Parent Relationship"] == "SubPlan" and not _is_hashed(parent, plan)]
        inputs = sum(plan["Total Cost"] for plan in siblings if plan["Parent Relationship"] in ("Outer", "Inner"))
        each = sum(plan["Total Cost"] for plan in asked)
        times: float = (parent["Total Cost"] - inputs) / each if each else parent["Plan Rows"]
        return loops * max(times, 1.0)
    return loops


def _is_hashed(parent: Mapping[str, Any], child: Mapping[str, Any]) -> bool:
    name = re.compile(rf"hashed {re.escape(child['Subplan Name'])}\b")
    return any(name.search(str(value)) for key, value in parent.items() if key != "Plans")


def _processes(workers: int) -> float:
    """Return how many processes share the work, as the planner's get_parallel_divisor() does."""
    return workers + max(1 - 0.3 * workers, 0.0)


def _title(raw: Mapping[str, Any]) -> str:
    kind = raw["Node Type"]
    if kind == "Aggregate":
        kind = _AGGREGATES.get(raw.get("Strategy", ""), kind)
    if raw.get("Join Type", "Inner") != "Inner":
        kind = f"{kind.removesuffix(' Join')} {raw['Join Type']} Join"
    words = [raw["Partial Mode"]] if raw.get("Partial Mode", "Simple") != "Simple" else []
    words += ["Parallel"] if raw.get("Parallel Aware") else []
    words += [kind]
    words += ["Backward"] if raw.get("Scan Direction") == "Backward" else []
    return " ".join(words)
