"""Statements between two ways of writing parameters: Django's ``%s`` and PostgreSQL's ``$1``.

sqlglot would read ``%s`` as an operator and a name, and ``%%>`` as something else again: each parameter has its number
before sqlglot sees the text. Back in the driver's way, the numbers' order is the order of the parameters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlglot import Token, TokenType, tokenize
from sqlglot.errors import SqlglotError

_DOLLAR = re.compile(r"(?<![\w$\"'])\$(?=\d)")
_PERCENT = re.compile(r"%(.?)", re.DOTALL)


class Unreadable(ValueError):
    """A statement that this package does not read; the text says why."""


@dataclass(frozen=True, slots=True)
class Sendable:
    """A statement as the driver takes it. ``order`` has, for each ``%s``, the place of its value, from 0 on."""

    sql: str
    order: tuple[int, ...]

    def params(self, params: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values in this statement's order."""
        return tuple([params[place] for place in self.order])


def read_tokens(text: str) -> list[Token]:
    """Return the tokens of a statement, each with the place of its first and last character.

    Raises:
        Unreadable: A quote is not closed, or a character belongs to no token.
    """
    try:
        # sqlglot takes the $1,$ of two parameters for the beginning of a string; @1 is a parameter to it as well.
        return tokenize(_DOLLAR.sub("@", text), read="postgres")
    except (SqlglotError, ValueError, IndexError) as error:
        raise Unreadable("it is no SQL of PostgreSQL's") from error


def numbered(sql: str, count: int | None) -> str:
    """Return a statement of the driver's with ``$1``, ``$2``… for its ``%s``; ``count`` is how many values it has.

    None means that the driver gets no values, and takes every percent sign as it stands.

    Raises:
        Unreadable: It has other placeholders, or one within a string.
    """
    if count is None:
        return sql
    found = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal found
        if match[1] == "%":
            return "%"
        if match[1] != "s":
            raise Unreadable(f"it has the placeholder {match[0]}")
        found += 1
        return f"${found}"

    text = _PERCENT.sub(replaced, sql)
    places = [number for number, _, _ in parameters(text)]
    if found != count or places != list(range(1, count + 1)):
        raise Unreadable(f"it has {len(places)} parameters and {count} values")
    return text


def sendable(text: str, *, percent: bool = True) -> Sendable:
    """Return a statement with numbered parameters as the driver takes it. Without ``percent`` it has no values."""
    if not percent:
        return Sendable(text, ())
    parts: list[str] = []
    order: list[int] = []
    end = 0
    for number, start, stop in parameters(text):
        parts += [text[end:start].replace("%", "%%"), "%s"]
        order.append(number - 1)
        end = stop
    return Sendable("".join([*parts, text[end:].replace("%", "%%")]), tuple(order))


def parameters(text: str) -> list[tuple[int, int, int]]:
    """Return number, first and last place + 1 of each parameter."""
    tokens = read_tokens(text)
    return [
        (int(after.text), token.start, after.end + 1)
        for token, after in pairwise(tokens)
        if token.token_type == TokenType.PARAMETER
        and text[token.start] == "$"
        and after.token_type == TokenType.NUMBER
        and after.start == token.end + 1
        and after.text.isdecimal()
    ]
