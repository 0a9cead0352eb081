"""Reports over this package's own templates: what their classes declare, in place of what the templates say."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from django.core import checks

from reports.checks.places import placed
from reports.checks.subject import Subject, codes_of
from reports.errors import DeclarationError, near
from reports.loader import is_ours
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.report import Report

_OURS = "reports.prebuilt."


def check_declaration(report: type[Report]) -> Iterator[checks.CheckMessage]:
    """E013: the attributes of a prebuilt report do not fit its models or one another."""
    if not issubclass(report, Prebuilt):
        return
    try:
        report.get_columns()
    except DeclarationError as error:
        for problem in error.problems:
            yield checks.Error(
                problem,
                hint="The class's docstring says what each attribute may be.",
                obj=report,
                id="reports.E013",
            )


def check_bound(subject: Subject) -> Iterator[checks.CheckMessage]:
    """W002: a parameter that sets no attribute of the report, and that no method of the report or its form mentions."""
    report = subject.report
    if not issubclass(report, Prebuilt) or not is_ours(subject.template):
        return
    known = bound_by_name(report)
    for name in sorted(set(subject.parameters) - known - subject.mentioned()):
        fixed = f" {name!r} is the class's only." if name in report.vocabulary else ""
        yield checks.Warning(
            placed(subject.file, None, f"the parameter {name!r} of {subject.form_class.__qualname__} is read nowhere."),
            hint=f"A parameter that is called like an attribute sets it.{fixed or near(name, known)}",
            obj=report,
            id="reports.W002",
        )


def bound_by_name(report: type[Report]) -> set[str]:
    """Return the attributes of a prebuilt report that a parameter of the name sets: their names stand in its code."""
    if not issubclass(report, Prebuilt):
        return set()
    ours = [parent for parent in report.__mro__ if issubclass(parent, Prebuilt) and parent.__module__.startswith(_OURS)]
    return set(report.vocabulary) & {text for parent in ours for code in codes_of(parent) for text in _constants(code)}


def _constants(constant: object) -> Iterator[str]:
    if isinstance(constant, str):
        yield constant
    parts = constant.co_consts if isinstance(constant, CodeType) else constant
    for part in parts if isinstance(parts, (tuple, frozenset)) else ():
        yield from _constants(part)
