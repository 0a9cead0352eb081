"""Declarations that nothing reads: columns beside a model, a name beside a class, a header where none counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from django.core import checks

from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.header import Header
from reports.loader import find_template
from reports.registry import registered
from reports.report import Report

COUNT = ".count.sql"


def check_unread(subject: Subject) -> Iterator[checks.CheckMessage]:
    """W004: ``column:`` lines beside a class's model. W005: ``name:`` beside a class. W006: a count template's header.

    Two reports may share a template, one with its columns and one with a model.
    """
    report, header = subject.report, subject.header
    shares = [other for other in registered().values() if other.template == report.template and other is not report]
    if report.model is not None and header.columns and all(other.model is not None for other in shares):
        line = header.columns[0].line
        yield checks.Warning(
            placed(subject.file, line, f"these columns are not read: {report.__qualname__}.model declares them."),
            hint="Keep one of the two declarations.",
            obj=report,
            id="reports.W004",
        )
    if header.name and not is_of_template(report):
        problem = f"the name {header.name!r} makes a second report of this template, beside {report.__qualname__}."
        if not any(is_of_template(other) for other in shares):
            problem = f"the name {header.name!r} is not read: {report.__qualname__} has the name {report.get_name()!r}."
        yield checks.Warning(
            placed(subject.file, header.places.get("name"), problem),
            hint="Take 'name:' out of the header; a class may set name = '…'.",
            obj=report,
            id="reports.W005",
        )
    if subject.template.count:
        yield from check_count_header(subject.template.count, report)


def check_count_header(name: str, obj: object) -> Iterator[checks.CheckMessage]:
    """W006: a count template declares what its own template declares."""
    template = find_template(name)
    declared = [
        part.name
        for part in fields(Header)
        if part.name not in ("doc", "lines", "places") and getattr(template.header, part.name)
    ]
    if declared:
        whole = name.removesuffix(COUNT) + ".sql"
        yield checks.Warning(
            placed(template.path, 1, f"a count template's header is not read, but declares: {', '.join(declared)}."),
            hint=f"It has the parameters of {whole}. Leave only 'doc:' here.",
            obj=obj,
            id="reports.W006",
        )


def is_of_template(report: type[Report]) -> bool:
    """Return whether a report was made from a template's ``name:``, without a class."""
    return report.__qualname__ == f"<{report.template}>"
