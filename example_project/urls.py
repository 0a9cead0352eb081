"""An index; dashboards; for each report a page, its JSON and its files; the API."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from example_project import boards, views
from example_project.api import router

urlpatterns = [
    path("", views.index, name="index"),
    path("dashboards/<slug:name>/", boards.board, name="board"),
    path("reports/<slug:app>/<slug:name>/", views.report_page, name="report"),
    path("reports/<slug:app>/<slug:name>.json", views.report_json, name="report-json"),
    path("reports/<slug:app>/<slug:name>.<str:extension>", views.report_file, name="report-file"),
    path("api/auth/", include("rest_framework.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/reports/", include("reports.rest_framework.urls")),
    path("api/", include(router.urls)),
]
