"""Rows as CSV, by COPY."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any, BinaryIO, Literal

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from django.utils import translation

from reports.copying import Copy
from reports.exports.files import atomic_file, write_whole
from reports.exports.formulas import numbered, safe_select, safe_text
from reports.exports.headings import headings
from reports.exports.streams import ByteStream
from reports.source import ReportQuery, report_name

Header = Literal["labels", "names"] | None
_HEADERS = ("labels", "names", None)
# The encoding is said, because a connection may have another one.
_OPTIONS = "FORMAT csv, ENCODING 'UTF8'"


def stream_csv(rows: QuerySet[Any], *, spreadsheet_safe: bool = True, header: Header = "labels") -> ByteStream:
    r"""Return rows as CSV: an iterator of bytes, also an asynchronous one. Nothing runs before the first read.

    What PostgreSQL's ``COPY … (FORMAT csv)`` writes, in UTF-8: NULL is nothing and the empty text ``""``, booleans are
    ``t`` and ``f``, points in time are in the connection's time zone. Columns are in the template's order, annotations
    behind them.

    Args:
        rows: Of a report, with any filter, order, slice, annotation or ``values()``; or a queryset of ``reports.join``.
        spreadsheet_safe: Texts that a spreadsheet would take for a formula get a ``'`` in front. Without it the bytes
            are those of psql's ``\copy … with (format csv, header)``.
        header: ``"labels"`` for a first line of the columns' labels, where they have one; ``"names"``; None for none.

    Raises:
        TypeError: ``rows`` are something else.
        ValueError: There is no such ``header``.
        QueryError, QueryTimeout: When read, also after the first bytes.
    """
    if not isinstance(rows, QuerySet) or not isinstance(rows.query, ReportQuery):
        raise TypeError(
            f"rows are of the type {type(rows).__name__!r}; CSV is made of a report's rows or of a queryset that"
            " reports.join() returned."
        )
    if header not in _HEADERS:
        raise ValueError(f"header is {header!r}; it must be 'labels', 'names' or None.")
    return ByteStream(partial(_begin, rows.all(), spreadsheet_safe, header, translation.get_language()))


def write_csv(
    rows: QuerySet[Any],
    file: BinaryIO | str | os.PathLike[str],
    *,
    spreadsheet_safe: bool = True,
    header: Header = "labels",
) -> int:
    """Write rows as CSV, see ``stream_csv``; return how many there were, the header not counted.

    ``file`` is open for bytes, or a path. A path appears, or is replaced, when all is written.

    Raises:
        TypeError: ``rows`` or ``file`` are something else.
        ValueError: There is no such ``header``.
        QueryError, QueryTimeout: What was written is not whole; a path is as it was before.
    """
    if isinstance(file, io.TextIOBase):
        raise TypeError("the file is open for text; CSV is written as bytes: open it with the mode 'wb'.")
    stream = stream_csv(rows, spreadsheet_safe=spreadsheet_safe, header=header)
    if isinstance(file, (str, os.PathLike)):
        with atomic_file(file) as opened:
            return _write(stream, opened)
    return _write(stream, file)


def _write(stream: ByteStream, file: BinaryIO) -> int:
    with closing(stream):
        for part in stream:
            write_whole(file, part)
    return stream.rows or 0


def _begin(rows: QuerySet[Any], is_safe: bool, header: Header, language: str | None) -> tuple[bytes, Copy | None]:
    """Return the header's line and the COPY, None when Django knows that there are no rows."""
    query: Any = rows.query.chain()
    query.select_related = False  # columns of other models are no columns of the rows
    compiler = query.get_compiler(using=rows.db)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        sql = None
    with translation.override(language):  # the reader may be in another thread, or come after the request
        names, positions = headings(compiler, labels=header == "labels")
    head = _line([safe_text(name) for name in names] if is_safe else names) if header else b""
    if sql is None:
        return head, None
    shape = partial(safe_select, positions=positions) if is_safe else None
    if not is_safe and (positions != list(range(len(compiler.select))) or compiler.has_extra_select):
        cells = ", ".join(f"c{i}" for i in positions)
        sql = f"SELECT {cells} FROM {numbered(sql, len(compiler.select))}"  # noqa: S608 - names of our own
    report = report_name(rows.model)
    return head, Copy(connections[rows.db], sql, params, options=_OPTIONS, report=report, shape=shape)


def _line(cells: Sequence[str]) -> bytes:
    """Return a line of CSV, quoted where PostgreSQL would."""
    quoted = [
        '"' + cell.replace('"', '""') + '"' if not cell or cell == r"\." or set(cell) & set(',"\r\n') else cell
        for cell in cells
    ]
    return (",".join(quoted) + "\n").encode()
