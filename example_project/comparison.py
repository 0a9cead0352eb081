"""The ORM's way against the report's way: time, scans of the fact table, and whether the rows are the same."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any

from django.db import DatabaseError, connection

from example_project.statements import Statement, recorded
from reports.explain import explain

RUNS = 3
EVEN = 2.0  # a ratio below which the ORM counts as doing as well
SLOW = 3.0  # seconds; what takes longer is run once
LIMIT = 20.0  # seconds after which a statement is stopped
TOLERANCE = 1e-9  # relative: the ORM's averages are floats where the report has exact numbers

QUERY_CANCELED = "57014"  # SQLSTATE

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The same question asked in two ways. The first value of a row identifies it; ``note`` explains the figures."""

    label: str
    fact_table: str
    orm: Callable[[], Iterable[Row]]
    report: Callable[[], Iterable[Row]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of asking. ``rows`` is None when it was stopped at the limit, ``scans`` when its EXPLAIN was."""

    milliseconds: float
    rows: list[Row] | None = None
    scans: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both ways of asking a question, and the first pair of rows that differ, if any do."""

    question: Question
    orm: Measured
    report: Measured
    difference: tuple[Row | None, Row | None] | None = None


def compare(question: Question) -> Comparison:
    """Ask in both ways, best of three runs each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{LIMIT:.0f}s"])
    try:
        orm, report = (measure(ask, question.fact_table) for ask in (question.orm, question.report))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    difference = first_difference(orm.rows, report.rows) if orm.rows is not None and report.rows is not None else None
    return Comparison(question, orm, report, difference)


def measure(ask: Callable[[], Iterable[Row]], fact_table: str) -> Measured:
    """Return the best time, the rows sorted, and the scans as EXPLAIN ANALYZE counts them."""
    best = math.inf
    try:
        for _ in range(RUNS):
            with recorded() as statements:
                started = time.perf_counter()
                rows = list(ask())
                best = min(best, time.perf_counter() - started)
            if best > SLOW:
                break
    except DatabaseError as error:
        if not _stopped(error):
            raise
        return Measured(LIMIT * 1000)
    return Measured(best * 1000, sorted(rows, key=itemgetter(0)), _scans(statements, fact_table))


def first_difference(left: Sequence[Row], right: Sequence[Row]) -> tuple[Row | None, Row | None] | None:
    """Return the first pair of rows that differ, None when all are the same; numbers within ``TOLERANCE``."""
    for one, other in zip(left, right, strict=False):
        if len(one) != len(other) or not all(map(_same, one, other)):
            return one, other
    if len(left) == len(right):
        return None
    shorter = min(len(left), len(right))
    return next(iter(left[shorter:]), None), next(iter(right[shorter:]), None)


def _same(one: object, other: object) -> bool:
    if isinstance(one, (int, float, Decimal)) and isinstance(other, (int, float, Decimal)):
        return math.isclose(one, other, rel_tol=TOLERANCE)
    return one == other


def _scans(statements: list[Statement], table: str) -> int | None:
    try:
        # Without timing: reading the clock at each row would slow the plan down, and only the loops are wanted.
        plans = [explain(connection, found.sql, found.params, analyze=True, timing=False) for found in statements]
    except DatabaseError as error:
        if not _stopped(error):
            raise
        return None
    return sum(plan.scans(table) for plan in plans)


def _stopped(error: DatabaseError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED


# -- the table on the terminal

_COLUMNS = "{:<46} {:>8}  {:>9}  {:>7}  {:>12}  {}"


def table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as numbered lines of text of one width."""
    head = _COLUMNS.format("   question, and the ORM's way", "ORM ms", "report ms", "ratio", "scans", "same rows")
    return "\n".join([head, "-" * len(head), *(_line(*numbered) for numbered in enumerate(comparisons, start=1))])


def notes(comparisons: Sequence[Comparison]) -> str:
    """Return what the table cannot say: how it was measured, where the ORM does as well, which rows differ."""
    lines = [
        f"Time: all rows fetched, best of {RUNS}; over {SLOW:.0f} s it is run once, and stopped at {LIMIT:.0f} s.",
        "Scans: how often the plan went to the fact table or to its indexes, by EXPLAIN ANALYZE; ORM -> report.",
        f"Same rows: compared as sorted lists, numbers to {TOLERANCE:g} of their size.",
    ]
    numbered = list(enumerate(comparisons, start=1))
    even = [str(number) for number, found in numbered if found.difference is None and _ratio(found) < EVEN]
    if even:
        lines.append(f"{', '.join(even)}: the ORM is within a factor of {EVEN:g}. For speed alone it needs no report.")
    for number, found in numbered:
        if found.question.note:
            lines.append(f"{number}: {found.question.note}")
        if found.difference:
            orm, report = map(_row, found.difference)
            lines.append(f"   The first rows that differ: ORM {orm}, report {report}.")
    return "\n".join(lines)


def _line(number: int, comparison: Comparison) -> str:
    orm, report = comparison.orm, comparison.report
    stopped = orm.rows is None or report.rows is None
    more = "> " if orm.rows is None else ""
    return _COLUMNS.format(
        f"{number}  {comparison.question.label}",
        f"{more}{_number(orm.milliseconds)}",
        _number(report.milliseconds),
        f"{more}{_number(_ratio(comparison))}",
        f"{_count(orm.scans)} -> {_count(report.scans)}",
        "stopped" if stopped else "no" if comparison.difference else "yes",
    )


def _ratio(comparison: Comparison) -> float:
    return comparison.orm.milliseconds / comparison.report.milliseconds


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _count(scans: int | None) -> str:
    return "?" if scans is None else f"{scans:,}"


def _row(row: Row | None) -> str:
    return "no row" if row is None else f"({', '.join(map(str, row))})"
