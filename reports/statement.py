r"""Rendered template text, with marks in it, to one statement for the driver.

Rendering leaves two kinds of marks, each between NUL characters, which neither a template nor PostgreSQL text can
hold: ``\0?\0`` stands for a bound value, ``\0L3:12\0`` says that line 12 of file 3 begins here. This module knows
enough of PostgreSQL's lexical rules (strings, quoted names, comments, dollar quotes) to tell where a value may stand.
It holds no values, so its results are cached by text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

BOUND = "\0?\0"

_LINE_MARK = re.compile("\0L(\\d+):(\\d+)\0")
_TOKEN = re.compile(
    r"""
    (?P<bound>\0\?\0)
  | (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<quoted>
        (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'
      | '(?:[^']|'')*'
      | "(?:[^"]|"")*"
      | (?<![\w$])\$(?P<tag>[^\W\d]\w*)?\$.*?\$(?(tag)(?P=tag))\$
    )
  | (?P<unterminated>(?<![\w$])[eE]'|['"]|(?<![\w$])\$(?:[^\W\d]\w*)?\$)
  | (?P<parenthesis>[()])
  | (?P<semicolon>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_BEGINNING = re.compile(r"(?:select|with|values|table)\b|\(", re.IGNORECASE)
# A driver that binds client-side writes a value where it stands: 1{{ n }} would be 15, and 'a'{{ b }} one string.
_GLUE_BEFORE = re.compile(r"[\w$.'\"\0]$")
_GLUE_AFTER = re.compile(r"[\w$.'\"\0]")


_files: list[str] = []


def mark_lines(text: str, file: str, line: int) -> str:
    """Return template text with a mark at its beginning and at the beginning of each further line."""
    if file not in _files:
        _files.append(file)
    number = _files.index(file)
    return "\n".join(f"\0L{number}:{line + i}\0{row}" for i, row in enumerate(text.split("\n")))


class Malformed(ValueError):
    """Text that is not one statement; ``offset`` is the place in the text, marks removed."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Lines:
    """Where each line of the templates begins in a text: offsets, and for each the file and line."""

    offsets: tuple[int, ...] = ()
    places: tuple[tuple[str, int], ...] = ()

    def at(self, offset: int) -> tuple[str, int] | None:
        """Return (file, line) of an offset; None before the first mark."""
        index = bisect_right(self.offsets, offset)
        return self.places[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Statement:
    """Text for the driver: ``%s`` for each value, every other ``%`` doubled. ``lines`` are places in ``sql``."""

    sql: str
    lines: Lines


def unmark(text: str) -> tuple[str, Lines]:
    """Return the text without its line marks, and where they stood."""
    pieces, offsets, places, position, length = [], [], [], 0, 0
    for mark in _LINE_MARK.finditer(text):
        piece = text[position : mark.start()]
        pieces.append(piece)
        length += len(piece)
        position = mark.end()
        offsets.append(length)
        places.append((_files[int(mark[1])], int(mark[2])))
    pieces.append(text[position:])
    return "".join(pieces), Lines(tuple(offsets), tuple(places))


@lru_cache(maxsize=1024)
def build_statement(marked: str) -> Statement:
    """Return the statement for a marked text.

    Raises:
        Malformed: A value stands inside a string, quoted name, comment or dollar quote, or touches another word; the
            text is empty, not a query, more than one statement; a quote, comment or parenthesis is not closed.
    """
    text, lines = unmark(marked)
    tokens = list(_tokens(text))
    _check_shape(text, tokens)
    pieces: list[str] = []
    starts: list[int] = []
    for kind, start, end in _with_gaps(tokens, len(text)):
        if kind == "bound":
            _check_alone(text, start, end)
        elif BOUND in text[start:end]:
            raise Malformed(
                "a bound value may not stand inside a string, quoted name, comment or dollar quote: "
                f"{text[start:end].replace(BOUND, '{{ … }}')[:60]!r}. Write it alone and join with ||",
                start + text[start:end].index(BOUND),
            )
        if kind != "semicolon":
            pieces.append("%s" if kind == "bound" else text[start:end].replace("%", "%%"))
            starts.append(start)
    sql = "".join(pieces)
    return _trimmed(sql, _moved(lines, starts, pieces))


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    position = 0
    while match := _TOKEN.search(text, position):
        kind, start, position = str(match.lastgroup), match.start(), match.end()
        if match["quoted"]:
            kind = "quoted"
        elif kind == "block":
            position = _end_of_comment(text, start)
            kind = "comment"
        elif kind == "unterminated":
            raise Malformed(f"{match[0]} is not closed", start)
        yield kind, start, position


def _end_of_comment(text: str, start: int) -> int:
    """Return where a block comment ends; PostgreSQL nests them."""
    depth, position = 0, start
    while edge := _BLOCK_EDGE.search(text, position):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
        if not depth:
            return position
    raise Malformed("/* is not closed", start)


def _with_gaps(tokens: list[tuple[str, int, int]], length: int) -> Iterator[tuple[str, int, int]]:
    position = 0
    for kind, start, end in tokens:
        if position < start:
            yield "text", position, start
        yield kind, start, end
        position = end
    if position < length:
        yield "text", position, length


def _check_shape(text: str, tokens: list[tuple[str, int, int]]) -> None:
    """Refuse what is not exactly one query, whatever parentheses it is put in."""
    parts = [
        (kind, end - len(text[start:end].lstrip()))  # where a gap's text begins, after the white space
        for kind, start, end in _with_gaps(tokens, len(text))
        if kind != "comment" and text[start:end].strip()
    ]
    ends = [i for i, (kind, _) in enumerate(parts) if kind == "semicolon"]
    if ends and ends[0] + 1 < len(parts):
        raise Malformed("a template is one statement; here a second one begins", parts[ends[0] + 1][1])
    if not parts or ends == [0]:
        raise Malformed("the template renders to no statement", 0)
    begin = parts[0][1]
    if not _BEGINNING.match(text, begin):
        word = text[begin:].split(maxsplit=1)[0][:20]
        raise Malformed(f"a template is a query (SELECT, WITH, VALUES or TABLE), not {word!r}", begin)
    depth = 0
    for kind, start in parts:
        depth += (text[start] == "(") - (text[start] == ")") if kind == "parenthesis" else 0
        if depth < 0:
            raise Malformed(") has no ( before it", start)
    if depth:
        raise Malformed(f"{depth} ( not closed", len(text))


def _check_alone(text: str, start: int, end: int) -> None:
    if _GLUE_BEFORE.search(text, max(start - 1, 0), start) or _GLUE_AFTER.match(text, end):
        around = text[max(start - 15, 0) : end + 15].replace(BOUND, "{{ … }}")
        raise Malformed(f"a bound value must stand alone, with a space around it: {around!r}", start)


def _moved(lines: Lines, starts: list[int], pieces: list[str]) -> Lines:
    """Return the line marks at their offsets in the joined pieces."""
    begins, length = [], 0
    for piece in pieces:
        begins.append(length)
        length += len(piece)
    offsets = []
    for offset in lines.offsets:
        index = max(bisect_right(starts, offset) - 1, 0)
        inside = offset - starts[index] if starts else 0
        offsets.append(begins[index] + min(inside, len(pieces[index])) if pieces else 0)
    return Lines(tuple(offsets), lines.places)


def _trimmed(sql: str, lines: Lines) -> Statement:
    front = len(sql) - len(sql.lstrip())
    return Statement(sql.strip(), Lines(tuple(max(offset - front, 0) for offset in lines.offsets), lines.places))
