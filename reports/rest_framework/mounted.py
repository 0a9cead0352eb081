"""The views that a project has given an address, for the checks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import get_resolver
from rest_framework.generics import GenericAPIView

from reports.errors import ReportError
from reports.report import Report


@dataclass(frozen=True)
class Mounted:
    """A DRF view that has an address; ``options`` is what ``as_view()`` was given for it."""

    view: type[GenericAPIView]
    options: dict[str, Any]
    actions: frozenset[str] = frozenset()

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


def report_views() -> Iterator[Mounted]:
    """Give the DRF views of reports that have an address, one for each address."""
    return (seen for seen in views() if is_report(seen.get("report_class")))


def views() -> Iterator[Mounted]:
    """Give the DRF views that have an address, one for each address."""
    for callback in _callbacks():
        view = getattr(callback, "cls", None)
        if isinstance(view, type) and issubclass(view, GenericAPIView):
            actions = getattr(callback, "actions", None) or {}
            yield Mounted(view, dict(getattr(callback, "initkwargs", None) or {}), frozenset(actions.values()))


def is_report(value: Any) -> bool:
    """Return whether a value is a class of reports."""
    return isinstance(value, type) and issubclass(value, Report) and not value.is_abstract()


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
