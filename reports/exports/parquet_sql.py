"""The columns of a Parquet file: their types, and the SQL that makes values of them.

Days and points in time are copied as whole numbers, so that no date style counts; what Parquet's types do not have is
NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from psycopg.postgres import types

from reports.columns import has_any_digits
from reports.exports.compiled import Compiled, once
from reports.types import parse_type

# The most digits of a decimal that everybody reads, and of one at all.
_MOST_DIGITS, _LONGEST = 38, 76
# A numeric without declared digits, as Spark reads one.
_PLACES = 18

_MICROSECONDS = "(extract(epoch FROM {c}) * 1000000)::bigint"
_FINITE = "CASE WHEN isfinite({c}) THEN %s END"


@dataclass(frozen=True, slots=True)
class Kind:
    """A column's type and how it comes about.

    ``type`` is Arrow's name with its arguments, ``copied`` the type as which the CSV is read, ``value`` the SQL of a
    column ``{c}``.
    """

    type: str
    sizes: tuple[Any, ...] = ()
    copied: str = ""
    value: str = "{c}"


_TEXT = Kind("string")
_KINDS = {
    types[name].oid: kind
    for name, kind in {
        "bool": Kind("bool_"),
        "bytea": Kind("binary", copied="string", value="encode({c}, 'hex')"),
        "date": Kind("date32", copied="int32", value=_FINITE % "{c} - DATE '1970-01-01'"),
        "float4": Kind("float32"),
        "float8": Kind("float64"),
        "int2": Kind("int16"),
        "int4": Kind("int32"),
        "int8": Kind("int64"),
        "oid": Kind("int64"),
        "time": Kind("time64", ("us",), "int64", f"CASE WHEN {{c}} < TIME '24:00' THEN {_MICROSECONDS} END"),
        "timestamp": Kind("timestamp", ("us",), "int64", _FINITE % _MICROSECONDS),
        "timestamptz": Kind("timestamp", ("us", "UTC"), "int64", _FINITE % _MICROSECONDS),
    }.items()
} | {known.array_oid: Kind("string", value="to_json({c})") for known in types if known.array_oid}
_NUMERIC = types["numeric"].oid


@dataclass(frozen=True, slots=True)
class ParquetColumn:
    """A column: its name, its place in the SELECT, its field, and whether the query computes it from others."""

    name: str
    position: int
    field: models.Field[Any, Any]
    is_computed: bool


def kind_of(column: ParquetColumn, oid: int) -> Kind:
    """Return the type of a column whose values are of PostgreSQL's type ``oid``."""
    if oid != _NUMERIC:
        return _KINDS.get(oid, _TEXT)
    if isinstance(column.field, models.FloatField):  # Avg() of integers: a float in the rows too
        return Kind("float64")
    digits, places = _digits(column)
    if digits > _LONGEST:
        return _TEXT
    # NaN and infinity are above every number.
    value = f"CASE WHEN abs({{c}}) < 'Infinity'::numeric THEN round({{c}}, {places}) END"
    if digits <= _MOST_DIGITS:
        return Kind("decimal128", (digits, places), value=value)
    return Kind("decimal256", (digits, places), "string", value)


def declared_oid(field: models.Field[Any, Any], connection: Any) -> int:
    """Return the oid of the type that a field declares: of rows that PostgreSQL is not asked for."""
    kind = parse_type(field.db_type(connection) or "")
    found = types.get(kind.name)
    return found.oid if found and not kind.dimensions else 0


def parquet_sql(query: Compiled, columns: Sequence[ParquetColumn], kinds: Sequence[Kind]) -> str:
    """Return the query of the columns' values, in the same order of rows."""
    values = [kind.value.format(c=f"c{column.position}") for column, kind in zip(columns, kinds, strict=True)]
    return f"SELECT {', '.join(values)} FROM {once(query.sql or '', query.width)} AS once"  # noqa: S608 - our own names


def _digits(column: ParquetColumn) -> tuple[int, int]:
    digits, places = (getattr(column.field, name, None) for name in ("max_digits", "decimal_places"))
    if digits is None or places is None or has_any_digits(column.field):
        return _MOST_DIGITS, _PLACES
    return (max(digits, _MOST_DIGITS) if column.is_computed else digits), places  # a sum has more digits
