"""The serializer of a report's rows: what a ModelSerializer makes of the row model, under the columns' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib.postgres.fields import ArrayField
from django.db import models
from rest_framework import serializers
from rest_framework.settings import ISO_8601, api_settings
from rest_framework.utils.field_mapping import ClassLookupDict

from reports import Report
from reports.columns import has_any_digits
from reports.exports.primitives import JSONForm, primitive
from reports.fields import NaiveDateTimeField

_made: WeakKeyDictionary[type[models.Model], type[serializers.Serializer[Any]]] = WeakKeyDictionary()
_FIELDS = ClassLookupDict(serializers.ModelSerializer.serializer_field_mapping)


class PrimitiveField(serializers.CharField):
    """A value of a type that Django REST Framework has no field for, such as a range, as text."""

    def __init__(self, *, field: models.Field[Any, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._convert = primitive(field, json_form() or JSONForm())

    def to_representation(self, value: Any) -> Any:
        return value if self._convert is None else self._convert(value)


class NaiveDateTimeSerializerField(serializers.DateTimeField):
    """A date and time without a zone, which stays without one."""

    timezone = None


class _OfColumn:
    """A field whose value is under the column's name in a dict, and under the field's in an instance."""

    field_name: str

    def __init__(self, *, attname: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._attname = attname

    def get_attribute(self, instance: Any) -> Any:
        return instance[self.field_name] if isinstance(instance, Mapping) else getattr(instance, self._attname)


def serializer_for(report: type[Report]) -> type[serializers.Serializer[Any]]:
    """Return the serializer class of a report's rows, which are dicts or instances: read only, in the columns' order.

    Raises:
        TypeError: The report's columns are not declared.
    """
    model = report.get_row_model()
    if model is None:
        raise TypeError(f"the columns of the report {report.get_name()!r} are not declared: inspectreport writes them.")
    if model not in _made:
        units = {column.name: column.unit for column in report.get_columns()}
        fields: dict[str, Any] = {
            str(field.column): _field(field, units.get(str(field.column))) for field in model._meta.concrete_fields
        }
        words = report.get_name().replace(".", "_").split("_")
        name = f"{''.join(word.title() for word in words)}RowSerializer"
        _made[model] = type(name, (serializers.Serializer,), fields)
    return _made[model]


def json_form() -> JSONForm | None:
    """Return how the project's settings want JSON values; None when they name formats that only DRF's fields know."""
    dates = (api_settings.DATETIME_FORMAT, api_settings.DATE_FORMAT, api_settings.TIME_FORMAT)
    # The two settings below came with later versions than the oldest that is supported.
    if any(one != ISO_8601 for one in dates) or getattr(api_settings, "DURATION_FORMAT", "django") != "django":
        return None
    return JSONForm(
        decimals="string" if api_settings.COERCE_DECIMAL_TO_STRING else "number",
        bigints="string" if getattr(api_settings, "COERCE_BIGINT_TO_STRING", False) else "number",
    )


def _field(field: models.Field[Any, Any], unit: str | None) -> serializers.Field[Any, Any, Any, Any]:
    leaf = field.target_field if isinstance(field, models.ForeignKey) else field
    options: dict[str, Any] = {"read_only": True, "allow_null": field.null}
    if field.attname != field.column:
        # The source is what rows are ordered by: by its name a relation would be ordered as its model says.
        options |= {"attname": field.attname, "source": field.attname}
    if field._verbose_name:  # type: ignore[attr-defined]  # what somebody gave; verbose_name is made of the name
        options["label"] = str(field.verbose_name)
    if unit:
        options["help_text"] = f"Unit: {unit}."
    return _made_field(leaf, options)


def _made_field(field: models.Field[Any, Any], options: dict[str, Any]) -> serializers.Field[Any, Any, Any, Any]:
    if isinstance(field, ArrayField):
        return serializers.ListField(child=_made_field(field.base_field, {}), **options)
    kind = _kind(field)
    if kind is PrimitiveField:
        options = {**options, "field": field}
    elif issubclass(kind, serializers.DecimalField):
        digits, places = (None, None) if has_any_digits(field) else (field.max_digits, field.decimal_places)  # type: ignore[attr-defined]
        options = {**options, "max_digits": digits, "decimal_places": places}
    if "attname" in options:
        kind = type(kind.__name__, (_OfColumn, kind), {})
    made: serializers.Field[Any, Any, Any, Any] = kind(**options)
    return made


def _kind(field: models.Field[Any, Any]) -> Any:
    """Return the class of the serializer's field of one value."""
    if isinstance(field, NaiveDateTimeField):
        return NaiveDateTimeSerializerField
    kind = _FIELDS[field]
    return PrimitiveField if kind is serializers.ModelField else kind  # DRF's word for "none of mine"
