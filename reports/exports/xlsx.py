"""Rows as an XLSX file.

It is built in a temporary one, in constant memory: a zip's directory is at its end, and what is sent must be whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from reports import conf
from reports.copy_cursors import CHUNK
from reports.copying import Copy
from reports.errors import TooManyRows
from reports.exports.compiled import AS_TEXT, Compiled, check_choice, check_rows, compiled
from reports.exports.copied_text import text_rows
from reports.exports.csv import Header
from reports.exports.responses import StreamResponse, file_name
from reports.exports.streams import ByteStream, Encode
from reports.exports.xlsx_book import sheet_name, workbook, xlsxwriter
from reports.exports.xlsx_sql import cells_sql, kinds

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Of cells, whose XML is larger: XlsxWriter writes no zip of more than 4 GiB.
_MOST_BYTES = 2**30


class XlsxStream(ByteStream):
    """The bytes of an XLSX file. The first read builds it; then ``size`` says how many there are."""

    def __init__(self, sheet: _Sheet) -> None:
        super().__init__(partial(_begin, sheet))
        self._sheet = sheet

    @property
    def size(self) -> int | None:
        """The number of bytes, None until the file is built."""
        return self._sheet.size


@dataclass(slots=True)
class _Sheet:
    rows: QuerySet[Any]
    header: Header
    language: str | None
    zone: tzinfo
    limit: int
    size: int | None = None
    formats: list[str] = field(default_factory=list)

    def shape(self, query: Compiled, oids: Sequence[int]) -> str:
        """Return the query of the rows' cells, one row more than there may be; note the columns' formats."""
        self.formats = [kind.format for kind in kinds(query, oids, self.zone)]
        return cells_sql(query, oids, self.zone, limit=self.limit + 1)


def stream_xlsx(rows: QuerySet[Any], *, header: Header = "labels") -> XlsxStream:
    """Return rows as an XLSX file: an iterator of bytes, also an asynchronous one. The first read builds the file.

    Numbers, dates and booleans are cells of their kind, points in time in the active time zone. What Excel cannot hold
    as such is text: integers of more than 15 digits, NaN, infinity, days before March 1900 or after 9999, an interval
    that is negative or counts months. NULL and the empty text are no cell. Texts are cut at 32 767 characters, and
    never formulas or links. Columns are in the template's order, annotations behind them.

    Args:
        rows: Of a report, with any filter, order, slice, annotation or ``values()``; or a queryset of ``reports.join``.
        header: ``"labels"`` for a bold first row of the columns' labels, where they have one, with a filter; it stays
            when the rest is scrolled. ``"names"``; None for none.

    Raises:
        TypeError: ``rows`` are something else.
        ValueError: There is no such ``header``.
        ImproperlyConfigured: XlsxWriter is not installed.
        TooManyRows: When read: there are more rows than ``XLSX_ROWS``, or more than 1 GiB of them.
        QueryError, QueryTimeout: When read.
    """
    check_rows(rows, "XLSX")
    check_choice("header", header, ("labels", "names", None))
    xlsxwriter()
    language, zone = translation.get_language(), timezone.get_current_timezone()
    return XlsxStream(_Sheet(rows.all(), header, language, zone, conf.xlsx_rows()))


def write_xlsx(rows: QuerySet[Any], file: BinaryIO | str | os.PathLike[str], *, header: Header = "labels") -> int:
    """Write rows as XLSX, see ``stream_xlsx``; return how many there were, the header not counted.

    ``file`` is open for bytes, or a path. Nothing is written before the whole is built.
    """
    return stream_xlsx(rows, header=header).write_to(file)


def xlsx_response(
    rows: QuerySet[Any],
    filename: str | None = None,
    *,
    header: Header = "labels",
    on_error: Callable[[Exception], HttpResponseBase] | None = None,
) -> StreamResponse:
    """Return rows as a download of known length, see ``stream_xlsx``. Without a name it is that of the report.

    The file is built when Django renders the response, after the view. Too many rows are a response of the status 413
    whose text names CSV; every other error is the request's. ``on_error`` makes another response of an error, or raises
    it.
    """
    stream = stream_xlsx(rows, header=header)
    response = StreamResponse(
        stream,
        filename=filename or file_name(rows, "xlsx"),
        content_type=CONTENT_TYPE,
        on_error=on_error or _refused,
    )
    response.add_post_render_callback(partial(_with_length, stream))
    return response


def _with_length(stream: XlsxStream, response: HttpResponseBase) -> None:
    if isinstance(response, StreamResponse) and stream.size is not None:
        response["Content-Length"] = str(stream.size)


def _refused(error: Exception) -> HttpResponseBase:
    if not isinstance(error, TooManyRows):
        raise error
    return HttpResponse(str(error), status=413, content_type="text/plain; charset=utf-8")


def _begin(sheet: _Sheet) -> tuple[Copy | None, Encode]:
    with translation.override(sheet.language):  # the reader may be in another thread, or come after the request
        query = compiled(sheet.rows, labels=sheet.header == "labels")
    encode = partial(_encode, sheet, query)
    if query.sql is None:
        return None, encode
    # The parameters stay those of the query's own text, which the shape leaves as it is.
    return query.copy(query.sql, options=AS_TEXT, shape=lambda _, oids: sheet.shape(query, oids)), encode


def _encode(sheet: _Sheet, query: Compiled, parts: Iterator[bytes]) -> Iterator[bytes]:
    with TemporaryFile() as file:
        _build(sheet, query, parts, file)
        sheet.size = file.tell()
        file.seek(0)
        while part := file.read(CHUNK):
            yield part


def _build(sheet: _Sheet, query: Compiled, parts: Iterator[bytes], file: BinaryIO) -> None:
    first = next(parts, b"")  # then the columns' formats are known
    formats = sheet.formats or ["General"] * len(query.names)
    name, size = sheet_name(query.report.rpartition(".")[2]), 0
    with workbook(file, name, query.names if sheet.header else (), formats) as written:
        for part in chain([first], parts):
            size += len(part)
            if written.rows + part.count(b"\n") > sheet.limit:
                raise _too_many(query.report, sheet.limit, None)
            if size > _MOST_BYTES:
                raise _too_many(query.report, sheet.limit, written.rows)
            written.write(text_rows(part))


def _too_many(report: str, limit: int, fitting: int | None) -> TooManyRows:
    if fitting is None:
        problem = f"has more than the {limit} rows that an XLSX file may have"
    else:
        problem = f"has more than the 1 GiB that the cells of an XLSX file may have, after about {fitting} rows"
    error = TooManyRows(f"report {report!r} {problem}. Take CSV, which has no limit, or narrow the rows.")
    error.limit = limit if fitting is None else fitting
    return error
