"""PostgreSQL's lexical rules, as far as they tell where a value may stand: strings, names, comments, dollar quotes.

The manual's section 4.1, and ``src/backend/parser/scan.l`` where it is silent: a string that goes on in the next line,
what counts as a letter, which character ends a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

BOUND = "\0?\0"

# PostgreSQL takes every character from U+0080 on for a letter, a no-break space too; \w takes only some of them.
WORD = r"\w$\x80-\U0010ffff"
_TOKEN = re.compile(
    rf"""
    (?P<bound>\0\?\0)
  | (?P<comment>--[^\n\r]*)
  | (?P<block>/\*)
  | (?P<escaped>(?<![{WORD}])[eE]')
  | (?P<string>')
  | (?P<name>")
  | (?P<dollar>(?<![{WORD}])\$(?:[a-zA-Z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$)
  | (?P<numbered>(?<![{WORD}])\$\d+)
  | (?P<parenthesis>[()])
  | (?P<semicolon>;)
    """,
    re.VERBOSE | re.ASCII,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
# What follows an opening quote, to its end. Possessive (*+): a doubled quote is never taken for an end and a beginning.
_REST = {
    "escaped": re.compile(r"(?:[^'\\]|\\.|'')*+'", re.DOTALL),
    "string": re.compile(r"(?:[^']|'')*+'"),
    "name": re.compile(r'(?:[^"]|"")*+"'),
}
# A string goes on after a line's end: E'a' and, on the next line, 'b\'c' are one string in which backslashes escape.
_CONTINUED = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'")


class Malformed(ValueError):
    """Text that is not one statement; ``offset`` is the place in the text, marks removed."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.offset = offset


def tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, end): bound, comment, string, name, parenthesis, semicolon; what is between them is left out.

    Raises:
        Malformed: A quote or comment is not closed, or the text has a placeholder of the driver's own.
    """
    position = 0
    while match := _TOKEN.search(text, position):
        kind, start, position = str(match.lastgroup), match.start(), match.end()
        if kind == "block":
            kind, position = "comment", _end_of_comment(text, start)
        elif kind == "dollar":
            kind, position = "string", text.find(match[0], position) + len(match[0])
            if position <= match.end():
                raise Malformed(f"{match[0]} is not closed", start)
        elif kind == "numbered":
            raise Malformed(f"{match[0]} is a placeholder of the driver. Write {{{{ … }}}}", start)
        elif kind in _REST:
            position = _end_of_quoted(text, kind, start, position)
            kind = "name" if kind == "name" else "string"
        yield kind, start, position


def _end_of_quoted(text: str, kind: str, start: int, position: int) -> int:
    while rest := _REST[kind].match(text, position):
        more = _CONTINUED.match(text, rest.end()) if kind == "escaped" else None
        if not more:
            return rest.end()
        position = more.end()
    raise Malformed(f"{text[start:position]} is not closed", start)


def _end_of_comment(text: str, start: int) -> int:
    """Return where a block comment ends; PostgreSQL nests them."""
    depth, position = 0, start
    while edge := _BLOCK_EDGE.search(text, position):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
        if not depth:
            return position
    raise Malformed("/* is not closed", start)


def with_gaps(found: list[tuple[str, int, int]], length: int) -> Iterator[tuple[str, int, int]]:
    """Yield the tokens and, as kind ``text``, what is between them."""
    position = 0
    for kind, start, end in found:
        if position < start:
            yield "text", position, start
        yield kind, start, end
        position = end
    if position < length:
        yield "text", position, length
