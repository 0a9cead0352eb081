"""What the parameters of a statement are called: as the column that each is compared with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from keyword import iskeyword
from typing import Any

from sqlglot import TokenType

from reports.environment import environment
from reports.rewrite.sql.text import Span, Text

_EQUAL = (TokenType.EQ, TokenType.LIKE, TokenType.ILIKE, TokenType.SIMILAR_TO, TokenType.RLIKE, TokenType.IRLIKE)
# Behind a name: for a date or time, for anything else.
_SUFFIXES: Mapping[TokenType, tuple[str, str]] = {
    TokenType.GTE: ("_from", "_min"),
    TokenType.GT: ("_after", "_above"),
    TokenType.LTE: ("_until", "_max"),
    TokenType.LT: ("_before", "_below"),
    TokenType.NEQ: ("_not", "_not"),
}
_MIRRORED = {
    TokenType.GTE: TokenType.LTE,
    TokenType.GT: TokenType.LT,
    TokenType.LTE: TokenType.GTE,
    TokenType.LT: TokenType.GT,
}
_COMPARISONS = (*_EQUAL, *_SUFFIXES)
# What a key of paging or a word of the template language means something else by.
_TAKEN = (
    "cursor", "false", "format", "limit", "none", "offset", "ordering", "page", "page_size", "search", "true",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter. ``numbers`` are those of its values in the statement; a list has all of an IN's, in their order."""

    name: str
    numbers: tuple[int, ...]
    is_list: bool = False


def name_parameters(text: Text, values: Sequence[Any], aliases: Mapping[str, str]) -> dict[int, Named]:
    """Return the named parameters by number; a number that is missing is compared with nothing.

    Those that are compared with one column in one way, and have equal values, are one parameter.

    Args:
        text: The statement.
        values: Of the parameters, in the order of their numbers.
        aliases: The outer columns' names by what tells their expressions, as ``told`` says.
    """
    known: dict[tuple[str, Any], Named] = {}
    names: dict[int, Named] = {}
    for numbers, words, is_list in _compared(text, values, aliases):
        if any(number in names for number in numbers):
            continue
        given = tuple((type(values[number - 1]), repr(values[number - 1])) for number in numbers)
        key = words, given
        if key not in known:
            known[key] = Named(_free(words, {each.name for each in known.values()}), numbers, is_list)
        names |= dict.fromkeys(numbers, known[key])
    return names


def _compared(
    text: Text, values: Sequence[Any], aliases: Mapping[str, str]
) -> Iterator[tuple[tuple[int, ...], str, bool]]:
    for place in range(len(text.tokens)):
        if text.kind(place) == TokenType.IN and (found := in_list(text, place)):
            column = _column(text, _before(text, place), aliases)
            if column and not any(values[number - 1] is None for number in found):
                yield found, column, True
        number = number_at(text, place)
        if number is None or values[number - 1] is None:
            continue
        words = _words(text, place, values[number - 1], aliases)
        if words:
            yield (number,), words, False


def number_at(text: Text, place: int) -> int | None:
    """Return the number of the parameter that begins at a token."""
    is_one = text.kind(place) == TokenType.PARAMETER and text.kind(place + 1) == TokenType.NUMBER
    return int(text.tokens[place + 1].text) if is_one else None


def told(text: Text, span: Span) -> str:
    """Return what tells an expression: its tokens but the parentheses, of which Django writes more or fewer."""
    return " ".join(word for word in text.canonical(span).split(" ") if word not in ("(", ")"))


def in_list(text: Text, place: int) -> tuple[int, ...]:
    """Return the numbers in the list behind an IN; none when anything else is in it."""
    if text.kind(place + 1) != TokenType.L_PAREN:
        return ()
    items = text.split(Span(place + 2, text.pairs[place + 1]), TokenType.COMMA)
    numbers = [number_at(text, item.start) if item.end - item.start == 2 else None for item in items]
    found = tuple([number for number in numbers if number is not None])
    return found if len(found) == len(items) else ()


def _words(text: Text, place: int, value: Any, aliases: Mapping[str, str]) -> str | None:
    """Return a parameter's name by what it is compared with, None when it is not compared with a column."""
    span = _widened(text, Span(place, place + 2))
    before, after = text.kind(span.start - 1), text.kind(span.end)
    kind, operand = None, None
    if before in _COMPARISONS:
        kind, operand = before, _before(text, span.start - 1)
    elif before == TokenType.BETWEEN:
        kind, operand = TokenType.GTE, _before(text, span.start - 1)
    elif before == TokenType.AND and (between := _between(text, span.start - 1)):
        kind, operand = TokenType.LTE, _before(text, between)
    elif after in _COMPARISONS:
        kind, operand = _MIRRORED.get(after, after), _after(text, span.end)
    column = _column(text, operand, aliases) if operand else None
    if column is None or kind is None:
        return None
    if kind not in _SUFFIXES:
        return column
    return column + _SUFFIXES[kind][0 if isinstance(value, date | time) else 1]


def _widened(text: Text, span: Span) -> Span:
    """Return a value with the casts, parentheses and functions that have nothing else in them."""
    while True:
        if text.kind(span.end) == TokenType.DCOLON:
            end = span.end + 2
            span = Span(span.start, text.pairs[end] + 1 if text.kind(end) == TokenType.L_PAREN else end)
        elif text.kind(span.start - 1) == TokenType.L_PAREN and text.pairs[span.start - 1] == span.end:
            start = span.start - 1
            is_call = text.is_name(start - 1) and text.kind(start - 1) != TokenType.IDENTIFIER
            span = Span(start - 1 if is_call else start, span.end + 1)
        else:
            return span


def _between(text: Text, place: int) -> int | None:
    """Return the place of the BETWEEN that an AND belongs to: one lower bound before it."""
    start = _before(text, place).start - 1
    return start if text.kind(start) == TokenType.BETWEEN else None


def _before(text: Text, place: int) -> Span:
    """Return the operand that ends before a token."""
    end = place - 1 if text.kind(place - 1) == TokenType.NOT else place
    start = end - 1
    while True:
        if text.kind(start) in (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END):
            start = text.pairs[start]
            if text.is_name(start - 1) or text.word(start - 1) in ("FILTER", "OVER"):
                start -= 1
            if text.word(start) in ("FILTER", "OVER"):
                start -= 1
                continue
        elif text.kind(start) == TokenType.NUMBER and text.kind(start - 1) == TokenType.PARAMETER:
            start -= 1
        if text.kind(start - 1) not in (TokenType.DOT, TokenType.DCOLON):
            return Span(start, end)
        start -= 2


def _after(text: Text, place: int) -> Span:
    """Return the operand that begins behind a token: a column, or a function's call."""
    end = place + 2
    while text.kind(end) == TokenType.DOT:
        end += 2
    if text.kind(end) == TokenType.L_PAREN:
        end = text.pairs[end] + 1
    elif text.kind(place + 1) == TokenType.L_PAREN:
        end = text.pairs[place + 1] + 1
    return Span(place + 1, end)


def _column(text: Text, span: Span, aliases: Mapping[str, str]) -> str | None:
    """Return the name of an operand: of the outer column that it is, else of the one column in it."""
    if (alias := aliases.get(told(text, span))) is not None:
        return alias
    if any(text.kind(place) == TokenType.SELECT for place in range(*span)):
        return None
    columns = {
        text.name(place)
        for place in range(*span)
        if text.is_name(place) and text.kind(place - 1) == TokenType.DOT and text.kind(place + 1) != TokenType.DOT
    }
    return columns.pop() if len(columns) == 1 else None


def _free(words: str, taken: set[str]) -> str:
    """Return a name for the template that no other parameter and nothing else has, numbered when need be."""
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", words.lower())).strip("_") or "value"
    name = f"p_{name}" if name[0].isdigit() else name
    if iskeyword(name) or name in _TAKEN or name in environment().globals:
        name = f"{name}_value"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
