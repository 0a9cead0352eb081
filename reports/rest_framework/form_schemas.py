"""Form fields as JSON Schema in OpenAPI's words, without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField, SplitArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.choices import CallableChoiceIterator
from django.utils.duration import duration_iso_string

from reports.param_fields import ListParam

Schema = dict[str, Any]
Choice = tuple[Any, str]

# What no parameter may exceed; see reports.params.
_BIGINT = -(2**63), 2**63 - 1
# The first class that fits counts.
_TYPES: tuple[tuple[type[forms.Field], Schema], ...] = (
    (forms.BooleanField, {"type": "boolean"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.TimeField, {"type": "string", "format": "time"}),
    (forms.DurationField, {"type": "string", "format": "duration"}),
    (forms.FloatField, {"type": "number", "format": "double"}),
    (forms.DecimalField, {"type": "number", "format": "decimal"}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
)
_MODEL_TYPES: tuple[tuple[type[models.Field[Any, Any]], Schema], ...] = (
    (models.IntegerField, {"type": "integer"}),
    (models.UUIDField, {"type": "string", "format": "uuid"}),
    (models.DateTimeField, {"type": "string", "format": "date-time"}),
    (models.DateField, {"type": "string", "format": "date"}),
)


def field_schema(field: forms.Field) -> Schema:
    """Return the schema of a field's value; for a field of several values, that of a list."""
    if isinstance(field, (ListParam, SimpleArrayField, SplitArrayField)):
        item = field.item if isinstance(field, ListParam) else field.base_field
        return _list(field_schema(item), field)
    if isinstance(field, forms.ModelChoiceField):
        item_schema = _key_schema(field)
        return _list(item_schema, field) if isinstance(field, forms.ModelMultipleChoiceField) else item_schema
    if isinstance(field, forms.ChoiceField):
        return _choice_schema(field)
    schema = dict(next((one for kind, one in _TYPES if isinstance(field, kind)), {"type": "string"}))
    return {**schema, **_limits(field, schema)}


def choices_of(field: forms.Field) -> list[Choice] | None:
    """Return the values and labels of a field's choices, the empty one left out.

    None where it has none, or where only a database or a function can tell them.
    """
    if not isinstance(field, forms.ChoiceField) or isinstance(field, forms.ModelChoiceField):
        return None
    choices: Any = field.choices
    if isinstance(choices, CallableChoiceIterator):
        return None
    convert = _choice_conversion(field)
    return [(convert(value), str(label)) for value, label in _flat(choices) if value not in (None, "")]


def default_of(field: forms.Field) -> Any:
    """Return the ``initial`` of a field as a JSON value; None without one, or where a function makes it."""
    value = field.initial
    if value is None or callable(value) or isinstance(field, forms.ModelChoiceField):
        return None
    if isinstance(field, forms.ChoiceField):
        convert = _choice_conversion(field)
        return [convert(one) for one in value] if isinstance(value, (list, tuple)) else convert(value)
    try:
        return plain(field.to_python(value))
    except ValidationError:
        return plain(value)


def plain(value: Any) -> Any:
    """Return a Python value as JSON has it."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return duration_iso_string(value) if isinstance(value, timedelta) else str(value)


def _list(item: Schema, field: forms.Field) -> Schema:
    limits = {"minItems": getattr(field, "min_length", None), "maxItems": getattr(field, "max_length", None)}
    return {"type": "array", "items": item, **{word: limit for word, limit in limits.items() if limit is not None}}


def _key_schema(field: forms.ModelChoiceField[Any]) -> Schema:
    meta = field.queryset.model._meta if field.queryset is not None else None
    if meta is None:
        return {"type": "string"}
    key: Any = meta.get_field(field.to_field_name) if field.to_field_name else meta.pk
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    return dict(next((schema for kind, schema in _MODEL_TYPES if isinstance(key, kind)), {"type": "string"}))


def _choice_schema(field: forms.ChoiceField) -> Schema:
    several = isinstance(field, forms.MultipleChoiceField)
    values = [value for value, _ in choices_of(field) or ()]
    is_number = bool(values) and all(type(value) is int for value in values)
    schema: Schema = {"type": "integer" if is_number else "string"}
    if values:
        schema["enum"] = list(dict.fromkeys(values))
    return _list(schema, field) if several else schema


def _choice_conversion(field: forms.ChoiceField) -> Callable[[Any], Any]:
    """Return what makes JSON values of choices: whole numbers where the query string has them as their text."""
    choices: Any = field.choices
    known = () if isinstance(choices, CallableChoiceIterator) else _flat(choices)
    values = [value for value, _ in known if value not in (None, "")]
    coerce: Callable[[Any], Any] = getattr(field, "coerce", lambda value: value)
    try:
        is_number = bool(values) and all(type(made := coerce(one)) is int and str(made) == str(one) for one in values)
    except (ArithmeticError, TypeError, ValueError, ValidationError):
        is_number = False
    return int if is_number else str


def _flat(choices: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for value, label in choices:
        if isinstance(label, (list, tuple)):
            yield from _flat(label)
        else:
            yield value, label


def _limits(field: forms.Field, schema: Mapping[str, Any]) -> Schema:
    limits: Schema = {}
    if schema["type"] in ("integer", "number"):
        least, most = (getattr(field, name, None) for name in ("min_value", "max_value"))
        if schema["type"] == "integer":
            least, most = (_BIGINT[0] if least is None else least), (_BIGINT[1] if most is None else most)
        limits = {"minimum": least, "maximum": most}
    elif schema == {"type": "string"}:
        limits = {"minLength": getattr(field, "min_length", None), "maxLength": getattr(field, "max_length", None)}
    return {word: plain(limit) for word, limit in limits.items() if limit is not None and not callable(limit)}
