"""The databases of the settings: reports run on PostgreSQL only. Nothing is connected to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

from reports.errors import listed
from reports.report import Report
from reports.row_models import APP_LABEL


def check_engines(reports: Sequence[type[Report]]) -> Iterator[checks.CheckMessage]:
    """E009: no database is PostgreSQL. W008: another one is, but not the one that a report's rows are read from."""
    vendors = {alias: _vendor(alias) for alias in connections}
    others = sorted(alias for alias, vendor in vendors.items() if vendor == "postgresql")
    elsewhere: dict[str, list[type[Report]]] = {}
    for report in reports:
        elsewhere.setdefault(alias_of(report), []).append(report)
    for alias in sorted(elsewhere.keys() - others):
        problem = f"reports run on PostgreSQL only; the database {alias!r} is {vendors.get(alias, 'unknown')}."
        if others:
            yield _routed(problem, elsewhere[alias], others[0])
        else:
            hint = "Set its ENGINE to 'django.db.backends.postgresql'."
            yield checks.Error(problem, hint=hint, id="reports.E009")


def alias_of(report: type[Report]) -> str:
    """Return the alias of the database that a report's rows are read from, when a run gives no ``using``."""
    try:
        return report()._alias(report.get_template())
    except Exception:  # noqa: BLE001 - a project's own code; other checks tell it
        return DEFAULT_DB_ALIAS


def _routed(problem: str, reports: Sequence[type[Report]], other: str) -> checks.CheckMessage:
    labels = {report.model._meta.app_label if report.model else APP_LABEL for report in reports}
    # Without declared columns there is no model before the first run, and nothing that a router could be asked for.
    names = listed(report.get_name() for report in reports)
    return checks.Warning(
        f"{problem[:-1]}, and is read by: {names}.",
        hint=f"Have a router's db_for_read() send the app labels {listed(map(repr, labels))} to {other!r}, or give"
        f" using={other!r}. A report is routed when its columns are declared.",
        id="reports.W008",
    )


def _vendor(alias: str) -> str:
    try:
        return connections[alias].vendor
    except ImproperlyConfigured:  # the driver is not installed: Django says so
        return "postgresql" if "postg" in str(connections.settings[alias]["ENGINE"]) else "unknown"
