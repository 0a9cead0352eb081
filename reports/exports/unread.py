"""Downloads that a request has begun and that nobody reads: middleware raised, or answered with something else.

Such a response is not closed by Django. It may stand in a cycle, and until the garbage collector came its COPY would
have the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from threading import get_ident
from typing import Any
from weakref import WeakKeyDictionary, ref

from asgiref.sync import SyncToAsync
from django.core.signals import got_request_exception, request_finished, request_started
from django.dispatch import receiver

from reports.exports.streams import ByteStream


class _Request:
    """A request under WSGI."""


# Of a request during which this module is imported, as the first of a process is, nobody has told us.
_first: _Request | None = _Request()
_served: ContextVar[_Request | None] = ContextVar("served", default=None)
# Of each request, with the thread that reads.
_begun: WeakKeyDictionary[object, list[tuple[int, ref[ByteStream]]]] = WeakKeyDictionary()


def remember(stream: ByteStream) -> None:
    """Drop a stream when its request ends and it was not read. Called in the thread of its connection."""
    request = _request()
    if request is not None:
        _begun.setdefault(request, []).append((get_ident(), ref(stream)))


def _request() -> object | None:
    # Under ASGI Django gives each request a thread, by an object that all its tasks know. Where there is none, as for
    # AsyncClient, a stream is left alone.
    return SyncToAsync.thread_sensitive_context.get(None) or _served.get() or _first


@receiver(request_started)
def _start(**kwargs: Any) -> None:
    global _first  # noqa: PLW0603 - what is true of the process
    _first = None
    _served.set(_Request())


@receiver(got_request_exception)
def _drop_unread(**kwargs: Any) -> None:
    # Before the error page and the outer middleware, which may need the connection. One that is being read may be
    # what a test holds, and has its own end.
    for stream in _of_this_thread():
        if stream.is_unread:
            stream.drop()


@receiver(request_finished)
def _drop(**kwargs: Any) -> None:
    # Sent when what was answered is closed; a download that was answered is read or closed by then.
    for stream in _of_this_thread():
        stream.drop()
    _served.set(None)


def _of_this_thread() -> Iterator[ByteStream]:
    request = _request()
    for thread, begun in _begun.get(request, ()) if request is not None else ():
        stream = begun()
        if stream is not None and thread == get_ident():
            yield stream
