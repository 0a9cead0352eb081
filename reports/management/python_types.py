"""PostgreSQL's types as a type checker knows their values."""

from __future__ import annotations

from collections.abc import Mapping

from reports.header import Column
from reports.types import parse_type

_DATETIME = "datetime.datetime"
TYPES: Mapping[str, str] = {
    "bigint": "int",
    "boolean": "bool",
    "bytea": "bytes",
    "date": "datetime.date",
    "datemultirange": "Multirange[datetime.date]",
    "daterange": "Range[datetime.date]",
    "double precision": "float",
    "hstore": "dict[str, str | None]",
    "int4multirange": "Multirange[int]",
    "int4range": "Range[int]",
    "int8multirange": "Multirange[int]",
    "int8range": "Range[int]",
    "integer": "int",
    "interval": "datetime.timedelta",
    "json": "Any",
    "jsonb": "Any",
    "numeric": "Decimal",
    "nummultirange": "Multirange[Decimal]",
    "numrange": "Range[Decimal]",
    "oid": "int",
    "real": "float",
    "smallint": "int",
    "time": "datetime.time",
    "timestamp": _DATETIME,
    "timestamptz": _DATETIME,
    "timetz": "datetime.time",
    "tsmultirange": f"Multirange[{_DATETIME}]",
    "tsrange": f"Range[{_DATETIME}]",
    "tstzmultirange": f"Multirange[{_DATETIME}]",
    "tstzrange": f"Range[{_DATETIME}]",
    "uuid": "UUID",
}
IMPORTS: Mapping[str, str] = {
    "Any": "from typing import Any",
    "Decimal": "from decimal import Decimal",
    "Multirange": "from psycopg.types.multirange import Multirange",
    "Range": "from psycopg.types.range import Range",
    "UUID": "from uuid import UUID",
    "datetime": "import datetime",
}


def python_type(column: Column) -> str:
    """Return a column's type in Python's words, ``| None`` when it is nullable. The other types are text."""
    kind = parse_type(column.type)
    words = item = TYPES.get(kind.name, "str")
    if kind.dimensions:  # items may always be NULL
        words = "list[" * kind.dimensions + _optional(item) + "]" * kind.dimensions
    return _optional(words) if column.null else words


def _optional(words: str) -> str:
    return words if words == "Any" else f"{words} | None"
