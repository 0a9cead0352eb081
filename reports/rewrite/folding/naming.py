"""The names of columns that have no alias: PostgreSQL takes them from what a subquery selects."""

from __future__ import annotations

from sqlglot import TokenType

from reports.rewrite.rewriting import Reason
from reports.rewrite.sql.expressions import Refused
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span, Text

# What has the name of that which stands before it: a cast, an item of an array, a collation.
_NAMED_WITHIN = frozenset({TokenType.DCOLON, TokenType.L_BRACKET, TokenType.COLLATE})


def name_of(outer: Select, select: Select, span: Span) -> str:
    """Return the alias that must stand behind a subquery's value, most often none.

    Raises:
        Refused: The name comes from the subquery in a way that is not followed.
    """
    text = outer.text
    if outer.clause_of(span.start) != Clause.ITEMS:
        return ""
    item = next(item for item in outer.items if item.has(span.start))
    value = outer.value(item)
    if value != item:
        return ""
    if value == span:
        if text.kind(value.start) == TokenType.EXISTS:
            return ' AS "exists"'
        selected = select.items[0]
        if select.value(selected) != selected:
            return f" AS {text.written(Span(selected.end - 1, selected.end))}"
    if value == span or (takes_name(text, item) and not _is_before_else(text, item, span)):
        raise Refused(Reason.UNNAMED)
    return ""


def _is_before_else(text: Text, item: Span, span: Span) -> bool:
    """Return whether an item is a CASE that takes its name, if any, from what stands behind a subquery."""
    if text.kind(item.start) != TokenType.CASE or text.pairs[item.start] != item.end - 1:
        return False
    within = text.top(Span(item.start + 1, item.end - 1))
    last = next((place for place in within if text.kind(place) == TokenType.ELSE), item.end)
    return span.end <= last


def takes_name(text: Text, item: Span) -> bool:
    """Return whether an item without an alias may have the name of something within it."""
    item = text.bare(item)
    top = [text.kind(place) for place in text.top(item)]
    return (
        text.word(item.start) in ("CASE", "CAST", "SELECT", "WITH")
        or not _NAMED_WITHIN.isdisjoint(top)
        or len(top) == 1
    )


def check_names(outer: Select) -> None:
    """Refuse a SELECT in which a column of a folded sub-select would be meant by a star or a bare name.

    Raises:
        Refused: There is one.
    """
    text = outer.text
    if any(item.end - item.start == 1 and text.kind(item.start) == TokenType.STAR for item in outer.items):
        raise Refused(Reason.UNNAMED, "*")
    for place in range(outer.start, outer.end):
        if _is_ours(text, place):
            raise Refused(Reason.UNQUALIFIED, text.name(place))


def _is_ours(text: Text, place: int) -> bool:
    """Return whether a token may be read as a column of a folded sub-select."""
    if text.kind(place - 1) in (TokenType.DOT, TokenType.ALIAS) or not text.is_name(place):
        return False
    name = text.name(place)
    return (
        name[:1] in ("c", "k")
        and name[1:].isdecimal()
        and text.kind(place + 1) not in (TokenType.DOT, TokenType.L_PAREN)
    )
