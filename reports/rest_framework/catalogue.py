"""The registered reports as an API of their own: a list of those that the user may run, and each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.viewsets import ViewSet

from reports import Report
from reports.registry import registered
from reports.rest_framework.descriptions import CatalogueReportSerializer, describe
from reports.rest_framework.permissions import MayRunReport
from reports.rest_framework.schema import ReportSchema
from reports.rest_framework.viewsets import ReportViewSet

_PERMISSIONS = (MayRunReport, *api_settings.DEFAULT_PERMISSION_CLASSES)
_made: dict[type[Report], type[ReportViewSet]] = {}


class CatalogueViewSet(ViewSet):
    """The registered reports that the user may run."""

    serializer_class = CatalogueReportSerializer
    schema = ReportSchema()
    # Permissions by model ask a view for its rows' model, and here is none; see has_permission() of each report.
    _ignore_model_permissions = True

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the reports that the user may run, by name: their parameters, their columns, where they are."""
        found = [report for report in registered().values() if report.has_permission(request.user)]
        if not found and not (request.user and request.user.is_authenticated):
            self.permission_denied(request)
        return Response([describe(one, request.build_absolute_uri(f"{one.get_name()}/")) for one in found])


class CatalogueReportViewSet(ReportViewSet):
    """A report in the catalogue, of which nobody learns anything who may not run it.

    An error before the permissions are given, be it of authentication, CSRF, a version, the format or the database, is
    answered in JSON: a page of the browsable API has a title.
    """

    report_class: Any = None
    permission_classes = _PERMISSIONS

    def handle_exception(self, exc: Exception) -> Response:
        if not self.is_permitted:
            request: Any = self.request
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().handle_exception(exc)


class NoReport(CatalogueReportViewSet):
    """What is at a name that no report has: what is at one that the user may not run."""


def viewset_for(report: type[Report]) -> type[ReportViewSet]:
    """Return the viewset that runs a report in the catalogue, made once."""
    if report not in _made:
        attributes = {"__module__": __name__, "report_class": report}
        _made[report] = type(f"{report.__name__}ViewSet", (CatalogueReportViewSet,), attributes)
    return _made[report]


@csrf_exempt
def run_by_name(request: HttpRequest, name: str, **kwargs: Any) -> HttpResponseBase:
    """Run a report that was registered after the addresses were made."""
    report = registered().get(name)
    viewset = NoReport if report is None else viewset_for(report)
    response: HttpResponseBase = viewset.as_view({"get": "retrieve" if kwargs else "list"})(request, **kwargs)
    return response


def addresses() -> Iterator[tuple[str, str, Any]]:
    """Yield address, name and view of the rows and of a row of each registered report."""
    for name, report in registered().items():
        viewset = viewset_for(report)
        yield f"{name}/", name, viewset.as_view({"get": "list"}, suffix="List", detail=False)
        yield f"{name}/<str:pk>/", f"{name}-row", viewset.as_view({"get": "retrieve"}, suffix="Row", detail=True)
