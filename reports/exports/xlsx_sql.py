"""Rows as the cells of an XLSX sheet, prepared by PostgreSQL.

A cell is a text: a number with ``n`` in front, a boolean with ``b``, a text with ``t``. Then Python need not know of
types. Excel keeps 15 digits and counts days from 1900, which it takes for a leap year. What it cannot hold as a number
or a date is text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from django.db import models
from psycopg.postgres import types

from reports.exports.compiled import Compiled, once

# A cell's most, in UTF-16 units. https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
LONGEST_TEXT = 32_767
# Excel's day 0; right from 1 March 1900 on, before which it counts a 29 February that was not.
_FIRST_DAY, _LAST_DAY, _DAY_0 = "1900-03-01", "9999-12-31", "1899-12-30"
_MOST_PLACES = 30
_ZONE = re.compile(r"[\w+/-]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a column's values become cells.

    ``test`` and ``value`` are SQL of a column ``{c}``: whether it can be a number, and which. Other values are texts;
    with ``test`` None, all. ``mark`` tells a number from a boolean, ``format`` is Excel's number format.
    """

    test: str | None
    value: str = "{c}"
    mark: str = "n"
    format: str = "General"
    text: str = "concat({c})"


_ALWAYS = "true"
_TEXT = Kind(None)
_DAYS = "extract(epoch FROM {c})::float8 / 86400"
_ISO = "to_json({c}) #>> '{{}}'"
_DATE = Kind(
    f"{{c}} BETWEEN DATE '{_FIRST_DAY}' AND DATE '{_LAST_DAY}'",
    f"{{c}} - DATE '{_DAY_0}'",
    format="yyyy-mm-dd",
    text=_ISO,
)
_TIMESTAMP = Kind(
    f"{{c}} >= TIMESTAMP '{_FIRST_DAY}' AND {{c}} < TIMESTAMP '{_LAST_DAY}' + INTERVAL '1 day'",
    f"{_DAYS} + (DATE '1970-01-01' - DATE '{_DAY_0}')",
    format="yyyy-mm-dd hh:mm:ss",
    text=_ISO,
)
# A month has no number of hours.
_INTERVAL = Kind(
    f"{{c}} >= INTERVAL '0' AND {{c}} < make_interval(days => DATE '{_LAST_DAY}' - DATE '{_DAY_0}')"
    " AND date_trunc('month', {c}) = INTERVAL '0'",
    _DAYS,
    format="[h]:mm:ss",
)
_FLOAT = Kind("abs({c}) <= 9.99999999999999e307")
# Below 1e-300 a double precision may raise an error.
_NUMERIC = Kind("{c} = 0 OR abs({c}) >= 1e-300 AND abs({c}) < 1e15", "{c}::float8")
_KINDS = {
    types[name].oid: kind
    for name, kind in {
        "bool": Kind(_ALWAYS, "{c}::int", mark="b"),
        "int2": Kind(_ALWAYS, format="0"),
        "int4": Kind(_ALWAYS, format="0"),
        "oid": Kind(_ALWAYS, format="0"),
        "int8": Kind("{c} BETWEEN -999999999999999 AND 999999999999999", format="0"),
        "float4": _FLOAT,
        "float8": _FLOAT,
        "numeric": _NUMERIC,
        "date": _DATE,
        "timestamp": _TIMESTAMP,
        "time": Kind("{c} < TIME '24:00'", _DAYS, format="hh:mm:ss"),
        "interval": _INTERVAL,
        "text": Kind(None, text="{c}"),
        "varchar": Kind(None, text="{c}"),
    }.items()
}
_TIMESTAMPTZ = types["timestamptz"].oid


def kinds(query: Compiled, oids: Sequence[int], zone: tzinfo) -> list[Kind]:
    """Return how the exported columns become cells; ``oids`` are the types of the SELECT's columns."""
    return [_kind(oids[i], field, zone) for i, field in zip(query.positions, query.fields, strict=True)]


def _kind(oid: int, field: models.Field[Any, Any], zone: tzinfo) -> Kind:
    if oid == _TIMESTAMPTZ:
        return _TIMESTAMP if _zone(zone) else Kind(None, text=_ISO)
    kind = _KINDS.get(oid, _TEXT)
    places = getattr(field, "decimal_places", None)
    if kind is _NUMERIC and places is not None and places <= _MOST_PLACES:
        return Kind(kind.test, kind.value, format="0." + "0" * places if places else "0")
    return kind


def cells_sql(query: Compiled, oids: Sequence[int], zone: tzinfo, *, limit: int) -> str:
    """Return the query of the rows' cells, in the same order.

    Args:
        query: The query of the export; nothing of its SQL is changed.
        oids: The types of its columns.
        zone: In which points in time are shown.
        limit: How many rows are asked for.
    """
    found = kinds(query, oids, zone)
    values = [_selected(kind, i, oids[i], zone) for kind, i in zip(found, query.positions, strict=True)]
    cells = [_cell(kind, f"c{i}", f"t{i}") for kind, i in zip(found, query.positions, strict=True)]
    return (
        f"SELECT {', '.join(cells)} FROM (SELECT {', '.join(values)}"  # noqa: S608 - names of our own
        f" FROM {once(query.sql or '', query.width)} AS once LIMIT {limit}) AS cells"
    )


def _zone(zone: tzinfo) -> str | None:
    """Return a zone as PostgreSQL's SQL; None for one that has neither a name nor an offset of its own."""
    offset = zone.utcoffset(None)
    if offset is not None:
        return f"INTERVAL '{offset.total_seconds():.0f} seconds'"
    name = getattr(zone, "key", None)
    return f"'{name}'" if name and _ZONE.fullmatch(name) else None


def _selected(kind: Kind, i: int, oid: int, zone: tzinfo) -> str:
    """Return the columns c and t made of one of the query's: its value, and the text of what cannot be a number."""
    column = f"c{i}"
    if oid == _TIMESTAMPTZ and (name := _zone(zone)):
        column = f"(c{i} AT TIME ZONE {name})"
    if kind.test == _ALWAYS:
        return column
    # num_nulls, because a row of NULLs "IS NULL" without being it; under "C", because a nondeterministic collation
    # knows no patterns.
    test = f"num_nulls({column}) = 0" if kind.test is None else f"NOT ({kind.test.format(c=column)})"
    text = f'({kind.text.format(c=column)})::text COLLATE "C"'
    cut = f"CASE WHEN {test} THEN {_cut(text)} END AS t{i}"
    return cut if kind.test is None else f"{column} AS c{i}, {cut}"


def _cut(text: str) -> str:
    astral = rf"regexp_count({text}, E'[\\U00010000-\\U0010ffff]')"
    kept = f"greatest({LONGEST_TEXT - 3} - {astral}, {(LONGEST_TEXT - 3) // 2})"
    return (
        f"CASE WHEN octet_length({text}) <= {LONGEST_TEXT} OR char_length({text}) + {astral} <= {LONGEST_TEXT}"
        f" THEN {text} ELSE left({text}, {kept}) || '...' END"
    )


def _cell(kind: Kind, value: str, text: str) -> str:
    """Return a cell; NULL for NULL and for the empty text."""
    texts = f"WHEN {text} <> '' THEN concat('t', {text})"
    if kind.test is None:
        return f"CASE {texts} END"
    number = f"concat('{kind.mark}', {kind.value.format(c=value)})"
    if kind.test == _ALWAYS:
        return f"CASE WHEN {value} IS NOT NULL THEN {number} END"
    return f"CASE WHEN {text} IS NULL AND {value} IS NOT NULL THEN {number} {texts} END"
