"""Model fields for PostgreSQL's types that Django has no field for, or one whose values would not be found again.

``rows.filter(column=value)`` must find a row by the value that the row gives, with either way of binding parameters.
Text is sent without a type, so PostgreSQL takes it for the type of the column it is compared with; the fields below
make text of values that the driver would send as another type.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_interface
from typing import Any

from django.contrib.postgres import fields as postgres
from django.contrib.postgres import lookups
from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, FieldGetDbPrepValueMixin
from django.utils import timezone
from psycopg.adapt import PyFormat, Transformer
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types.range import Range

_TEXT_ARRAY = types["text"].array_oid
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\])')


class _OfKind(models.Field):  # type: ignore[type-arg]  # generic in the stubs only
    """A field that is told PostgreSQL's type: ``TypedTextField("macaddr")``."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def db_type(self, connection: Any) -> str:
        return self.kind

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, [self.kind, *args], kwargs


class TypedTextField(_OfKind, models.TextField):  # type: ignore[type-arg]
    """Text of a type that has no class in Python, such as macaddr. Compared and ordered as that type."""


class RealField(models.FloatField):  # type: ignore[type-arg]
    """A float of four bytes."""

    def get_internal_type(self) -> str:
        return "FloatField"

    def db_type(self, connection: Any) -> str:
        return "real"

    def get_prep_value(self, value: Any) -> Any:
        """Return what PostgreSQL makes of the column's value when it compares it with one of eight bytes."""
        found = super().get_prep_value(value)
        try:
            return struct.unpack("<f", struct.pack("<f", found))[0] if isinstance(found, float) else found
        except OverflowError:  # above every value of the type
            return found


class OidField(models.BigIntegerField):  # type: ignore[type-arg]
    """An object's number."""

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def db_type(self, connection: Any) -> str:
        return "oid"


class TimeTzField(models.TimeField):  # type: ignore[type-arg]
    """A time with a zone's offset."""

    def db_type(self, connection: Any) -> str:
        return "time with time zone"


class NaiveDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A date and time without a zone. One that has a zone is taken in the current one."""

    def get_internal_type(self) -> str:
        return "DateTimeField"

    def db_type(self, connection: Any) -> str:
        return "timestamp"

    def get_prep_value(self, value: Any) -> Any:
        # Django's own makes every value aware, and PostgreSQL would move it to the session's zone.
        found = self.to_python(value)
        return timezone.make_naive(found) if isinstance(found, datetime) and timezone.is_aware(found) else found


class InetField(_OfKind, models.GenericIPAddressField):  # type: ignore[type-arg]
    """A host's address, possibly with its network's length (inet), or a network (cidr)."""

    def to_python(self, value: Any) -> str | None:
        return None if value is None else str(value).strip()

    def get_prep_value(self, value: Any) -> str | None:
        found = self.to_python(value)
        if found is not None:
            ip_interface(found)  # ValueError, as for an integer's column
        return found

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if prepared else self.get_prep_value(value)


class _JsonCol(Col):
    """The column as jsonb: the type json has no equality and no order."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"{sql}::jsonb", params


class PlainJSONField(models.JSONField):
    """A value of the type json, whose keys keep their order. Filters and orderings are those of jsonb."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # The driver has read the column, but not what is taken out of it as jsonb.
        return value if isinstance(expression, Col) else super().from_db_value(value, expression, connection)

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_col(self, alias: str, output_field: Any = None) -> Any:
        return _JsonCol(alias, self, output_field)

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return sql.removesuffix("::jsonb"), params


class HStoreField(postgres.HStoreField):
    """A dict of text, whether or not django.contrib.postgres has told the driver of the type."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {
            _ESCAPED.sub(r"\1", pair[1]): None if pair[2] is None else _ESCAPED.sub(r"\1", pair[2])
            for pair in _PAIR.finditer(value)
        }

    def get_prep_value(self, value: Any) -> Any:
        found = super().get_prep_value(value)
        if not isinstance(found, dict):
            return found
        return ",".join(f"{_quoted(key)}=>{'NULL' if item is None else _quoted(item)}" for key, item in found.items())


def _quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'


class TimestampRangeField(postgres.DateTimeRangeField):
    """A range of dates and times without a zone."""

    base_field: Any = NaiveDateTimeField

    def db_type(self, connection: Any) -> str:
        return "tsrange"

    def get_prep_value(self, value: Any) -> Any:
        found = super().get_prep_value(value)
        if not isinstance(found, Range):
            return found
        # Django's connections send such a range as one of timestamptz.
        if found.isempty:
            return "empty"
        lower, upper = ("" if end is None else f'"{end}"' for end in (found.lower, found.upper))
        return f"{'[' if found.lower_inc else '('}{lower},{upper}{']' if found.upper_inc else ')'}"


class MultirangeField(_OfKind):
    """Several ranges, of a type such as datemultirange. Its values are psycopg's Multirange."""


class ArrayField(postgres.ArrayField):  # type: ignore[type-arg]
    """An array, read and compared by the depth its values have, which is no part of an array's type in PostgreSQL."""

    def __init__(self, base_field: Any, **kwargs: Any) -> None:
        super().__init__(base_field, **kwargs)
        self.leaf, self.depth = base_field, 1
        while isinstance(self.leaf, postgres.ArrayField):
            self.leaf, self.depth = self.leaf.base_field, self.depth + 1
        # The driver gives arrays of an extension's type as text.
        if isinstance(self.leaf, (TypedTextField, HStoreField)) or getattr(self.leaf, "from_db_value", None):
            self.from_db_value = self._from_db_value

    def _from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if isinstance(value, str):
            value = Transformer().get_loader(_TEXT_ARRAY, Format.TEXT).load(value.encode())
        convert = getattr(self.leaf, "from_db_value", None)
        return _each(value, lambda item: convert(item, expression, connection)) if convert else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        # An item of JSON may be a list itself.
        depth = self.depth if isinstance(self.leaf, models.JSONField) else None
        items = _each(value, lambda item: self.leaf.get_db_prep_value(item, connection, prepared=False), depth)
        return bytes(Transformer(connection.connection).get_dumper(items, PyFormat.TEXT).dump(items) or b"").decode()


def _each(value: Any, function: Callable[[Any], Any], depth: int | None = None) -> Any:
    """Return nested lists with the function called on each item, but not on None; lists below ``depth`` are items."""
    if isinstance(value, (list, tuple)) and depth != 0:
        return [_each(item, function, None if depth is None else depth - 1) for item in value]
    return None if value is None else function(value)


class _Contains(FieldGetDbPrepValueMixin, lookups.DataContains):
    pass


class _ContainedBy(FieldGetDbPrepValueMixin, lookups.ContainedBy):
    pass


class _Overlap(FieldGetDbPrepValueMixin, lookups.Overlap):
    pass


# Django's own write ARRAY[…], whose items lack what the field does to them, and cast it.
for _lookup in (Exact, _Contains, _ContainedBy, _Overlap):
    ArrayField.register_lookup(_lookup)
