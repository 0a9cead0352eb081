"""Whether evaluating an expression can fail in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from sqlglot import TokenType

from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import calls
from reports.rewrite.sql.text import Span, Text

_SAFE_OPERATORS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">=", "||", ",", ".", "(", ")", "[", "]", "*", "$"})


class Risk(IntEnum):
    """Whether evaluating an expression can fail in PostgreSQL."""

    NONE = 0
    OVERFLOW = 1
    """Only by a sum beyond what its type holds."""
    VALUE = 2
    """For some values: it is evaluated only for those for which the original evaluates it."""


def risk(text: Text, span: Span, *, without: Collection[Span] = ()) -> Risk:
    """Return whether evaluating a piece can fail; pieces of it that stand elsewhere do not count."""

    def counts(place: int) -> bool:
        return not any(span.has(place) for span in without)

    found = Risk.NONE
    for call in calls(text, span):
        if counts(call.span.start) and call.name not in functions.SAFE:
            found = max(found, Risk.OVERFLOW if call.name in functions.OVERFLOWING else Risk.VALUE)
    return Risk.VALUE if any(counts(place) and _may_fail(text, place) for place in range(*span)) else found


def _may_fail(text: Text, place: int) -> bool:
    """Return whether a token is an operator that can fail: arithmetic, a cast, a regular expression."""
    word, kind = text.word(place), text.kind(place)
    if kind == TokenType.STAR:  # every row, or a multiplication
        return text.kind(place - 1) not in (TokenType.L_PAREN, TokenType.DOT, TokenType.SELECT)
    if word in ("LIKE", "ILIKE", "~~", "~~*"):  # a pattern that ends in a backslash fails
        return text.kind(place + 1) not in (TokenType.PARAMETER, TokenType.STRING)
    if word in ("CAST", "INTERVAL", "SELECT", "ESCAPE", "SIMILAR", "ZONE"):
        return True
    return not (word[:1].isalnum() or word[:1] in "\"'_" or word in _SAFE_OPERATORS)
