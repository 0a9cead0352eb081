"""``manage.py convertqueryset``: a queryset as a report, with the proof that both give the same rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports import conf
from reports.errors import TemplateError
from reports.exports.files import atomic_file
from reports.loader import find_template
from reports.management.databases import connect
from reports.management.destination import check_output
from reports.management.exit_codes import USAGE, exit_codes

_NAME = re.compile(r"[^\W\d]\w*")
# Those of reports.rewrite.Strategy, which needs sqlglot.
_STRATEGIES = ("original", "grouped", "materialized", "lateral", "paged")


class Command(BaseCommand):
    """Reads the queryset's rows twice, once by the template that it becomes, and compares them."""

    help = (
        "Print the template, the class and the row model of a report that gives the rows of a queryset, with repeated"
        " subqueries folded into one scan; compare the rows, scans and times of both. With --write the template goes"
        " into its file."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        what = "a function without arguments that returns a queryset, a queryset, a manager, or a manager's method"
        parser.add_argument("queryset", metavar="APP.MODULE:FUNCTION", help=what)
        parser.add_argument("--write", type=Path, metavar="FILE", help="as in <app>/sql/<app_label>/overview.sql")
        parser.add_argument("--force", action="store_true", help="replace a file that is there")
        parser.add_argument("--name", help="the report's name (default: the file's or the function's)")
        parser.add_argument("--strategy", choices=_STRATEGIES, help="default: the fastest, rewritten if it can be")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            from reports.management.converting import conversion, queryset_targets
            from reports.rewrite.rewriting import Strategy
        except ModuleNotFoundError as error:
            advice = "pip install 'django-sql-reports[rewrite]'"
            raise CommandError(f"the module {error.name!r} is not installed: {advice}.", returncode=USAGE) from error
        path: Path | None = options["write"]
        if path is not None:
            _check_path(path, force=options["force"])
        target = queryset_targets.find_queryset(options["queryset"])
        name = options["name"] or (path.stem if path else target.name)
        if not _NAME.fullmatch(name):
            raise CommandError(f"{name!r} is no name of a report: give one with --name.")
        connect(target.queryset.db)
        template = _template_name(path or Path(target.app_label, f"{name}.sql"), target.app_label)
        strategy = Strategy(options["strategy"]) if options["strategy"] else None
        with exit_codes(verbose=options["verbosity"] > 1):
            found = conversion.convert(
                target, name=name, template=template, path=path or Path(template), strategy=strategy
            )
        proof = found.proof()
        if not found.verification.is_equal:
            raise CommandError(f"the template does not give the queryset's rows, and is not written.\n{proof}")
        if path is None:
            self.stdout.write(f"{found.template}\n", ending="")
        else:
            try:
                self._write(path, template, found.template)
            except OSError as error:
                raise CommandError(f"{path}: {error.strerror}.") from error
        self.stdout.write(f"{found.python}\n", ending="")
        self.stdout.write(proof)

    def _write(self, path: Path, template: str, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            file.write(text.encode())
        self.stdout.write(f"{path}: written.")
        try:
            is_found = find_template(template).path.samefile(path)
        except TemplateError:
            is_found = False
        if not is_found:
            self.stdout.write(
                f"No report finds it there as {template!r}: templates stand in <app>/sql/<app_label>/ and in the"
                " folders of REPORTS['TEMPLATE_DIRS']."
            )
        self.stdout.write("")


def _check_path(path: Path, *, force: bool) -> None:
    if path.suffix != ".sql" or path.name.endswith(".count.sql"):
        raise CommandError(f"{str(path)!r} is no template's name: write one that ends in .sql.")
    if path.exists() and not force:
        raise CommandError(f"{str(path)!r} is there already; --force replaces it.")
    problems = check_output(path) if path.parent.is_dir() else []
    if problems:
        raise CommandError(" ".join(problems))


def _template_name(path: Path, app_label: str) -> str:
    """Return the name by which a report finds a file: what follows ``sql/``, or a folder of the settings."""
    whole = path.resolve()
    for folder in conf.template_dirs():
        if whole.is_relative_to(folder.resolve()):
            return whole.relative_to(folder.resolve()).as_posix()
    parts = path.parts
    if "sql" in parts[:-1]:
        place = len(parts) - 1 - parts[::-1].index("sql")
        return "/".join(parts[place + 1 :])
    return f"{app_label}/{path.name}"
