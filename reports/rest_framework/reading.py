"""What a view reads rows as: texts of JSON, instances for a serializer of the project's own, else dicts."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from django.db import models
from django.db.models import QuerySet
from rest_framework.pagination import CursorPagination

from reports import Rows
from reports.exports.json_rows import json_rows
from reports.exports.primitives import JSONForm, exact_field, primitive_rows
from reports.rest_framework.json_renderer import ReportJSONRenderer, RowsJSON
from reports.rest_framework.serializers import json_form

# A page of at most so many rows is made of dicts, by a simpler statement: 25 rows take 0.7 ms in place of 0.9.
_FEW = 200


def read_page(view: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows as the answer to a list takes them, to be cut into pages."""
    return json_rows(rows, json_form() or JSONForm()) if _takes_built(view, rows) else read_row(view, rows)


def read_row(view: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows as the answer of one row takes them."""
    if not isinstance(rows, Rows):
        return rows
    return rows.instances() if view.has_own_serializer() else rows.dicts()


def data_of(view: Any, rows: QuerySet[Any], page: Sequence[Any]) -> Any:
    """Return what was read of rows as the response's data."""
    form = json_form()
    if page and isinstance(page[0], str):
        return RowsJSON(list(page))
    if form is None or view.has_own_serializer() or not isinstance(rows, Rows):
        return view.get_serializer(page, many=True).data
    return primitive_rows(page, _fields(rows), form)


def _takes_built(view: Any, rows: QuerySet[Any]) -> bool:
    """Return whether the rows' JSON may come from PostgreSQL as it is."""
    renderer = view.request.accepted_renderer
    return (
        isinstance(rows, Rows)
        and not view.has_own_serializer()
        and isinstance(renderer, ReportJSONRenderer)
        and not renderer.ensure_ascii
        and not isinstance(view.paginator, CursorPagination)  # it looks into the rows
        and _page_size(view) > _FEW
        and json_form() is not None
    )


def _page_size(view: Any) -> float:
    """Return how many rows the request asks for at most."""
    asks = getattr(view.paginator, "get_page_size", None) or getattr(view.paginator, "get_limit", None)
    return (asks and asks(view.request)) or inf


def _fields(rows: Rows) -> dict[str, models.Field[Any, Any]]:
    """Return the field of each of the rows' values, by its name in a dict."""
    query: Any = rows.query
    fields = {field.column: field for field in rows.model._meta.concrete_fields}
    return {**fields, **{name: exact_field(one) for name, one in query.annotation_select.items()}}
