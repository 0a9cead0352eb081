"""Candidates of made plans: which columns, in which order, and why not; no database is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reports.indexes.candidates import Candidate, candidates
from reports.indexes.comparisons import Key, Kind
from reports.indexes.tables import Index, Table
from reports.plan import Plan
from reports.plan_nodes import Node

COLUMNS = ("id", "status", "priority", "opened_at", "closed_at", "department_id", "text", "hours")
OUTPUT = tuple(f"t.{column}" for column in COLUMNS)


def scan(condition: str = "", rows: float = 100, removed: float = 100_000, **more: Any) -> Node:
    """A scan of tickets in which all columns are at hand."""
    kind = more.pop("type", "Seq Scan")
    conditions = more.pop("conditions", {"Filter": condition} if condition else {})
    figures: dict[str, Any] = {
        "rows": rows,
        "removed": removed,
        "own_milliseconds": 10.0,
        "milliseconds": 10.0,
        "hit": 5000,
    }
    named: dict[str, Any] = {"relation": "ticket", "schema": "public", "alias": "t"}
    fields: dict[str, Any] = named | figures | {"output": OUTPUT, "conditions": conditions} | more
    return Node(kind, kind, **fields)


def above(kind: str, *children: Node, **more: Any) -> Node:
    fields: dict[str, Any] = {"rows": 1, "removed": 0, "own_milliseconds": 5.0, "children": children} | more
    return Node(kind, kind, **fields)


def found(root: Node) -> list[str]:
    return [shown(candidate) for candidate in candidates(Plan(root))[0]]


def shown(candidate: Candidate) -> str:
    keys = [f"{key.column} desc" if key.descending else key.column for key in candidate.columns]
    text = ", ".join(keys)
    if candidate.include:
        text += f" + {', '.join(candidate.include)}"
    if candidate.where:
        text += f" where {', '.join(f'{column} {kind}' for column, kind in candidate.where)}"
    return text


def grouped(node: Node, *keys: str, output: tuple[str, ...] = ("count(*)",)) -> Node:
    return above("Aggregate", node, keys=keys, output=output)


STATUS = "((t.status)::text = 'open'::text)"


@pytest.mark.parametrize(
    ("root", "want"),
    [
        (grouped(scan(STATUS)), ["status"]),
        # Lists after single values, a range after both, and only one of these.
        (
            grouped(
                scan(f"((t.opened_at > now()) AND (t.hours > 1) AND (t.priority = ANY ('{{}}'::int[])) AND {STATUS})")
            ),
            ["status, priority, opened_at", "status, priority, opened_at + hours"],
        ),
        # A value that changes from row to row comes first.
        (grouped(scan(f"({STATUS} AND (t.department_id = d.id))")), ["department_id, status"]),
        # What is sorted above a Merge Append comes from all of its inputs.
        (
            above("Sort", above("Merge Append", scan(STATUS)), keys=("t.opened_at",), output=("t.id",)),
            ["status", "status + id, opened_at"],
        ),
        # The order of the rows that are wanted.
        (
            above("Limit", above("Sort", scan(STATUS), keys=("t.opened_at DESC", "t.id DESC"), output=("t.id",))),
            ["status, opened_at desc, id desc", "status", "status + id, opened_at"],
        ),
        (
            above("Sort", scan(removed=0, rows=9999), keys=("t.opened_at", "d.name"), output=("t.text", "t.opened_at")),
            ["opened_at", "opened_at + text"],
        ),
        # A partial index, of conditions without a constant.
        (
            grouped(scan(f"({STATUS} AND (t.closed_at IS NULL) AND t.hours)")),
            ["status where closed_at IS NULL, hours is true"],
        ),
        (grouped(scan("(t.closed_at IS NULL)")), ["closed_at where closed_at IS NULL"]),
        (grouped(scan("(t.closed_at IS NULL)"), "t.status"), ["status where closed_at IS NULL"]),
        # All the columns of a grouping.
        (
            grouped(scan(rows=100_000, removed=0), "t.status", output=("t.status", "sum(t.hours)")),
            ["status + hours"],
        ),
        (grouped(scan(rows=100_000, removed=0), "t.status", "d.name"), []),
        # Much of the table is wanted: only an index that has all its columns spares anything.
        (grouped(scan(STATUS, rows=90_000), output=("sum(t.hours)",)), ["status + hours"]),
        (grouped(scan(STATUS, rows=90_000), output=tuple(f"max({column})" for column in OUTPUT)), []),
        # A join to few rows.
        (
            above(
                "Hash Join",
                scan(rows=50_000, removed=50_000, role="Outer"),
                above("Hash", rows=3, role="Inner"),
                conditions={"Hash Cond": "(t.department_id = d.id)"},
                output=OUTPUT,
            ),
            ["department_id"],
        ),
        (
            above(
                "Nested Loop",
                above("Result", rows=3, role="Outer"),
                scan(STATUS, role="Inner"),
                conditions={"Join Filter": "(d.id = t.department_id)"},
                output=OUTPUT,
            ),
            ["status", "department_id, status"],
        ),
        # The order stops at what is above it; that of a part of the statement is no order of the whole.
        (above("Sort", grouped(scan(STATUS)), keys=("t.id",)), ["status", "status + id"]),
        (
            above("Sort", above("Result", scan(STATUS, role="SubPlan"), output=()), keys=("t.id",)),
            ["status", "status + id"],
        ),
        # An order, of which the columns that are asked for are no part.
        (
            above("Sort", scan(STATUS), keys=("t.status", "(lower(t.id))"), output=("t.status",)),
            ["status", "status + id"],
        ),
        # All of an index was read for a column that is not its first.
        (
            grouped(
                scan(
                    type="Index Scan",
                    conditions={"Index Cond": "(t.department_id = 3)", "Filter": "(t.hours > 9)"},
                    removed=1,
                    output=("t.department_id", "t.hours"),
                )
            ),
            ["department_id", "department_id + hours"],
        ),
        # A join to many rows.
        (
            above(
                "Hash Join",
                scan(rows=50_000, removed=50_000, role="Outer"),
                above("Hash", rows=30_000, role="Inner"),
                conditions={"Hash Cond": "(t.department_id = d.id)"},
                output=OUTPUT,
            ),
            [],
        ),
        # What the index has not: its own columns first.
        (
            grouped(
                scan(type="Index Scan", conditions={"Index Cond": "(t.department_id = 3)", "Filter": "(t.hours > 9)"})
            ),
            ["department_id, hours"],
        ),
    ],
)
def test_candidates(root: Node, want: list[str]) -> None:
    assert found(root) == want


def test_scans_of_one_table_add_up() -> None:
    first, other = scan(STATUS), scan("(u.department_id = 3)", alias="u", own_milliseconds=15.0, output=())
    root = above("Append", grouped(first), grouped(scan(STATUS)), grouped(other))

    assert [(shown(one), one.saving) for one in candidates(Plan(root))[0]] == [
        ("status", 20.0),
        ("department_id", 15.0),
    ]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (scan(rows=100_000, removed=0), "all of its rows are read"),
        (scan("((t.a = 1) OR (t.b = 2))"), "its conditions are no plain comparisons of columns"),
        (scan(STATUS, rows=60_000, removed=40_000), "60% of the rows that are read are wanted"),
        (scan(STATUS, rows=500, removed=12, hit=9), "only 512 rows are read"),
        (scan(STATUS, schema="pg_catalog"), "it is PostgreSQL's own"),
        (
            scan(
                type="Index Scan",
                index="by_status",
                rows=2000,
                conditions={"Index Cond": "(lower(t.text) = 'a'::text)"},
            ),
            "by_status is used for all of its conditions",
        ),
    ],
)
def test_reason_for_no_candidate(node: Node, reason: str) -> None:
    root = grouped(node, output=tuple(f"max({column})" for column in OUTPUT))

    assert candidates(Plan(root)) == ((), {f"{node.schema}.ticket": reason})


def test_partitions_and_what_never_ran() -> None:
    never = above("Result", replace(scan(STATUS), relation="never", loops=0))

    assert candidates(Plan(never)) == ((), {})
    assert candidates(Plan(scan(STATUS), partitions={"public.ticket": ("public.tickets",)})) == (
        (),
        {"public.ticket": "it is a partition of public.tickets; an index of all partitions is not tried"},
    )


# What is there already.


def index(*columns: str | Key, include: tuple[str, ...] = (), unique: bool = False, partial: bool = False) -> Index:
    keys = tuple(Key(column) if isinstance(column, str) else column for column in columns)
    return Index(keys, include, unique, partial)


WANTED = Candidate("public", "ticket", ("status", "department_id"), (Key("opened_at"),), ("hours",))


@pytest.mark.parametrize(
    ("there", "covers"),
    [
        (index("status", "department_id", "opened_at", include=("hours",)), True),
        (index("department_id", "status", "opened_at", "hours", "id"), True),
        (index("status", "department_id", Key("opened_at", True), "hours"), True),
        (index("status", "department_id", "opened_at"), False),
        (index("status", "opened_at", "department_id", "hours"), False),
        (index("status", "department_id", "hours", "opened_at"), False),
        (index("status", "department_id", "opened_at", "hours", partial=True), False),
        (index("status", "department_id"), False),
    ],
)
def test_index_that_is_there(there: Index, covers: bool) -> None:
    assert there.covers(WANTED) is covers


def test_index_that_leads_to_one_row() -> None:
    assert index("status", unique=True).finds_one_row(WANTED)
    assert not index("status", "id", unique=True).finds_one_row(WANTED)
    assert not index("status").finds_one_row(WANTED)


def table(**more: Any) -> Table:
    columns = {name: (name, "json" if name == "text" else "bigint") for name in COLUMNS} | {"Odd": ('"Odd"', "text")}
    plain: dict[str, Any] = {
        "schema": "public",
        "name": "ticket",
        "quoted": "public.ticket",
        "kind": "r",
        "rows": 10,
        "indexes": (),
    }
    return Table(**(plain | {"columns": columns, "may_index": True} | more))


def test_definition() -> None:
    wanted = Candidate(
        "public", "ticket", ("Odd",), (Key("id", True),), ("hours",), (("closed_at", Kind.NULL), ("status", Kind.FALSE))
    )

    assert table().definition(wanted) == (
        'public.ticket ("Odd", id DESC) INCLUDE (hours) WHERE closed_at IS NULL AND NOT status'
    )


def test_needless() -> None:
    there = (index("status"),)

    assert table(indexes=there).needless(Candidate("public", "ticket", ("status",))) == (
        "an index that is there serves as well"
    )
    assert table(indexes=there).needless(Candidate("public", "ticket", ("status", "id"))) is None
    for column in ("text", "ctid"):
        assert table().needless(Candidate("public", "ticket", (column,))) == "a column is of a type that no index sorts"


def test_refusal() -> None:
    assert table().refusal(10) is None
    assert table(rows=1234567).refusal(1000000) == (
        "it has about 1,234,567 rows, and its writers would wait while an index is built "
        "(most_rows, --advise-rows: 1,000,000)"
    )
    assert table(may_index=False).refusal(10) == (
        "the role of this connection may not create an index on it: that is for its owner"
    )
    assert table(kind="f").refusal(10) == "it is a foreign table"
