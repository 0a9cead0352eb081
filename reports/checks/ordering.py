"""The default ordering: pages of rows that stand in no fixed order repeat some and lose others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.constants import LOOKUP_SEP

from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.errors import listed, near
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.report import Report
from reports.source import has_key


def check_ordering(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E007: the ordering names no column. W001: it leaves open which of two rows comes first, or there is none."""
    model, written = subject.model, subject.report.get_ordering()
    items: Sequence[object] = written or (model._meta.ordering if model is not None else ()) or ()
    paths = [_path(item) for item in items]
    line = subject.header.places.get("ordering") if not subject.report.ordering else None
    unknown = [] if model is None else [path for path in paths if path is not None and not _is_column(model, path)]
    for path in dict.fromkeys(unknown if written else ()):  # Django checks a model's own Meta
        names = [] if model is None else _names(model)
        yield checks.Error(
            placed(
                subject.file,
                line,
                f"the ordering names no column: {path!r} (there are: {listed(names)}).{near(path, names)}",
            ),
            hint="Write columns of the report, with '-' before one for the largest first.",
            obj=subject.report,
            id="reports.E007",
        )
    if unknown or (model is None and items and "?" not in paths):
        return
    if model is not None and (_is_fixed(model, paths) or _is_of_groups(subject.report, model, paths)):
        return
    problem = "rows that are equal in the ordering have no fixed order" if items else "the rows have no fixed order"
    yield checks.Warning(
        placed(subject.file, line, f"{problem}, so that pages may repeat or lose rows."),
        hint=_hint(subject),
        obj=subject.report,
        id="reports.W001",
    )


def _hint(subject: Subject) -> str:
    where = "ordering" if subject.report.ordering else "'-- ordering:'"
    if subject.model is None:
        return "Declare the columns, say which are the key (pk), and order by it: '-- ordering: id'."
    if not has_key(subject.model):
        return (
            f"Say in the columns which are the key (pk) and end {where} with it; without a key, order by all columns."
        )
    return f"End {where} with the key: {', '.join(_keys(subject.model)[0])}."


def _path(item: object) -> str | None:
    """Return the name that an item orders by; None for an expression that is not known here."""
    expression = getattr(item, "expression", item)
    name = getattr(expression, "name", expression)
    return name.removeprefix("-").removeprefix("+") if isinstance(name, str) else None


def _keys(model: type[models.Model]) -> list[tuple[str, ...]]:
    """Return sets of columns of which no two rows have the same: the key first, without one all columns."""
    opts: Any = model._meta
    if not has_key(model):
        return [tuple(field.column for field in opts.concrete_fields)]
    unique = [(field.name,) for field in opts.concrete_fields if field.unique]
    unique += [*opts.unique_together, *(constraint.fields for constraint in opts.total_unique_constraints)]
    found = [tuple(map(opts.get_field, names)) for names in unique]
    found = [opts.pk_fields, *(fields for fields in found if not any(field.null for field in fields))]
    return [tuple(field.column for field in fields) for fields in found]


def _names(model: type[models.Model]) -> list[str]:
    return [name for field in model._meta.concrete_fields for name in dict.fromkeys((field.name, field.attname))]


def _is_fixed(model: type[models.Model], paths: Iterable[str | None], above: tuple[object, ...] = ()) -> bool:
    """Return whether no two rows can be equal in an ordering; ``above`` are the models that order by this one."""
    found = [_columns(model, path, above) for path in paths if path is not None]
    ordered = set().union(*found)
    return any(set(key) <= ordered for key in _keys(model))


def _is_of_groups(report: type[Report], model: type[models.Model], paths: Iterable[str | None]) -> bool:
    """Return whether a prebuilt report is in its own ordering, or in one by all but metrics; no group comes twice."""
    if not issubclass(report, Prebuilt):
        return False
    groups = {column.name for column in report.get_columns()} - set(report.metrics)
    return not report.ordering or groups <= set().union(*[_columns(model, path, ()) for path in paths if path])


def _columns(model: type[models.Model], path: str, above: tuple[object, ...]) -> set[str]:
    """Return the columns of the model in which two rows are the same when a path finds them equal."""
    opts: Any = model._meta
    if path == "pk":
        return {field.column for field in opts.pk_fields}
    try:
        field = opts.get_field(path)
    except FieldDoesNotExist:
        return set()
    # Django orders by a relation as its model says, unless the name is that of the key: department_id.
    related = field.related_model if path != field.attname else None
    if related is not None and related._meta.ordering:
        is_fixed = related not in above and _is_fixed(related, map(_path, related._meta.ordering), (*above, model))
        return {field.column} if is_fixed else set()
    return {field.column}


def _is_column(model: type[models.Model], path: str) -> bool:
    """Return whether a path leads through fields, of related models too, to a field or a transform of one."""
    if path == "?" or (path == "pk" and has_key(model)):
        return True
    opts: Any = model._meta
    field: Any = None
    for part in path.split(LOOKUP_SEP):
        try:
            if opts is None or (part == "pk" and field is None):
                raise FieldDoesNotExist
            field = opts.pk if part == "pk" else opts.get_field(part)
        except FieldDoesNotExist:
            if not hasattr(field, "get_transform") or field.get_transform(part) is None:
                return False
            opts = None
        else:
            opts = field.related_model._meta if field.related_model else None
    return True
