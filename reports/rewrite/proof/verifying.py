"""Running a statement and its rewritten form on the same data, to compare rows, plans and times.

Each is run twice: for its rows, and by EXPLAIN ANALYZE, which then finds the tables in memory. The rows of both are
kept. Neither the guard nor any other wrapper sees these statements; they run read only, or in a savepoint that is
rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import Error

from reports.explain import explain
from reports.plan import Plan
from reports.rewrite.proof.comparing import Difference, Row, compare
from reports.rewrite.proof.verification import Verification
from reports.rewrite.rewriting import Strategy
from reports.transactions import command, is_alone

_SAVEPOINT = "sql_reports_verify"
_Params = Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class Order:
    """How the rows of a statement are ordered. ``keys`` are the places of its ORDER BY's columns, None where unknown.

    ``is_cut`` says that the statement ends after some rows, or begins after some.
    """

    is_ordered: bool = False
    keys: tuple[int, ...] | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    rows: list[Row]
    plan: Plan


def verify(
    connection: Any, before: tuple[str, _Params], after: tuple[str, _Params], *, strategy: Strategy, order: Order
) -> Verification:
    """Return what comparing two statements shows. Each is SQL with ``%s``, and its values.

    Outside a transaction both are read in a REPEATABLE READ one of our own. Within one, its isolation counts.

    Raises:
        django.db.Error: PostgreSQL refused the first statement. When it refuses the second, that is a difference.
    """
    with _snapshot(connection) as (taken_at, is_snapshot):
        found = _run(connection, *before)
        try:
            other = _run(connection, *after)
        except Error as error:
            return Verification(
                strategy, False, len(found.rows), order.is_ordered, (_refusal(error),), taken_at=taken_at,
                is_snapshot=is_snapshot,
            )  # fmt: skip
    difference = compare(found.rows, other.rows, ordered=order.is_ordered, keys=order.keys)
    return Verification(
        strategy,
        is_equal=difference is None,
        rows=len(found.rows),
        ordered=order.is_ordered,
        differences=() if difference is None else (str(difference), *_hints(difference, found.rows, other.rows, order)),
        scans_before=scans(found.plan),
        scans_after=scans(other.plan),
        milliseconds_before=found.plan.milliseconds,
        milliseconds_after=other.plan.milliseconds,
        cost_before=found.plan.cost,
        cost_after=other.plan.cost,
        taken_at=taken_at,
        is_snapshot=is_snapshot,
    )


def scans(plan: Plan) -> Mapping[str, int]:
    """Return how often a plan goes to each table; a partitioned table by its own name."""
    parents = {name: above for full, above in plan.partitions.items() for name in (full, full.partition(".")[2])}
    names = {parent.partition(".")[2] for table in plan.tables for parent in parents.get(table, (f".{table}",))}
    return {name: plan.scans(name) for name in sorted(names)}


@contextmanager
def _snapshot(connection: Any) -> Iterator[tuple[datetime, bool]]:
    """Let the block see the same data throughout, as far as that is ours to say; without any wrapper."""
    connection.ensure_connection()
    driver = connection.connection
    wrappers, connection.execute_wrappers = connection.execute_wrappers, []
    is_ours = is_alone(driver)
    try:
        if is_ours:
            command(driver, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        level = command(driver, "SELECT current_setting('transaction_isolation')")
        yield command(driver, "SELECT statement_timestamp()"), level in ("repeatable read", "serializable")
    finally:
        connection.execute_wrappers = wrappers
        if is_ours and not driver.closed:
            command(driver, "ROLLBACK")


def _run(connection: Any, sql: str, params: _Params) -> _Run:
    """Return the rows and the plan, and leave the transaction as it was."""
    driver = connection.connection
    command(driver, f"SAVEPOINT {_SAVEPOINT}")
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows = cursor.fetchall()
        return _Run(rows, explain(connection, sql, params or (), analyze=True, timing=False))
    finally:
        if not driver.closed:
            command(driver, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}")


def _refusal(error: Error) -> str:
    """Return what PostgreSQL said, without its text, which quotes values."""
    cause = error.__cause__
    return f"PostgreSQL refused the rewritten statement: {type(cause).__name__}, {getattr(cause, 'sqlstate', None)}"


def _hints(difference: Difference, before: Sequence[Row], after: Sequence[Row], order: Order) -> Iterator[str]:
    if order.is_cut and not order.is_ordered:
        yield "It is a slice without an ordering: PostgreSQL may give any rows. Order by a unique column."
    elif difference.is_order and order.keys is None:
        yield "Has the ordering ties? Rows that are equal in it may come in any order. Order by a unique column too."
    elif order.is_cut and order.keys is not None and _is_tied(before, after, order.keys):
        yield (
            "The rows that differ are tied at the slice's end: PostgreSQL may give any of them. "
            "Order by a unique column too."
        )


def _is_tied(before: Sequence[Row], after: Sequence[Row], keys: tuple[int, ...]) -> bool:
    """Return whether the rows are equal but for those which the ordering ranks with the first or the last one."""
    key: Callable[[Row], Row] = lambda row: tuple([row[place] for place in keys])  # noqa: E731 - a key function
    if not before or len(before) != len(after):
        return False
    ends = key(before[0]), key(before[-1])
    inner = [[row for row in rows if key(row) not in ends] for rows in (before, after)]
    orders = [list(map(key, rows)) for rows in (before, after)]
    return compare(*orders, ordered=True) is None and compare(*inner, ordered=True, keys=keys) is None
