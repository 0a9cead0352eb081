"""One SELECT whose groups of subqueries become one sub-select each.

A piece of the original stands where it stood, letter by letter, or in the sub-select; nothing is generated but the
words around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.folding.grouping import grouped_columns
from reports.rewrite.folding.groups import Group, Repeated
from reports.rewrite.folding.naming import check_names, name_of
from reports.rewrite.folding.paging import read_page
from reports.rewrite.folding.shapes import Shape, Subquery
from reports.rewrite.folding.splicing import cte, free_names, key_join, lateral_join, spliced, with_clause
from reports.rewrite.folding.values import Columns, shared_conditions, value
from reports.rewrite.rewriting import KeyPair, Reason, Strategy
from reports.rewrite.sql.expressions import Refused, check_known
from reports.rewrite.sql.joined import read_sources
from reports.rewrite.sql.risks import Risk, risk
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span, Text


@dataclass(frozen=True, slots=True)
class Folded:
    """A statement in which one SELECT is folded."""

    text: str
    keys: tuple[KeyPair, ...]
    risk: Risk


@dataclass(slots=True)
class _Fold:
    """What becomes of one group: the CTE, the join, what stands for each member."""

    columns: Columns
    places: list[tuple[Subquery | Repeated, str]]
    join: str
    cte: str | None = None
    keys: tuple[KeyPair, ...] = ()


def check_outer(outer: Select) -> None:
    """Refuse a SELECT to which nothing can be joined.

    Raises:
        Refused: It has no FROM or one with commas, locks rows, or is an arm of a union without parentheses.
    """
    text = outer.text
    if Clause.FROM not in outer.clauses:
        raise Refused(Reason.OUTER_FROM)
    above: Select | None = outer
    while above is not None:  # FOR UPDATE locks the rows of sub-selects too
        if Clause.LOCK in above.clauses or Clause.INTO in above.clauses:
            raise Refused(Reason.LOCKS)
        above = above.parent
    if outer.distinct is not None and outer.distinct.end - outer.distinct.start > 1:
        raise Refused(Reason.DISTINCT_ON)
    check_names(outer)
    if any(text.kind(place) == TokenType.COMMA for place in text.top(outer.clauses[Clause.FROM])):
        raise Refused(Reason.OUTER_FROM, "a comma")
    try:
        read_sources(text, outer.clauses[Clause.FROM])
    except Refused as error:
        raise Refused(Reason.OUTER_FROM, error.detail) from None
    if outer.is_arm:
        raise Refused(Reason.UNION_ARM)


def fold(outer: Select, groups: Sequence[Group], strategy: Strategy) -> Folded:
    """Return the statement with one SELECT folded.

    Raises:
        Refused: Its GROUP BY, or a column without a name, does not allow it.
    """
    source = outer.text.source
    names = free_names(source)
    folds = [_fold(outer, group, strategy, name) for group, name in zip(groups, names, strict=False)]
    splices = [splice for fold in folds for splice in _splices(outer, fold)]
    _, from_end = outer.text.edges(outer.clauses[Clause.FROM])
    splices.append((from_end, from_end, "".join(fold.join for fold in folds)))
    ctes = [fold.cte for fold in folds if fold.cte]
    if strategy == Strategy.PAGED:
        members = [member.span for group in groups for member in group.members]
        if page := read_page(outer, members, names[len(folds)]):
            splices += page.splices
            ctes.append(page.cte)
    splices += with_clause(outer, ctes)
    places = [(member.span, written, fold.columns) for fold in folds for member, written in fold.places]
    if grouping := grouped_columns(outer, places):
        _, end = outer.text.edges(outer.clauses[Clause.GROUP])
        splices.append((end, end, "".join(f", {each}" for each in grouping)))
    keys = tuple(key for fold in folds for key in fold.keys)
    return Folded(spliced(source, splices), keys, _risk(outer, groups))


def _risk(outer: Select, groups: Sequence[Group]) -> Risk:
    """Return whether the folded statement can fail where the original does not.

    What the outer SELECT computes from its subqueries may come before its LIMIT, where they came after it.
    """
    text = outer.text
    members = [member for group in groups for member in group.members]
    outside = risk(text, Span(outer.start + 1, outer.end), without=[member.span for member in members])
    selected = [each for each in members if isinstance(each, Subquery) and each.shape != Shape.EXISTS]
    values = [risk(text, member.value) for member in selected]
    return max(outside, *values, *(group.risk for group in groups))


def _fold(outer: Select, group: Group, strategy: Strategy, name: str) -> _Fold:
    first = group.members[0]
    columns = Columns(name)
    if isinstance(first, Repeated):
        place = columns.add("", first.text.written(first.span))
        body = f"SELECT {', '.join(columns.items())} OFFSET 0"  # without OFFSET its text would be copied to each use
        join = f' CROSS JOIN LATERAL ({body}) AS "{name}"'
        return _Fold(columns, [(member, f"({place})") for member in group.members], join)
    members = [member for member in group.members if isinstance(member, Subquery)]
    if first.shape == Shape.LATEST:
        return _latest(members, columns)
    shared = shared_conditions(members)
    places = [(member, value(member, members[0], shared, columns)) for member in members]
    conditions = [each for each in first.conditions if first.canonical(each) in shared]
    # What can fail is computed for the outer rows' keys, so these rows are read a second time.
    is_lost = group.risk == Risk.VALUE and not _is_plain(outer.text, outer.clauses[Clause.FROM])
    if not strategy.is_grouped or not group.is_grouped or is_lost:
        return _lateral(first, conditions, columns, places)
    return _grouped(outer, group, conditions, columns, places, strategy)


def _latest(members: Sequence[Subquery], columns: Columns) -> _Fold:
    first = members[0]
    text = first.text
    places: list[tuple[Subquery | Repeated, str]] = [
        (member, f"({columns.add(member.canonical(member.value), member.written(member.value, first))})")
        for member in members
    ]
    where = text.written(first.select.clauses[Clause.WHERE])
    ordering = ", ".join(
        f"{text.written(span)} {text.written(words)}".rstrip() for span, words in first.select.ordering
    )
    body = f"SELECT {', '.join(columns.items())} {_from(first)} WHERE {where} ORDER BY {ordering} LIMIT 1"
    return _Fold(columns, places, lateral_join(columns.name, body))


def _from(first: Subquery) -> str:
    return f"FROM {first.text.written(first.select.clauses[Clause.FROM])}"


def _lateral(
    first: Subquery, conditions: Sequence[Span], columns: Columns, places: Sequence[tuple[Subquery, str]]
) -> _Fold:
    text = first.text
    asked = [f"{text.written(key.inner)} = {text.written(key.outer)}" for key in first.keys]
    asked += [f"({text.written(each)})" for each in (*first.others, *conditions)]
    body = f"SELECT {', '.join(columns.items())} {_from(first)} WHERE {' AND '.join(asked)}"
    return _Fold(columns, list(places), lateral_join(columns.name, body))


def _grouped(
    outer: Select,
    group: Group,
    conditions: Sequence[Span],
    columns: Columns,
    places: Sequence[tuple[Subquery, str]],
    strategy: Strategy,
) -> _Fold:
    first = next(member for member in group.members if isinstance(member, Subquery))
    text = first.text
    inner = [text.written(key.inner) for key in first.keys]
    outside = [text.written(key.outer) for key in first.keys]
    asked = [text.written(condition) for condition in conditions]
    restricted = _restricted(outer, inner, outside, must=group.risk == Risk.VALUE)
    asked = asked if len(asked) + len(restricted) < 2 else [f"({each})" for each in asked]
    where = f" WHERE {' AND '.join([*asked, *restricted])}" if asked or restricted else ""
    items = [*(f'{key} AS "k{number}"' for number, key in enumerate(inner, 1)), *columns.items()]
    body = f"SELECT {', '.join(items)} {_from(first)}{where} GROUP BY {', '.join(dict.fromkeys(inner))}"
    rows = f"FROM {outer.text.written(outer.clauses[Clause.FROM])}"
    return _Fold(
        columns,
        list(places),
        key_join(columns.name, outside),
        cte(columns.name, body, strategy),
        tuple(
            KeyPair(f"SELECT {key} {_from(first)}", f"SELECT {other} {rows}")
            for key, other in zip(inner, outside, strict=True)
        ),
    )


def _restricted(outer: Select, inner: Sequence[str], outside: Sequence[str], *, must: bool) -> list[str]:
    """Return a condition that leaves the outer rows' groups: few are read, and what can fail does so for these."""
    text = outer.text
    conditions = [each for each in text.conjuncts(outer.clauses.get(Clause.WHERE, Span(0, 0))) if _is_plain(text, each)]
    if not _is_plain(text, outer.clauses[Clause.FROM]) or (not conditions and not must):
        return []
    asked = " AND ".join(f"({text.written(each)})" for each in conditions)
    rows = f"FROM {text.written(outer.clauses[Clause.FROM])}{f' WHERE {asked}' if asked else ''}"
    keys = inner[0] if len(inner) == 1 else f"({', '.join(inner)})"
    return [f"{keys} IN (SELECT {', '.join(outside)} {rows})"]


def _is_plain(text: Text, condition: Span) -> bool:
    """Return whether a piece can be written a second time: nothing volatile in it, and no sub-select.

    A sub-select with a LIMIT may give other rows.
    """
    if any(text.kind(place) == TokenType.SELECT for place in range(*condition)):
        return False
    try:
        check_known(text, condition)
    except Refused:
        return False
    return True


def _splices(outer: Select, fold: _Fold) -> list[tuple[int, int, str]]:
    return [
        (*outer.text.edges(member.span), written + name_of(outer, member.select, member.span))
        for member, written in fold.places
    ]
