"""The command line of ``manage.py report``: its manual page, its options, and parameters as key=value."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField, SplitArrayWidget
from django.core.management import CommandError
from django.core.management.base import DjangoHelpFormatter
from django.db import connections
from django.http import QueryDict

from reports.errors import listed, near
from reports.management.advising import add_advice_arguments, read_advice
from reports.management.destination import check_output

FORMATS = ("csv", "explain", "json", "sql", "table")
SUFFIXES = {".csv": "csv", ".json": "json", ".sql": "sql", ".txt": "table"}

HELP = "Lists the reports; runs one and prints its rows, or writes them to a file."
MANUAL = """\
parameters:
  A value is text, as in a form's field: opened_from=2026-01-31. A list is the
  key repeated (priorities=1 priorities=2), or its values divided by commas
  (priorities=1,2). key= is an empty value; a parameter left out has its
  default. `%(prog)s NAME --help` shows what a report takes.

formats:
  table    aligned text, the default; on a terminal wide columns are cut
  csv      by COPY; what a spreadsheet would take for a formula is made
           harmless, see --raw
  json     an array of objects, one row a line
  sql      the template's statement for psql, its values written in; no database
           is asked. With --filter, --order-by or --limit the whole statement
  explain  the plan as a tree, with -v 2 its conditions too; with --analyze it
           is run and measured

advice:
  --advise runs the statement and looks for indexes that would make it faster.
  Each is built inside a transaction, measured and rolled back: nothing is left.
  While it stands, writers of its table wait, readers do not: run it on a copy,
  or when few write. Larger tables are refused, see --advise-rows.

exit codes:
  0    done
  1    wrong name, parameter, option or template; output cannot be written
  2    an option that does not exist
  3    the database refused the statement or cannot be reached
  4    stopped at the report's timeout
  130  interrupted (Ctrl-C)
  141  the reader of a pipe went away
  143  terminated (SIGTERM)

examples:
  %(prog)s shop.sales since=2026-01-01 stores=1,2
  %(prog)s shop.sales --filter revenue__gte=1000 --order-by -revenue
  %(prog)s shop.sales since=2026-01-01 --output sales.csv
  %(prog)s shop.sales --format sql | psql
"""


class ManualFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of options, and the manual as it is written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. ``limit`` is None for the format's default, 0 for every row.

    ``advise_rows`` is None unless advice is wanted.
    """

    name: str = ""
    words: Sequence[str] = ()
    format: str = "table"
    output: Path | None = None
    database: str | None = None
    user: str | None = None
    limit: int | None = None
    order_by: Sequence[str] = ()
    filters: Sequence[str] = ()
    raw: bool = False
    analyze: bool = False
    advise_rows: int | None = None
    verbosity: int = 1


@dataclass(slots=True)
class Values:
    """The parameters as text, by name, and what is wrong with the words they came from, a sentence each."""

    params: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="the report, as app_label.name; without it all reports are listed")
    add("words", nargs="*", metavar="key=value", help="its parameters")
    add("-h", "--help", action="store_true", help="show this page; after a NAME, what that report takes")
    add("--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}; by default from the suffix of --output, else table")
    add("--output", metavar="FILE", help="write to a file, which is replaced only when all of it has been written")
    add("--filter", action="append", metavar="LOOKUP=VALUE", help="keep rows as filter() does: open_tickets__gt=10")
    add("--order-by", metavar="COLUMNS", help="columns divided by commas, with - for descending: -revenue,name")
    add("--limit", metavar="N", help="at most so many rows, or all; by default 50 of a table that goes to no file")
    add("--user", metavar="USERNAME", help="run as this user, for reports that show users what they may see")
    add("--database", metavar="ALIAS", help="run on this database of DATABASES")
    add("--raw", action="store_true", help="csv: write the cells just as PostgreSQL gives them")
    add("--analyze", action="store_true", help="explain: run the statement and show times, rows and buffers")
    add_advice_arguments(parser)


def parse(parser: argparse.ArgumentParser, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
    """Parse arguments in which options may stand between the parameters, and ``--order-by -name`` is understood."""
    words = list(args or ())
    for position in range(len(words) - 2, -1, -1):
        if words[position] == "--order-by" and not words[position + 1].startswith("--"):
            words[position : position + 2] = [f"--order-by={words[position + 1]}"]
    return parser.parse_intermixed_args(words, namespace)


def read_options(options: Mapping[str, Any]) -> Asked:
    """Return what is asked for.

    Raises:
        CommandError: Everything that is wrong with the options, a line each.
    """
    name, words = options["name"] or "", list(options["words"])
    output = Path(options["output"]) if options["output"] not in (None, "-") else None
    problems: list[str] = []
    if "=" in name:
        problems.append(f"{name!r} is a parameter; the report's name comes before it.")
    chosen = _format(options["format"], output, problems)
    limit = _limit(options["limit"], problems)
    database = options["database"]
    if database is not None and database not in connections:
        problems.append(f"--database is {database!r} (there are: {listed(connections)}).{near(database, connections)}")
    for option, its_format in (("raw", "csv"), ("analyze", "explain")):
        if options[option] and chosen in FORMATS and chosen != its_format:
            problems.append(f"--{option} is for the format {its_format}, not {chosen}.")
    advise_rows = read_advice(options, chosen, problems)
    if not name:
        problems += _without_name(options, chosen)
    if output is not None:
        problems += check_output(output)
    if problems:
        raise CommandError("\n".join(problems))
    return Asked(
        name=name,
        words=words,
        format=chosen,
        output=output,
        database=database,
        user=options["user"],
        limit=limit,
        order_by=[word.strip() for word in (options["order_by"] or "").split(",") if word.strip()],
        filters=options["filter"] or (),
        raw=options["raw"],
        analyze=options["analyze"],
        advise_rows=advise_rows,
        verbosity=options["verbosity"],
    )


def read_params(words: Sequence[str], fields: Mapping[str, forms.Field]) -> Values:
    """Return the parameters of ``key=value`` words, as the report's form takes them from code.

    A key given several times is a list. One text for a field of several values is divided at commas, unless it is
    itself one of the choices.
    """
    found, given = Values(), dict[str, list[str]]()
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            meant = f" Write {word}=VALUE." if word in fields else near(word, [f"{name}=" for name in fields])
            found.problems.append(f"{word!r} is not key=value.{meant}")
        elif not name:
            found.problems.append(f"{word!r} has no key before the equals sign.")
        else:
            given.setdefault(name, []).append(text)
    for name, texts in given.items():
        field = fields.get(name)
        if len(texts) == 1:
            found.params[name] = _divided(field, texts[0])
        elif field is None or _takes_several(name, field):
            found.params[name] = texts
        else:
            found.problems.append(f"{name}: Given {len(texts)} times; it takes one value.")
    return found


def _format(word: str | None, output: Path | None, problems: list[str]) -> str:
    if word is not None:
        if word not in FORMATS:
            problems.append(f"--format is {word!r} (allowed: {listed(FORMATS)}).{near(word, FORMATS)}")
        return word
    if output is None:
        return "table"
    found = SUFFIXES.get(output.suffix.lower())
    if found is None:
        problems.append(
            f"the suffix of {str(output)!r} names no format (known: {listed(SUFFIXES)}); give one with --format."
        )
    return found or "table"


def _limit(text: Any, problems: list[str]) -> int | None:
    if text is None:
        return None
    if str(text) == "all":
        return 0
    if not str(text).isdecimal() or int(text) < 1:
        problems.append(f"--limit is {text!r}; it must be a whole number from 1, or all.")
        return None
    return int(text)


def _without_name(options: Mapping[str, Any], chosen: str) -> list[str]:
    """Return what is wrong with the options of a list of all reports."""
    needs = ("output", "filter", "order_by", "limit", "user", "database", "raw", "analyze", "advise")
    given = [f"--{name.replace('_', '-')}" for name in needs if options[name]]
    problems = [f"{listed(given)}: give the NAME of a report."] if given else []
    if options["format"] is not None and chosen not in ("json", "table"):
        problems.append(f"the list of reports has the formats json and table, not {chosen}.")
    return problems


def _divided(field: forms.Field | None, text: str) -> Any:
    if not isinstance(field, (forms.MultipleChoiceField, forms.ModelMultipleChoiceField)) or text == "":
        return text
    if isinstance(field, forms.MultipleChoiceField) and field.valid_value(text):
        return [text]
    return [word.strip() for word in text.split(",")]


def _takes_several(name: str, field: forms.Field) -> bool:
    if isinstance(field, SimpleArrayField) or isinstance(field.widget, (forms.MultiWidget, SplitArrayWidget)):
        return True
    sent = QueryDict(mutable=True)
    sent.setlist(name, ["", ""])
    return isinstance(field.widget.value_from_datadict(sent, QueryDict(), name), list)
