"""The settings, one function each, read when called: ``REPORTS = {"TIMEOUT": 10}`` in the project's settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from reports.errors import listed, near

NAMES = ("SLOW", "TEMPLATE_DIRS", "TIMEOUT")


def template_dirs() -> tuple[Path, ...]:
    """Return ``TEMPLATE_DIRS``: folders searched after the apps' own; default none."""
    return tuple(Path(folder) for folder in _setting("TEMPLATE_DIRS", ()))


def timeout() -> float:
    """Return ``TIMEOUT``: seconds one statement of a report may run; default 30; a header's ``timeout:`` wins."""
    return _seconds("TIMEOUT", 30.0)


def slow() -> float:
    """Return ``SLOW``: seconds from which a statement is logged to ``reports.slow``; default 1."""
    return _seconds("SLOW", 1.0)


def _seconds(name: str, default: float) -> float:
    value = _setting(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ImproperlyConfigured(f"REPORTS[{name!r}] is {value!r}; it must be a number of seconds above 0.")
    return float(value)


def _setting(name: str, default: Any) -> Any:
    values: Mapping[str, Any] = getattr(settings, "REPORTS", {})
    for key in values:
        if key not in NAMES:
            raise ImproperlyConfigured(
                f"REPORTS has the unknown key {key!r} (allowed: {listed(NAMES)}).{near(str(key), NAMES)}"
            )
    return values.get(name, default)
