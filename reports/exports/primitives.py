"""Values of columns as what JSON has: text, numbers, booleans, null, lists and objects.

They are those that the ModelSerializer of Django REST Framework and its JSONRenderer give for the same field, but for
what these cannot give:

- A number that JSON does not have, NaN or infinite, is null; a decimal one that is given as text is its word.
- A decimal is rounded half-even to the declared places, however many digits it has; without declared ones it is not.
- A timestamp without a zone stays without one, and a point in time whose year in the active zone is none of 1 to 9999
  is given in UTC.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from functools import partial
from math import isfinite
from types import SimpleNamespace
from typing import Any, Literal

from django.contrib.postgres import fields as postgres
from django.db import models
from django.db.models.expressions import Col
from django.utils import timezone
from django.utils.duration import duration_string

from reports.columns import has_any_digits
from reports.fields import InetField, NaiveDateTimeField, TypedTextField

Convert = Callable[[Any], Any]
Row = dict[str, Any]

# PostgreSQL's numeric has at most 131072 digits before the point and 16383 behind it.
_EVERY_DIGIT = Context(prec=200_000, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True, slots=True)
class JSONForm:
    """What JSON has several forms for: numerics, and integers that JavaScript cannot hold.

    ``"number"`` and ``"string"`` mean what DRF's settings ``COERCE_DECIMAL_TO_STRING`` and ``COERCE_BIGINT_TO_STRING``
    do. A foreign key is a number all the same, as in DRF.
    """

    decimals: Literal["string", "number"] = "string"
    bigints: Literal["number", "string"] = "number"


def primitive(field: models.Field[Any, Any], form: JSONForm) -> Convert | None:
    """Return the function that makes a JSON value of a value of the field, in the time zone that is active here.

    None when the field's values are JSON values already. The function is never called with None.
    """
    if isinstance(field, models.ForeignKey):
        return primitive(field.target_field, replace(form, bigints="number"))
    for kind in type(field).__mro__:
        if kind in _AS_THEY_ARE:
            return None
        if kind in _CONVERSIONS:
            return _CONVERSIONS[kind](field, form)
    return partial(_by_field, field)


def primitive_rows(
    rows: Iterable[Mapping[str, Any]], fields: Mapping[str, models.Field[Any, Any]], form: JSONForm
) -> list[Row]:
    """Return rows as dicts of JSON values; ``fields`` are those of the columns, by name. The rows stay as they are."""
    made = [dict(row) for row in rows]
    for name, field in fields.items():
        convert = primitive(field, form)
        # Integers are told from what was declared as one in a third of the time that int() takes, texts likewise.
        known = _KNOWN.get(convert)
        if convert is None or (known and {type(row[name]) for row in made} <= known):
            continue
        for row in made:
            value = row[name]
            if value is not None:
                row[name] = convert(value)
    return made


def exact_field(expression: Any) -> models.Field[Any, Any]:
    """Return the field of a selected expression's values. What was computed has none of the places of its operands."""
    field: models.Field[Any, Any] = expression.output_field
    if isinstance(field, models.DecimalField) and not isinstance(expression, Col):
        return models.DecimalField()
    return field


def places(field: models.DecimalField[Any, Any]) -> int | None:
    """Return the number of decimal places that a numeric column declares, None for none."""
    return None if has_any_digits(field) else field.decimal_places


def _integer(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return int


def _bigint(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return _integer_text if form.bigints == "string" else int


def _integer_text(value: Any) -> str:
    return str(int(value))


def _number(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return _float


def _float(value: Any) -> float | None:
    number = float(value)
    return number if isfinite(number) else None


def _decimal(field: Any, form: JSONForm) -> Convert:
    count = places(field)
    text = _decimal_text if count is None else partial(_rounded, Decimal((0, (1,), -count)), -1 - count)
    return text if form.decimals == "string" else lambda value: _float(text(value))


def _decimal_text(value: Any) -> str:
    return f"{value if isinstance(value, Decimal) else Decimal(str(value)):f}"


def _rounded(step: Decimal, point: int, value: Any) -> str:
    text = str(value)
    # Most have their places already: 0.2 µs in place of 0.7.
    if text[point:][:1] == "." and "E" not in text:
        return text
    number = Decimal(text)
    return f"{number.quantize(step, context=_EVERY_DIGIT) if number.is_finite() else number:f}"


def _moment(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return partial(_in_zone, timezone.get_current_timezone())


def _in_zone(zone: tzinfo, value: datetime) -> str:
    if value.tzinfo is not None:
        try:
            value = value.astimezone(zone)
        except OverflowError:
            value = value.astimezone(UTC)
    text = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _iso(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return _isoformat


def _isoformat(value: date | time) -> str:
    return value.isoformat()


def _duration(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return duration_string


def _text(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return str


def _bytes(field: models.Field[Any, Any], form: JSONForm) -> Convert:
    return lambda value: b64encode(value).decode("ascii")


def _array(field: Any, form: JSONForm) -> Convert | None:
    leaf = field.base_field
    while isinstance(leaf, postgres.ArrayField):
        leaf = leaf.base_field
    convert = None if type(leaf) in _TEXTS else primitive(leaf, form)
    return None if convert is None else partial(_items, convert)


def _items(convert: Convert, value: Any) -> Any:
    if isinstance(value, list):
        return [_items(convert, item) for item in value]
    return None if value is None else convert(value)


def _by_field(field: models.Field[Any, Any], value: Any) -> Any:
    """Return the text that Django's serializers would write, which is what DRF gives for a field it does not know."""
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return _float(value)
    if isinstance(value, datetime):
        text = value.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, (date, time)):
        return value.isoformat()
    if not hasattr(field, "attname"):  # an annotation's
        field = copy(field)
        field.set_attributes_from_name("value")
    instance: Any = SimpleNamespace(**{field.attname: value})
    return field.value_to_string(instance)


# Of values that the function would leave as they are.
_KNOWN: Mapping[Any, set[type[Any]]] = {int: {int, type(None)}, str: {str, type(None)}}
_TEXTS = {TypedTextField, models.CharField, models.TextField}
_AS_THEY_ARE = {InetField, models.BooleanField, models.JSONField, postgres.HStoreField}
# By the nearest class that stands here. In DRF those that stand nowhere are text, by the field itself.
_CONVERSIONS: Mapping[type[Any], Callable[[Any, JSONForm], Convert | None]] = {
    models.BigIntegerField: _bigint,
    models.BinaryField: _bytes,
    models.CharField: _text,
    models.DateField: _iso,
    models.DateTimeField: _moment,
    models.DecimalField: _decimal,
    models.DurationField: _duration,
    models.FloatField: _number,
    models.GenericIPAddressField: _text,
    models.IntegerField: _integer,
    models.TextField: _text,
    models.TimeField: _iso,
    models.UUIDField: _text,
    NaiveDateTimeField: _iso,
    postgres.ArrayField: _array,
}
