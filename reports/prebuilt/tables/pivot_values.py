"""The values whose columns a pivot has: those that the class lists, a field's choices, or those found in the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation, ValidationError
from django.db import connections, models
from django.db.models import BooleanField, Choices, Func, IntegerField, Q, Value
from django.db.models.expressions import Col
from django.db.models.lookups import IsNull

from reports.errors import DeclarationError
from reports.prebuilt.tables.pivot_columns import shown
from reports.prebuilt.vocabulary.attributes import is_list
from reports.prebuilt.vocabulary.dimensions import Dimension
from reports.source import TemplateSource

# A value with its label; None for what is called by its value alone.
Labelled = tuple[Any, Any]
# Values of these are compared by array_position(), and come back as they went.
TYPES = (
    "bigint", "boolean", "character varying", "citext", "date", "double precision", "inet", "integer", "interval",
    "numeric", "real", "smallint", "text", "time", "timestamp", "timestamptz", "uuid",
)  # fmt: skip


def several_values(value: Any) -> str | None:
    """Values as a list, a dict of labels, or choices; or None."""
    is_choices = isinstance(value, type) and issubclass(value, Choices)
    if value is None or is_choices or (value and (isinstance(value, Mapping) or is_list(value))):
        return None
    return "a list of values, a dict of labels by value, choices, or None"


def read_values(source: models.QuerySet[Any], dimension: Dimension, given: Any) -> tuple[Labelled, ...] | None:
    """Return the values that are known without the data; None when they are to be found there.

    Raises:
        DeclarationError: The dimension has no such value, or a value stands twice. Without the class's name.
    """
    if dimension.type not in TYPES:
        raise DeclarationError(f"columns are of the type {dimension.type}, whose values cannot become columns.")
    resolved = source.model._base_manager.values(_dimension=dimension.expression).query.annotations["_dimension"]
    field = resolved.output_field
    if given is not None:
        return _checked(field, _pairs(given))
    if isinstance(resolved, Col) and resolved.target.choices:
        found = _checked(field, resolved.target.flatchoices)
    elif dimension.type == "boolean":
        found = (False, None), (True, None)
    else:
        return None
    has_null = any(value is None for value, _ in found)
    return found if has_null or not dimension.null else (*found, (None, None))


def find_values(source: TemplateSource, alias: str) -> list[Labelled]:
    """Return the values in the data, by asking PostgreSQL.

    Raises:
        SynchronousOnlyOperation: In async code; list the values there.
        QueryError: PostgreSQL refused it.
    """
    connection: Any = connections[alias]
    try:
        with connection.cursor() as cursor:
            sql, params = source.as_sql(None, connection)
            cursor.execute(f"SELECT * FROM ({sql}\n) AS found", params)  # noqa: S608 - values are bound
            return [(value, _label(value)) for (value,) in cursor.fetchall()]
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(
            f"report {source.report!r} lists no values, so PostgreSQL must be asked for them, which async code cannot"
            " do. Set values."
        ) from error


def place_of(expression: Any, found: Iterable[Labelled], kind: str) -> Any:
    """Return the place of a row's value among those found, for ``values()``; NULL where it is none of them."""
    return Func(_array(found, kind), expression, function="array_position", output_field=IntegerField())


def is_one_of(expression: Any, found: Sequence[Labelled], kind: str) -> Q:
    """Return the condition that a row's value is one of those found."""
    listed = Func(_array(found, kind), function="ANY")
    condition = Q(Func(expression, listed, template="(%(expressions)s)", arg_joiner=" = ", output_field=BooleanField()))
    has_null = any(value is None for value, _ in found)
    return condition | Q(IsNull(expression, True)) if has_null else condition


def _array(found: Iterable[Labelled], kind: str) -> Any:
    return Func(Value([value for value, _ in found]), template=f"(%(expressions)s)::{kind}[]")


def _label(value: Any) -> str | None:
    return None if value is None or value == "" else str(shown(value))


def _pairs(given: Any) -> list[Labelled]:
    if isinstance(given, type) and issubclass(given, Choices):
        return list(given.choices)
    if isinstance(given, Mapping):
        return list(given.items())
    if all(isinstance(item, tuple) and len(item) == 2 for item in given):
        return list(given)
    return [(item, _label(item)) for item in given]


def _checked(field: models.Field[Any, Any], pairs: Iterable[Labelled]) -> tuple[Labelled, ...]:
    found: list[Labelled] = []
    for given, label in pairs:
        plain = given.value if isinstance(given, Enum) else given
        try:
            value = None if plain is None else field.to_python(plain)
        except (ValidationError, TypeError, ValueError):
            raise DeclarationError(f"values has {given!r}, which is no {type(field).__name__}'s.") from None
        if any(value == other for other, _ in found):
            raise DeclarationError(f"values has {given!r} twice.")
        found.append((value, label))
    return tuple(found)
