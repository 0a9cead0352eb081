"""The SELECTs of a statement, one within another, and their clauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sqlglot import TokenType

from reports.rewrite.sql.numbered import Unreadable
from reports.rewrite.sql.text import Span, Text


class Clause(StrEnum):
    """A SELECT's clauses, by the words that begin them."""

    ITEMS = "SELECT"
    FROM = "FROM"
    WHERE = "WHERE"
    GROUP = "GROUP BY"
    HAVING = "HAVING"
    WINDOW = "WINDOW"
    ORDER = "ORDER BY"
    LIMIT = "LIMIT"
    OFFSET = "OFFSET"
    FETCH = "FETCH"
    LOCK = "FOR"
    INTO = "INTO"


_BEGINS = {
    TokenType.FROM: Clause.FROM,
    TokenType.WHERE: Clause.WHERE,
    TokenType.GROUP_BY: Clause.GROUP,
    TokenType.HAVING: Clause.HAVING,
    TokenType.WINDOW: Clause.WINDOW,
    TokenType.ORDER_BY: Clause.ORDER,
    TokenType.LIMIT: Clause.LIMIT,
    TokenType.OFFSET: Clause.OFFSET,
    TokenType.FETCH: Clause.FETCH,
    TokenType.FOR: Clause.LOCK,
    TokenType.INTO: Clause.INTO,
}
SET_OPERATIONS = frozenset({TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT})
_PARENTHESES = frozenset({TokenType.L_PAREN, TokenType.R_PAREN})
_BEFORE_SELECT = frozenset({None, TokenType.ALL, TokenType.DISTINCT, *_PARENTHESES, *SET_OPERATIONS})


@dataclass(slots=True, eq=False)
class Select:
    """One SELECT: its tokens, without parentheses around it; ``opening`` is the one that stands right before it.

    ``with_start`` is its WITH. ``is_arm`` says that a set operation stands beside it at the same level.
    """

    text: Text
    start: int
    end: int
    with_start: int | None
    opening: int | None
    is_arm: bool
    clauses: dict[Clause, Span]
    distinct: Span | None = None
    parent: Select | None = None
    children: list[Select] = field(default_factory=list)

    @property
    def begin(self) -> int:
        """The first token, WITH or SELECT."""
        return self.start if self.with_start is None else self.with_start

    @property
    def items(self) -> list[Span]:
        """What it selects, each with its alias."""
        return self.text.split(self.clauses[Clause.ITEMS], TokenType.COMMA)

    def value(self, item: Span) -> Span:
        """Return an item without its alias."""
        has_alias = item.end - item.start > 2 and self.text.kind(item.end - 2) == TokenType.ALIAS
        return Span(item.start, item.end - 2) if has_alias else item

    @property
    def ordering(self) -> list[tuple[Span, Span]]:
        """Each expression of ORDER BY, and the words after it; an ordinal is the item that it counts to."""
        text = self.text
        found = []
        for span in text.split(self.clauses.get(Clause.ORDER, Span(0, 0)), TokenType.COMMA):
            edges = [at for at in text.top(span) if text.word(at) in ("ASC", "DESC", "NULLS", "USING")]
            expression = Span(span.start, min(edges, default=span.end))
            found.append((self.meant(expression), Span(min(edges, default=span.end), span.end)))
        return found

    def meant(self, expression: Span) -> Span:
        """Return an expression of ORDER BY or GROUP BY; an ordinal is the item that it counts to."""
        written, items = self.text.written(expression), self.items
        is_ordinal = written.isdecimal() and 0 < int(written) <= len(items)
        return self.value(items[int(written) - 1]) if is_ordinal else expression

    def clause_of(self, place: int) -> Clause | None:
        """Return the clause in which a token stands, None for one before them, as in WITH."""
        return next((clause for clause, span in self.clauses.items() if span.has(place)), None)

    def is_own(self, place: int) -> bool:
        """Return whether a token within it stands in none of the SELECTs within it."""
        return not any(child.start <= place < child.end for child in self.children)

    def walk(self) -> Iterator[Select]:
        """Yield this one and those within it, the outer ones first."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_selects(text: Text) -> list[Select]:
    """Return the SELECTs that stand in no other one, in the text's order.

    Raises:
        Unreadable: The text is not one statement, or no query.
    """
    _check(text)
    roots: list[Select] = []
    opened: list[Select] = []
    for place, token in enumerate(text.tokens):
        if token.token_type != TokenType.SELECT:
            continue
        select = _read(text, place)
        while opened and opened[-1].end <= place:
            opened.pop()
        if opened:
            select.parent = opened[-1]
            opened[-1].children.append(select)
        else:
            roots.append(select)
        opened.append(select)
    return roots


def _check(text: Text) -> None:
    first = next((place for place, token in enumerate(text.tokens) if token.token_type != TokenType.L_PAREN), 0)
    if text.kind(first) not in (TokenType.SELECT, TokenType.WITH):
        raise Unreadable("it is no SELECT")
    for place in range(len(text.tokens)):
        kind, word = text.kind(place), text.word(place)
        if kind == TokenType.SEMICOLON and place + 1 < len(text.tokens):
            raise Unreadable("it is more than one statement")
        if word in ("INSERT", "UPDATE", "DELETE", "MERGE") and text.kind(place - 1) in _PARENTHESES:
            raise Unreadable(f"it has an {word}")
        if kind == TokenType.SELECT and text.kind(place - 1) not in _BEFORE_SELECT:
            raise Unreadable("SELECT is a name in it")
        # sqlglot makes one token of them; with a comment between they would be missed.
        if word in ("GROUP", "ORDER") and text.word(place + 1) == "BY":
            raise Unreadable(f"there is a comment within {word} BY")


def _read(text: Text, place: int) -> Select:
    outer = text.enclosing(place)
    end = text.pairs[outer] if outer is not None else len(text.tokens)
    if outer is None and text.kind(end - 1) == TokenType.SEMICOLON:
        end -= 1
    with_start = _with(text, outer, place)
    begin = place if with_start is None else with_start
    edges: list[tuple[Clause, int]] = []
    before = begin - 2 if text.kind(begin - 1) in (TokenType.ALL, TokenType.DISTINCT) else begin - 1
    is_arm = text.kind(before) in SET_OPERATIONS
    for at in text.top(Span(place + 1, end)):
        kind = text.kind(at)
        if kind in SET_OPERATIONS:
            end, is_arm = at, True
            break
        if kind == TokenType.FROM and text.kind(at - 1) == TokenType.DISTINCT:
            continue  # IS DISTINCT FROM
        if kind in _BEGINS:
            edges.append((_BEGINS[kind], at))
    clauses, distinct = _clauses(text, place, edges, end)
    # A parenthesis right before it is its own, unless a set operation is in there with it.
    opening = outer if outer == begin - 1 and not is_arm else None
    return Select(text, place, end, with_start, opening, is_arm, clauses, distinct)


def _clauses(
    text: Text, place: int, edges: list[tuple[Clause, int]], end: int
) -> tuple[dict[Clause, Span], Span | None]:
    start, distinct = place + 1, None
    if text.kind(start) == TokenType.DISTINCT:
        stop = text.pairs[start + 2] + 1 if text.word(start + 1) == "ON" else start + 1
        distinct, start = Span(start, stop), stop
    elif text.kind(start) == TokenType.ALL:
        start += 1
    stops = [*(at for _, at in edges), end]
    clauses = {Clause.ITEMS: Span(start, stops[0])}
    for (clause, at), stop in zip(edges, stops[1:], strict=True):
        if clause in clauses:
            raise Unreadable(f"it has {clause} twice")
        clauses[clause] = Span(at + 1, stop)
    return clauses, distinct


def _with(text: Text, outer: int | None, place: int) -> int | None:
    """Return the WITH that belongs to a SELECT: only CTEs stand between them."""
    first = 0 if outer is None else outer + 1
    if text.kind(first) != TokenType.WITH:
        return None
    between = [at for at in text.top(Span(first, place)) if text.kind(at) in (TokenType.SELECT, *SET_OPERATIONS)]
    return None if between else first
