"""The browsable API of reports: their parameters and filters as one form above the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import override_method
from rest_framework.settings import api_settings

from reports.rest_framework.downloads import DownloadRenderer
from reports.rest_framework.errors import Unavailable
from reports.rest_framework.query_form import POSITIONS, QueryForm, query_form
from reports.rest_framework.row_table import row_table

_REFUSED = (status.HTTP_401_UNAUTHORIZED, status.HTTP_403_FORBIDDEN)
# Beside these, a download has nothing of a page's size.
_SIZES = ("page_size_query_param", "limit_query_param")


@dataclass(frozen=True, slots=True)
class Download:
    """A link to all rows in one format."""

    format: str
    query: str


class ReportBrowsableAPIRenderer(BrowsableAPIRenderer):
    """Pages for people, with the form of the report's parameters and filters, downloads, and the rows as a table."""

    template = "reports/rest_framework/api.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the page shows: Django REST Framework's, and the form, the downloads and the table of rows.

        Who may not see the rows sees none of it: choices of a form are data too, and a title may be a secret.
        """
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        view, request = renderer_context["view"], renderer_context["request"]
        if not _is_report(view):
            return context
        code = renderer_context["response"].status_code
        if _is_unavailable(data) or code in _REFUSED:
            return {**context, "description": ""}
        with override_method(view, request, "GET") as asked:
            action, is_permitted = view.action, self.show_form_for_method(view, "GET", asked, None)
        if not is_permitted:
            return {**context, "description": ""}
        if action == "list":
            context["query_form"] = self._form(view, data, code)
            context["downloads"] = downloads(view) if code == status.HTTP_200_OK else []
        if code == status.HTTP_200_OK and request.method == "GET" and action in ("list", "retrieve"):
            rows = _rows(view, data) if action == "list" else [data]
            context["table"] = row_table(type(view.get_report()), rows)
        return context

    def get_filter_form(self, data: Any, view: Any, request: Any) -> Any:
        """Return no window of filters for a report: they are in the form."""
        return None if _is_report(view) else super().get_filter_form(data, view, request)

    def get_default_renderer(self, view: Any) -> Any:
        """Return the renderer of what the page shows as the response: never one of downloads."""
        found = super().get_default_renderer(view)
        return JSONRenderer() if isinstance(found, DownloadRenderer) else found

    def _form(self, view: Any, data: Any, code: int) -> QueryForm | None:
        try:
            return query_form(view, data if code == status.HTTP_400_BAD_REQUEST else None)
        except APIException:  # the view refuses the request before there are parameters
            return None


def downloads(view: Any) -> list[Download]:
    """Return links to the formats of downloads, with the parameters, filters and ordering of the request.

    There are none where the project lets no query string choose the format.
    """
    key = api_settings.URL_FORMAT_OVERRIDE
    if not key:
        return []
    query = view.request.query_params.copy()
    for name in (*POSITIONS, *_SIZES):
        query.pop(getattr(view.paginator, name, None), None)
    found = []
    for renderer in view.get_renderers():
        if isinstance(renderer, DownloadRenderer):
            query[key] = renderer.format
            found.append(Download(str(renderer.format), query.urlencode()))
    return found


def _is_report(view: Any) -> bool:
    return hasattr(view, "get_report") and hasattr(view, "get_params")


def _is_unavailable(data: Any) -> bool:
    """Return whether the database cannot be asked, not even for the choices of a form."""
    detail = data.get("detail") if isinstance(data, Mapping) else None
    return getattr(detail, "code", None) == Unavailable.default_code


def _rows(view: Any, data: Any) -> Sequence[Any]:
    """Return the rows in a response's data; none where its shape is of the project's own."""
    if isinstance(data, list) or view.paginator is None:
        found = data
    else:
        try:
            found = view.paginator.get_results(data)
        except (KeyError, TypeError):
            return []
    return found if isinstance(found, Sequence) else []
