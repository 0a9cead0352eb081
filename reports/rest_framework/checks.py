"""System checks of views that show reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.expressions import OrderBy
from django.urls import get_resolver
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination

from reports.errors import ReportError
from reports.report import Report
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.viewsets import ReportViewSet
from reports.source import has_key


@dataclass(frozen=True)
class ReportView:
    """A DRF view of a report that has an address; ``options`` is what ``as_view()`` was given for it."""

    view: type[GenericAPIView]
    options: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute as the view's instances have it."""
        return self.options.get(name, getattr(self.view, name, default))

    @property
    def row_model(self) -> type[models.Model] | None:
        """The class of the rows; None where nothing declares it, or the report has faults with checks of their own."""
        try:
            found: type[models.Model] | None = self.get("report_class").get_row_model()
        except ReportError:
            return None
        return found


def check_views(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E011 and W010: see the functions below."""
    return [*check_report_classes(), *check_cursor_pagination()]


def check_report_classes() -> list[checks.CheckMessage]:
    """E011: a ReportViewSet that has an address has a report."""
    found: dict[str, checks.CheckMessage] = {}
    for seen in _views():
        report = seen.get("report_class")
        if issubclass(seen.view, ReportViewSet) and not _is_report(report):
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
        faults = dict.fromkeys(filter(None, (_fault(model, item) for item in _first_items(seen, model))))
        if faults:
            problem = (
                f"{seen.view.__name__} pages by {pagination.__name__}, which compares only the first column of the "
                f"ordering, and {'; '.join(faults)}: pages repeat or lose rows."
            )
            hint = "Set pagination_class = ReportCursorPagination, which compares all columns and the key."
            found.setdefault(problem, checks.Warning(problem, hint=hint, obj=seen.view, id="reports.W010"))
    return list(found.values())


def report_views() -> Iterator[ReportView]:
    """Give the DRF views of reports that have an address, one for each address."""
    return (seen for seen in _views() if _is_report(seen.get("report_class")))


def _views() -> Iterator[ReportView]:
    for callback in _callbacks():
        view = getattr(callback, "cls", None)
        if isinstance(view, type) and issubclass(view, GenericAPIView):
            yield ReportView(view, dict(getattr(callback, "initkwargs", None) or {}))


def _is_report(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Report) and bool(value.template)


def _callbacks() -> list[Any]:
    """Return what answers at each address; nothing where the addresses cannot be read, which Django's check says."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    found: list[Any] = []
    resolvers: list[Any] = [get_resolver()]
    try:
        while resolvers:
            for pattern in resolvers.pop().url_patterns:
                if hasattr(pattern, "url_patterns"):
                    resolvers.append(pattern)
                else:
                    found.append(pattern.callback)
    except Exception:  # noqa: BLE001 - a project's modules are imported here, and they may raise anything
        return []
    return found


def _compares_one_column(pagination: Any) -> bool:
    is_cursor = isinstance(pagination, type) and issubclass(pagination, CursorPagination)
    return is_cursor and not issubclass(pagination, ReportCursorPagination)


def _first_items(seen: ReportView, model: type[models.Model]) -> list[Any]:
    """Return what rows may be ordered by first: by default, and where the view filters by ordering as a client asks."""
    default = seen.get("pagination_class").ordering
    asked: list[Any] = []
    if any(hasattr(backend, "get_ordering") for backend in seen.get("filter_backends", ())):
        default = seen.get("ordering") or default
        named = seen.get("ordering_fields")
        columns = [field.name for field in model._meta.concrete_fields]
        asked = (
            columns if named in (None, "__all__") else [item if isinstance(item, str) else item[0] for item in named]
        )
    return [*([default] if isinstance(default, (str, OrderBy)) else list(default or ())[:1]), *asked]


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
