"""A result column of a PostgreSQL type as a Django model field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib.postgres import fields as postgres
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from reports import fields
from reports.environment import find_model
from reports.errors import TemplateError, listed, near
from reports.header import Column
from reports.types import SYNONYMS, Type, instead, parse_type

_FieldFactory = Callable[..., "models.Field[Any, Any]"]

FIELDS: Mapping[str, _FieldFactory] = {
    "bigint": models.BigIntegerField,
    "boolean": models.BooleanField,
    "bytea": models.BinaryField,
    "character": models.CharField,
    "character varying": models.CharField,
    "date": models.DateField,
    "daterange": postgres.DateRangeField,
    "double precision": models.FloatField,
    "hstore": fields.HStoreField,
    "int4range": postgres.IntegerRangeField,
    "int8range": postgres.BigIntegerRangeField,
    "integer": models.IntegerField,
    "interval": models.DurationField,
    "json": fields.PlainJSONField,
    "jsonb": models.JSONField,
    "numeric": models.DecimalField,
    "numrange": postgres.DecimalRangeField,
    "oid": fields.OidField,
    "real": fields.RealField,
    "smallint": models.SmallIntegerField,
    "text": models.TextField,
    "time": models.TimeField,
    "timestamp": fields.NaiveDateTimeField,
    "timestamptz": models.DateTimeField,
    "timetz": fields.TimeTzField,
    "tsrange": fields.TimestampRangeField,
    "tstzrange": postgres.DateTimeRangeField,
    "tsvector": SearchVectorField,
    "uuid": models.UUIDField,
}
# The fields of these are told the type.
TYPED: Mapping[str, _FieldFactory] = {
    '"char"': fields.TypedTextField,
    "bit": fields.TypedTextField,
    "bit varying": fields.TypedTextField,
    "cidr": fields.InetField,
    "citext": fields.TypedTextField,
    "datemultirange": fields.MultirangeField,
    "inet": fields.InetField,
    "int4multirange": fields.MultirangeField,
    "int8multirange": fields.MultirangeField,
    "ltree": fields.TypedTextField,
    "macaddr": fields.TypedTextField,
    "macaddr8": fields.TypedTextField,
    "name": fields.TypedTextField,
    "nummultirange": fields.MultirangeField,
    "pg_lsn": fields.TypedTextField,
    "tsmultirange": fields.MultirangeField,
    "tstzmultirange": fields.MultirangeField,
}
NAMES = (*FIELDS, *TYPED)
# PostgreSQL's numeric holds up to 131072 digits before the point and 16383 behind it; a DecimalField must name a
# number. These let through whatever a report computes.
_ANY_DIGITS = 1000, 500


def has_any_digits(field: models.Field[Any, Any]) -> bool:
    """Return whether a numeric column's digits were not declared."""
    return isinstance(field, models.DecimalField) and (field.max_digits, field.decimal_places) == _ANY_DIGITS


def build_field(column: Column, *, file: str) -> models.Field[Any, Any]:
    """Return the model field of a declared column.

    A column with ``fk=`` is a ForeignKey without a constraint; its key is the column's value.

    Raises:
        TemplateError: The type has no field, or the model of ``fk=`` does not exist; names the file and the column.
    """
    options: dict[str, Any] = {"null": column.null, "db_column": column.name}
    if column.label:
        options["verbose_name"] = column.label
    kind = _known_type(column, file)
    if column.fk:
        model = _model(column, file)
        return models.ForeignKey(model, models.DO_NOTHING, db_constraint=False, related_name="+", **options)
    factory = _factory(kind)
    if not kind.dimensions:
        return factory(**options)
    field = factory()
    for _ in range(kind.dimensions - 1):
        field = fields.ArrayField(field)
    return fields.ArrayField(field, **options)


def _model(column: Column, file: str) -> type[models.Model]:
    try:
        return find_model(str(column.fk))
    except TemplateError as error:
        raise TemplateError.at(file, column.line, f"column {column.name!r}: {error}") from None


def _known_type(column: Column, file: str) -> Type:
    kind = parse_type(column.type)
    if kind.name in NAMES:
        return kind
    if advice := instead(kind):
        problem = (
            f"column {column.name!r} is of the type {kind}, which has no field: {advice.format(name=column.name)}."
        )
        raise TemplateError.at(file, column.line, problem)
    names = (*NAMES, *SYNONYMS)
    problem = f"column {column.name!r} has the unknown type {column.type!r}"
    raise TemplateError.at(file, column.line, f"{problem} (allowed: {listed(names)}).{near(kind.name, names)}")


def _factory(kind: Type) -> _FieldFactory:
    """Return the field of one value of the type, its options still to be given."""
    if kind.name in TYPED:
        return partial(TYPED[kind.name], str(kind.item))
    if kind.dimensions and kind.name == "character":  # as an array, it is no array of varchar
        return partial(fields.TypedTextField, str(kind.item))
    factory = FIELDS[kind.name]
    if kind.name == "numeric":
        digits, places = kind.digits or _ANY_DIGITS
        return partial(factory, max_digits=digits, decimal_places=places)
    if factory is models.CharField and kind.sizes:
        return partial(factory, max_length=kind.sizes[0])
    return factory
