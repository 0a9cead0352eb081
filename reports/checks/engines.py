"""The databases of the settings: reports run on PostgreSQL only. Nothing is connected to."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections


def check_engines() -> Iterator[checks.CheckMessage]:
    """E009: no database is PostgreSQL. W008: another one is, but not the default."""
    vendors = {alias: _vendor(alias) for alias in connections}
    others = sorted(alias for alias, vendor in vendors.items() if vendor == "postgresql")
    if DEFAULT_DB_ALIAS in others:
        return
    problem = f"reports run on PostgreSQL only; the database 'default' is {vendors[DEFAULT_DB_ALIAS]}."
    if others:
        yield checks.Warning(
            problem,
            hint=f"Have a router send the app label 'sql_reports' to {others[0]!r}, or give using={others[0]!r}.",
            id="reports.W008",
        )
    else:
        yield checks.Error(problem, hint="Set its ENGINE to 'django.db.backends.postgresql'.", id="reports.E009")


def _vendor(alias: str) -> str:
    try:
        return connections[alias].vendor
    except ImproperlyConfigured:  # the driver is not installed: Django says so
        return "postgresql" if "postg" in str(connections.settings[alias]["ENGINE"]) else "unknown"
