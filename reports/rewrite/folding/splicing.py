"""Pieces put into a statement's text."""

from __future__ import annotations

from collections.abc import Sequence

from reports.rewrite.rewriting import Strategy
from reports.rewrite.sql.selects import Select


def spliced(source: str, splices: Sequence[tuple[int, int, str]]) -> str:
    """Return a text with pieces of it replaced."""
    parts: list[str] = []
    end = 0
    for start, stop, written in sorted(splices, key=lambda splice: splice[:2]):
        parts += [source[end:start], written]
        end = stop
    return "".join([*parts, source[end:]])


def with_clause(outer: Select, ctes: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return where CTEs go: behind those that a SELECT has, for they may read these."""
    if not ctes:
        return []
    if outer.with_start is None:
        start = outer.text.tokens[outer.start].start
        return [(start, start, f"WITH {', '.join(ctes)} ")]
    end = outer.text.tokens[outer.start - 1].end + 1
    return [(end, end, f", {', '.join(ctes)}")]


def free_names(source: str) -> list[str]:
    """Return names for sub-selects that the text does not have."""
    source = source.lower()  # FOLDED_1 is that name too
    return [name for number in range(1, 100) if (name := f"folded_{number}") not in source]


def lateral_join(name: str, body: str) -> str:
    """Return the join of a sub-select that is asked for each outer row, and gives one row or none."""
    return f' LEFT JOIN LATERAL ({body}) AS "{name}" ON TRUE'


def key_join(name: str, outside: Sequence[str]) -> str:
    """Return the join of a CTE whose columns ``k1``, ``k2``… equal these columns of the outer row."""
    on = " AND ".join(f'"{name}"."k{number}" = {key}' for number, key in enumerate(outside, 1))
    return f' LEFT JOIN "{name}" ON ({on})'


def cte(name: str, body: str, strategy: Strategy) -> str:
    """Return a CTE; the strategy says whether PostgreSQL may inline it."""
    hint = "MATERIALIZED " if strategy == Strategy.MATERIALIZED else ""
    return f'"{name}" AS {hint}({body})'
