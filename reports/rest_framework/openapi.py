"""drf-spectacular's operations of reports: parameters, rows, formats and errors, without an annotation.

What a project says with ``extend_schema`` comes before what is said here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from inspect import cleandoc
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from reports import Report
from reports.rest_framework.counting import count_mode
from reports.rest_framework.descriptions import description_of
from reports.rest_framework.downloads import DownloadRenderer
from reports.rest_framework.form_schemas import Schema
from reports.rest_framework.openapi_filters import filter_parameters
from reports.rest_framework.openapi_responses import asks_who, download_schema, error_responses
from reports.rest_framework.pagination import ReportPagination
from reports.rest_framework.parameters import Parameter, parameters_of
from reports.rest_framework.serializers import serializer_for
from reports.source import has_key

_NO_WORD = re.compile(r"\W+")
_AutoSchema: Any = AutoSchema  # most of its methods have no annotations
_MEANINGLESS = ("description", "nullable", "readOnly", "title")


@lru_cache(maxsize=32)
def derived(schema_class: Any) -> Any:
    """Return a project's schema class made one of reports; the same class if it is not drf-spectacular's."""
    if not issubclass(schema_class, AutoSchema) or issubclass(schema_class, ReportOperation):
        return schema_class
    return type(f"Report{schema_class.__name__}", (ReportOperation, schema_class), {})


class UndeclaredRowSerializer(serializers.Serializer):
    """A row whose columns the report does not declare; ``inspectreport --write`` writes them."""


class UndeclaredRow(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its registry's
    """Such a row in OpenAPI: an object of any values."""

    target_class = UndeclaredRowSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        return {"type": "object", "additionalProperties": {}, "description": str(UndeclaredRowSerializer.__doc__)}


class ReportOperation(_AutoSchema):
    """Operations of ``ReportViewSet`` and of the catalogue. Actions that a project adds are as anywhere."""

    def get_operation_id(self) -> Any:
        """Return an identifier made of the address, so that a report may have several."""
        return _NO_WORD.sub("_", super().get_operation_id())

    def get_tags(self) -> Any:
        """Return the tags of the report's header, else its app's label."""
        report = self._report()
        if report is None:
            return super().get_tags()
        return list(report.get_header().tags) or [report.get_name().partition(".")[0]]

    def get_summary(self) -> Any:
        """Return the report's title."""
        report = self._report()
        return super().get_summary() or (report.get_title() if report else None)

    def get_description(self) -> Any:
        """Return the view's own docstring, else what the report says of itself."""
        report = self._report()
        if report is None:
            return super().get_description()
        return cleandoc(vars(type(self.view)).get("__doc__") or "") or description_of(report)

    def is_excluded(self) -> Any:
        """Return True for single rows of a report that has no key."""
        report = self._report()
        model = report.get_row_model() if report else None
        has_no_row = report is not None and self.view.action == "retrieve" and (model is None or not has_key(model))
        return has_no_row or super().is_excluded()

    def get_auth(self) -> Any:
        """Return the ways to log in; not logging in is none where the report asks who it is."""
        return [one for one in super().get_auth() if one or not asks_who(self.view)]

    def get_override_parameters(self) -> list[Any]:
        """Return the report's parameters."""
        report = self._report()
        return [*super().get_override_parameters(), *map(_parameter, parameters_of(report) if report else ())]

    def get_response_serializers(self) -> Any:
        """Return the serializer of the rows."""
        report = self._report()
        if report is None or self.view.serializer_class or report.get_row_model() is not None:
            return super().get_response_serializers()
        return UndeclaredRowSerializer

    def get_paginated_name(self, serializer_name: str) -> Any:
        """Return the name of a page of rows; those of two kinds of pagination have two."""
        name = super().get_paginated_name(serializer_name)
        if self._report() is None:
            return name
        kind = self.view.pagination_class.__name__.replace("Pagination", "").replace("Report", "")
        counted = "Uncounted" if count_mode(self.view) == "none" else ""
        return f"{counted}{'' if self.view.pagination_class is ReportPagination else kind}{name}"

    # Below are methods that drf-spectacular has for itself.

    def _report(self) -> type[Report] | None:
        """Return the report whose rows the operation gives; None for an operation of another kind."""
        action = getattr(self.view, "action", None)
        found: type[Report] | None = getattr(self.view, "report_class", None)
        return found if action in ("list", "retrieve") else None

    def _get_paginator(self) -> Any:
        paginator = super()._get_paginator()
        if hasattr(paginator, "mode"):
            paginator.mode = count_mode(self.view)
        return paginator

    def _get_filter_parameters(self) -> Any:
        if self._report() is None:
            return super()._get_filter_parameters()
        return list(filter_parameters(self, self.get_filter_backends()))

    def _resolve_path_parameters(self, variables: list[str]) -> Any:
        report = self._report()
        if report is None:
            return super()._resolve_path_parameters(variables)
        lookup = self.view.lookup_url_kwarg or self.view.lookup_field
        own = {lookup, "id"} if lookup == "pk" else {lookup}  # the generator writes {id} where the address has pk
        others = super()._resolve_path_parameters([one for one in variables if one not in own])
        return [*others, *(self._key(report, one) for one in variables if one in own)]

    def _key(self, report: type[Report], name: str) -> Schema:
        schema: Schema = {"type": "string"}
        model, lookup = report.get_row_model(), self.view.lookup_field
        try:
            field: Any = None if model is None else model._meta.pk if lookup == "pk" else model._meta.get_field(lookup)
        except FieldDoesNotExist:
            field = None
        if isinstance(field, models.CompositePrimaryKey):
            description = "The values of the key's columns, divided by commas."
        else:
            description = "The row's key."
            fields = serializer_for(report)().fields
            if field is not None and field.column in fields:
                mapped = self._map_serializer_field(fields[field.column], "request")
                schema = {word: value for word, value in mapped.items() if word not in _MEANINGLESS}
        return build_parameter_type(name=name, location="path", description=description, schema=schema)

    def _get_response_bodies(self, *args: Any, **kwargs: Any) -> Any:
        bodies = super()._get_response_bodies(*args, **kwargs)
        report = self._report()
        if report is None and hasattr(self.view, "report_class"):
            return bodies
        if report is not None and self.view.action == "list" and "200" in bodies:
            self._put_downloads(report, bodies["200"].get("content", {}))
        return dict(sorted({**error_responses(self), **bodies}.items()))

    def _put_downloads(self, report: type[Report], content: Schema) -> None:
        """Say of each format of downloads what it is: all rows, and no page."""
        declared = report.get_row_model() is not None
        row = self.resolve_serializer(serializer_for(report) if declared else UndeclaredRowSerializer, "response").ref
        downloads = {one.media_type: one for one in self.view.get_renderers() if isinstance(one, DownloadRenderer)}
        for media in content:
            renderer = downloads.get(media.partition(";")[0])
            if renderer is not None:
                content[media] = {"schema": download_schema(renderer, row)}


def _parameter(parameter: Parameter) -> OpenApiParameter:
    is_list = parameter.is_list
    return OpenApiParameter(
        parameter.name,
        type=parameter.schema,
        required=parameter.required,
        description=parameter.description,
        default=parameter.default,
        style="form" if is_list else None,
        explode=parameter.several if is_list else None,
    )
