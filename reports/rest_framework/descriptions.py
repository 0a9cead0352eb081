"""What the catalogue tells of a report, without a database."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

from django.db import connections, models, router
from rest_framework import serializers
from rest_framework.utils.formatting import markup_description

from reports import Report
from reports.rest_framework.parameters import Parameter, parameters_of
from reports.source import has_key
from reports.types import parse_type


class CatalogueChoiceSerializer(serializers.Serializer):
    """A value that a parameter may have."""

    value = serializers.JSONField()
    label = serializers.CharField()


class CatalogueParameterSerializer(serializers.Serializer):
    """A parameter: ``type`` and ``format`` are those of a value in OpenAPI, also where ``list`` says several."""

    name = serializers.CharField()
    type = serializers.CharField()
    format = serializers.CharField(allow_null=True)
    list = serializers.BooleanField()
    required = serializers.BooleanField()
    default = serializers.JSONField(allow_null=True)
    label = serializers.CharField(allow_null=True)
    help_text = serializers.CharField(allow_blank=True)
    choices = CatalogueChoiceSerializer(many=True, allow_null=True)
    choices_from = serializers.CharField(
        allow_null=True, help_text="The model whose rows are the choices, which are not listed."
    )


class CatalogueColumnSerializer(serializers.Serializer):
    """A column: its type in PostgreSQL's words, and whether it is NULL at times or part of the key."""

    name = serializers.CharField()
    type = serializers.CharField()
    unit = serializers.CharField(allow_null=True)
    label = serializers.CharField(allow_null=True)
    null = serializers.BooleanField()
    key = serializers.BooleanField()


class CatalogueReportSerializer(serializers.Serializer):
    """A report that the user may run. ``columns`` is null where nothing declares them."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField(allow_null=True, help_text="What the title does not say.")
    url = serializers.URLField()
    parameters = CatalogueParameterSerializer(many=True)
    columns = CatalogueColumnSerializer(many=True, allow_null=True)


def describe(report: type[Report], url: str) -> dict[str, Any]:
    """Return a report as ``CatalogueReportSerializer`` has it; its rows are at the address."""
    return {
        "name": report.get_name(),
        "title": report.get_title(),
        "description": _beyond_title(report),
        "url": url,
        "parameters": [_parameter(one) for one in parameters_of(report)],
        "columns": _columns(report),
    }


def description_of(report: type[Report]) -> str:
    """Return the header's ``doc``, else the class's docstring, else the title."""
    own = vars(report).get("__doc__")
    return report.get_header().doc or cleandoc(own or "") or report.get_title()


def view_description(report: type[Report], html: bool) -> str:
    """Return the description of a report as ``get_view_description()`` of its views gives one."""
    text = description_of(report)
    return str(markup_description(text)) if html else text


def _beyond_title(report: type[Report]) -> str | None:
    """Return the description without the title that it begins with; None where it says no more."""
    first, _, rest = description_of(report).partition("\n")
    return (rest.strip() or None) if first.strip() == report.get_title().strip() else description_of(report)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    value = parameter.schema["items"] if parameter.is_list else parameter.schema
    choices = parameter.choices
    return {
        "name": parameter.name,
        "type": value["type"],
        "format": value.get("format"),
        "list": parameter.is_list,
        "required": parameter.required,
        "default": parameter.default,
        "label": parameter.label or None,
        "help_text": parameter.help_text,
        "choices": None if choices is None else [{"value": value, "label": label} for value, label in choices],
        "choices_from": parameter.choices_from,
    }


def _columns(report: type[Report]) -> list[dict[str, Any]] | None:
    model = report.get_row_model()
    if model is None:
        return None
    declared = {column.name: column for column in report.get_columns()}
    alias = router.db_for_read(model)
    keys = {field.column for field in model._meta.pk_fields} if has_key(model) else set()
    found = []
    for field in model._meta.concrete_fields:
        column = declared.get(str(field.column))
        found.append(
            {
                "name": field.column,
                "type": str(parse_type(column.type if column else _type(field, alias))),
                "unit": column.unit if column else None,
                "label": str(field._verbose_name) if field._verbose_name else None,  # type: ignore[attr-defined]
                "null": field.null,
                "key": field.column in keys,
            }
        )
    return found


def _type(field: models.Field[Any, Any], alias: str) -> str:
    """Return PostgreSQL's type of a field of a model that somebody wrote."""
    connection = connections[alias]
    # That of a reference to an AutoField is without "GENERATED".
    return (field.rel_db_type(connection) if field.primary_key else field.db_type(connection)) or ""
