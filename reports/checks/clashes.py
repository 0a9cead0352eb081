"""Parameters that share a name of the query string with paging or with a column's filter."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from django.db.models.constants import LOOKUP_SEP

from reports.checks.places import placed
from reports.checks.subject import Subject

_PAGING = ("cursor", "format", "limit", "offset", "ordering", "page", "page_size", "search")


def check_clashes(subject: Subject) -> Iterator[checks.CheckMessage]:
    """W003: a parameter is called like a key of paging, or like a column with a lookup.

    One that is called like a column is meant so: ``status`` chooses what the template reads, and the rows have it.
    """
    columns = {name for field in (subject.model._meta.concrete_fields if subject.model is not None else ())
               for name in (field.name, field.attname)}  # fmt: skip
    for name in subject.parameters:
        column, separator, _ = name.partition(LOOKUP_SEP)
        if name in _PAGING:
            problem = f"the parameter {name!r} has the name of a key for paging and formats"
        elif separator and column in columns:
            problem = f"the parameter {name!r} has the name of a filter on the column {column!r}"
        else:
            continue
        yield checks.Warning(
            placed(subject.file, subject.line_of(name), f"{problem}, which a query string could not tell apart."),
            hint="Rename the parameter.",
            obj=subject.report,
            id="reports.W003",
        )
