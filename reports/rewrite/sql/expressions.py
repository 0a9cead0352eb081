"""What an expression reads and calls, by its tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.rewriting import Reason, Refusal
from reports.rewrite.sql import functions
from reports.rewrite.sql.text import Span, Text


class Refused(Exception):
    """A piece of SQL that is not of an accepted shape."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def refusal(self, text: str = "") -> Refusal:
        """Return what is said of the piece."""
        return Refusal(self.reason, text, self.detail)


@dataclass(frozen=True, slots=True)
class Call:
    """A call: ``span`` is all of it with WITHIN GROUP and FILTER, ``condition`` what FILTER holds."""

    name: str
    span: Span
    arguments: Span
    condition: Span | None
    is_window: bool


# Words that name no column where no quotes are around them.
_NO_COLUMNS = """
    AND OR NOT IN IS NULL TRUE FALSE CASE WHEN THEN ELSE END BETWEEN SYMMETRIC LIKE ILIKE SIMILAR TO ESCAPE ANY
    ALL SOME EXISTS DISTINCT AS FILTER OVER WHERE ORDER BY GROUP WITHIN ASC DESC NULLS FIRST LAST AT TIME ZONE
    FROM FOR COLLATE USING ISNULL NOTNULL UNKNOWN VARIADIC INTERVAL DATE TIMESTAMP ARRAY ROW OPERATOR SELECT
    PRECISION VARYING ON LIMIT YEAR MONTH DAY HOUR MINUTE SECOND WEEK QUARTER DOW ISODOW DOY EPOCH MICROSECONDS
    MILLISECONDS DECADE CENTURY MILLENNIUM ISOYEAR TIMEZONE LEADING TRAILING BOTH CURRENT_TIMESTAMP CURRENT_DATE
    CURRENT_TIME LOCALTIME LOCALTIMESTAMP CURRENT_USER SESSION_USER USER
"""
_WORDS = frozenset(_NO_COLUMNS.split())
# Before these a parenthesis opens no call.
_NO_CALLS = _WORDS | {"VALUES", "LATERAL", "JOIN", "UNION", "INTERSECT", "EXCEPT", "HAVING", "WITH"}
_RAW = frozenset({TokenType.STRING, TokenType.NUMBER, TokenType.NATIONAL_STRING, TokenType.HEREDOC_STRING})


def calls(text: Text, span: Span) -> Iterator[Call]:
    """Yield the calls of a piece, those within others after them.

    Raises:
        Refused: One is written with a schema that is not PostgreSQL's own.
    """
    for place in range(*span):
        if text.kind(place + 1) != TokenType.L_PAREN or not text.word(place).strip('"').replace("_", "a").isalnum():
            continue
        word = text.word(place)
        if word in _NO_CALLS or text.kind(place) in _RAW or _is_type(text, place):
            continue
        if text.kind(place - 1) == TokenType.DOT and text.name(place - 2) != "pg_catalog":
            raise Refused(Reason.UNKNOWN_FUNCTION, f"{text.name(place - 2)}.{text.name(place)}")
        yield _call(text, place)


def _call(text: Text, place: int) -> Call:
    close = text.pairs[place + 1]
    arguments, end = Span(place + 2, close), close + 1
    condition = None
    if text.word(end) == "WITHIN" and text.word(end + 1) == "GROUP":
        end = text.pairs[end + 2] + 1
    if text.word(end) == "FILTER" and text.kind(end + 1) == TokenType.L_PAREN:
        condition = Span(end + 3, text.pairs[end + 1])
        end = condition.end + 1
    return Call(text.name(place).lower(), Span(place, end), arguments, condition, text.word(end) == "OVER")


def _is_type(text: Text, place: int) -> bool:
    """Return whether a name stands where a cast's type does."""
    return text.kind(place - 1) in (TokenType.DCOLON, TokenType.ALIAS)


def qualifiers(text: Text, span: Span) -> Iterator[tuple[int, str]]:
    """Yield the tables whose columns a piece reads: the token and the name; columns of SELECTs within it too.

    Raises:
        Refused: A column stands without its table.
    """
    for place in range(*span):
        if not text.is_name(place) or text.kind(place - 1) == TokenType.DOT:
            continue
        after = text.kind(place + 1)
        if after == TokenType.DOT:
            if not _begins_table(text, place - 1):  # there it is a table's schema
                yield place, text.name(place)
        elif after != TokenType.L_PAREN and _is_column(text, place):
            raise Refused(Reason.UNQUALIFIED, text.name(place))


def _is_column(text: Text, place: int) -> bool:
    before = text.kind(place - 1)
    if before in (TokenType.ALIAS, TokenType.DCOLON, TokenType.COLLATE, TokenType.R_PAREN):
        return False  # an alias, a type, a collation, the alias of what is in parentheses
    if text.kind(place) == TokenType.IDENTIFIER:
        return not _is_table_alias(text, place)
    return text.kind(place) == TokenType.VAR and text.word(place) not in _WORDS and not _is_table_alias(text, place)


def _is_table_alias(text: Text, place: int) -> bool:
    """Return whether a name stands behind another one, as a table's alias does in FROM, or is a table's itself."""
    at = place - 1
    while text.kind(at) in (TokenType.IDENTIFIER, TokenType.VAR, TokenType.DOT):
        at -= 1
    return _begins_table(text, at)


def _begins_table(text: Text, place: int) -> bool:
    """Return whether a token is JOIN, or the FROM of a SELECT: not that of EXTRACT or of IS DISTINCT FROM."""
    if text.kind(place) != TokenType.FROM:
        return text.kind(place) == TokenType.JOIN
    if text.kind(place - 1) == TokenType.DISTINCT:
        return False
    opening = text.enclosing(place)
    return opening is None or text.kind(opening + 1) in (TokenType.SELECT, TokenType.WITH)


def check_known(text: Text, span: Span) -> None:
    """Refuse a piece that calls a function which may be volatile."""
    unknown = sorted({call.name for call in calls(text, span)} - functions.KNOWN)
    if unknown:
        raise Refused(Reason.UNKNOWN_FUNCTION, ", ".join(unknown))


def reads_any(text: Text, span: Span, names: Collection[str]) -> bool:
    """Return whether a piece reads a column of these tables."""
    return any(name in names for _, name in qualifiers(text, span))


def column(text: Text, span: Span, names: Collection[str]) -> str | None:
    """Return the table of a piece that is one column of one of these, written with its name; else None."""
    span = text.bare(span)
    is_column = span.end - span.start == 3 and text.is_qualifier(span.start, names) and text.is_name(span.end - 1)
    return text.name(span.start) if is_column else None
