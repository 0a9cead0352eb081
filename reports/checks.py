"""System checks: what can be known of reports before one runs, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.apps import AppConfig, apps
from django.core import checks
from jinja2 import nodes

from reports.environment import environment
from reports.errors import TemplateError, TemplateNotFound
from reports.loader import app_template_names
from reports.registry import registered
from reports.rendering import compile_template
from reports.report import Report

_DOUBTFUL = (forms.IntegerField, forms.DurationField, forms.BooleanField)  # 0 and False are values of these


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
    return [
        checks.Error(
            f"{report.get_template().path}:{line}: {{% if {name} %}} leaves out 0 and false.",
            hint=f"Write {{% if {name} is given %}}, which is false for None and empty only.",
            obj=report,
            id="reports.E003",
        )
        for line, name in _truth_tests(report)
    ]


def _truth_tests(report: type[Report]) -> list[tuple[int, str]]:
    """Return (line, parameter) for each number or boolean parameter that a template takes for a condition."""
    parameters = report.get_form_class().base_fields
    doubtful = {name for name, field in parameters.items() if isinstance(field, _DOUBTFUL)}
    found = []
    for test in environment().parse(report.get_template().source).find_all((nodes.If, nodes.CondExpr)):
        conditions: list[nodes.Node] = [test.test]  # type: ignore[attr-defined]  # both kinds have it
        while conditions:
            condition = conditions.pop()
            if isinstance(condition, (nodes.And, nodes.Or)):
                conditions += [condition.left, condition.right]
            elif isinstance(condition, nodes.Not):
                conditions.append(condition.node)
            elif isinstance(condition, nodes.Name) and condition.name in doubtful:
                found.append((condition.lineno, condition.name))
    return found


def _check_template(name: str) -> list[checks.CheckMessage]:
    try:
        compile_template(name)
    except TemplateError as error:
        return [checks.Error(str(error), id="reports.E002")]
    return []
