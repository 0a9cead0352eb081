"""A statement with numbered parameters as the text of a template: names for numbers, models for tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from django.apps import apps
from sqlglot import TokenType

from reports.rewrite.sql.layout import layout
from reports.rewrite.sql.parameter_names import Named, in_list, number_at, told
from reports.rewrite.sql.selects import read_selects
from reports.rewrite.sql.text import Span, Text

_ALIASES = (TokenType.ALIAS, TokenType.IDENTIFIER, TokenType.VAR)
# What begins something in the template language.
_MARKED = re.compile(r"\{[{%#]")
_WIDTH = 90  # names and models are longer than what they stand for


def with_names(text: Text, names: Mapping[int, str]) -> str:
    """Return a statement whose outer columns at these places are called so."""
    items = outer_items(text)
    pieces: list[tuple[Span, str]] = []
    for place, name in sorted(names.items()):
        end = items[place].end
        is_named = text.kind(end - 2) == TokenType.ALIAS
        last = Span(end - 1, end)
        pieces.append((last, f'"{name}"' if is_named else f'{text.written(last)} AS "{name}"'))
    return text.replaced(Span(0, len(text.tokens)), pieces)


def outer_items(text: Text) -> list[Span]:
    """Return what the outermost SELECT, the first arm of a union, selects."""
    roots = read_selects(text)
    outer = next((root for root in roots if text.enclosing(root.start) is None), roots[0])
    return outer.items


def outer_aliases(text: Text) -> dict[str, str]:
    """Return the outer columns' names by what tells their expressions, as ``told`` says."""
    found: dict[str, str] = {}
    for span in outer_items(text):
        if text.kind(span.end - 2) == TokenType.ALIAS:
            found.setdefault(told(text, Span(span.start, span.end - 2)), text.name(span.end - 1))
    return found


def template_sql(sql: str, names: Mapping[int, Named], literals: Mapping[int, str]) -> str:
    """Return a statement in lines, with names or literals for its numbers and ``table(…)`` for the tables of models."""
    text = Text.of(layout(sql, width=_WIDTH))
    pieces: list[str] = []
    end = 0
    for start, stop, written in _replaced(text, names, literals):
        pieces += [_escaped(text.source[end:start]), written]
        end = stop
    return "".join([*pieces, _escaped(text.source[end:])])


def _replaced(text: Text, names: Mapping[int, Named], literals: Mapping[int, str]) -> Iterator[tuple[int, int, str]]:
    """Yield first and last place + 1 of what changes, and what stands there instead."""
    done = -1
    for place, token in enumerate(text.tokens):
        if place <= done:
            continue
        number, numbers = number_at(text, place), in_list(text, place) if text.kind(place) == TokenType.IN else ()
        if numbers and (named := names.get(numbers[0])) and named.is_list:
            done = text.pairs[place + 1]
            yield text.tokens[place + 1].start, text.tokens[done].end + 1, f"{{{{ {named.name} | inclause }}}}"
        elif number is not None:
            written = f"{{{{ {names[number].name} }}}}" if number in names else _escaped(literals[number])
            yield token.start, text.tokens[place + 1].end + 1, written
        elif (label := _model_of(text, place)) is not None:
            is_aliased = text.kind(place + 1) in _ALIASES
            alias = "" if is_aliased else f" AS {text.source[token.start : token.end + 1]}"
            yield token.start, token.end + 1, f'{{{{ table("{label}") }}}}{alias}'


def _model_of(text: Text, place: int) -> str | None:
    """Return the model whose table a token names after FROM or JOIN."""
    is_table = text.kind(place) == TokenType.IDENTIFIER and text.word(place - 1) in ("FROM", "JOIN", "ONLY")
    if not is_table or text.kind(place + 1) == TokenType.DOT or text.word(place - 2) == "DISTINCT":
        return None
    found = [
        model._meta
        for model in apps.get_models(include_auto_created=True)
        if model._meta.db_table == text.name(place) and not model._meta.proxy
    ]
    found.sort(key=lambda meta: not meta.managed)
    return found[0].label if found else None


def _escaped(piece: str) -> str:
    """Return SQL that the template language leaves as it is."""
    return f"{{% raw %}}{piece}{{% endraw %}}" if _MARKED.search(piece) else piece
