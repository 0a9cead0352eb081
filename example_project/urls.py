"""An index, and for each report a page, its JSON and its CSV."""

from __future__ import annotations

from django.urls import path

from example_project import views

urlpatterns = [
    path("", views.index, name="index"),
    path("reports/<slug:app>/<slug:name>/", views.report_page, name="report"),
    path("reports/<slug:app>/<slug:name>.json", views.report_json, name="report-json"),
    path("reports/<slug:app>/<slug:name>.csv", views.report_csv, name="report-csv"),
]
