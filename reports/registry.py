"""The reports of a project, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

from reports import row_models
from reports.errors import AlreadyRegistered, NotRegistered, TemplateError, listed, near
from reports.loader import app_template_names, find_template
from reports.report import Report

_reports: dict[str, type[Report]] = {}


def register(report: type[Report]) -> type[Report]:
    """Register a report under its name; usable as a decorator.

    Raises:
        AlreadyRegistered: Another report has the name.
    """
    name = report.get_name()
    other = _reports.get(name, report)
    if _origin(other) != _origin(report):  # the same one again, when its module is read a second time
        raise AlreadyRegistered(
            f"two reports are called {name!r}: {_origin(other)} and {_origin(report)}. Rename one, or set its name."
        )
    for taken in _reports:
        if taken != name and row_models.model_name(taken) == row_models.model_name(name):
            raise AlreadyRegistered(f"the names {taken!r} and {name!r} come to one row model. Rename a report.")
    _reports[name] = report
    return report


def get_report(name: str) -> type[Report]:
    """Return the report class of that name.

    Raises:
        NotRegistered: There is none; names the nearest.
    """
    try:
        return _reports[name]
    except KeyError:
        raise NotRegistered(
            f"no report is called {name!r} (there are: {listed(_reports)}).{near(name, _reports)}"
        ) from None


def registered() -> Mapping[str, type[Report]]:
    """Return every report by name, sorted."""
    return MappingProxyType(dict(sorted(_reports.items())))


def autodiscover() -> None:
    """Register the reports of every installed app: its ``reports.py``, then its templates that have a ``name:``."""
    for config in apps.get_app_configs():
        _register_classes(config)
        _register_templates(config)


def _register_classes(config: AppConfig) -> None:
    if config.module is None or not module_has_submodule(config.module, "reports"):
        return
    module = import_module(f"{config.name}.reports")
    for value in list(vars(module).values()):
        is_report = isinstance(value, type) and issubclass(value, Report) and not value.is_abstract()
        if is_report and f"{value.__module__}.".startswith(f"{module.__name__}."):
            register(value)


def _register_templates(config: AppConfig) -> None:
    for template_name in app_template_names(config.label):
        try:
            header = find_template(template_name).header
        except TemplateError:
            continue  # reports.checks names it
        if header.name:
            name = header.name
            words = "".join(word.title() for word in name.rpartition(".")[2].split("_"))
            # The module gives the app's label; the qualified name tells it from a class that somebody wrote.
            attributes = {
                "__module__": f"{config.name}.reports",
                "__qualname__": f"<{template_name}>",
                "template": template_name,
                "name": name,
            }
            report: type[Report] = type(words, (Report,), attributes)
            other = _reports.get(report.get_name())
            # A class over this template that has its name already is the report: reports.checks tells of the line.
            if other is None or other.template != template_name or _origin(other) == _origin(report):
                register(report)


def _origin(report: type[Report]) -> str:
    return f"{report.__module__}.{report.__qualname__} ({report.template})"


def _make_row_model(name: str) -> None:
    for report in list(_reports.values()):
        if row_models.model_name(report.get_name()) == name:
            report.get_row_model()


row_models.makers.append(_make_row_model)
