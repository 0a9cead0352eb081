"""The keys of filters and orderings of reports' rows, in OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.extensions import OpenApiFilterExtension

from reports.rest_framework.form_schemas import Schema


def filter_parameters(schema: Any, backends: list[type[Any]]) -> Iterator[Schema]:
    """Yield the parameters of the filter backends of the operation that a schema instance describes.

    Rows whose columns are not declared have no names to filter or to order by.
    """
    view = schema.view
    is_declared = view.report_class.get_row_model() is not None
    for backend in (one() for one in backends):
        extension = OpenApiFilterExtension.get_match(backend)
        if isinstance(extension, DjangoFilterExtension):
            yield from _filter_set(schema, extension, backend) if is_declared else ()
        elif extension is not None:
            yield from extension.get_schema_operation_parameters(schema)
        elif is_declared and hasattr(backend, "get_valid_fields"):
            yield from _ordering(view, backend)
        else:
            yield from backend.get_schema_operation_parameters(view)


def _filter_set(schema: Any, extension: Any, backend: Any) -> Iterator[Schema]:
    # As the extension does it, but with the rows: their model has no `objects`, which may be a column's name.
    rows = schema.view.get_queryset()
    filter_set = backend.get_filterset_class(schema.view, rows)
    for name, one in filter_set.base_filters.items() if filter_set else ():
        yield from extension.resolve_filter_field(schema, rows.model, filter_set, name, one)


def _ordering(view: Any, backend: Any) -> Iterator[Schema]:
    """Yield the parameters of an OrderingFilter with the names that they may have."""
    fields = backend.get_valid_fields(view.get_queryset(), view, {"request": view.request, "view": view})
    names = [sign + name for name, _ in fields for sign in ("", "-")]
    for parameter in backend.get_schema_operation_parameters(view):
        if parameter["name"] == backend.ordering_param and names:
            schema = {"type": "array", "items": {"type": "string", "enum": names}}
            parameter = {**parameter, "schema": schema, "style": "form", "explode": False}
        yield parameter
