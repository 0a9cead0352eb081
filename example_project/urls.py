"""An index, and for each report a page and its JSON."""

from __future__ import annotations

from django.urls import path

from example_project import views

urlpatterns = [
    path("", views.index, name="index"),
    path("reports/<slug:app>/<slug:name>/", views.report_page, name="report"),
    path("reports/<slug:app>/<slug:name>.json", views.report_json, name="report-json"),
]
