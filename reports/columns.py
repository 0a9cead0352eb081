"""A result column of a PostgreSQL type as a Django model field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.contrib.postgres import fields as postgres
from django.db import models

from reports.errors import TemplateError, listed, near
from reports.header import Column

_FieldFactory = Callable[..., "models.Field[Any, Any]"]


class CITextField(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """Text of the type citext."""


class RealField(models.FloatField):  # type: ignore[type-arg]
    """A float of four bytes."""

    def get_internal_type(self) -> str:
        return "FloatField"


FIELDS: Mapping[str, _FieldFactory] = {
    "bigint": models.BigIntegerField,
    "boolean": models.BooleanField,
    "bytea": models.BinaryField,
    "character": models.CharField,
    "character varying": models.CharField,
    "citext": CITextField,
    "date": models.DateField,
    "daterange": postgres.DateRangeField,
    "double precision": models.FloatField,
    "inet": models.GenericIPAddressField,
    "int4range": postgres.IntegerRangeField,
    "int8range": postgres.BigIntegerRangeField,
    "integer": models.IntegerField,
    "interval": models.DurationField,
    "jsonb": models.JSONField,
    "numeric": models.DecimalField,
    "numrange": postgres.DecimalRangeField,
    "real": RealField,
    "smallint": models.SmallIntegerField,
    "text": models.TextField,
    "time": models.TimeField,
    "timestamp": models.DateTimeField,
    "timestamptz": models.DateTimeField,
    "tstzrange": postgres.DateTimeRangeField,
    "uuid": models.UUIDField,
}
SYNONYMS = {
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
    "name": "text",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "varchar": "character varying",
}
# PostgreSQL's numeric holds up to 131072 digits before the point and 16383 behind it; a DecimalField must name a
# number. These let through whatever a report computes.
_ANY_DIGITS = {"max_digits": 1000, "decimal_places": 500}

_TYPE = re.compile(
    r"(?P<name>[a-z_][\w ]*?)\s*(?:\((?P<numbers>\d+(?:\s*,\s*-?\d+)?)\))?"
    r"(?P<zone> with(?:out)? time zone)?(?P<arrays>(?:\[\])*)$"
)


def build_field(column: Column, *, file: str) -> models.Field[Any, Any]:
    """Return the model field of a declared column.

    A column with ``fk=`` is a ForeignKey without a constraint; its key is the column's value.

    Raises:
        TemplateError: The type has no field, or the model of ``fk=`` does not exist; names the file and the column.
    """
    options: dict[str, Any] = {"null": column.null, "db_column": column.name}
    if column.label:
        options["verbose_name"] = column.label
    if column.fk:
        return models.ForeignKey(
            _model(column, file), models.DO_NOTHING, db_constraint=False, related_name="+", **options
        )
    factory, size, dimensions = _parsed(column, file)
    if not dimensions:
        return factory(**size, **options)
    field = factory(**size)
    for _ in range(dimensions - 1):
        field = postgres.ArrayField(field)
    return postgres.ArrayField(field, **options)


def _model(column: Column, file: str) -> type[models.Model]:
    try:
        return apps.get_model(str(column.fk))
    except (LookupError, ValueError):
        names = [model._meta.label for model in apps.get_models()]
        raise TemplateError.at(
            file, column.line, f"column {column.name!r}: there is no model {column.fk!r}.{near(str(column.fk), names)}"
        ) from None


def _parsed(column: Column, file: str) -> tuple[_FieldFactory, dict[str, int], int]:
    """Return the field class, its size options and the array's dimensions, 0 for none."""
    match = _TYPE.match(column.type)
    word = match["name"] + (match["zone"] or "") if match else column.type
    name = SYNONYMS.get(word, word)
    if match is None or name not in FIELDS:
        names = (*FIELDS, *SYNONYMS)
        problem = f"column {column.name!r} has the unknown type {column.type!r}"
        raise TemplateError.at(file, column.line, f"{problem} (allowed: {listed(names)}).{near(word, names)}")
    numbers = [int(number) for number in match["numbers"].split(",")] if match["numbers"] else []
    size: dict[str, int] = {}
    if name == "numeric":
        size = {"max_digits": numbers[0], "decimal_places": [*numbers, 0][1]} if numbers else _ANY_DIGITS
    elif FIELDS[name] is models.CharField and numbers:
        size = {"max_length": numbers[0]}
    return FIELDS[name], size, match["arrays"].count("[")
