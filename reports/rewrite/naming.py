"""The names of columns that have no alias: PostgreSQL takes them from what a subquery selects."""

from __future__ import annotations

from sqlglot import TokenType

from reports.rewrite.expressions import Refused
from reports.rewrite.rewriting import Reason
from reports.rewrite.selects import Clause, Select
from reports.rewrite.text import Span


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
    top = [text.kind(place) for place in text.top(item)]
    if text.word(item.start) in ("CASE", "CAST") or TokenType.DCOLON in top or len(top) == 1 or value == span:
        raise Refused(Reason.UNNAMED)
    return ""
