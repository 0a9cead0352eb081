"""``manage.py find_repeated_subqueries``: what a database has run that repeats its subqueries, and what that costs."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from reports.management.databases import connect
from reports.management.exit_codes import DATABASE, USAGE


class Command(BaseCommand):
    """Reads ``pg_stat_statements``. No statement is run again."""

    help = (
        "Find the statements of pg_stat_statements whose subqueries read one table again and again, or whose joins"
        " multiply their rows; rank them by the time that one scan would save, and show the SQL that makes one."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="the database to ask (default: default)")
        parser.add_argument("--limit", type=_positive, default=10, help="how many statements to show (default: 10)")
        parser.add_argument(
            "--min-calls", type=_positive, default=1, help="leave out statements of fewer calls (default: 1)"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
        parser.add_argument("--no-explain", action="store_true", help="do not ask the planner for costs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        alias = options["database"]
        try:
            from reports.management.repeated.repeated_subqueries import find_repeated
            from reports.management.repeated.repeated_text import search_data, search_text
        except ModuleNotFoundError as error:
            raise CommandError(
                f"the module {error.name!r} is not installed: pip install 'django-sql-reports[rewrite]'.",
                returncode=USAGE,
            ) from error
        from reports.management.repeated.statement_statistics import read_statistics, right

        connect(alias)
        connection = connections[alias]
        try:
            statistics = read_statistics(connection)
            search = find_repeated(
                connection,
                statistics.statements,
                min_calls=options["min_calls"],
                with_costs=not options["no_explain"],
            )
            grant = right(connection)
        except DatabaseError as error:
            raise CommandError(f"the database {alias!r} failed: {error}", returncode=DATABASE) from error
        shown = search.found[: options["limit"]]
        if options["format"] == "json":
            data = {"database": alias, **search_data(search, statistics, shown, right=grant)}
            self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2))
            return
        for line in search_text(search, statistics, shown, right=grant):
            self.stdout.write(line)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
