"""System checks: what can be known of reports before one runs, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks

from reports.errors import TemplateError, TemplateNotFound
from reports.loader import app_template_names
from reports.registry import registered
from reports.rendering import compile_template
from reports.report import Report


def check_reports(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check every registered report and every template of an installed app."""
    found: list[checks.CheckMessage] = []
    for report in registered().values():
        found += _check_report(report)
    told = {message.msg for message in found}
    for config in app_configs or apps.get_app_configs():
        for name in app_template_names(config.label):
            found += [message for message in _check_template(name) if message.msg not in told]
    return found


def _check_report(report: type[Report]) -> list[checks.CheckMessage]:
    try:
        compile_template(report.template)
        report.get_form_class()
        report.get_row_model()
    except TemplateNotFound as error:
        hint = "Templates stand in <app>/sql/<app_label>/ and are named from there: app_label/name.sql."
        return [checks.Error(str(error), hint=hint, obj=report, id="reports.E001")]
    except TemplateError as error:
        return [checks.Error(str(error), obj=report, id="reports.E002")]
    return []


def _check_template(name: str) -> list[checks.CheckMessage]:
    try:
        compile_template(name)
    except TemplateError as error:
        return [checks.Error(str(error), id="reports.E002")]
    return []
