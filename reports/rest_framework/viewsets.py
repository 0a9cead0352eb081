"""A report as a read-only resource of an API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from django.db import models
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from reports import ParamsError, QueryError, Report, Rows
from reports.errors import listed
from reports.rest_framework.descriptions import view_description
from reports.rest_framework.downloads import DownloadRenderer
from reports.rest_framework.errors import api_exception, is_of_a_value, params_detail
from reports.rest_framework.json_renderer import ReportJSONRenderer
from reports.rest_framework.pagination import ReportPagination
from reports.rest_framework.query_keys import check_query, wrong_values
from reports.rest_framework.reading import data_of, read_page, read_row
from reports.rest_framework.renderers import renderers
from reports.rest_framework.schema import ReportSchema
from reports.rest_framework.serializers import serializer_for
from reports.source import has_key


class ReportViewSet(GenericViewSet):
    """Pages, single rows and downloads of a report, at the addresses of any router.

    Everything else is Django REST Framework's: permissions, throttles, versions, filter backends, pagination.
    """

    # The report; it may also be given to as_view().
    report_class: type[Report] = None  # type: ignore[assignment]  # a base class of a project has none
    # How a page learns the number of rows: by counting, as the planner expects, or not at all.
    count: ClassVar[Literal["exact", "estimate", "none"]] = "exact"
    # Whether a key of the query string that nothing reads is a 400; keys of your own are told here.
    strict_query: ClassVar[bool] = True
    extra_query_keys: ClassVar[Sequence[str]] = ()

    # Whether permission to run the report was checked and given.
    is_permitted = False

    renderer_classes = renderers(api_settings.DEFAULT_RENDERER_CLASSES)
    pagination_class: Any = ReportPagination
    schema = ReportSchema()

    # For subclasses.

    def get_report(self) -> Report:
        """Return the report for the request's user."""
        return self.report_class(user=getattr(self.request, "user", None))

    def get_params(self) -> Mapping[str, Any]:
        """Return the report's parameters: those of the query string."""
        params: Mapping[str, Any] = self.request.query_params
        return params

    def get_queryset(self) -> QuerySet[Any]:
        """Return the report's rows for the request.

        Raises:
            ParamsError: Answered with 400.
        """
        if getattr(self, "swagger_fake_view", False):  # a schema is made without parameters
            return Rows(self.report_class.get_row_model()).none()
        return self.get_report().run(self.get_params())

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return ``serializer_class``, which gets instances, else the serializer of the report's columns."""
        return self.serializer_class or serializer_for(self.report_class)

    def has_own_serializer(self) -> bool:
        """Return whether the project says how rows are shown: by ``serializer_class``, or a method of its own."""
        own = (type(self).get_serializer_class, type(self).get_serializer)
        return self.serializer_class is not None or own != (
            ReportViewSet.get_serializer_class,
            ReportViewSet.get_serializer,
        )

    # Actions.

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Give a page of rows, or all of them as a download."""
        rows = self.filter_queryset(self.get_queryset())
        renderer = request.accepted_renderer
        if isinstance(renderer, DownloadRenderer):
            return self._download(renderer, rows)
        read = read_page(self, rows)
        page = self.paginate_queryset(read)
        data = data_of(self, rows, list(read) if page is None else page)
        response: HttpResponseBase = Response(data) if page is None else self.get_paginated_response(data)
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the row of a key; the values of a key of several columns are divided by commas."""
        rows = self.filter_queryset(self.get_queryset())
        return Response(data_of(self, rows, [self._row(rows)])[0])

    def get_object(self) -> Any:
        """Return the row of the key in the address.

        Raises:
            Http404: There is none, or the report has no key.
        """
        return self._row(self.filter_queryset(self.get_queryset()))

    def _row(self, rows: QuerySet[Any]) -> Any:
        if not has_key(rows.model):
            raise Http404
        key: Any = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        if "\0" in str(key):  # no text in PostgreSQL has it
            raise Http404
        if self.lookup_field == "pk" and isinstance(rows.model._meta.pk, models.CompositePrimaryKey):
            key = tuple(key.split(","))
        try:
            row = get_object_or_404(read_row(self, rows), **{self.lookup_field: key})
        except (Http404, OverflowError):
            raise Http404 from None  # without its text, which names the class of the rows
        except QueryError as error:
            if is_of_a_value(error):
                raise Http404 from error
            raise
        self.check_object_permissions(self.request, row)
        return row

    def _download(self, renderer: DownloadRenderer, rows: QuerySet[Any]) -> HttpResponseBase:
        name = renderer.filename(rows)
        if self.request.method == "HEAD":  # a server would read all rows to throw them away
            return renderer.head(name)
        return renderer.respond(rows, name, self._failed)

    # What Django REST Framework calls.

    def get_view_description(self, html: bool = False) -> str:
        """Return what the project's function says of the view, else what the report says of itself."""
        own = str(super().get_view_description())
        if own or not self.is_permitted:  # the report's own words are for those who may run it
            return str(super().get_view_description(html))
        return view_description(self.report_class, html)

    def get_renderers(self) -> Sequence[Any]:
        """Return the renderers. Downloads are of all rows, and have all columns, whatever a serializer shows.

        With a serializer of your own there are none, unless ``renderer_classes`` of your own name them.
        """
        found: Sequence[Any] = super().get_renderers()
        is_ours = self.renderer_classes is ReportViewSet.renderer_classes
        if self.action == "list" and not (is_ours and self.has_own_serializer()):
            return found
        return [one for one in found if not isinstance(one, DownloadRenderer)]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        try:
            return super().perform_content_negotiation(request, force)
        except Http404:
            formats = listed({one.format for one in self.get_renderers() if one.format})
            raise NotFound(f"No such format here (there are: {formats}).") from None

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            found: QuerySet[Any] = super().filter_queryset(queryset)
        except (OverflowError, ValueError) as error:  # of a value that the column's type does not have
            raise ValidationError({"detail": ["A filter has a value that its column cannot have."]}) from error
        return found

    def check_permissions(self, request: Request) -> None:
        """Refuse whom a permission class refuses, or the report where it says who may run it."""
        super().check_permissions(request)
        if says_who(self.report_class) and not self.report_class.has_permission(request.user):
            self.permission_denied(request)
        self.is_permitted = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in ("list", "retrieve"):
            check_query(self)

    def handle_exception(self, exc: Exception) -> Response:
        asked = bool(getattr(self.request, "query_params", None))
        if isinstance(exc, ParamsError):
            exc = ValidationError({**params_detail(exc), **wrong_values(self)})
        elif isinstance(exc, ValidationError) and isinstance(exc.detail, list):  # a SearchFilter's, say
            exc = ValidationError({api_settings.NON_FIELD_ERRORS_KEY: exc.detail})
        response: Response = super().handle_exception(api_exception(exc, asked=asked) or exc)
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(response, Response) and isinstance(
            getattr(request, "accepted_renderer", None), DownloadRenderer
        ):  # an error
            request.accepted_renderer, request.accepted_media_type = ReportJSONRenderer(), ReportJSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)

    def _failed(self, error: Exception) -> HttpResponseBase:
        """Return the response of an error that came when the first bytes were read, after the view."""
        self.headers = self.default_response_headers
        response = self.finalize_response(self.request, self.handle_exception(error), *self.args, **self.kwargs)
        rendered: HttpResponseBase = response.render()
        return rendered


def says_who(report: type[Report]) -> bool:
    """Return whether a report itself says who may run it."""
    own: Any = report.has_permission
    return bool(report.permission_required) or own.__func__ is not Report.has_permission.__func__  # type: ignore[attr-defined]
