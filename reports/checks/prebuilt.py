"""Reports over this package's own templates: what their classes declare, in place of what the templates say."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks

from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.errors import DeclarationError, near
from reports.loader import is_ours
from reports.prebuilt.declared import Prebuilt
from reports.report import Report


def check_declaration(report: type[Report]) -> Iterator[checks.CheckMessage]:
    """E013: the attributes of a prebuilt report do not fit its models or one another."""
    if not issubclass(report, Prebuilt):
        return
    try:
        report.get_columns()
    except DeclarationError as error:
        yield checks.Error(
            str(error),
            hint="The class's docstring says what each attribute may be.",
            obj=report,
            id="reports.E013",
        )


def check_bound(subject: Subject) -> Iterator[checks.CheckMessage]:
    """W002: a parameter that is no attribute of the report, and that no method of the report or its form mentions."""
    if not issubclass(subject.report, Prebuilt) or not is_ours(subject.template):
        return
    vocabulary = subject.report.vocabulary
    for name in set(subject.parameters) - set(vocabulary) - subject.mentioned():
        yield checks.Warning(
            placed(subject.file, None, f"the parameter {name!r} of {subject.form_class.__qualname__} is read nowhere."),
            hint=f"A parameter that is called like an attribute sets it.{near(name, vocabulary)}",
            obj=subject.report,
            id="reports.W002",
        )
