"""Comparisons of columns in the conditions that EXPLAIN prints. What is returned holds no constant of the query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# Identifiers as PostgreSQL writes them: quoted where they must be.
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*+)'
_QUALIFIED = rf"({_NAME})\.({_NAME})"
# A varchar is compared as text, which changes nothing for an index.
_COLUMN = re.compile(rf"{_QUALIFIED}|\({_QUALIFIED}\)::text(?:\[\])?")
_MENTION = re.compile(rf'(?<![\w.":$)]){_QUALIFIED}(?![\w.(])')
_PLAIN = re.compile(rf"(?:({_NAME})\.)?({_NAME})")
_WORD = re.compile(rf'(?<![\w.":$)]){_NAME}(?![\w.("])')
_CONSTANT = re.compile(r"""("(?:[^"]|"")*")|'(?:[^']|'')*'""")
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\s(?:AND|OR|=|<>|<=|>=|<|>)\s""")
_KEY = re.compile(rf"({_COLUMN.pattern})( DESC)?")
_TESTS = {" IS NULL": "IS NULL", " IS NOT NULL": "IS NOT NULL"}


class Kind(StrEnum):
    """How a condition compares a column."""

    EQUAL = "="
    LIST = "= ANY"
    RANGE = "range"
    NULL = "IS NULL"
    NOT_NULL = "IS NOT NULL"
    TRUE = "is true"
    FALSE = "is false"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column against something else. ``others`` are the aliases of the tables that the other side reads."""

    alias: str
    column: str
    kind: Kind
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """A column that is sorted by."""

    column: str
    descending: bool = False


def comparisons(text: str) -> Iterator[Comparison]:
    """Yield the comparisons that must all hold; what is no plain comparison of a column is left out."""
    for part in conjuncts(_CONSTANT.sub(lambda match: match[1] or "''", text)):
        yield from _compared(part)


def conjuncts(text: str) -> list[str]:
    """Return the parts of a condition that are joined by AND, without parentheses around them."""
    bare = _unwrapped(text.strip())
    begins = [0]
    ends = []
    for operator, start, end in _operators(bare):
        if operator == "OR":
            return [bare]
        if operator == "AND":
            ends.append(start)
            begins.append(end)
    if not ends:
        return [bare]
    return [part for begin, end in zip(begins, [*ends, len(bare)], strict=True) for part in conjuncts(bare[begin:end])]


def sort_key(text: str) -> tuple[str, Key] | None:
    """Return the alias and the key of a line of Sort Key; None for an expression, or NULLS in an order of their own."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    alias, column = _pair(match[1])
    return alias, Key(column, bool(match.group(match.re.groups)))


def mentioned(text: str, alias: str) -> set[str]:
    """Return the columns of an alias that stand anywhere in a text of the plan."""
    found = _MENTION.findall(_without_constants(text))
    return {_unquoted(column) for owner, column in found if _unquoted(owner) == alias}


def words(text: str) -> set[str]:
    """Return the identifiers of a text whose columns have no alias before them: a plan of one table."""
    return {_unquoted(word) for word in _WORD.findall(_without_constants(text))}


def plain_column(text: str) -> str | None:
    """Return the column of an item of Output that is nothing but a column."""
    match = _PLAIN.fullmatch(text)
    return _unquoted(match[2]) if match else None


def _compared(part: str) -> Iterator[Comparison]:
    for suffix, kind in _TESTS.items():
        if part.endswith(suffix):
            yield from _tested(part.removesuffix(suffix), Kind(kind))
            return
    found = [operator for operator in _operators(part) if operator[0] not in ("AND", "OR")]
    if not found:
        yield from _tested(part.removeprefix("NOT "), Kind.FALSE if part.startswith("NOT ") else Kind.TRUE)
        return
    operator, start, end = found[0]
    left, right = part[:start], part[end:]
    if operator != "<>":
        yield from _against(left, operator, right)
        yield from _against(right, operator, left)


def _against(column: str, operator: str, other: str) -> Iterator[Comparison]:
    """Yield the comparison of one side, when it is a column, with the other."""
    if not _COLUMN.fullmatch(column):
        return
    alias, name = _pair(column)
    others = frozenset(_unquoted(owner) for owner, _ in _MENTION.findall(other))
    is_list = other.startswith("ANY ")
    if alias in others or other.startswith("ALL ") or (is_list and operator != "="):
        return
    kind = Kind.LIST if is_list else Kind.EQUAL if operator == "=" else Kind.RANGE
    yield Comparison(alias, name, kind, others)


def _tested(text: str, kind: Kind) -> Iterator[Comparison]:
    if _COLUMN.fullmatch(_unwrapped(text)):
        yield Comparison(*_pair(_unwrapped(text)), kind)


def _operators(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (operator, start, end) of those outside all parentheses."""
    depth = 0
    for piece in _PIECE.finditer(text):
        depth += (piece[0] == "(") - (piece[0] == ")")
        if depth == 0 and piece[0][0].isspace():
            yield piece[0].strip(), piece.start(), piece.end()


def _unwrapped(text: str) -> str:
    """Return a text without the parentheses around all of it."""
    depth = 0
    for piece in _PIECE.finditer(text):
        depth += (piece[0] == "(") - (piece[0] == ")")
        if depth == 0 and piece[0] == ")":
            return _unwrapped(text[1:-1]) if text[0] == "(" and piece.end() == len(text) else text
    return text


def _pair(column: str) -> tuple[str, str]:
    match = _COLUMN.fullmatch(column)
    assert match is not None
    return _unquoted(match[1] or match[3]), _unquoted(match[2] or match[4])


def _without_constants(text: str) -> str:
    return _CONSTANT.sub(lambda match: match[1] or "''", text)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
