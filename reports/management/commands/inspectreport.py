"""``manage.py inspectreport``: a report's columns and parameters, as PostgreSQL sees them, as text to copy or write."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from reports.checks.engines import alias_of
from reports.column_lines import column_line
from reports.errors import QueryError, ReportError
from reports.management.databases import connect
from reports.management.exit_codes import DATABASE, USAGE
from reports.management.header_lines import write_columns
from reports.management.inspection import Inspection, inspect_report
from reports.management.python_text import PythonText
from reports.management.targets import find_target
from reports.prebuilt.vocabulary.declared import Prebuilt


class Command(BaseCommand):
    """Asks PostgreSQL what a report's query returns, and takes. Nothing is executed."""

    help = (
        "Print the column: lines of a report's template, its class with the form that fits its parameters, an"
        " unmanaged model and a TypedDict, by asking PostgreSQL. With --write the lines go into the template."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("report", help="a report's name, a template's name, or the path of a .sql file")
        parser.add_argument("--write", action="store_true", help="write the column: lines into the template's header")
        parser.add_argument("--database", help="the database to ask (default: the one that the rows are read from)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        alias = options["database"] or DEFAULT_DB_ALIAS
        try:
            report_class = find_target(options["report"])
            alias = options["database"] or alias_of(report_class)
            connect(alias)
            if issubclass(report_class, Prebuilt):
                self._print_prebuilt(report_class, write=options["write"])
                return
            found = inspect_report(report_class, using=alias)
            if options["write"]:
                self._write(found)
            else:
                self._print(found)
        except QueryError as error:
            raise CommandError(str(error), returncode=DATABASE) from error
        except (ReportError, OSError) as error:
            raise CommandError(str(error), returncode=USAGE) from error
        except DatabaseError as error:
            raise CommandError(f"the database {alias!r} failed: {error}", returncode=DATABASE) from error

    def _print(self, found: Inspection) -> None:
        text = PythonText(found).text()
        for column in found.columns:
            self.stdout.write(column_line(column))
        self.stdout.write("")
        self.stdout.write(text, ending="")

    def _print_prebuilt(self, report_class: type[Prebuilt], *, write: bool) -> None:
        name = report_class.get_name()
        if write:
            raise CommandError(f"the columns of {name} come of its class's attributes: there is nothing to write.")
        for column in report_class.get_columns():
            self.stdout.write(column_line(column))

    def _write(self, found: Inspection) -> None:
        path = found.report_class.get_template().path
        if found.report_class.model is not None:
            raise CommandError(
                f"{path}: column: lines would not be read, because {found.report_class.model._meta.label} declares the"
                " columns of this report."
            )
        PythonText(found).text()  # raises for a column that can have no field
        is_changed = write_columns(path, found.columns)
        count = len(found.columns)
        self.stdout.write(f"{path}: {count} columns {'written' if is_changed else 'stood there already'}.")
