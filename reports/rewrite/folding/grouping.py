"""A SELECT with GROUP BY, to which the columns of a folded sub-select are added."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import TokenType

from reports.rewrite.folding.values import Columns
from reports.rewrite.rewriting import Reason
from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Refused, calls
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span


def grouped_columns(outer: Select, places: Sequence[tuple[Span, str, Columns]]) -> list[str]:
    """Return the columns by which a SELECT must group as well; they are the same within each of its groups.

    ``places`` has, for each subquery, its tokens, what stands in their place, and the columns that this is made of.

    Raises:
        Refused: It groups by sets of columns.
    """
    if Clause.GROUP not in outer.clauses:
        return []
    text = outer.text
    items = text.split(outer.clauses[Clause.GROUP], TokenType.COMMA)
    if any(text.word(item.start) in ("ROLLUP", "CUBE", "GROUPING") for item in items):
        raise Refused(Reason.OUTER_GROUPING)
    grouped = {text.canonical(text.bare(item)) for item in items}
    wanted = [
        place
        for span, written, columns in places
        if _needs_grouping(outer, span, grouped)
        for place in columns.places()
        if place in written
    ]
    # What is grouped by a subquery's value has rows of several outer keys in one group.
    if wanted and any(_has_subquery(outer, item) for item in items):
        raise Refused(Reason.OUTER_GROUPING)
    return list(dict.fromkeys(wanted))


def _has_subquery(outer: Select, item: Span) -> bool:
    """Return whether something that is grouped by holds a subquery; it may be a selected item's position or alias."""
    text = outer.text
    spans = [item]
    for number, selected in enumerate(outer.items, 1):
        alias = text.canonical(Span(selected.end - 1, selected.end))
        if text.canonical(text.bare(item)) in (str(number), alias):
            spans.append(selected)
    return any(text.kind(place) == TokenType.SELECT for span in spans for place in range(*span))


def _needs_grouping(outer: Select, span: Span, grouped: set[str]) -> bool:
    text = outer.text
    clause = outer.clause_of(span.start)
    if clause in (Clause.WHERE, Clause.GROUP, None):
        return False
    if any(
        call.name in functions.AGGREGATES and call.span.has(span.start) for call in calls(text, outer.clauses[clause])
    ):
        return False
    if clause == Clause.ITEMS:
        number = next(at for at, item in enumerate(outer.items, 1) if item.has(span.start))
        if str(number) in grouped:
            return False
    return text.canonical(text.bare(span)) not in grouped
