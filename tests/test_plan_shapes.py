"""What of a plan is its shape, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from reports.explain import explain
from reports.plan import Plan
from reports.plan_shapes import ShapeLine, shape
from tests.test_plan_nodes import ran, raw, scan


def plan_of(root: Any, **partitions: tuple[str, ...]) -> Plan:
    plan = Plan.of({"Plan": root})
    return replace(plan, partitions={f"public.{name}": above for name, above in partitions.items()})


def text(root: Any, **partitions: tuple[str, ...]) -> str:
    return "\n".join(map(str, shape(plan_of(root, **partitions))))


def table(name: str = "t", *, role: str = "Outer", alias: str | None = None, **more: Any) -> Any:
    return scan(role=role, Relation_Name=name, Alias=alias or name, **more)


def test_shape() -> None:
    cte = raw("Aggregate", table(), role="InitPlan", Strategy="Hashed", Subplan_Name="CTE stats", cost=99)
    index = table("u", kind="Index Scan", role="Inner", alias="x", Index_Name="u_pkey")
    root = raw("Nested Loop", cte, raw("CTE Scan", Alias="s"), index, Join_Type="Left", rows=7)

    assert text(root) == (
        "Nested Loop Left Join\n"
        "  CTE stats: HashAggregate\n"
        "    Seq Scan on t\n"
        "  CTE Scan as s\n"
        "  Index Scan on u as x using u_pkey"
    )


SECRET: dict[str, Any] = {
    "Filter": "(word = 's3cret'::text)",
    "Sort_Key": ["(word = 's3cret'::text)"],
    "Output": ["'s3cret'::text"],
}


def test_shape_has_no_figures_and_no_values() -> None:
    planned = raw("Sort", table(rows=7, cost=5, **SECRET), **SECRET)
    analyzed = raw("Sort", table(rows=9999, cost=1.5, **SECRET, **ran(rows=3)), **SECRET, **ran(rows=3))

    assert text(planned) == text(analyzed) == "Sort\n  Seq Scan on t"


# What comes and goes by itself. Beside each plan stands that which it is to be like.


@pytest.mark.parametrize(
    ("plan", "plain"),
    [
        (raw("Gather", table(Parallel_Aware=True), Workers_Planned=2), table()),
        (raw("Gather Merge", raw("Sort", table()), Workers_Planned=2), raw("Sort", table())),
        (
            raw("Gather", raw("Hash Join", table(), Join_Type="Left", Parallel_Aware=True), Workers_Planned=2),
            raw("Hash Join", table(), Join_Type="Left"),
        ),
        (raw("Hash Join", table("a"), raw("Hash", table("b"))), raw("Hash Join", table("a"), table("b"))),
        (raw("Nested Loop", table("a"), raw("Memoize", table("b"))), raw("Nested Loop", table("a"), table("b"))),
        (raw("Nested Loop", table("a"), raw("Materialize", table("b"))), raw("Nested Loop", table("a"), table("b"))),
        (raw("Sort", raw("Subquery Scan", table(), Alias="s")), raw("Sort", table())),
        (raw("Sort", raw("Result", table())), raw("Sort", table())),
        (table(alias="t_1"), table()),
        (table(alias="x_12"), table(alias="x")),
        (
            raw("Append", table("b"), table("a"), Parallel_Aware=True),
            raw("Append", table("a"), table("b")),
        ),
    ],
)
def test_what_comes_and_goes_is_left_out(plan: Any, plain: Any) -> None:
    assert text(plan) == text(plain)


def partial(strategy: str, *plans: Any) -> Any:
    return raw("Aggregate", *plans, Strategy=strategy, Partial_Mode="Partial")


def final(strategy: str, *plans: Any) -> Any:
    return raw("Aggregate", *plans, Strategy=strategy, Partial_Mode="Finalize")


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        (final("Plain", raw("Gather", partial("Plain", table()), Workers_Planned=2)), "Aggregate\n  Seq Scan on t"),
        (
            final("Sorted", raw("Gather Merge", raw("Sort", partial("Hashed", table())), Workers_Planned=2)),
            "HashAggregate\n  Seq Scan on t",
        ),
        (
            final("Sorted", raw("Gather Merge", partial("Sorted", raw("Sort", table())), Workers_Planned=2)),
            "GroupAggregate\n  Sort\n    Seq Scan on t",
        ),
        # Each part of a table counted for itself: so it would be with one process, too.
        (
            final("Plain", raw("Append", partial("Plain", table("a")), partial("Plain", table("b")))),
            "Finalize Aggregate\n  Append\n    Partial Aggregate\n      Seq Scan on a\n"
            "    Partial Aggregate\n      Seq Scan on b",
        ),
    ],
)
def test_an_aggregation_by_workers_is_one(plan: Any, shown: str) -> None:
    assert text(plan) == shown


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        # What hangs on a node that is left out hangs on the one below.
        (
            raw(
                "Gather",
                scan(role="InitPlan", Subplan_Name="InitPlan 1 (returns $0)", Relation_Name="u", Alias="u"),
                table(Parallel_Aware=True),
                Workers_Planned=2,
            ),
            "Seq Scan on t\n  InitPlan: Seq Scan on u",
        ),
        # What a part is called stays with what is shown of it.
        (
            raw("Result", raw("Materialize", table(), role="SubPlan", Subplan_Name="SubPlan 3")),
            "Result\n  SubPlan: Seq Scan on t",
        ),
        (raw("Result", table()) | {"One-Time Filter": "(now() > 's3cret')"}, "Result\n  Seq Scan on t"),
        (raw("Append", raw("Result"), raw("Result")), "Append\n  Result\n  Result"),
        (raw("Append", table(), table(alias="t_1")), "Append\n  Seq Scan on t\n  Seq Scan on t"),
        (
            raw("Hash Join", table(role="SubPlan", Subplan_Name="SubPlan 1"), Join_Filter="(hashed SubPlan 1)"),
            "Hash Join\n  hashed SubPlan: Seq Scan on t",
        ),
        (
            table(Plans=[table("u", role="SubPlan", Subplan_Name="SubPlan 1")], Filter="(hashed SubPlan 12)"),
            "Seq Scan on t\n  SubPlan: Seq Scan on u",
        ),
    ],
)
def test_what_is_not_left_out(plan: Any, shown: str) -> None:
    assert text(plan) == shown


# Partitions.

SALES = {
    "sale_1": ("public.sale",),
    "sale_2a": ("public.sale_2", "public.sale"),
    "sale_2b": ("public.sale_2", "public.sale"),
}


def test_partitions_are_their_table() -> None:
    parts = [table(name, alias=f"s_{number}") for number, name in enumerate(SALES, start=1)]

    assert text(raw("Sort", raw("Append", *parts)), **SALES) == "Sort\n  Seq Scan on sale"
    assert text(raw("Sort", parts[0]), sale_1=SALES["sale_1"]) == "Sort\n  Seq Scan on sale"
    assert text(raw("Sort", parts[1]), sale_2a=SALES["sale_2a"]) == "Sort\n  Seq Scan on sale"


def test_indexes_of_partitions_are_those_of_their_table() -> None:
    bitmap = raw("BitmapAnd", *(raw("Bitmap Index Scan", Index_Name=name) for name in ("sale_1_day_idx", "other")))
    plan = table("sale_1", kind="Bitmap Heap Scan", Plans=[bitmap])

    assert text(plan, **SALES) == (
        "Bitmap Heap Scan on sale\n"
        "  BitmapAnd\n"
        "    Bitmap Index Scan using sale_day_idx\n"
        "    Bitmap Index Scan using other"
    )


def test_partitions_that_are_read_in_two_ways_are_two_lines() -> None:
    index = table("sale_2a", kind="Index Scan", Index_Name="sale_2a_day_idx")

    shown = text(raw("Append", table("sale_1"), index, table("sale_2b")), **SALES)

    assert shown == "Append\n  Index Scan on sale using sale_day_idx\n  Seq Scan on sale"


# Text.

WORDS = st.text(min_size=1, max_size=8)
LINES = st.builds(
    ShapeLine,
    depth=st.integers(0, 4),
    label=st.sampled_from(["", "CTE stats", 'CTE "a: b"', "SubPlan", "hashed SubPlan", "InitPlan"]),
    title=st.sampled_from(["Sort", "Seq Scan", "Index Scan Backward", "BitmapOr", "Hash Right Semi Join"]),
    relation=st.sampled_from(["", "t", "a.b", '"my table"', '"T on x"', '"\\n as \\" using"']),
    alias=st.sampled_from(["", "U0", "é", '"*SELECT* 1"']),
    index=st.sampled_from(["", "t_pkey", '"i\\\\"']),
)  # fmt: skip


@given(LINES)
def test_lines_are_read_back(line: ShapeLine) -> None:
    assert ShapeLine.read(str(line)) == line


@given(WORDS, WORDS, WORDS)
def test_every_name_is_one_line_that_is_read_back(relation: str, alias: str, index: str) -> None:
    lines = shape(plan_of(table(relation, alias=alias, kind="Index Scan", Index_Name=index)))

    assert "\n" not in str(lines[0])
    assert tuple(ShapeLine.read(str(line)) for line in lines) == lines


@pytest.mark.parametrize(
    "wrong", ["", "<<<<<<< HEAD", " Sort", "Sort on", "sort", "Seq Scan on a b", "Seq Scan on t\n"]
)
def test_another_text_is_no_line(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is no line of a plan's shape\.$"):
        ShapeLine.read(wrong)


# Of PostgreSQL.


@pytest.fixture
def orders(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders AS SELECT n AS id, n % 9 AS kind FROM generate_series(1, 20000) AS n")
        cursor.execute("ANALYZE orders")


PARALLEL = (
    "max_parallel_workers_per_gather = 2", "parallel_setup_cost = 0", "parallel_tuple_cost = 0",
    "min_parallel_table_scan_size = 0",
)  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM orders",
        "SELECT kind, count(*) FROM orders GROUP BY kind",
        "SELECT * FROM orders AS a JOIN orders AS b USING (id) WHERE a.kind < 3",
        "SELECT count(*) FROM orders AS a WHERE id NOT IN (SELECT kind FROM orders)",
        "WITH s AS MATERIALIZED (SELECT kind, count(*) AS n FROM orders GROUP BY kind) SELECT * FROM s, s AS t",
    ],
)
def test_shape_is_the_same_with_parallel_workers(sql: str, orders: None) -> None:
    def planned(*settings: str) -> Plan:
        with connection.cursor() as cursor:
            for setting in settings:
                cursor.execute(f"SET LOCAL {setting}")
        return explain(connection, sql, ())

    alone, together = planned("max_parallel_workers_per_gather = 0"), planned(*PARALLEL)

    assert any(node.type.startswith("Gather") for node in together.nodes)
    assert shape(alone) == shape(together)


def test_shape_of_partitions_of_postgresql(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sale (day integer, region text) PARTITION BY RANGE (day)")
        cursor.execute("CREATE INDEX sale_day_idx ON sale (day)")
        for low in (1, 11):
            cursor.execute(f"CREATE TABLE sale_{low} PARTITION OF sale FOR VALUES FROM ({low}) TO ({low + 10})")

    whole, some = (
        shape(explain(connection, f"SELECT * FROM sale AS s {condition}", ())) for condition in ("", "WHERE day = 7")
    )

    assert "\n".join(map(str, whole)) == "Seq Scan on sale"
    assert {line.relation for line in some} - {""} == {"sale"}
    assert {line.index for line in some} <= {"sale_day_idx", ""}
