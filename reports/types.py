"""PostgreSQL's types by their words, as a header's lines and ``format_type()`` write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

# The words of PostgreSQL that mean another type's name here.
SYNONYMS: Mapping[str, str] = {
    "bool": "boolean",
    "bpchar": "character",
    "char": "character",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "varbit": "bit varying",
    "varchar": "character varying",
}
# Types that a report cannot return, and what to cast them to. An xml or a point is equal to nothing, so that no filter,
# DISTINCT or GROUP BY would work on it; the driver gives all of them as text.
_CASTS: Mapping[str, str] = {
    "box": "text",
    "circle": "text",
    "line": "text",
    "lseg": "text",
    "money": "numeric",
    "path": "text",
    "point": "text",
    "polygon": "text",
    "xml": "text",
}
_INSTEAD: Mapping[str, str] = {
    "geography": "write ST_AsGeoJSON({name})::jsonb AS {name}",
    "geometry": "write ST_AsGeoJSON({name})::jsonb AS {name}",
    "point": "select its coordinates, as in ({name})[0] AS x, ({name})[1] AS y",
    "record": "select its fields, as in ({name}).field AS field, or write to_jsonb({name}) AS {name}",
}

_TYPE = re.compile(
    r"(?P<name>\"char\"|[a-z_][\w ]*?)\s*(?:\(\s*(?P<sizes>\d+(?:\s*,\s*-?\d+)?)\s*\))?"
    r"(?P<zone> with(?:out)? time zone)?(?P<arrays>(?:\[\])*)"
)
# interval's fields are a part of its modifier: 'interval day to second(3)'.
_INTERVAL = re.compile(r"interval (?:year|month|day|hour|minute|second)(?: to (?:month|hour|minute|second))?\b")


@dataclass(frozen=True, slots=True)
class Type:
    """A type: its canonical name, the numbers in its parentheses, the dimensions of an array, 0 for none."""

    name: str
    sizes: tuple[int, ...] = ()
    dimensions: int = 0

    def __str__(self) -> str:
        """Return the type's words, which ``parse_type`` reads as the same type."""
        sizes = f"({','.join(map(str, self.sizes))})" if self.sizes else ""
        return f"{self.name}{sizes}{'[]' * self.dimensions}"

    @property
    def item(self) -> Type:
        """The type of an array's items; any other type itself."""
        return replace(self, dimensions=0)

    @property
    def digits(self) -> tuple[int, int] | None:
        """The most digits of a numeric with sizes, and how many are behind the point, as a DecimalField counts them.

        In PostgreSQL ``numeric(3,-2)`` is a number of five digits, the last two of them 0.
        """
        if self.name != "numeric" or not self.sizes:
            return None
        precision, scale = self.sizes[0], [*self.sizes, 0][1]
        return max(precision, precision - scale, scale), max(scale, 0)

    def holds(self, other: Type) -> bool:
        """Return whether a column declared as this type may be of the other: the same, or one of fewer values.

        ``numeric`` holds ``numeric(12,2)``, and ``text`` every string. An array's dimensions are no part of its type
        in PostgreSQL: ``integer[][]`` holds ``integer[]``.
        """
        if bool(self.dimensions) != bool(other.dimensions):
            return False
        if self.name == other.name:
            return not self.sizes or self.sizes == other.sizes
        strings = ("character", "character varying", "name", '"char"')
        return not self.dimensions and self.name == "text" and other.name in strings


def parse_type(text: str) -> Type:
    """Return the type that a text means, by its canonical name. A text that is no type's is a name of its own.

    Case, white space around the numbers, and synonyms make no difference: ``INT8`` is ``bigint``.
    """
    words = " ".join(text.lower().split()).replace('"bit"', "bit")  # so format_type() writes one of any length
    match = _TYPE.fullmatch(_INTERVAL.sub("interval", words))
    if match is None:
        return Type(words)
    name = match["name"] + (match["zone"] or "")
    sizes = tuple(int(number) for number in match["sizes"].split(",")) if match["sizes"] else ()
    return Type(SYNONYMS.get(name, name), sizes, match["arrays"].count("["))


def instead(kind: Type, cast: str | None = None) -> str | None:
    """Return what to write for a column ``{name}`` of a type that a report cannot return; None for any other type.

    Args:
        cast: The type to cast to, for a type that is not known here.
    """
    if kind.name in _INSTEAD and not kind.dimensions:
        return _INSTEAD[kind.name]
    if kind.name == "record":
        return "write to_jsonb({name}) AS {name}"
    cast = _CASTS.get(kind.name, cast)
    return f"write ({{name}})::{cast}{'[]' * kind.dimensions} AS {{name}}" if cast else None
