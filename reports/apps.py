"""The Django app, labelled ``sql_reports`` so that a project may have an app ``reports`` of its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver

from reports import conf, guard, row_models
from reports.checks import check_database, check_reports
from reports.connecting import on_every_connection
from reports.registry import autodiscover


class ReportsConfig(AppConfig):
    """Finds the reports of the installed apps and puts the guard on each connection."""

    name = "reports"
    label = row_models.APP_LABEL
    verbose_name = "SQL reports"

    def ready(self) -> None:
        on_every_connection(guard.install, "reports.guard")
        _install_rewriter()
        _install_warnings()
        autodiscover()
        checks.register(check_reports)
        checks.register(check_database, checks.Tags.database)
        if find_spec("rest_framework"):
            checks.register(_check_views, checks.Tags.urls)

    def get_model(self, model_name: str, require_ready: bool = True) -> Any:
        """Return a model; row models too, which pickle and deferred loading ask for by name."""
        found = row_models.get_row_model(model_name)
        return found or super().get_model(model_name, require_ready)


def _install_rewriter() -> None:
    """Have statements rewritten where ``REPORTS["REWRITE"]`` says so, if sqlglot is there; else a check speaks."""
    try:
        is_wanted = bool(conf.rewrite()) and find_spec("sqlglot") is not None
    except ImproperlyConfigured:
        return
    if is_wanted:
        from reports.rewrite.sending import installation  # imports sqlglot

        installation.install_everywhere()


def _install_warnings() -> None:
    """Have statements looked through while the project is developed, if sqlglot is there; never in production."""
    try:
        is_wanted = settings.DEBUG and conf.warn_repeated() and find_spec("sqlglot") is not None
    except ImproperlyConfigured:
        return
    if is_wanted:
        from reports.rewrite.advice import warnings  # imports sqlglot

        warnings.install_everywhere()


def _has_views() -> bool:
    """Return whether the project has views of Django REST Framework, which may not be one of its apps."""
    if apps.is_installed("rest_framework"):
        return True
    try:
        if getattr(settings, "ROOT_URLCONF", None):
            get_resolver().url_patterns  # noqa: B018 - imports the views
    except Exception:  # noqa: BLE001 - a project's modules are imported here, and they may raise anything
        return False
    return "rest_framework.views" in sys.modules


def _check_views(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    if not _has_views():
        return []
    from reports.rest_framework.checks import check_views  # takes time, and no command but check needs it

    return check_views(app_configs, **kwargs)
