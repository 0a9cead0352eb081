"""The subqueries of one SELECT: which shape each has, and what it is made of.

The accepted shapes, each correlated with the SELECT that it stands in:

* aggregates: ``(SELECT agg(…) FROM tables WHERE key = outer.column AND … [GROUP BY key] [HAVING …])``, where the
  selected expression may combine several aggregates, and the tables may be joined;
* EXISTS: ``EXISTS(SELECT … FROM tables WHERE key = outer.column AND …)``;
* the latest: ``(SELECT expression FROM tables WHERE … ORDER BY … LIMIT 1)``;
* whatever is written twice, letter by letter.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import TokenType

from reports.rewrite.folding.aggregates import own_aggregates, own_calls
from reports.rewrite.folding.shapes import Key, Shape, Subquery, read_key
from reports.rewrite.rewriting import Reason
from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Call, Refused, calls, check_known, qualifiers, reads_any
from reports.rewrite.sql.joined import read_sources
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span


def read_subquery(select: Select, span: Span, outer: Collection[str]) -> Subquery:
    """Return what a subquery is made of. ``outer`` has the names of the tables that it may be correlated with.

    Raises:
        Refused: It is of no accepted shape.
    """
    text = select.text
    if Clause.FROM not in select.clauses or select.with_start is not None or Clause.LOCK in select.clauses:
        raise Refused(Reason.INNER_FROM)
    sources = tuple(read_sources(text, select.clauses[Clause.FROM]))
    if any(source.table is None for source in sources):
        raise Refused(Reason.INNER_FROM, "a sub-select")
    inner = {source.alias for source in sources}
    _check_names(select, inner, outer)
    check_levels(select)
    keys, others, conditions = _where(select, inner, set(outer) - inner)
    for source in sources:
        if source.on and reads_any(text, source.on, set(outer) - inner):
            raise Refused(Reason.CORRELATION, "in a join")
    if not keys and not others:
        raise Refused(Reason.NOT_CORRELATED)
    for call in own_calls(select):
        if call.is_window:
            raise Refused(Reason.WINDOW, call.name)
    aggregates = tuple(own_aggregates(select))
    shape = _shape(select, span, aggregates, keys)
    if shape == Shape.AGGREGATE:
        _check_aggregates(select, aggregates, inner, set(outer) - inner)
    return Subquery(select, span, shape, sources, keys, others, conditions, aggregates)


def _check_names(select: Select, inner: Collection[str], outer: Collection[str]) -> None:
    """Refuse a subquery in which a name means two tables, or a column has none; or one of unknown functions."""
    text = select.text
    whole = Span(select.start, select.end)
    check_known(text, whole)
    within: set[str] = set()
    for child in select.walk():
        if child is not select and Clause.FROM in child.clauses:
            within.update(source.alias for source in read_sources(text, child.clauses[Clause.FROM]))
    if twice := within & {*inner, *outer}:
        raise Refused(Reason.UNQUALIFIED, f"{min(twice)} names two tables")
    above = _names_above(select)
    for place, name in qualifiers(text, whole):
        if name not in inner and name not in within and name not in above:
            raise Refused(Reason.UNQUALIFIED, name)
        if text.kind(place + 2) == TokenType.STAR:
            raise Refused(Reason.UNQUALIFIED, f"{name}.*")


def check_levels(select: Select) -> None:
    """Refuse a subquery with an aggregate of another SELECT's rows: one that reads none of its own columns.

    Raises:
        Refused: There is one, or a FROM is not understood.
    """
    text = select.text
    for each in select.walk():
        own = (
            {source.alias for source in read_sources(text, each.clauses[Clause.FROM])}
            if Clause.FROM in each.clauses
            else set()
        )
        for call in calls(text, Span(each.start, each.end)):
            if call.name not in functions.AGGREGATES or not each.is_own(call.span.start):
                continue
            read = {name for _, name in qualifiers(text, call.span)}
            is_before = each.clause_of(call.span.start) in (Clause.FROM, Clause.WHERE, Clause.GROUP)
            if is_before or (read and read.isdisjoint(own)):
                raise Refused(Reason.CORRELATION, f"{call.name} of other rows")


def _names_above(select: Select) -> set[str]:
    names: set[str] = set()
    above = select.parent
    while above is not None:
        if Clause.FROM in above.clauses:
            names.update(source.alias for source in read_sources(above.text, above.clauses[Clause.FROM]))
        above = above.parent
    return names


def _where(
    select: Select, inner: set[str], outer: set[str]
) -> tuple[tuple[Key, ...], tuple[Span, ...], tuple[Span, ...]]:
    text = select.text
    keys: list[Key] = []
    others: list[Span] = []
    conditions: list[Span] = []
    for conjunct in text.conjuncts(select.clauses.get(Clause.WHERE, Span(0, 0))):
        if not reads_any(text, conjunct, outer):
            conditions.append(conjunct)
        elif key := read_key(text, conjunct, inner, outer):
            keys.append(key)
        else:
            others.append(conjunct)
    return tuple(keys), tuple(others), tuple(conditions)


def _shape(select: Select, span: Span, aggregates: tuple[Call, ...], keys: tuple[Key, ...]) -> Shape:
    text = select.text
    limit = text.written(select.clauses[Clause.LIMIT]) if Clause.LIMIT in select.clauses else None
    has_offset = Clause.OFFSET in select.clauses or Clause.FETCH in select.clauses
    is_plain = not aggregates and Clause.GROUP not in select.clauses and Clause.HAVING not in select.clauses
    if text.kind(span.start) == TokenType.EXISTS:
        if not is_plain or has_offset or limit not in (None, "1"):
            raise Refused(Reason.SEVERAL_ROWS, "EXISTS over groups, or a slice")
        return Shape.EXISTS
    if len(select.items) != 1:
        raise Refused(Reason.SEVERAL_ROWS, "several columns")
    if is_plain:
        if limit != "1" or has_offset or select.distinct:
            raise Refused(Reason.SEVERAL_ROWS)
        if Clause.ORDER not in select.clauses:
            raise Refused(Reason.UNORDERED, "LIMIT 1 of rows in no order")
        return Shape.LATEST
    if has_offset or limit not in (None, "1") or (select.distinct and select.distinct.end - select.distinct.start > 1):
        raise Refused(Reason.SEVERAL_ROWS)
    known = {text.canonical(key.inner) for key in keys}
    for grouped in text.split(select.clauses.get(Clause.GROUP, Span(0, 0)), TokenType.COMMA):
        if text.canonical(text.bare(grouped)) not in known:
            raise Refused(Reason.SEVERAL_ROWS, f"GROUP BY {text.written(grouped)}")
    return Shape.AGGREGATE


def _check_aggregates(
    select: Select, aggregates: tuple[Call, ...], inner: Collection[str], outer: Collection[str]
) -> None:
    """Refuse aggregates of the outer row, those of rows in no order, and columns outside of an aggregate."""
    text = select.text
    for call in aggregates:
        if reads_any(text, call.span, outer):
            raise Refused(Reason.CORRELATION, f"{call.name} of an outer column")
        within = any(text.kind(place) == TokenType.ORDER_BY for place in text.top(call.arguments))
        if call.name in functions.ORDERED and not within:
            raise Refused(Reason.UNORDERED, call.name)
    for clause in (Clause.ITEMS, Clause.HAVING):
        for place, name in qualifiers(text, select.clauses.get(clause, Span(0, 0))):
            if name in inner and not any(call.span.has(place) for call in aggregates):
                raise Refused(Reason.SEVERAL_ROWS, "a column outside of an aggregate")
