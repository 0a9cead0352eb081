"""Names that a template reads and nothing gives, and parameters that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks

from reports.checks.context_names import context_names
from reports.checks.expressions import Read
from reports.checks.places import placed
from reports.checks.prebuilt import bound_by_name
from reports.checks.subject import Subject, mentioned_in
from reports.errors import listed, near


def check_undeclared(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E004: a name that is no parameter, not set by a statement, and not given by ``get_context()``.

    When the source of ``get_context()`` does not tell its names, only a misspelt parameter can be known: a name that
    no method of the classes mentions, near a parameter that nothing reads.
    """
    given, reads = context_names(subject.report), subject.reading.reads
    knows_all = given is not None and subject.knows_parameters
    known = {*subject.parameters, *(given or ())}
    unread = set(subject.parameters) - {read.name for read in reads}
    # A form's clean() may add values, under names that it mentions.
    mentioned = mentioned_in(subject.form_class) if knows_all else subject.mentioned()
    told = set()
    for read in sorted(reads):
        if not read.is_sure or read.name in subject.reading.optional or (read.file, read.name) in told:
            continue
        is_unknown = read.name not in known | mentioned and (knows_all or bool(near(read.name, unread)))
        if is_unknown or not read.has_context:
            told.add((read.file, read.name))
            yield _undeclared(subject, read, known)


def _undeclared(subject: Subject, read: Read, known: set[str]) -> checks.Error:
    if read.has_context:
        problem = f"{read.name!r} is undefined (the report has: {listed(known)}).{near(read.name, known)}"
        hint = "Declare it as a parameter, set it in the template, or return it from get_context()."
    else:
        problem = f"{read.name!r} is undefined: the template is imported without context."
        hint = "Import it 'with context', or pass the value to the macro."
    return checks.Error(placed(read.file, read.line, problem), hint=hint, obj=subject.report, id="reports.E004")


def check_unused(subject: Subject) -> Iterator[checks.CheckMessage]:
    """W002: a parameter that no template reads, and no method of the report or its form mentions."""
    if subject.reading.is_dynamic:
        return
    used = {read.name for read in subject.reading.reads} | subject.mentioned() | bound_by_name(subject.report)
    for name in subject.parameters:
        if name not in used:
            line = subject.line_of(name)
            whose = "" if line else f" of {subject.form_class.__qualname__}"
            yield checks.Warning(
                placed(subject.file, line, f"the parameter {name!r}{whose} is read nowhere."),
                hint=f"Take it out of the declaration, or read it: {{{{ {name} }}}}.",
                obj=subject.report,
                id="reports.W002",
            )
