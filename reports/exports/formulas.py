r"""Cells that no spreadsheet takes for a formula.

After `OWASP <https://owasp.org/www-community/attacks/CSV_Injection>`_: a cell is dangerous when it begins with ``=``,
``+``, ``-``, ``@``, their full-width forms, TAB, CR or LF. What a spreadsheet passes over is passed over here too:
spaces, no-break and zero-width ones, control and direction characters. Importers also cut a cell in pieces, at its line
ends, TABs and semicolons, which LibreOffice takes for separators by default and Excel in half of Europe. So

- a dangerous cell gets a ``'`` in front, and
- inside a cell each piece that begins with a sign gets one too: ``a;=1`` becomes ``a;'=1``. A quotation mark is passed
  over there: who divides a line at semicolons takes the ``""`` in ``"a;""=1"`` for an empty text before the sign.

Nothing else changes. ``|`` and ``%``, which defusedcsv treats as well, are left alone: no spreadsheet starts a formula
with them, and every line of a Markdown table does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from psycopg.postgres import types

from reports.exports.compiled import once
from reports.exports.literals import literal

# Signs and their full-width forms; escapes mean the same to PostgreSQL and to Python, whatever the client's encoding.
_SIGNS = r"-=+@\uff1d\uff0b\uff0d\uff20"
_BLANKS = (
    r"\u0001-\u0008\u000b\u000c\u000e-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
_CELL = rf"^[{_BLANKS}]*[{_SIGNS}\t\n\r]"
_PIECE = rf'([\t\n\r;])(["{_BLANKS}]*[{_SIGNS}])'
_PUT = r"\1'\2"

# Values of these types are nobody's text, and a number stays a number. Every other type is treated, also one that is
# not known here, and bytea, which bytea_output = escape makes text. A domain is reported as the type below it.
_HARMLESS = frozenset(
    types[name].oid
    for name in (
        "bool", "cidr", "date", "datemultirange", "daterange", "float4", "float8", "inet", "int2", "int4",
        "int4multirange", "int4range", "int8", "int8multirange", "int8range", "interval", "macaddr", "macaddr8",
        "money", "nummultirange", "numeric", "numrange", "oid", "time", "timestamp", "timestamptz", "timetz",
        "tsmultirange", "tsrange", "tstzmultirange", "tstzrange", "uuid",
    )
)  # fmt: skip
_TEXT = frozenset(types[name].oid for name in ("text", "varchar"))

# What most texts are can be told in 0.2 µs: they begin with a letter or a digit and hold no end of a piece. The regular
# expressions take three times as long. ascii() is the code point of the first character, 0 for the empty text.
_HARMLESS_FIRST = ((65, 122), (48, 58), (0, 0), (192, 846), (880, 1535), (19968, 55203))
_ENDS = ("';'", r"E'\n'", r"E'\r'", r"E'\t'")


def safe_text(text: str) -> str:
    """Return a text as a cell that is no formula."""
    return re.sub(_PIECE, _PUT, f"'{text}" if re.match(_CELL, text) else text)


def safe_select(sql: str, oids: Sequence[int], positions: Sequence[int]) -> str:
    """Return a query with the columns of another one at these positions, its texts safe; in the same order of rows.

    ``oids`` are the types of its columns.
    """
    texts = {i for i in positions if oids[i] not in _HARMLESS}
    columns = ", ".join(_as_text(i) if i in texts and oids[i] not in _TEXT else f"c{i}" for i in range(len(oids)))
    cells = ", ".join(_safe(f"c{i}") if i in texts else f"c{i}" for i in positions)
    return f"SELECT {cells} FROM {once(sql, len(oids), columns)} AS texts"  # noqa: S608 - names of our own


def _as_text(i: int) -> str:
    # As the type's own output function writes it, like COPY; a cast would cut the blanks of a character(n). And
    # num_nulls, because a row of NULLs "IS NULL" without being it.
    return f"CASE WHEN num_nulls(c{i}) = 0 THEN concat(c{i}) END AS c{i}"


def _safe(column: str) -> str:
    text = f'{column} COLLATE "C"'  # a nondeterministic collation knows no patterns
    first = " OR ".join(f"ascii({column}) BETWEEN {low} AND {high}" for low, high in _HARMLESS_FIRST)
    pieces = " AND ".join(f"strpos({text}, {end}) = 0" for end in _ENDS)
    cell = f"CASE WHEN {text} ~ {literal(_CELL)} THEN '''' || {column} ELSE {column} END"
    return (
        f"CASE WHEN ({first}) AND {pieces} THEN {column}"
        f""" ELSE regexp_replace(({cell}) COLLATE "C", {literal(_PIECE)}, {literal(_PUT)}, 'g') END"""
    )
