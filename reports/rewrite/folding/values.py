"""What stands in a folded subquery's place: its value, from the columns of the sub-select that answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reports.rewrite.folding.shapes import Shape, Subquery
from reports.rewrite.folding.unique_columns import is_key
from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Call, column
from reports.rewrite.sql.risks import Risk, risk
from reports.rewrite.sql.text import Span


@dataclass(slots=True)
class Columns:
    """The columns of a folded sub-select called ``name``; equal ones are computed once."""

    name: str
    written: dict[str, str] = field(default_factory=dict)
    """What each computes, by what makes it equal to another."""

    def add(self, canonical: str, written: str) -> str:
        """Return the column that computes something, as the outer SELECT names it."""
        self.written.setdefault(canonical, written)
        return self.places()[list(self.written).index(canonical)]

    def places(self) -> list[str]:
        """Return the columns as the outer SELECT names them."""
        return [f'"{self.name}"."c{number}"' for number in range(1, len(self.written) + 1)]

    def items(self) -> list[str]:
        """Return the sub-select's items."""
        return [f'{written} AS "c{number}"' for number, written in enumerate(self.written.values(), 1)]


def shared_conditions(members: Sequence[Subquery]) -> set[str]:
    """Return what all of them ask of each row, and what cannot fail: the others go into FILTER.

    A FILTER is evaluated after the sub-select's WHERE, for the outer rows' keys alone.
    """
    texts = [set(map(member.canonical, member.conditions)) for member in members]
    first = members[0]
    safe = {first.canonical(each) for each in first.conditions if risk(first.text, each) < Risk.VALUE}
    return set.intersection(safe, *texts)


def value(member: Subquery, first: Subquery, shared: set[str], columns: Columns) -> str:
    """Return an expression that equals a subquery, NULL where it finds no row; ``first`` has the tables' aliases."""
    residual = {
        member.canonical(each): member.written(each, first)
        for each in member.conditions
        if member.canonical(each) not in shared
    }
    if member.shape == Shape.EXISTS:
        return f"COALESCE({_count(residual, columns)} > 0, FALSE)"
    found = [(call, _column(member, first, call, residual, columns)) for call in member.aggregates]
    bare = _bare(member)
    if member.is_grouped and member.having is None and bare is not None:
        place = {call.span: name for call, name in found}[bare.span]
        if bare.name not in functions.ZERO_OVER_NOTHING:
            return f"({place})"
        if counts_rows(member, bare) and bare.condition is None:
            return f"(NULLIF({place}, 0))"
    if not member.is_grouped:
        # Without GROUP BY there is a row where nothing is found: a count in it is 0.
        found = [(call, f"COALESCE({name}, 0)" if _counts(call) else name) for call, name in found]
    result = _replaced(member, member.value, found)
    conditions = [f"{_count(residual, columns)} > 0"] if member.is_grouped else []
    if member.having is not None:
        conditions.append(f"({_replaced(member, member.having, found)})")
    return f"(CASE WHEN {' AND '.join(conditions)} THEN {result} END)" if conditions else f"({result})"


def _bare(member: Subquery) -> Call | None:
    """Return the aggregate that is all of what is selected."""
    span = member.text.bare(member.value)
    return next((call for call in member.aggregates if call.span == span), None)


def counts_rows(member: Subquery, call: Call) -> bool:
    """Return whether an aggregate counts every row: ``COUNT(*)``, or a count of the first table's key."""
    if call.name != "count":
        return False
    text, source = member.text, member.sources[0]
    if text.canonical(call.arguments) == "*":
        return True
    if any("RIGHT" in each.join or "FULL" in each.join for each in member.sources):
        return False  # there the key may be NULL
    is_own = column(text, call.arguments, {source.alias}) is not None
    return is_own and is_key(str(source.table), text.name(text.bare(call.arguments).end - 1))


def _counts(call: Call) -> bool:
    return call.name in functions.ZERO_OVER_NOTHING


def _count(residual: Mapping[str, str], columns: Columns) -> str:
    return columns.add(f"COUNT ( * ) {_joined(residual)}", f"COUNT(*){_filter(list(residual.values()))}")


def _column(member: Subquery, first: Subquery, call: Call, residual: Mapping[str, str], columns: Columns) -> str:
    text = member.text
    function = Span(call.span.start, call.span.end if call.condition is None else call.condition.start - 3)
    asked = dict(residual)
    if call.condition is not None:
        condition = text.bare(call.condition)
        asked.setdefault(member.canonical(condition), member.written(condition, first))
    canonical, written = member.canonical(function), member.written(function, first)
    if counts_rows(member, call):
        canonical, written = "COUNT ( * )", "COUNT(*)"
    return columns.add(f"{canonical} {_joined(asked)}", written + _filter(list(asked.values())))


def _joined(asked: Mapping[str, str]) -> str:
    return " AND ".join(f"({each})" for each in sorted(asked))


def _filter(conditions: Sequence[str]) -> str:
    if not conditions:
        return ""
    return (
        f" FILTER (WHERE {conditions[0] if len(conditions) == 1 else ' AND '.join(f'({each})' for each in conditions)})"
    )


def _replaced(member: Subquery, span: Span, found: Sequence[tuple[Call, str]]) -> str:
    """Return an expression with columns for its aggregates."""
    return member.text.replaced(span, [(call.span, name) for call, name in found if span.has(call.span.start)])
