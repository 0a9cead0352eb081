r"""Rendered template text, with marks in it, to one statement for the driver.

Rendering leaves two kinds of marks, each between NUL characters, which neither a template nor PostgreSQL text can
hold: ``\0?\0`` stands for a bound value, ``\0L3:12\0`` says that line 12 of file 3 begins here. Nothing here holds a
value, so the results are cached by text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from reports.lexer import BOUND, WORD, Malformed, tokens, with_gaps

LINE_MARK = r"\0L\d+:\d+\0"
_LINE_MARK = re.compile(r"\0L(\d+):(\d+)\0")
LONGEST = 20_000  # characters; a longer text is not kept
_CAST = re.compile(r"\s*::")
_BEGINNING = re.compile(r"(?:select|with|values|table)\b|\(", re.IGNORECASE)


def _place(before: str, after: str, problem: str) -> tuple[re.Pattern[str], re.Pattern[str], str]:
    flags = re.ASCII | re.IGNORECASE
    return re.compile(before, flags), re.compile(after, flags), problem


# Where a value may not stand, by what is before and after it. A driver that binds client-side writes the value itself
# there: 1{{ n }} would be 15, two strings would be one, {{ list }}[1] a cast to another type, ORDER BY 2 a column.
_MISPLACED = (
    _place(rf"(?:[{WORD}.'\"\0]|(?<![{WORD}])u&)\Z", "", "a bound value must stand alone, with a space around it"),
    _place("", rf"[{WORD}.'\"\0]", "a bound value must stand alone, with a space around it"),
    _place(r"['\0]\s*\Z", "", "a bound value may not follow a string or a value. Join them with ||"),
    _place("", r"\s*'", "a string may not follow a bound value. Join them with ||"),
    _place(
        rf"(?:\"|(?<![{WORD}])(?:date|time|timestamp|timestamptz|interval))\s*\Z",
        "",
        "a bound value may not follow the name of a type. Cast it: {{ … }}::date",
    ),
    _place("", r"\s*\[", "a bound value needs parentheses before [: ({{ … }})[…]"),
    _place(
        r"(?:\b(?:order|group)\s+by|\bdistinct\s+on\s*\()\s*\Z",
        r"\s*(?:[,);]|\Z|(?:asc|desc|nulls|limit|offset|fetch|having|order|window|union|intersect|except)\b)",
        "a bound value is no column to sort or group by. Write its name with the filter identifier",
    ),
    _place(
        r",\s*\Z",
        r"\s*(?:asc|desc|nulls)\b",
        "a bound value is no column to sort or group by. Write its name with the filter identifier",
    ),
)


_files: list[str] = []


def mark_lines(text: str, file: str, line: int) -> str:
    """Return template text with a mark at its beginning and at the beginning of each further line."""
    if file not in _files:
        _files.append(file)
    number = _files.index(file)
    return "\n".join(f"\0L{number}:{line + i}\0{row}" for i, row in enumerate(text.split("\n")))


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


def build_statement(marked: str) -> Statement:
    """Return the statement for a marked text.

    Raises:
        Malformed: A value stands inside a string, quoted name, comment or dollar quote, or touches another word; the
            text is empty, not a query, more than one statement; a quote, comment or parenthesis is not closed.
    """
    # A list of thousands of values makes a text that hardly comes again; a thousand of them would fill the memory.
    return _cached(marked) if len(marked) <= LONGEST else _built(marked)


def _built(marked: str) -> Statement:
    text, lines = unmark(marked)
    found = list(tokens(text))
    _check_shape(text, found)
    bare = _bare(text, found)
    pieces: list[str] = []
    starts: list[int] = []
    for kind, start, end in with_gaps(found, len(text)):
        if kind == "bound":
            _check_place(text, bare, start, end)
        elif BOUND in text[start:end]:
            raise Malformed(
                "a bound value may not stand inside a string, quoted name, comment or dollar quote: "
                f"{_shown(text[start:end])[:60]!r}. Write it alone and join with ||",
                start + text[start:end].index(BOUND),
            )
        if kind != "semicolon":
            pieces.append(_placeholder(text, end) if kind == "bound" else text[start:end].replace("%", "%%"))
            starts.append(start)
    return _trimmed("".join(pieces), _moved(lines, starts, pieces))


def _placeholder(text: str, end: int) -> str:
    # A client-binding driver writes -5 for {{ n }}::text, which PostgreSQL reads as -(5::text).
    return "(%s)" if _CAST.match(text, end) else "%s"


_cached = lru_cache(maxsize=1024)(_built)


def _check_shape(text: str, found: list[tuple[str, int, int]]) -> None:
    """Refuse what is not exactly one query, whatever parentheses it is put in."""
    parts = [
        (kind, end - len(text[start:end].lstrip()))  # where a gap's text begins, after the white space
        for kind, start, end in with_gaps(found, len(text))
        if kind != "comment" and text[start:end].strip()
    ]
    ends = [i for i, (kind, _) in enumerate(parts) if kind == "semicolon"]
    if ends and ends[0] + 1 < len(parts):
        raise Malformed("a template is one statement; here a second one begins", parts[ends[0] + 1][1])
    if not parts or ends == [0]:
        raise Malformed("the template renders to no statement", 0)
    begin = parts[0][1]
    if not _BEGINNING.match(text, begin):
        word = _shown(text[begin:].split(maxsplit=1)[0][:20])
        raise Malformed(f"a template is a query (SELECT, WITH, VALUES or TABLE), not {word!r}", begin)
    depth = 0
    for kind, start in parts:
        depth += (text[start] == "(") - (text[start] == ")") if kind == "parenthesis" else 0
        if depth < 0:
            raise Malformed(") has no ( before it", start)
    if depth:
        raise Malformed(f"{depth} ( not closed", len(text))


def _bare(text: str, found: list[tuple[str, int, int]]) -> str:
    """Return the text with comments made blank and each string an empty one of its length."""
    pieces = []
    for kind, start, end in with_gaps(found, len(text)):
        if kind == "comment":
            pieces.append(" " * (end - start))
        elif kind == "string":
            pieces.append("'" + " " * (end - start - 2) + "'")
        else:
            pieces.append(text[start:end])
    return "".join(pieces)


def _check_place(text: str, bare: str, start: int, end: int) -> None:
    if bare.startswith(", ", start - 2) and bare.startswith(
        (",", ")"), end
    ):  # an item of a list, of which there may be thousands
        return
    # A window of the text, lest a thousand values in a long one take a minute.
    front, back = bare[max(start - 200, 0) : start], bare[end : end + 200]
    for before, after, problem in _MISPLACED:
        if before.search(front) and after.match(back):
            raise Malformed(f"{problem}: {_shown(text[max(start - 15, 0) : end + 15]).strip()!r}", start)


def _shown(text: str) -> str:
    return text.replace(BOUND, "{{ … }}")


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
