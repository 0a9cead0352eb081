"""System checks of views that show reports."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.expressions import OrderBy
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import BrowsableAPIRenderer

from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.mounted import Mounted, is_report, report_views, views
from reports.rest_framework.name_checks import check_names
from reports.rest_framework.viewsets import ReportViewSet
from reports.source import has_key

# So many columns are named, and of the others the number.
_SHOWN = 2


def check_views(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E011, E012, W010 and W011: see the functions below."""
    return [*check_report_classes(), *check_names(), *check_cursor_pagination(), *check_apps()]


def check_report_classes() -> list[checks.CheckMessage]:
    """E011: a ReportViewSet that has an address has a report."""
    found: dict[str, checks.CheckMessage] = {}
    for seen in views():
        report = seen.get("report_class")
        if issubclass(seen.view, ReportViewSet) and not is_report(report):
            problem = f"{seen.view.__name__}.report_class is {report!r}; it must be a Report."
            hint = "Set report_class = YourReport on the view, or give it to as_view()."
            found.setdefault(problem, checks.Error(problem, hint=hint, obj=seen.view, id="reports.E011"))
    return list(found.values())


def check_cursor_pagination() -> list[checks.CheckMessage]:
    """W010: DRF's own cursor pagination on an ordering in whose first column rows can be equal, or NULL."""
    found: dict[str, checks.CheckMessage] = {}
    for seen in report_views():
        pagination, model = seen.get("pagination_class"), seen.row_model
        if model is None or not _compares_one_column(pagination):
            continue
        faults = _faults(seen, model)
        if faults:
            problem = (
                f"{seen.view.__name__} pages by {pagination.__name__}, which compares only the first column of the "
                f"ordering, and {faults}: pages repeat or lose rows."
            )
            hint = "Set pagination_class = ReportCursorPagination, which compares all columns and the key."
            found.setdefault(problem, checks.Warning(problem, hint=hint, obj=seen.view, id="reports.W010"))
    return list(found.values())


def check_apps() -> list[checks.CheckMessage]:
    """W011: the apps whose templates the pages of the browsable API need are installed."""
    found: dict[str, checks.CheckMessage] = {}
    for seen in report_views():
        if not any(issubclass(one, BrowsableAPIRenderer) for one in seen.get("renderer_classes", ())):
            continue
        modules = [one.__module__ for backend in seen.get("filter_backends", ()) for one in backend.__mro__]
        needed = ["rest_framework", *({"django_filters"} & {one.partition(".")[0] for one in modules})]
        for name in (one for one in needed if not apps.is_installed(one)):
            problem = f"{seen.view.__name__} has pages for browsers, but {name!r} is not in INSTALLED_APPS."
            hint = f"Add {name!r}, whose templates the pages are made of."
            found.setdefault(name, checks.Warning(problem, hint=hint, obj=seen.view, id="reports.W011"))
    return list(found.values())


def _compares_one_column(pagination: Any) -> bool:
    is_cursor = isinstance(pagination, type) and issubclass(pagination, CursorPagination)
    return is_cursor and not issubclass(pagination, ReportCursorPagination)


def _faults(seen: Mounted, model: type[models.Model]) -> str:
    """Return what is wrong with the first columns that the view and its clients order by; else the empty string."""
    default = seen.get("pagination_class").ordering
    asked: list[str] = []
    if any(hasattr(backend, "get_ordering") for backend in seen.get("filter_backends", ())):
        default = seen.get("ordering") or default
        named = seen.get("ordering_fields")
        every = [str(field.column) for field in model._meta.concrete_fields]
        asked = every if named in (None, "__all__") else [item if isinstance(item, str) else item[0] for item in named]
    own = [default] if isinstance(default, (str, OrderBy)) else list(default or ())[:1]
    faults = [fault for item in own if (fault := _fault(model, item))]
    asked = [repr(name) for name in asked if name not in own and _fault(model, name)]
    if asked:
        shown = asked if len(asked) <= _SHOWN + 1 else [*asked[:_SHOWN], f"{len(asked) - _SHOWN} more"]
        names = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
        faults.append(f"?ordering= allows {names}, which may be NULL or the same in two rows")
    return "; ".join(faults)


def _fault(model: type[models.Model], item: Any) -> str | None:
    """Return what is wrong with a first item of an ordering; None when no two rows are equal in it."""
    if not isinstance(item, str):
        return "it is an expression, in which rows may be equal"
    name = item.removeprefix("-")
    try:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return f"{item!r} is no column of the report"
    if getattr(field, "null", False):
        return f"{item!r} may be NULL"
    if not has_key(model) or not getattr(field, "unique", False):
        return f"{item!r} may be the same in two rows"
    return None
