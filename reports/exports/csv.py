"""Rows as CSV, by COPY."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, Literal

from django.db.models import QuerySet
from django.utils import translation

from reports.copying import Copy
from reports.exports.compiled import AS_CSV, check_choice, check_rows, compiled
from reports.exports.formulas import safe_select, safe_text
from reports.exports.streams import ByteStream, Encode

Header = Literal["labels", "names"] | None


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
    check_rows(rows, "CSV")
    check_choice("header", header, ("labels", "names", None))
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
    return stream_csv(rows, spreadsheet_safe=spreadsheet_safe, header=header).write_to(file)


def _begin(rows: QuerySet[Any], is_safe: bool, header: Header, language: str | None) -> tuple[Copy | None, Encode]:
    with translation.override(language):  # the reader may be in another thread, or come after the request
        found = compiled(rows, labels=header == "labels")
    names = [safe_text(name) for name in found.names] if is_safe else found.names
    head = partial(_after, _line(names) if header else b"")
    if found.sql is None:
        return None, head
    if is_safe:
        return found.copy(found.sql, options=AS_CSV, shape=partial(safe_select, positions=found.positions)), head
    return found.copy(found.exact_sql(), options=AS_CSV), head


def _after(head: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield head + next(parts, b"")
    yield from parts


def _line(cells: Sequence[str]) -> bytes:
    """Return a line of CSV, quoted where PostgreSQL would."""
    quoted = [
        '"' + cell.replace('"', '""') + '"' if not cell or cell == r"\." or set(cell) & set(',"\r\n') else cell
        for cell in cells
    ]
    return (",".join(quoted) + "\n").encode()
