"""``manage.py report_plans``: the shapes of the reports' plans in files, and whether they still are what they were."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from reports import get_report, registered
from reports.checks.engines import alias_of
from reports.errors import counted, listed, near
from reports.exports.files import atomic_file
from reports.management.databases import connect
from reports.management.exit_codes import USAGE, exit_codes
from reports.management.plan_baselines import (
    MADE_BY,
    SUFFIX,
    Baseline,
    NoBaseline,
    compared,
    is_baseline,
    without_statistics,
)
from reports.testing.examples import ExampleCase, every_example

FOLDER = "report_plans"


class Command(BaseCommand):
    """Writes the shapes of plans, or compares them. Nothing is run but EXPLAIN."""

    help = (
        "Write the shape of each report's plan to a file for git, or compare the plans with the files: exit code 1 and"
        " a diff when a migration, an upgrade of PostgreSQL or other statistics have changed one. Shapes are those of"
        " the database that is asked: let it be as full as the real one, and analyzed."
    )
    requires_system_checks: list[str] = []  # the report's own errors are clearer, and it starts at once

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("reports", nargs="*", metavar="NAME", help="the reports' names (default: every report)")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--write", action="store_true", help="write the files that differ, remove those of no report")
        what.add_argument("--check", action="store_true", help="compare and say what differs; write nothing")
        parser.add_argument("--database", help="the database to ask (default: the one that the rows are read from)")
        parser.add_argument(
            "--folder", type=Path, help=f"where the files are (default: {FOLDER}/ in BASE_DIR, else here)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        self._verbosity: int = options["verbosity"]
        self._folder: Path = options["folder"] or Path(getattr(settings, "BASE_DIR", "")) / FOLDER
        with exit_codes(verbose=self._verbosity > 1):
            try:
                self._handle(_names(options["reports"]), options["database"], is_check=options["check"])
            except OSError as error:
                raise CommandError(f"{error.filename or self._folder}: {error.strerror}.") from error

    def _handle(self, names: Collection[str], alias: str | None, *, is_check: bool) -> None:
        cases: dict[str, list[ExampleCase]] = {}
        for case in every_example():
            if not names or case.report.get_name() in names:
                cases.setdefault(case.report.get_name(), []).append(case)
        aliases = {name: alias or alias_of(get_report(name)) for name in cases}
        for each in sorted(set(aliases.values())):
            connect(each)
        found, failures = self._planned(cases, aliases)
        others = [] if names else [path for path in self._files() if path.name.removesuffix(SUFFIX) not in cases]
        told = self._check(found, others) if is_check else self._write(found, others)
        for each in sorted(set(aliases.values())):
            self._warn(each, [baseline for baseline in found if aliases[baseline.report] == each])
        self._fail(told, failures)

    def _planned(
        self, cases: Mapping[str, Sequence[ExampleCase]], aliases: Mapping[str, str]
    ) -> tuple[list[Baseline], dict[str, CommandError]]:
        """Return what can be planned, and why the other reports cannot."""
        found, failures = [], {}
        for name, examples in cases.items():
            try:
                with exit_codes(verbose=self._verbosity > 1):
                    found.append(Baseline.of(examples, aliases[name]))
            except CommandError as error:
                failures[name] = error
        return found, failures

    def _files(self) -> list[Path]:
        """Return the baselines in the folder; other files are left alone."""
        return [path for path in sorted(self._folder.glob(f"*{SUFFIX}")) if is_baseline(path)]

    def _check(self, found: Sequence[Baseline], others: Sequence[Path]) -> list[str]:
        """Return the text of each report that differs, and of each file of no report.

        Raises:
            CommandError: There is no such folder.
        """
        if not self._folder.is_dir():
            raise CommandError(f"there is no folder {_shown(self._folder)}. Write it first: {MADE_BY}")
        missing = [baseline.report for baseline in found if not self._path(baseline).exists()]
        told = [f"in {_shown(self._folder)} there is no file of: {listed(missing)}."] if missing else []
        for baseline in found:
            if baseline.report in missing:
                continue
            path = self._path(baseline)
            try:
                lines = [f"  {line}" for line in compared(Baseline.read(path), baseline)]
            except NoBaseline as error:
                told.append(f"{baseline.report}: {error}")
                continue
            if lines:
                told.append("\n".join([f"{baseline.report} ({_shown(path)}):", *lines]))
            elif self._verbosity > 1:
                self.stdout.write(f"{baseline.report}: as written")
        for path in others:
            name = path.name.removesuffix(SUFFIX)
            told.append(f"{_shown(path)}: no report is called {name!r}.{near(name, registered())}")
        if not told and self._verbosity > 0:
            plans = sum(len(baseline.shapes) for baseline in found)
            self.stdout.write(f"as written: {counted(len(found), 'report')}, {counted(plans, 'plan')}.")
        return told

    def _write(self, found: Sequence[Baseline], others: Sequence[Path]) -> list[str]:
        """Write the files that differ and remove the others. Returns an empty list: nothing is wrong."""
        self._folder.mkdir(parents=True, exist_ok=True)
        changed = 0
        for baseline in found:
            path, data = self._path(baseline), baseline.text().encode()
            old = path.read_bytes() if path.exists() else None
            if old == data:
                continue
            changed += 1
            self._say(f"{'written' if old is None else 'changed'}: {_shown(path)}", _differences(path, baseline))
            with atomic_file(path) as file:
                file.write(data)
        for path in others:
            path.unlink()
            self._say(f"removed: {_shown(path)}")
        self._say(f"{changed} written, {len(others)} removed, {len(found) - changed} as they were.")
        return []

    def _path(self, baseline: Baseline) -> Path:
        return self._folder / f"{baseline.report}{SUFFIX}"

    def _say(self, line: str, more: Iterable[str] = ()) -> None:
        if self._verbosity > 0:
            self.stdout.write("\n".join([line, *(f"  {each}" for each in more)]))

    def _warn(self, alias: str, found: Sequence[Baseline]) -> None:
        """Say which tables the planner knows nothing of: a plan changes once it does."""
        tables = {line.relation for baseline in found for lines in baseline.shapes.values() for line in lines}
        if self._verbosity > 0 and (unknown := without_statistics(tables, alias)):
            self.stderr.write(f"{alias}: never analyzed, so the plans may change by themselves: {listed(unknown)}.")

    def _fail(self, told: Sequence[str], failures: Mapping[str, CommandError]) -> None:
        """Raise what is wrong, all at once; with the failures' own exit code when nothing else is."""
        texts = [*told, *(f"{name}: cannot be planned: {error}" for name, error in failures.items())]
        if not texts:
            return
        if told:
            texts.append(f"If these plans are as good as those before, accept them: {MADE_BY}")
        codes = {error.returncode for error in failures.values()} | ({USAGE} if told else set())
        raise CommandError("\n\n".join(texts), returncode=codes.pop() if len(codes) == 1 else USAGE)


def _names(asked: Sequence[str]) -> set[str]:
    """Return the names of the reports that were asked for.

    Raises:
        CommandError: No report has one of them; all of these, with the nearest.
    """
    unknown = [f"no report is called {name!r}.{near(name, registered())}" for name in asked if name not in registered()]
    if unknown:
        raise CommandError("\n".join([*unknown, f"There are: {listed(registered())}."]))
    return set(asked)


def _shown(path: Path) -> Path:
    """Return a path as seen from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _differences(path: Path, baseline: Baseline) -> list[str]:
    """Return what differs from a file, where that is there and can be read."""
    try:
        return list(compared(Baseline.read(path), baseline))
    except (NoBaseline, FileNotFoundError):
        return []
