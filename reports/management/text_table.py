"""Rows as aligned text for a terminal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.duration import duration_string
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from reports.management.row_json import RowEncoder, range_text

# Below this many characters a column says too little; then each row becomes a block of lines.
_NARROWEST = 6
_BETWEEN = " | "
_CUT = "…"


def table(names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None) -> Iterator[str]:
    """Yield lines: the names, a rule and the rows; numbers to the right, NULL as such.

    ``width`` is that of the terminal in characters: wider columns are cut, the widest first. Where even narrow columns
    do not fit, a row is a block with a line for each column. None cuts nothing.
    """
    cells = [[cell(value) for value in row] for row in rows]
    heads = [printable(name) for name in names]
    widths = [max(map(text_width, column)) for column in zip(heads, *cells, strict=True)]
    if width is not None:
        room = width - len(_BETWEEN) * (len(names) - 1)
        if sum(min(least, _NARROWEST) for least in widths) > room:
            yield from _blocks(heads, cells, width)
            return
        _shrink(widths, room)
    right = [_is_numeric([row[i] for row in rows]) for i in range(len(names))]
    yield _line(heads, widths, right)
    yield "-+-".join("-" * each for each in widths)
    for row in cells:
        yield _line(row, widths, right)


def cell(value: Any) -> str:
    """Return a value as one line of printable text."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, timedelta):
        return duration_string(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, (Range, Multirange)):
        return range_text(value)
    if isinstance(value, (dict, list)):
        return printable(json.dumps(value, cls=RowEncoder, ensure_ascii=False))
    return printable(str(value))


def printable(text: str, *, keep: str = "") -> str:
    """Return text in which whatever is unseen or steers a terminal is an escape as in Python, but for what to keep."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def text_width(text: str) -> int:
    """Return how many places a text takes: two for a wide character of East Asia, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(v, (int, float, Decimal)) and not isinstance(v, bool) for v in known)


def _shrink(widths: list[int], room: int) -> None:
    """Take from the widest columns until the sum fits."""
    while (over := sum(widths) - room) > 0:
        widest = max(widths)
        at = [i for i, each in enumerate(widths) if each == widest]
        second = max((each for each in widths if each < widest), default=0)
        step = max(min(widest - max(second, _NARROWEST), -(-over // len(at))), 1)
        for i in at:
            widths[i] -= min(step, max(sum(widths) - room, 0))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [_padded(text, width, at_end) for text, width, at_end in zip(cells, widths, right, strict=True)]
    return _BETWEEN.join(padded).rstrip()


def _padded(text: str, width: int, to_right: bool) -> str:
    text = _cut(text, width)
    space = " " * (width - text_width(text))
    return space + text if to_right else text + space


def _cut(text: str, width: int) -> str:
    if text_width(text) <= width:
        return text
    kept, taken = [], 0
    for character in text:
        taken += _places(character)
        if taken > width - len(_CUT):
            break
        kept.append(character)
    return "".join(kept) + _CUT


def _blocks(heads: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield a block for each row: its number, then a line ``name | value`` for each column. No row: the names."""
    if not cells:
        yield from (_cut(head, width) for head in heads)
    left = min(max(map(text_width, heads)), width // 2)
    right = width - left - len(_BETWEEN)
    for number, row in enumerate(cells, start=1):
        title = f"-[ {number} ]"
        yield title + "-" * (left + 1 - len(title)) + "+" + "-" * (width - max(left + 1, len(title)) - 1)
        for head, text in zip(heads, row, strict=True):
            yield f"{_padded(head, left, False)}{_BETWEEN}{_cut(text, right)}"
