"""Downloads that middleware drops after they were rendered, under WSGI and ASGI, without the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils.decorators import async_only_middleware

from reports.errors import ExportError
from reports.exports import csv_response, stream_csv, unread
from tests.exporting import all_ended, exported, rows_of
from tests.models import Store

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = {"error": 500, "forbidden": 403, "replaced": 200}


def numbers(most: int = 100_000) -> Any:
    return rows_of(f"SELECT generate_series(1, {most}) AS id", id="integer")


def download(request: HttpRequest, how: str) -> Any:
    return csv_response(numbers(2_000_000_000 if how in STATUS else 100_000))


def plain(request: HttpRequest, how: str) -> HttpResponse:
    return HttpResponse("a")


urlpatterns = [path("download/<how>", download), path("plain/<how>", plain)]


def dropped(request: HttpRequest, response: Any) -> Any:
    """Return what is answered instead of a response, which stays in a cycle."""
    how = request.path.rpartition("/")[2]
    response.itself = response
    if how == "error":
        raise RuntimeError
    if how == "forbidden":
        raise PermissionDenied
    return HttpResponse("b") if how == "replaced" else response


def dropping(get_response: Any) -> Any:
    return lambda request: dropped(request, get_response(request))


@async_only_middleware
def async_dropping(get_response: Any) -> Any:
    async def middleware(request: HttpRequest) -> Any:
        return dropped(request, await get_response(request))

    return middleware


def counting(get_response: Any) -> Any:
    """Return middleware that needs the connection after the view."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response["X-Stores"] = Store.objects.count()
        return response

    return middleware


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a server whose connections outlive a request, and no garbage collector."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.dropping"]
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def begin(url: str) -> tuple[Any, str]:
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": url, "SERVER_NAME": "testserver", "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1",
    }  # fmt: skip
    response: Any = WSGIHandler()(environ, lambda status, headers: statuses.append(status))  # type: ignore[arg-type]
    return response, statuses[0]


def by_wsgi(url: str) -> int:
    response, status = begin(url)
    b"".join(response)
    response.close()
    return int(status[:3])


async def by_asgi(url: str, sent: list[Any], wait: Any = None) -> int:
    """Return the status; wait for something after the first bytes."""
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(received, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if wait and message.get("body"):
            await wait()

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": url, "raw_path": url.encode(),
        "query_string": b"", "headers": [(b"host", b"testserver")],
    }  # fmt: skip
    await ASGIHandler()(scope, receive, send)
    return int(sent[0]["status"])


def is_free() -> bool:
    """Return whether the connection of this thread takes statements, without having been closed."""
    return connection.connection is not None and Store.objects.count() == 0


# What is dropped.


@pytest.mark.parametrize("how", STATUS)
def test_dropped_download_frees_the_connection_under_wsgi(how: str):
    assert by_wsgi(f"/download/{how}") == STATUS[how]

    assert is_free()
    assert all_ended()


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # Django 5.2 and 6.0 forget the request's body
@pytest.mark.parametrize("middleware", ["dropping", "async_dropping"])
@pytest.mark.parametrize("how", STATUS)
def test_dropped_download_frees_the_connection_under_asgi(how: str, middleware: str, settings: Any):
    settings.MIDDLEWARE = [f"{__name__}.{middleware}"]

    assert async_to_sync(by_asgi)(f"/download/{how}", []) == STATUS[how]

    assert is_free()
    assert all_ended()


def test_outer_middleware_has_the_connection_after_an_error(settings: Any):
    settings.MIDDLEWARE = [f"{__name__}.counting", f"{__name__}.dropping"]

    response = Client(raise_request_exception=False).get("/download/error")

    assert (response.status_code, response.headers["X-Stores"]) == (500, "0")


def test_request_that_imports_the_module(monkeypatch: pytest.MonkeyPatch):
    """The first of a process, when its views are imported: its beginning was not seen."""
    request_started.disconnect(unread._start)
    monkeypatch.setattr(unread, "_first", unread._Request())
    try:
        assert by_wsgi("/download/replaced") == 200
    finally:
        request_started.connect(unread._start)

    assert is_free()


def test_connection_that_ends_with_the_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    connection.close()

    assert by_wsgi("/download/replaced") == 200

    assert all_ended()
    assert Store.objects.count() == 0


# What is not.


def test_download_in_another_thread_goes_on():
    response, _ = begin("/download/whole")
    parts = iter(response)
    data = next(parts)

    def drop() -> None:
        try:
            by_wsgi("/download/error")
            by_wsgi("/download/replaced")
        finally:
            connections.close_all()

    thread = Thread(target=drop)
    thread.start()
    thread.join()

    data += b"".join(parts)
    response.close()
    assert data == exported(numbers())


@pytest.mark.parametrize("how", ["error", "replaced", "whole"])
def test_download_that_a_test_holds_goes_on(how: str):
    client = Client(raise_request_exception=False)
    response: Any = client.get("/download/whole")

    client.get(f"/plain/{how}")

    assert b"".join(response) == exported(numbers())


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_download_of_another_task_goes_on():
    """Two requests that have one thread, as under async_to_sync."""

    async def get() -> tuple[list[Any], list[int]]:
        begun, ended = asyncio.Event(), asyncio.Event()
        sent: list[Any] = []

        async def wait() -> None:
            begun.set()
            await ended.wait()

        task = asyncio.create_task(by_asgi("/download/whole", sent, wait))
        await begun.wait()
        statuses = [await by_asgi(f"/plain/{how}", []) for how in STATUS]
        ended.set()
        await task
        return sent, statuses

    sent, statuses = async_to_sync(get)()

    assert statuses == list(STATUS.values())
    assert b"".join(message.get("body", b"") for message in sent) == exported(numbers())


def test_who_reads_on_gets_an_error():
    stream = stream_csv(numbers())
    stream.start()
    was_unread = stream.is_unread
    stream.drop()

    assert (was_unread, stream.is_unread) == (True, False)
    with pytest.raises(ExportError, match="given up when its request ended"):
        b"".join(stream)


def test_whole_stream_is_left_as_it_is():
    stream = stream_csv(numbers(1))
    assert b"".join(stream) == b"id\n1\n"

    stream.drop()

    assert list(stream) == []
    assert stream.rows == 1
