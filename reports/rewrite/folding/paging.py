"""One page of a list, cut before its subqueries are asked: they come for its rows alone.

PostgreSQL sorts after it has joined, so that a LATERAL is run for every row of which LIMIT leaves twenty.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Refused, calls, check_known, qualifiers
from reports.rewrite.sql.joined import Source, read_sources
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span

_CUT = {Clause.WHERE: "WHERE", Clause.LIMIT: "LIMIT", Clause.OFFSET: "OFFSET"}
_OTHERS = (Clause.GROUP, Clause.HAVING, Clause.WINDOW, Clause.FETCH, Clause.LOCK, Clause.INTO)


@dataclass(frozen=True, slots=True)
class Page:
    """The CTE that has a page's rows, and what it replaces in the statement: FROM, WHERE, LIMIT and OFFSET."""

    cte: str
    splices: tuple[tuple[int, int, str], ...]


def read_page(outer: Select, members: Collection[Span], name: str) -> Page | None:
    """Return the page of a statement's one table; None where its rows, or their order, depend on more than that."""
    if outer.parent or outer.is_arm or outer.distinct or any(clause in outer.clauses for clause in _OTHERS):
        return None
    if Clause.LIMIT not in outer.clauses:
        return None
    try:
        (source, *more) = read_sources(outer.text, outer.clauses[Clause.FROM])
        if more or source.table is None or not _is_alone(outer, members):
            return None
        return Page(_cte(outer, source, name), _splices(outer, source, name))
    except Refused:
        return None


def _is_alone(outer: Select, members: Collection[Span]) -> bool:
    """Return whether rows and order come from the table alone, without the subqueries; nothing may be volatile.

    Raises:
        Refused: A name has no table, such as one that stands for a column of the SELECT itself.
    """
    text = outer.text
    spans = [outer.clauses[clause] for clause in _CUT if clause in outer.clauses]
    spans += [expression for expression, _ in outer.ordering]
    if any(span.has(member.start) for span in spans for member in members):
        return False
    for span in (*spans, outer.clauses[Clause.ITEMS]):
        check_known(text, span)
    for expression, _ in outer.ordering:
        list(qualifiers(text, expression))
    return not any(
        call.is_window or call.name in functions.AGGREGATES
        for call in calls(text, outer.clauses[Clause.ITEMS])
        if outer.is_own(call.span.start)
    )


def _cte(outer: Select, source: Source, name: str) -> str:
    text = outer.text
    cut = {
        clause: f" {word} {text.written(outer.clauses[clause])}"
        for clause, word in _CUT.items()
        if clause in outer.clauses
    }
    order = ", ".join(f"{text.written(each)} {text.written(words)}".rstrip() for each, words in outer.ordering)
    rows = f"{text.written(source.span)}{cut.get(Clause.WHERE, '')}{f' ORDER BY {order}' if order else ''}"
    slice_ = f"{cut[Clause.LIMIT]}{cut.get(Clause.OFFSET, '')}"
    # The pieces are those of a statement that Django would have sent.
    return f'"{name}" AS MATERIALIZED (SELECT {source.written}.* FROM {rows}{slice_})'  # noqa: S608


def _splices(outer: Select, source: Source, name: str) -> tuple[tuple[int, int, str], ...]:
    text = outer.text
    removed = [outer.clauses[clause] for clause in _CUT if clause in outer.clauses]
    return (
        (*text.edges(source.span), f'"{name}" AS {source.written}'),
        *((*text.edges(Span(span.start - 1, span.end)), "") for span in removed),  # with the word that begins it
    )
