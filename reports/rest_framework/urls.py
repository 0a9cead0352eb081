"""The catalogue: ``path("api/reports/", include("reports.rest_framework.urls"))``.

Each report that is registered when the addresses are made has its own, so that OpenAPI shows its parameters; one that
is registered later is found by its name.
"""

from __future__ import annotations

from django.urls import path

from reports.rest_framework.catalogue import CatalogueViewSet, addresses, run_by_name

app_name = "reports"
urlpatterns = [
    path("", CatalogueViewSet.as_view({"get": "list"}), name="catalogue"),
    *(path(address, view, name=name) for address, name, view in addresses()),
    path("<str:name>/", run_by_name, name="report"),
    path("<str:name>/<str:pk>/", run_by_name, name="report-row"),
]
