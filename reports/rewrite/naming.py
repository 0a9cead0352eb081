"""The names of columns that have no alias: PostgreSQL takes them from what a subquery selects."""

from __future__ import annotations

from sqlglot import TokenType

from reports.rewrite.expressions import Refused
from reports.rewrite.rewriting import Reason
from reports.rewrite.selects import Clause, Select
from reports.rewrite.text import Span, Text

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
    item = next(item for item in outer.items if item.start <= span.start < item.end)
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
    top = [text.kind(place) for place in text.top(item)]
    return text.word(item.start) in ("CASE", "CAST") or not _NAMED_WITHIN.isdisjoint(top) or len(top) == 1
