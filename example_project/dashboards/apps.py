"""The dashboards app."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    """The app labelled ``dashboards``."""

    name = "example_project.dashboards"
    label = "dashboards"
    default_auto_field = "django.db.models.BigAutoField"
