"""Every check that needs no database, over every report and every template of an installed app."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from django.apps import AppConfig, apps
from django.core import checks
from django.db import models

from reports.checks.clashes import check_clashes
from reports.checks.conditions import check_conditions
from reports.checks.engines import check_engines
from reports.checks.examples import check_examples
from reports.checks.folders import check_folder
from reports.checks.names import check_undeclared, check_unused
from reports.checks.ordering import check_ordering
from reports.checks.places import placed, raised
from reports.checks.prebuilt import check_bound, check_declaration
from reports.checks.quoting import check_quoting
from reports.checks.reading import Reading
from reports.checks.settings import check_settings
from reports.checks.sql_text import check_sql_text
from reports.checks.subject import Subject, reports_of
from reports.checks.trees import Tree, read_tree
from reports.checks.unread import check_unread
from reports.checks.words import check_filters, check_models
from reports.errors import TemplateError, TemplateNotFound, near
from reports.loader import Template, app_template_names, is_ours, template_names
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.rendering import compile_template
from reports.report import Report

_T = TypeVar("_T")
_Check = Callable[[Subject], Iterator[checks.CheckMessage]]

_CHECKS: tuple[_Check, ...] = (
    check_undeclared,
    check_unused,
    check_conditions,
    check_sql_text,
    check_quoting,
    check_ordering,
    check_examples,
    check_clashes,
    check_unread,
)

_PREBUILT: tuple[_Check, ...] = (check_bound, check_ordering, check_examples)

_HINT = "Templates stand in <app>/sql/<app_label>/ and are named from there: app_label/name.sql."


def check_reports(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check the reports and templates of the apps, of all by default. No database is asked; each fault is told once."""
    found = list(check_settings())
    if any(message.is_serious() for message in found):
        return found
    configs = list(apps.get_app_configs() if app_configs is None else app_configs)
    reports = reports_of(app_configs)
    found += check_engines(reports)
    seen: set[str] = set()
    for report in reports:
        found += _check_report(report, seen)
    for config in configs:
        for name in app_template_names(config.label):
            found += _check_template(name, seen)
        found += check_folder(config)
    told: dict[tuple[str | None, str], checks.CheckMessage] = {}
    for message in found:
        told.setdefault((message.id, message.msg), message)
    return list(told.values())


def _check_report(report: type[Report], seen: set[str]) -> list[checks.CheckMessage]:
    faults: list[checks.CheckMessage] = []
    template = _tried(report.get_template, report, "get_template()", faults)
    if template is None:
        return faults
    faults += check_declaration(report)
    if faults:
        return faults
    # Its own tests have proved it; a class over it is checked for what it declares.
    ours = issubclass(report, Prebuilt) and is_ours(template)
    names = [template.name, template.count] if template.count else [template.name]
    reading = _tried(lambda: Reading() if ours else Reading(*names), report, "its template", faults)
    form_class = _tried(report.get_form_class, report, "get_form_class()", faults)
    model = _tried(lambda: _row_model(report, template), report, "get_row_model()", faults)
    is_readable = not faults
    if reading is not None:
        faults += _check_trees(reading, report, seen)
        if form_class is not None and is_readable:
            subject = Subject(report, template, form_class, reading, model)
            for check in _PREBUILT if ours else _CHECKS:
                faults += _tried(partial(_run, check, subject), report, check.__name__, faults) or ()
    return faults


def _run(check: _Check, subject: Subject) -> list[checks.CheckMessage]:
    return list(check(subject))


def _row_model(report: type[Report], template: Template) -> type[models.Model] | None:
    return report.model or (report.get_row_model() if report.get_columns() else None)


def _tried(step: Callable[[], _T], report: type[Report], what: str, faults: list[checks.CheckMessage]) -> _T | None:
    """Return what a step gives; None when it fails, which is put to the faults."""
    try:
        return step()
    except TemplateNotFound as error:
        faults.append(checks.Error(str(error), hint=_HINT, obj=report, id="reports.E001"))
    except TemplateError as error:
        faults.append(checks.Error(str(error), obj=report, id="reports.E002"))
    except Exception as error:  # noqa: BLE001 - a project's own code must not keep the other checks from running
        problem = raised(error, f"{report.__qualname__}: {what}")
        faults.append(checks.Error(problem, obj=report, id="reports.E002"))
    return None


def _check_trees(reading: Reading, report: type[Report], seen: set[str]) -> Iterator[checks.CheckMessage]:
    for name, tree in reading.trees.items():
        if tree.file not in seen:
            seen.add(tree.file)
            yield from _check_tree(name, tree, report)
    for error in reading.faults.values():
        yield checks.Error(str(error), obj=report, id="reports.E002")
    for read in sorted(reading.missing):
        problem = placed(
            read.file, read.line, f"there is no template {read.name!r}.{near(read.name, template_names())}"
        )
        yield checks.Error(problem, hint=_HINT, obj=report, id="reports.E001")


def _check_template(name: str, seen: set[str]) -> Iterator[checks.CheckMessage]:
    try:
        tree = read_tree(name)
    except TemplateError as error:
        yield checks.Error(str(error), id="reports.E002")
        return
    if tree.file not in seen:
        yield from _check_tree(name, tree, None)


def _check_tree(name: str, tree: Tree, obj: object) -> Iterator[checks.CheckMessage]:
    unknown = list(check_filters(tree, obj))
    if not unknown:  # compiling would tell of the first one only
        try:
            compile_template(name)
        except TemplateError as error:
            yield checks.Error(str(error), obj=obj, id="reports.E002")
    yield from unknown
    yield from check_models(tree, obj)
