"""What can be known of reports with a database: ``manage.py check --database default``.

Each report is rendered with its cases and prepared by PostgreSQL. No row of it is read, except to compare a counting
template with what it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.db import Error, connections, router
from django.db.migrations.exceptions import BadMigrationError, InconsistentMigrationHistory, NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor

from reports.checks.engines import alias_of
from reports.checks.faults import Fault
from reports.checks.subject import reports_of
from reports.checks.trial import try_report
from reports.checks.unrendered import RenderedLines
from reports.loader import find_template, is_our_file, is_ours
from reports.registry import registered
from reports.rendering import compile_template
from reports.report import Report

_NO_HISTORY = (BadMigrationError, InconsistentMigrationHistory, NodeNotFoundError)


def check_database(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Check the reports whose rows are read from the given databases. Without databases there is nothing to do.

    A database with unapplied migrations gives one Info, and one that cannot be asked one Warning: ``migrate`` runs
    this too.
    """
    found: list[checks.CheckMessage] = []
    lines = RenderedLines()
    tried: dict[str, type[Report]] = {}
    for alias in databases or ():
        reports = _reports_on(alias, app_configs) if connections[alias].vendor == "postgresql" else []
        obstacle = _obstacle(alias) if reports else None
        if obstacle:
            found.append(obstacle)
            continue
        for report in reports:
            found += try_report(report, alias, lines)
            tried[report.get_name()] = report
    return [*found, *_unrendered(tried, lines)]


def _obstacle(alias: str) -> checks.CheckMessage | None:
    """Return why the reports of a database cannot be checked; None when they can."""
    text = f"reports are not checked on the database {alias!r}"
    try:
        is_migrated = _is_migrated(alias)
    except _NO_HISTORY:
        is_migrated = False
    except Error as error:
        hint = f"Try: manage.py dbshell --database {alias}"
        return Fault("W024", f"{text}: it cannot be asked ({type(error).__name__}).", hint).message()
    if is_migrated:
        return None
    return Fault("I020", f"{text}: it lacks migrations.", f"Run: manage.py migrate --database {alias}").message()


def _reports_on(alias: str, app_configs: Sequence[AppConfig] | None) -> list[type[Report]]:
    """Return the reports that read from a database, those left out that are faulty without one."""
    return [report for report in reports_of(app_configs) if _is_valid(report) and alias_of(report) == alias]


def _is_valid(report: type[Report]) -> bool:
    try:
        template = report.get_template()
        for name in (template.name, template.count):
            if name:
                compile_template(name)
        report.get_form_class()
        report.get_row_model()
    except Exception:  # noqa: BLE001 - a project's own code; check_reports tells it
        return False
    return True


def _is_migrated(alias: str) -> bool:
    """Return whether a database has every migration, and the tables of the apps that have none.

    An app whose models the routers keep away from it does not count.
    """
    connection = connections[alias]
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if any(_tables(migration.app_label, alias) for migration, _ in plan):
        return False
    needed = set().union(*(_tables(label, alias) for label in executor.loader.unmigrated_apps))
    return needed <= set(connection.introspection.table_names())


def _tables(label: str, alias: str) -> set[str]:
    """Return the tables that an app has in a database."""
    return {
        model._meta.db_table
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.can_migrate(connections[alias]) and router.allow_migrate_model(alias, model)
    }


def _unrendered(tried: dict[str, type[Report]], lines: RenderedLines) -> list[checks.CheckMessage]:
    """Return the lines that no report renders; of files that reports share, only when every report was tried."""
    owners: dict[str, type[Report]] = {}
    for report in tried.values():
        template = report.get_template()
        if is_ours(template):  # no project renders all of it
            continue
        owners.setdefault(str(template.path), report)
        if template.count:
            owners.setdefault(str(find_template(template.count).path), report)
    files = None if len(tried) == len(registered()) else owners
    found = lines.faults(files)
    return [fault.message(owners.get(file)) for file, fault in found if not is_our_file(file)]
