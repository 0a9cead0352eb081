"""The Django app, labelled ``sql_reports`` so that a project may have an app ``reports`` of its own."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.db.backends.signals import connection_created

from reports import guard, row_models
from reports.checks import check_database, check_reports
from reports.registry import autodiscover


class ReportsConfig(AppConfig):
    """Finds the reports of the installed apps and puts the guard on each connection."""

    name = "reports"
    label = row_models.APP_LABEL
    verbose_name = "SQL reports"

    def ready(self) -> None:
        connection_created.connect(guard.install, dispatch_uid="reports.guard")
        guard.install_on_open_connections()
        autodiscover()
        checks.register(check_reports)
        checks.register(check_database, checks.Tags.database)
        if apps.is_installed("rest_framework"):
            checks.register(_check_views, checks.Tags.urls)

    def get_model(self, model_name: str, require_ready: bool = True) -> Any:
        """Return a model; row models too, which pickle and deferred loading ask for by name."""
        found = row_models.get_row_model(model_name)
        return found or super().get_model(model_name, require_ready)


def _check_views(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    from reports.rest_framework.checks import check_views  # takes time, and no command but check needs it

    return check_views(app_configs, **kwargs)
