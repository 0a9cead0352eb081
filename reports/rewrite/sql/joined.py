"""What a FROM clause joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.rewriting import Reason
from reports.rewrite.sql.expressions import Refused
from reports.rewrite.sql.text import Span, Text

_JOIN_WORDS = ("LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "NATURAL")


@dataclass(frozen=True, slots=True)
class Source:
    """One item of FROM, with the words of its join.

    ``written`` is the alias as it stands there; ``table`` the name, with its schema, None for what stands in
    parentheses; ``join`` has the words before JOIN, such as LEFT OUTER, empty for the first one; ``on`` is its
    condition; ``span`` is all of it, the words of its join too.
    """

    alias: str
    written: str
    table: str | None
    join: str
    on: Span | None
    span: Span

    @property
    def name(self) -> str:
        """The table's name without quotes, for messages; empty for what stands in parentheses."""
        return unquoted(self.table or "")


def unquoted(table: str) -> str:
    """Return a table's name, which may have a schema, without its quotes."""
    return table.replace('"', "")


def read_sources(text: Text, span: Span) -> list[Source]:
    """Return what a FROM clause joins, in order.

    Raises:
        Refused: It has a comma, a function, NATURAL or USING.
    """
    joins = [place for place in text.top(span) if text.kind(place) == TokenType.JOIN]
    starts = [span.start, *(_first_word(text, place, span.start) for place in joins)]
    sources: list[Source] = []
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], span.end], strict=True)):
        words = text.written(Span(start, joins[index - 1])).upper() if index else ""
        sources.append(_read(text, Span(joins[index - 1] + 1 if index else start, end), words, start))
    return sources


def _first_word(text: Text, place: int, least: int) -> int:
    while place - 1 >= least and text.word(place - 1) in _JOIN_WORDS:
        place -= 1
    return place


def _read(text: Text, span: Span, join: str, start: int) -> Source:
    if "NATURAL" in join or any(text.kind(at) in (TokenType.COMMA, TokenType.USING) for at in text.top(span)):
        raise Refused(Reason.INNER_FROM, text.written(span))
    on = next((at for at in text.top(span) if text.kind(at) == TokenType.ON), None)
    named = Span(span.start, span.end if on is None else on)
    condition = None if on is None else Span(on + 1, span.end)
    place = named.start
    if text.word(place) in ("ONLY", "LATERAL"):
        raise Refused(Reason.INNER_FROM, text.word(place).lower())
    if text.kind(place) == TokenType.L_PAREN:
        table, place = None, text.pairs[place] + 1
    else:
        while text.kind(place + 1) == TokenType.DOT:
            place += 2
        table, place = text.written(Span(named.start, place + 1)), place + 1
    if text.kind(place) == TokenType.ALIAS:
        place += 1
    if place < named.end - 1 or (table is None and place >= named.end):
        raise Refused(Reason.INNER_FROM, text.written(named))  # a function, columns named, TABLESAMPLE
    place = min(place, named.end - 1)
    written = text.written(Span(place, place + 1))
    return Source(text.name(place), written, table, join, condition, Span(start, span.end))


def same_rows(text: Text, sources: Sequence[Source], names: Mapping[str, str]) -> object:
    """Return what two FROM clauses have in common that give the same rows; ``names`` has what the tables are called.

    The order of inner joins does not matter.
    """
    conditions = [
        frozenset(text.canonical(each, names) for each in text.conjuncts(source.on)) if source.on else None
        for source in sources
    ]
    joined = [(names[source.alias], source.join) for source in sources]
    if all(source.join in ("", "INNER") for source in sources):
        asked = frozenset[str]().union(*(condition for condition in conditions if condition))
        return frozenset(name for name, _ in joined), asked
    return tuple(zip(joined, conditions, strict=True))


def names_of(sources: Sequence[Source]) -> dict[str, str]:
    """Return what the tables of a FROM clause are called, whatever their aliases: by their own names, numbered."""
    tables = [str(source.table) for source in sources]
    return {
        source.alias: f"{table}#{tables[:number].count(table)}"
        for number, (source, table) in enumerate(zip(sources, tables, strict=True))
    }
