r"""Rows as NDJSON, one JSON object in a line, and as a JSON array, by COPY.

PostgreSQL writes the JSON where the form of every column is proved, see ``reports.exports.json_sql``; else it is made
here of the text that PostgreSQL writes. Both have the values that the API gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone
from psycopg.adapt import Transformer
from psycopg.pq import Format

from reports.copying import Copy
from reports.exports.compiled import AS_TEXT, Compiled, check_rows, compiled
from reports.exports.copied_text import text_rows
from reports.exports.json_rows import json_text
from reports.exports.json_sql import json_select
from reports.exports.primitives import JSONForm, exact_field, primitive
from reports.exports.responses import StreamResponse, file_name
from reports.exports.streams import ByteStream, Encode

# No JSON text holds the quotation mark, the delimiter, or what stands for NULL: then none is quoted.
_LINES = r"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', NULL E'\x03', ENCODING 'UTF8'"
LINES_TYPE = "application/x-ndjson"


def stream_ndjson(rows: QuerySet[Any], *, form: JSONForm | None = None) -> ByteStream:
    """Return rows as lines of JSON objects, in UTF-8. Nothing runs before the first read.

    Args:
        rows: Of a report, with any filter, order, slice, annotation or ``values()``; or a queryset of ``reports.join``.
        form: Of decimals and of big integers.

    Raises:
        TypeError: ``rows`` are something else.
        QueryError, QueryTimeout: When read, also after the first bytes.
    """
    return _stream(rows, form, is_array=False)


def stream_json(rows: QuerySet[Any], *, form: JSONForm | None = None) -> ByteStream:
    """Return rows as one JSON array of objects, a line for each; see ``stream_ndjson``."""
    return _stream(rows, form, is_array=True)


def write_ndjson(rows: QuerySet[Any], file: BinaryIO | str | os.PathLike[str], *, form: JSONForm | None = None) -> int:
    """Write rows as lines of JSON to a file, see ``write_csv``; return how many there were."""
    return stream_ndjson(rows, form=form).write_to(file)


def write_json(rows: QuerySet[Any], file: BinaryIO | str | os.PathLike[str], *, form: JSONForm | None = None) -> int:
    """Write rows as one JSON array to a file, see ``write_ndjson``."""
    return stream_json(rows, form=form).write_to(file)


def ndjson_response(
    rows: QuerySet[Any], filename: str | None = None, *, form: JSONForm | None = None
) -> StreamResponse:
    """Return rows as a download, see ``stream_ndjson`` and ``csv_response``."""
    stream = stream_ndjson(rows, form=form)
    name = filename or file_name(rows, "ndjson")
    return StreamResponse(stream, filename=name, content_type=LINES_TYPE)


def json_response(rows: QuerySet[Any], filename: str | None = None, *, form: JSONForm | None = None) -> StreamResponse:
    """Return rows as a download, see ``stream_json`` and ``csv_response``."""
    stream = stream_json(rows, form=form)
    return StreamResponse(stream, filename=filename or file_name(rows, "json"), content_type="application/json")


def _stream(rows: QuerySet[Any], form: JSONForm | None, *, is_array: bool) -> ByteStream:
    check_rows(rows, "JSON")
    # The reader may be in another thread, or come after the request, when another zone is active.
    return ByteStream(partial(_begin, rows.all(), form or JSONForm(), is_array, timezone.get_current_timezone()))


def _begin(rows: QuerySet[Any], form: JSONForm, is_array: bool, zone: Any) -> tuple[Copy | None, Encode]:
    found = compiled(rows, labels=False)
    shape = _as_array if is_array else iter
    with timezone.override(zone):
        sql = json_select(found, form)
        if found.sql is None:
            return None, shape
        if sql is not None:
            return found.copy(sql, options=_LINES), shape
        lines = _Lines(found, form)
    return found.copy(found.exact_sql(), options=AS_TEXT, shape=lines.note), lambda parts: shape(lines.encode(parts))


class _Lines:
    """Makes lines of JSON of COPY's text format, by the driver's loaders and the fields' converters."""

    def __init__(self, found: Compiled, form: JSONForm) -> None:
        self._connection: Any = connections[found.using]
        self._names, self._expressions = found.names, found.expressions
        self._converts = [primitive(exact_field(expression), form) for expression in found.expressions]
        self._oids: Sequence[int] = ()

    def note(self, sql: str, oids: Sequence[int]) -> str:
        """Note the types of the columns; return the query as it is."""
        self._oids = oids
        return sql

    def encode(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        makers: list[Any] = []
        for part in parts:
            makers = makers or [self._maker(i) for i in range(len(self._names))]
            yield "".join(self._line(makers, row) for row in text_rows(part)).encode()

    def _line(self, makers: Sequence[Any], row: Sequence[str | None]) -> str:
        values = [make(text) for make, text in zip(makers, row, strict=True)]
        return json_text(dict(zip(self._names, values, strict=True))) + "\n"

    def _maker(self, position: int) -> Any:
        """Return the function that makes a JSON value of a column's text."""
        load = Transformer(self._connection.connection).get_loader(self._oids[position], Format.TEXT).load
        expression = self._expressions[position]
        converters = [
            *self._connection.ops.get_db_converters(expression),
            *expression.get_db_converters(self._connection),
        ]
        convert = self._converts[position]

        def make(text: str | None) -> Any:
            value = None if text is None else load(text.encode())
            for converter in converters:
                value = converter(value, expression, self._connection)
            return value if value is None or convert is None else convert(value)

        return make


def _as_array(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return lines as the items of one array; the first bytes come with the first rows."""
    before = b"[\n"
    for part in parts:
        yield before + part[:-1].replace(b"\n", b",\n")
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
