"""The class of a report's rows: an unmanaged model made from its columns.

Row models live in an ``Apps`` of their own: no migration, content type, permission or reverse relation comes from
them. Pickle and Django's deferred loading find them by name all the same: as an attribute of this module, and through
``ReportsConfig.get_model``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.apps.registry import Apps
from django.db import models

from reports.columns import build_field
from reports.errors import TemplateError
from reports.header import Column

APP_LABEL = "sql_reports"

_private = Apps()
_models: dict[str, type[models.Model]] = {}
# The registry puts itself here: a row model that this process has not made yet is made from its report.
makers: list[Callable[[str], object]] = []

_REFUSED = re.compile(r"__|_$|^pk$")


class RowModel:
    """What row models have in common. ``has_key`` is False when no column was declared ``pk``."""

    has_key: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = ()


def build_row_model(
    report: str, columns: Iterable[Column], *, ordering: Iterable[str], file: str
) -> type[models.Model]:
    """Return the row model of a report: one field per column, in their order.

    Django needs a primary key. Without a declared one the first column takes that place in Django's bookkeeping, and
    everything that would rely on it is refused by ``reports.source``.

    Raises:
        TemplateError: A column's name or type cannot be a field; names the file and the column.
    """
    declared = tuple(columns)
    keys = [column for column in declared if column.pk]
    attributes: dict[str, Any] = {"__module__": __name__, "has_key": bool(keys), "columns": declared}
    _check_names(declared, file)
    for position, column in enumerate(declared):
        field = build_field(column, file=file)
        field.primary_key = (column.pk and len(keys) == 1) or (not keys and position == 0)
        attributes[_field_name(column)] = field
    if len(keys) > 1:
        attributes["pk"] = models.CompositePrimaryKey(*[_field_name(column) for column in keys])
    name = model_name(report)
    meta = {
        "apps": _private,
        "app_label": APP_LABEL,
        "db_table": f"report_{name}",
        "managed": False,
        "ordering": tuple(ordering),
    }
    attributes["Meta"] = type("Meta", (), meta)
    _private.all_models[APP_LABEL].pop(name.lower(), None)  # one made before, of an older header
    _models[name] = type(name, (RowModel, models.Model), attributes)
    return _models[name]


def model_name(report: str) -> str:
    """Return the row model's name for a report's: ``helpdesk__department_tickets``."""
    return report.replace(".", "__")


def get_row_model(name: str) -> type[models.Model] | None:
    """Return the row model of that name, made from its report if need be; None when there is none."""
    if name not in _models:
        for make in makers:
            make(name)
    return _models.get(name)


def __getattr__(name: str) -> Any:
    found = None if name.startswith("__") else get_row_model(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found


def _check_names(columns: Iterable[Column], file: str) -> None:
    taken: dict[str, str] = {}
    for column in columns:
        if _REFUSED.search(column.name):
            raise TemplateError.at(
                file, None, f"a column may not be called {column.name!r}: Django reads '__' and 'pk' in lookups."
            )
        field = _field_name(column)
        for name in {field, f"{field}_id"} if column.fk else {field}:
            if name in taken:
                raise TemplateError.at(
                    file, None, f"columns {taken[name]!r} and {column.name!r} are both read as {name!r}; rename one."
                )
            taken[name] = column.name


def _field_name(column: Column) -> str:
    return column.name.removesuffix("_id") if column.fk else column.name
