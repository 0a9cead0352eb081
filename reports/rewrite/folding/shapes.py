"""What a subquery of an accepted shape is made of, and where subqueries stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from sqlglot import TokenType

from reports.rewrite.rewriting import Reason
from reports.rewrite.sql.expressions import Call, Refused, column
from reports.rewrite.sql.joined import Source, names_of
from reports.rewrite.sql.selects import SET_OPERATIONS, Clause, Select
from reports.rewrite.sql.text import Span, Text


class Shape(Enum):
    """What a subquery gives for one outer row."""

    AGGREGATE = auto()
    EXISTS = auto()
    LATEST = auto()


@dataclass(frozen=True, slots=True)
class Key:
    """Two columns that a correlation compares: the subquery's and the outer row's."""

    inner: Span
    outer: Span


def read_key(text: Text, conjunct: Span, inner: Collection[str], outer: Collection[str]) -> Key | None:
    """Return the columns of an equality between a table of ``inner`` and one of ``outer``; None for anything else."""
    sides = text.split(conjunct, TokenType.EQ)
    if len(sides) != 2 or text.word(sides[0].end) != "=":  # sqlglot takes == for it as well
        return None
    left, right = (text.bare(side) for side in sides)
    if column(text, left, inner) and column(text, right, outer):
        return Key(left, right)
    if column(text, left, outer) and column(text, right, inner):
        return Key(right, left)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Subquery:
    """A subquery of an accepted shape.

    ``span`` is what stands for its value, with EXISTS and the parentheses. WHERE is taken apart: ``keys``, then
    ``others`` that read the outer row in another way, then ``conditions`` that do not.
    """

    select: Select
    span: Span
    shape: Shape
    sources: tuple[Source, ...]
    keys: tuple[Key, ...]
    others: tuple[Span, ...]
    conditions: tuple[Span, ...]
    aggregates: tuple[Call, ...]

    @property
    def text(self) -> Text:
        return self.select.text

    @property
    def value(self) -> Span:
        """The expression that it selects."""
        return self.select.value(self.select.items[0])

    @property
    def is_grouped(self) -> bool:
        """Whether it gives no row, so NULL, where it finds none."""
        return Clause.GROUP in self.select.clauses

    @property
    def having(self) -> Span | None:
        return self.select.clauses.get(Clause.HAVING)

    @property
    def names(self) -> dict[str, str]:
        """What its tables are called, whatever their aliases."""
        return names_of(self.sources)

    def canonical(self, span: Span) -> str:
        """Return what makes a piece equal to that of another subquery."""
        return self.text.canonical(span, self.names)

    def written(self, span: Span, like: Subquery) -> str:
        """Return a piece letter by letter, with the aliases of another subquery over the same tables.

        Raises:
            Refused: One of these aliases means another table in it.
        """
        aliases = {name: alias for alias, name in like.names.items()}
        written = {source.alias: source.written for source in like.sources}
        other = {alias: written[aliases[name]] for alias, name in self.names.items() if aliases[name] != alias}
        if not other:
            return self.text.written(span)
        taken = set(like.names) - set(self.names)
        for place in range(*span):
            if self.text.is_name(place) and self.text.name(place) in taken:
                raise Refused(Reason.UNQUALIFIED, f"{self.text.name(place)} names two tables")
        return self.text.renamed(span, other)


_NO_SCALARS = frozenset({TokenType.IN, TokenType.ANY, TokenType.ALL, TokenType.SOME, TokenType.ARRAY})
_OF_QUERIES = frozenset({TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH, TokenType.FOR})
_VALUES = (Clause.ITEMS, Clause.WHERE, Clause.GROUP, Clause.HAVING, Clause.ORDER)


def _is_value(text: Text, place: int) -> bool:
    """Return whether a SELECT's parenthesis makes it a value: no list of IN or ANY, no arm of a set operation."""
    before, after = place - 1, text.pairs[place] + 1
    is_alone = True
    while text.kind(before) == TokenType.L_PAREN:
        if text.kind(after) in _OF_QUERIES and not text.is_name(before - 1):
            return False  # ((SELECT …) LIMIT 1)
        if text.kind(after) != TokenType.R_PAREN:
            return text.kind(after) not in SET_OPERATIONS
        before, after, is_alone = before - 1, after + 1, False
    if text.kind(before) in (*SET_OPERATIONS, *_NO_SCALARS) or text.kind(after) in SET_OPERATIONS:
        return False
    return is_alone or text.kind(before) != TokenType.EXISTS


def scalars(outer: Select) -> Iterator[tuple[Select, Span]]:
    """Yield the SELECTs that stand for one value in another one, with all that stands for it."""
    text = outer.text
    for select in outer.children:
        place = select.opening
        if place is None or outer.clause_of(place) not in _VALUES or not _is_value(text, place):
            continue
        is_exists = text.kind(place - 1) == TokenType.EXISTS
        yield select, Span(place - 1 if is_exists else place, text.pairs[place] + 1)
