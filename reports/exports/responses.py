"""Downloads that work under WSGI and under ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from reports.exports.csv import Header, stream_csv
from reports.exports.streams import ByteStream
from reports.exports.unread import remember
from reports.source import report_name

CSV_TYPE = "text/csv; charset=utf-8"
Callback = Callable[[HttpResponseBase], HttpResponseBase | None]


class StreamResponse(StreamingHttpResponse):
    """A response whose bytes are read while they are sent.

    Django renders it like a template's: ``render()`` reads the first bytes before the head is sent, so that a query
    that fails at once is an error of the request, and not half a file. Under ASGI it is awaited, and a client that goes
    away meanwhile cancels the query. ``on_error`` makes a response of such an error, or raises it. When middleware
    drops the rendered response, its query ends with the request.

    For middleware it is a synchronous one. Under ASGI, where Django would read a synchronous iterator to its end first,
    what middleware made of it is read step by step, in the thread of the database connection.
    """

    # What Django's template responses have; middleware may look.
    template_name = context_data = None

    def __init__(
        self,
        stream: ByteStream,
        *,
        filename: str,
        content_type: str,
        on_error: Callable[[Exception], HttpResponseBase] | None = None,
    ) -> None:
        disposition = content_disposition_header(True, filename)
        super().__init__(stream, content_type=content_type, headers={"Content-Disposition": disposition})
        self._stream = stream
        self._on_error = on_error
        self._callbacks: list[Callback] = []

    @property
    def render(self) -> Callable[[], Any]:
        """What Django calls before it sends the response: a function, in an event loop a coroutine function."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._render
        return self._render_async

    def add_post_render_callback(self, callback: Callback) -> None:
        """Call a function with the response when it is rendered; what it returns takes the response's place."""
        self._callbacks.append(callback)

    def _render(self) -> HttpResponseBase:
        try:
            self._stream.start()
        except Exception as error:  # noqa: BLE001 - raised again, or made a response
            return self._rendered(self._refused(error))
        remember(self._stream)
        return self._rendered(self)

    async def _render_async(self) -> HttpResponseBase:
        return await self._stream.in_thread(self._render)

    def _refused(self, error: Exception) -> HttpResponseBase:
        self._stream.close()  # not the response, whose close() is the end of the request
        if self._on_error is None:
            raise error
        return self._on_error(error)

    def _rendered(self, response: HttpResponseBase) -> HttpResponseBase:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            response = callback(response) or response
        return response

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

    The query runs when Django renders the response, after the view. Its errors before the first bytes are the
    request's; one after them breaks the connection: half a file does not look like a whole one.

    Raises:
        TypeError: ``rows`` are not rows of a report.
        ValueError: There is no such ``header``.
    """
    stream = stream_csv(rows, spreadsheet_safe=spreadsheet_safe, header=header)
    return StreamResponse(stream, filename=filename or file_name(rows, "csv"), content_type=CSV_TYPE)


def file_name(rows: QuerySet[Any], extension: str) -> str:
    """Return the name of a download: that of the report, without its app."""
    return f"{report_name(rows.model).rpartition('.')[2]}.{extension}"
