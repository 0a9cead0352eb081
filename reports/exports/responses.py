"""Downloads that work under WSGI and under ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from reports.exports.csv import Header, stream_csv
from reports.exports.streams import ByteStream
from reports.source import report_name


class StreamResponse(StreamingHttpResponse):
    """A response whose bytes are read while they are sent.

    For middleware it is a synchronous one. Under ASGI, where Django would read a synchronous iterator to its end first,
    what middleware made of it is read step by step, in the thread of the database connection.
    """

    def __init__(self, stream: ByteStream, *, filename: str, content_type: str) -> None:
        disposition = content_disposition_header(True, filename)
        super().__init__(stream, content_type=content_type, headers={"Content-Disposition": disposition})
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.is_async:  # middleware has put an asynchronous iterator in its place
            async for part in super().__aiter__():
                yield part
            return
        parts: Any = self.streaming_content
        try:
            while (part := await self._stream.in_thread(next, parts, None)) is not None:
                yield part
        finally:
            await self._stream.aclose()


def csv_response(
    rows: QuerySet[Any], filename: str | None = None, *, spreadsheet_safe: bool = True, header: Header = "labels"
) -> StreamResponse:
    """Return rows as a download, see ``stream_csv``. Without a name for the file it is that of the report.

    The query runs when the server reads. Its errors go to the server, which under WSGI has sent nothing before the
    first bytes, and breaks the connection afterwards: half a file does not look like a whole one.

    Raises:
        TypeError: ``rows`` are not rows of a report.
        ValueError: There is no such ``header``.
    """
    stream = stream_csv(rows, spreadsheet_safe=spreadsheet_safe, header=header)
    if filename is None:
        filename = f"{report_name(rows.model).rpartition('.')[2]}.csv"
    return StreamResponse(stream, filename=filename, content_type="text/csv; charset=utf-8")
