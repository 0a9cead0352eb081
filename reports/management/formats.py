"""The formats of ``manage.py report``: each writes a selection to a sink and returns how many rows, if it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError
from django.db import connections, transaction

from reports import QueryError, Rows
from reports.exports import stream_csv
from reports.management.destination import Sink
from reports.management.literal_sql import literal_sql
from reports.management.row_json import to_json
from reports.management.selection import Selection
from reports.management.text_table import table
from reports.plan import WIDTH

# Rows of a table that goes to no file, unless --limit says otherwise: a screen or two.
_SHOWN_ROWS = 50
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written. ``width`` is that of the terminal, None for a file or a pipe."""

    selection: Selection
    width: int | None = None

    @property
    def limit(self) -> int | None:
        """The most rows that are asked for; None for the format's default, 0 for all."""
        return self.selection.asked.limit

    def rows(self) -> Rows:
        """Return the rows, without the limit."""
        rows = self.selection.rows()
        vendor = connections[rows.db].vendor
        if vendor != "postgresql":
            raise CommandError(f"the database {rows.db!r} is {vendor}; reports need PostgreSQL.")
        return rows

    def limited(self) -> Rows:
        """Return the rows up to the limit."""
        rows = self.rows()
        return rows[: self.limit] if self.limit else rows


def write_table(job: Job, sink: Sink) -> int:
    """Write an aligned table, then how many rows it has and, when cut, of how many."""
    rows, limit = job.rows(), job.limit
    if limit is None and job.selection.asked.output is None:
        limit = _SHOWN_ROWS
    names, values = _columns(rows)
    found = list(values[: limit + 1] if limit else values)
    shown = found[:limit] if limit else found
    for line in table(names, shown, width=job.width):
        sink.write(f"{line}\n".encode())
    sink.write(f"({_counted(rows, len(shown), len(found))})\n".encode())
    return len(shown)


def write_csv(job: Job, sink: Sink) -> int | None:
    """Write CSV by COPY, harmless to spreadsheets unless ``--raw``."""
    stream = stream_csv(job.limited(), spreadsheet_safe=not job.selection.asked.raw)
    with closing(stream):
        for part in stream:
            sink.write(part)
    return stream.rows


def write_json(job: Job, sink: Sink) -> int:
    """Write an array of objects, one row a line, without holding the rows."""
    rows, count = job.limited(), 0
    names, values = _columns(rows)
    sink.write(b"[")
    with transaction.atomic(using=rows.db):  # a cursor outside would make PostgreSQL keep the whole result
        for row in values.iterator(chunk_size=_CHUNK):
            text = to_json(dict(zip(names, row, strict=True)))
            sink.write(f"{',' if count else ''}\n{text}".encode())
            count += 1
    sink.write(b"\n]\n" if count else b"]\n")
    return count


def write_sql(job: Job, sink: Sink) -> None:
    """Write the statement for psql: the report's own query, or that of the rows as filtered, ordered and limited."""
    selection = job.selection
    if selection.is_plain:
        query = selection.query()
        sql, params = query.sql, query.params
    else:
        rows: Any = job.limited()
        sql, params = rows.query.get_compiler(using=rows.db, elide_empty=False).as_sql()
    # The newline ends a comment that the template may end with.
    sink.write(f"-- report {selection.report.get_name()}\n{literal_sql(sql, params).strip()}\n;\n".encode())


def write_plan(job: Job, sink: Sink) -> None:
    """Write PostgreSQL's plan as a tree."""
    asked = job.selection.asked
    plan = job.limited().plan(analyze=asked.analyze)
    tree = plan.tree(width=job.width or WIDTH, conditions=asked.verbosity > 1)
    sink.write(f"{tree}\n".encode())


WRITERS: Mapping[str, Callable[[Job, Sink], int | None]] = {
    "csv": write_csv,
    "explain": write_plan,
    "json": write_json,
    "sql": write_sql,
    "table": write_table,
}


def _columns(rows: Rows) -> tuple[list[str], Any]:
    """Return the columns' names and the rows as tuples, for dict rows and instances alike."""
    fields = rows.model._meta.concrete_fields
    return [field.column for field in fields], rows.values_list(*[field.attname for field in fields])


def _counted(rows: Rows, shown: int, found: int) -> str:
    words = "1 row" if shown == 1 else f"{shown:,} rows"
    if found <= shown:
        return words
    try:
        return f"{shown:,} of {rows.count():,} rows; --limit all shows every one"
    except QueryError:  # the rows are there, and only their number is not
        return f"the first {words}; --limit all shows every one"
