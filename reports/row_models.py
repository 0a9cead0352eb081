"""The class of a report's rows: an unmanaged model made from its columns.

Row models live in an ``Apps`` of their own: no migration, content type, permission or reverse relation comes from
them. Pickle and Django's deferred loading find them by name all the same: as an attribute of this module, and through
``ReportsConfig.get_model``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any, ClassVar

from django.apps.registry import Apps
from django.db import models
from django.db.models.fields.composite import CompositeAttribute

from reports.columns import build_field
from reports.errors import TemplateError
from reports.header import Column

APP_LABEL = "sql_reports"

_private = Apps()
_lock = RLock()
_models: dict[str, type[models.Model]] = {}
_declared: dict[str, tuple[tuple[Column, ...], tuple[str, ...]]] = {}
# The registry puts itself here: a row model that this process has not made yet is made from its report.
makers: list[Callable[[str], object]] = []

# '__', a last '_' and 'pk' mean something in lookups; the others are what Django itself calls on a model.
_REFUSED = re.compile(r"__|_$|^(pk|Meta|from_db|_(meta|state|base_manager|default_manager|manager|has_key|report))$")
_UNSAFE = re.compile('["%\0]')


class _CompositeAttribute(CompositeAttribute):
    """The key's values of a row; of the class, which Django REST Framework's OrderingFilter asks, itself."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else super().__get__(instance, owner)


class _CompositeKey(models.CompositePrimaryKey):
    descriptor_class = _CompositeAttribute


class RowModel:
    """What row models have in common: their report's name; False for the key when no column was declared ``pk``."""

    _report: ClassVar[str] = ""
    _has_key: ClassVar[bool] = True

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to save, as for the rows of a report with a model of its own."""
        raise TypeError(f"save() is not possible: {type(self).__name__} is a row of a report, read only.")

    def delete(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to delete."""
        raise TypeError(f"delete() is not possible: {type(self).__name__} is a row of a report, read only.")


def build_row_model(
    report: str, columns: Iterable[Column], *, ordering: Iterable[str], file: str
) -> type[models.Model]:
    """Return the row model of a report: one field per column, in their order.

    Django needs a primary key. Without a declared one the first column takes that place in Django's bookkeeping, and
    everything that would rely on it is refused by ``reports.source``.

    Raises:
        TemplateError: A column's name or type cannot be a field; names the file and the column.
    """
    with _lock:  # two first requests at once would make two classes of one name
        return _row_model(report, tuple(columns), tuple(ordering), file)


def _row_model(report: str, declared: tuple[Column, ...], order: tuple[str, ...], file: str) -> type[models.Model]:
    name = model_name(report)
    if name in _models and _declared.get(name) == (declared, order):
        return _models[name]  # pickle wants one class for one name
    keys = [column for column in declared if column.pk]
    attributes: dict[str, Any] = {"__module__": __name__, "_report": report, "_has_key": bool(keys)}
    attributes["_manager"] = models.Manager()  # Django's own is called objects, and so may a column be
    check_names(declared, file)
    for position, column in enumerate(declared):
        field = build_field(column, file=file)
        field.primary_key = (column.pk and len(keys) == 1) or (not keys and position == 0)
        attributes[_field_name(column)] = field
    if len(keys) > 1:
        attributes["pk"] = _CompositeKey(*[_field_name(column) for column in keys])
    meta = {
        "apps": _private,
        "app_label": APP_LABEL,
        "db_table": f"report_{name}",
        "managed": False,
        "ordering": order,
    }
    attributes["Meta"] = type("Meta", (), meta)
    _private.all_models[APP_LABEL].pop(name.lower(), None)  # one made before, of an older header
    _models[name] = type(name, (RowModel, models.Model), attributes)
    _declared[name] = declared, order
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


def check_names(columns: Iterable[Column], file: str) -> None:
    """Refuse names that Django would take for something else, and those of one field.

    Raises:
        TemplateError: Names the file and the column.
    """
    taken: dict[str, str] = {}
    for column in columns:
        # Django does not double a quote in a column's name. The name may be a value's text, so it is not shown.
        if not column.name or _UNSAFE.search(column.name):
            raise TemplateError.at(file, None, "a column's name may not be empty or hold a quote or a percent sign.")
        if _REFUSED.search(column.name):
            raise TemplateError.at(
                file, None, f"a column may not be called {column.name!r}: Django means something else by it."
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
