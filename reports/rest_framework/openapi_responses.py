"""What a report's operation answers, in OpenAPI: the formats of downloads, and errors with their bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.plumbing import ResolvedComponent, modify_media_types_for_versioning
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.settings import api_settings

from reports.rest_framework.downloads import DownloadRenderer, JSONArrayRenderer, ParquetRenderer, XLSXRenderer
from reports.rest_framework.form_schemas import Schema
from reports.rest_framework.permissions import MayRunReport
from reports.rest_framework.viewsets import says_who

ERRORS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
    "description": "What is wrong, by key of the query string; what is wrong with none of them alone, under "
    f"`detail` or `{api_settings.NON_FIELD_ERRORS_KEY}`.",
}
DETAIL: Schema = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
    "description": "What is wrong.",
}
_RETRY_AFTER: Schema = {
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 0}}
}
_ROWS_ERRORS = {
    "400": "A key of the query string is unknown, or a value is refused.",
    "404": "No such page or format.",
    "503": "The report took too long, or cannot be read at the moment.",
}
_ROW_ERRORS = _ROWS_ERRORS | {"404": "No such row."}


def download_schema(renderer: DownloadRenderer, row: Schema) -> Schema:
    """Return the schema of all rows in a format, given that of a row."""
    if isinstance(renderer, JSONArrayRenderer):
        return {"type": "array", "items": row}
    is_text = str(renderer.media_type).startswith("text/") or "json" in str(renderer.media_type)
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}


def error_responses(schema: Any) -> dict[str, Schema]:
    """Return the responses by status of the operation that a schema instance describes."""
    view = schema.view
    action = view.action if hasattr(view, "report_class") else None  # the catalogue has no parameters
    found = dict(_ROWS_ERRORS if action == "list" else _ROW_ERRORS if action == "retrieve" else {})
    found |= _refusals(view)
    renderers = view.get_renderers()
    if action:
        found["406"] = "No format that the Accept header allows."
    if any(isinstance(one, XLSXRenderer) for one in renderers):
        found["413"] = "More rows than a workbook may have."
    if any(isinstance(one, ParquetRenderer) for one in renderers):
        found["422"] = "A value that the format cannot hold."
    if view.get_throttles():
        found["429"] = "Too many requests."
    return {code: _response(schema, code, description, _media(schema)) for code, description in found.items()}


def asks_who(view: Any) -> bool:
    """Return whether a report says of itself that somebody who is not logged in may not run it."""
    report = getattr(view, "report_class", None)
    if report is None:
        return False
    is_asked = says_who(report) or any(isinstance(one, MayRunReport) for one in view.get_permissions())
    return is_asked and not report.has_permission(AnonymousUser())


def _refusals(view: Any) -> dict[str, str]:
    """Return 401 where the first way to log in asks for it, as DRF decides, and 403 where somebody may be refused."""
    authenticators = view.get_authenticators()
    found: dict[str, str] = {}
    if authenticators and authenticators[0].authenticate_header(view.request):
        found["401"] = "Nobody is logged in, or not validly."
    if authenticators or asks_who(view) or any(type(one) is not AllowAny for one in view.get_permissions()):
        found["403"] = "Not allowed."
    return found


def _media(schema: Any) -> list[str]:
    """Return the media types of errors: those of pages, and for a download JSON."""
    downloads = {one.media_type for one in schema.view.get_renderers() if isinstance(one, DownloadRenderer)}
    found = [one for one in schema.map_renderers("media_type") if one not in downloads]
    if downloads:
        found.append(JSONRenderer.media_type)
    media: list[str] = modify_media_types_for_versioning(schema.view, list(dict.fromkeys(found)))
    return media


def _response(schema: Any, code: str, description: str, media: Iterable[str]) -> Schema:
    name, body = ("ReportErrors", ERRORS) if code == "400" else ("ReportErrorDetail", DETAIL)
    component = ResolvedComponent(  # type: ignore[no-untyped-call]  # as its package has it
        name=name, type=ResolvedComponent.SCHEMA, schema=body, object=name
    )
    schema.registry.register_on_missing(component)
    headers = {"headers": _RETRY_AFTER} if code in ("429", "503") else {}
    return {**headers, "content": {one: {"schema": component.ref} for one in media}, "description": description}
