"""``manage.py report``: lists the reports, runs one."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from reports import get_report, registered
from reports.management import arguments
from reports.management.advice_text import write_advice
from reports.management.arguments import Asked
from reports.management.destination import columns, opened
from reports.management.exit_codes import INTERRUPTED, PIPE_CLOSED, Terminated, exit_codes, terminable
from reports.management.formats import WRITERS, Job
from reports.management.listing import list_data, list_text, page_text
from reports.management.progress import Meter, metered, size
from reports.management.selection import select


class Command(BaseCommand):
    """Lists reports, runs one. What goes wrong is a CommandError; see ``exit_codes``."""

    help = arguments.HELP
    requires_system_checks: list[str] = []  # the report's own errors are clearer, and it starts at once

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, with the manual below its options."""
        kwargs = {"formatter_class": arguments.ManualFormatter, "epilog": arguments.MANUAL, "add_help": False} | kwargs
        parser = super().create_parser(prog_name or "manage.py", subcommand, **kwargs)
        self._parser = parser
        parser.parse_args = partial(arguments.parse, parser)  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_arguments(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from the shell: an interruption, a signal and a closed pipe end with exit codes and no traceback."""
        try:
            with terminable():
                super().run_from_argv(argv)
        except Terminated as error:
            self.stderr.write("terminated")
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            self.stderr.write("interrupted")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Python flushes standard output once more at the end; let that go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PIPE_CLOSED)

    def handle(self, *args: Any, **options: Any) -> None:
        with exit_codes(verbose=options["verbosity"] > 1):
            if options["help"]:
                self._help(options["name"])
                return
            asked = arguments.read_options(options)
            if asked.name:
                self._run(asked)
            else:
                self._list(asked)

    def _help(self, name: str | None) -> None:
        if name is None:
            self._lines([self._parser.format_help().rstrip()])
            return
        self._lines(page_text(get_report(name)(), columns(self.stdout), self._parser.prog))

    def _list(self, asked: Asked) -> None:
        if asked.format == "json":
            self._lines([json.dumps(list_data(registered()), ensure_ascii=False, indent=2)])
        else:
            self._lines(list_text(registered(), columns(self.stdout), self._parser.prog))

    def _run(self, asked: Asked) -> None:
        report = get_report(asked.name)
        job = Job(select(report, asked), self._width(asked.output))
        terminal = self.stderr if asked.output and asked.verbosity > 0 and self.stderr.isatty() else None
        with opened(asked.output, self.stdout) as sink, metered(sink, terminal) as meter:
            write = WRITERS[asked.format] if asked.advise_rows is None else write_advice
            rows = write(job, meter)
        if asked.output and asked.verbosity > 0:
            self._lines([_written(asked.output, rows, meter)])

    def _width(self, output: Path | None) -> int | None:
        return columns(self.stdout) if output is None and self.stdout.isatty() else None

    def _lines(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        with opened(None, self.stdout) as sink:
            sink.write(text.encode(errors="backslashreplace"))  # a file's name may be no UTF-8


def _written(path: Path, rows: int | None, meter: Meter) -> str:
    counted = "" if rows is None else "1 row " if rows == 1 else f"{rows:,} rows "
    told = f"({size(meter.bytes)})" if counted else size(meter.bytes)
    return f"wrote {counted}{told} to {path} in {meter.seconds:.1f} s"
