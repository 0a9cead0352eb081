"""Rows as Parquet: COPY's CSV, read and written by pyarrow, a group of rows at a time."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Col
from django.http.response import HttpResponseBase

from reports.copying import Copy
from reports.errors import ExportError
from reports.exports.compiled import AS_CSV, Compiled, check_rows, compiled
from reports.exports.parquet_sql import Kind, ParquetColumn, declared_oid, kind_of, parquet_sql
from reports.exports.responses import StreamResponse, file_name
from reports.exports.streams import ByteStream, Encode

CONTENT_TYPE = "application/vnd.apache.parquet"
# The bytes of CSV that make a group of rows, some 16 Ki narrow ones. With 4 MiB a file is 5 % smaller, and takes up to
# 70 MiB of memory in place of 28.
_GROUP = 1 << 20
_PLACE = re.compile(r"In CSV column #(\d+)")


def stream_parquet(rows: QuerySet[Any]) -> ByteStream:
    """Return rows as Parquet, compressed by zstd: an iterator of bytes, also an asynchronous one.

    Columns have the names and the order of the rows. ``numeric(p,s)`` is a decimal of these digits, one without digits
    of (38, 18), rounded to its places; timestamptz is in UTC. Arrays are text, as JSON; json, uuid, interval and types
    not named here are text as PostgreSQL writes it. NaN and infinity of a numeric, days and points in time at infinity,
    and the time 24:00 are NULL. The directory is at the file's end: what was broken off cannot be read.

    Raises:
        ImproperlyConfigured: pyarrow is not installed.
        TypeError: ``rows`` are not rows of a report, nor a queryset of ``reports.join``.
        ExportError: When read: a number has more digits than its column declares.
        QueryError, QueryTimeout: When read.
    """
    check_rows(rows, "Parquet")
    _pyarrow()
    return ByteStream(partial(_begin, rows.all()))


def write_parquet(rows: QuerySet[Any], file: BinaryIO | str | os.PathLike[str]) -> int:
    """Write rows as Parquet, see ``stream_parquet``; return how many there were.

    ``file`` is open for bytes, or a path. A path appears, or is replaced, when all is written.
    """
    return stream_parquet(rows).write_to(file)


def parquet_response(
    rows: QuerySet[Any],
    filename: str | None = None,
    *,
    on_error: Callable[[Exception], HttpResponseBase] | None = None,
) -> StreamResponse:
    """Return rows as a download, see ``stream_parquet``. Without a name for the file it is that of the report.

    As ``csv_response``: the query runs when Django renders the response. ``on_error`` makes a response of an error
    before the first bytes, or raises it.
    """
    name = filename or file_name(rows, "parquet")
    return StreamResponse(stream_parquet(rows), filename=name, content_type=CONTENT_TYPE, on_error=on_error)


@dataclass(slots=True)
class _Table:
    """What is known of the columns, their types as soon as PostgreSQL has told them."""

    report: str
    columns: Sequence[ParquetColumn]
    kinds: list[Kind]

    def shape(self, query: Compiled, oids: Sequence[int]) -> str:
        """Return the query to copy; note the types."""
        self.note([oids[column.position] for column in self.columns])
        return parquet_sql(query, self.columns, self.kinds)

    def note(self, oids: Sequence[int]) -> None:
        """Note the types of the columns."""
        self.kinds = [kind_of(column, oid) for column, oid in zip(self.columns, oids, strict=True)]


def _begin(rows: QuerySet[Any]) -> tuple[Copy | None, Encode]:
    query = compiled(rows, labels=False)
    each = zip(query.names, query.positions, query.fields, query.expressions, strict=True)
    # A name that is there twice has one value in a row, the last.
    found = {
        name: ParquetColumn(name, position, field, is_computed=not isinstance(expression, Col))
        for name, position, field, expression in each
    }
    table = _Table(query.report, list(found.values()), [])
    encode = partial(_encode, table)
    if query.sql is None:
        table.note([declared_oid(column.field, connections[rows.db]) for column in table.columns])
        return None, encode
    return query.copy(query.sql, options=AS_CSV, shape=lambda _, oids: table.shape(query, oids)), encode


def _encode(table: _Table, parts: Iterator[bytes]) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetWriter

    sink, writer = _Sink(), None
    for group in _groups(parts):
        writer = writer or ParquetWriter(sink, _schema(table), compression="zstd")
        writer.write_table(_read(table, group))
        yield sink.taken()
    writer = writer or ParquetWriter(sink, _schema(table), compression="zstd")
    writer.close()
    yield sink.taken()


def _groups(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the CSV of a group of rows at a time."""
    group: list[bytes] = []
    for part in parts:
        group.append(part)
        if sum(map(len, group)) >= _GROUP:
            yield b"".join(group)
            group = []
    if group:
        yield b"".join(group)


def _read(table: _Table, part: bytes) -> Any:
    """Return a part of the CSV as a table."""
    pa = _pyarrow()
    from pyarrow import csv

    names = [f"c{i}" for i in range(len(table.kinds))]
    copied = {
        name: getattr(pa, kind.copied)() if kind.copied else _type(kind)
        for name, kind in zip(names, table.kinds, strict=True)
    }
    try:
        found = csv.read_csv(
            pa.BufferReader(part),
            # One block: a row must be in one, and a part ends at a row's end.
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(part) + 1),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=copied, true_values=["t"], false_values=["f"], null_values=[""],
                strings_can_be_null=True, quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        place = _PLACE.match(str(error))
        if place is None:
            raise
        raise _too_long(table, int(place[1])) from error
    columns = [_converted(table, i, column) for i, column in enumerate(found.columns)]
    return pa.Table.from_arrays(columns, schema=_schema(table))


def _converted(table: _Table, i: int, column: Any) -> Any:
    """Return a column in its type."""
    pa = _pyarrow()
    kind = table.kinds[i]
    if kind.type == "binary":
        values = [None if text is None else bytes.fromhex(text) for text in column.to_pylist()]
        return pa.array(values, pa.binary())
    try:
        return column.cast(_type(kind)) if kind.copied else column
    except pa.ArrowInvalid as error:
        raise _too_long(table, i) from error


def _too_long(table: _Table, i: int) -> ExportError:
    name, kind = table.columns[i].name, table.kinds[i]
    of_type = f"{kind.type}({', '.join(map(str, kind.sizes))})"
    return ExportError(
        f"report {table.report!r}: a value of the column {name!r} does not fit {of_type}: declare the column as a"
        " numeric(p,s) of more digits, or cast it to text."
    )


def _schema(table: _Table) -> Any:
    pairs = zip(table.columns, table.kinds, strict=True)
    return _pyarrow().schema([(column.name, _type(kind)) for column, kind in pairs])


def _type(kind: Kind) -> Any:
    return getattr(_pyarrow(), kind.type)(*kind.sizes)


class _Sink(io.RawIOBase):
    """A file whose bytes are taken out again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImproperlyConfigured("Parquet needs pyarrow: pip install django-sql-reports[parquet]") from error
    return pyarrow
