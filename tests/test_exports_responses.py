"""Downloads under WSGI and ASGI, through middleware, to their end and given up."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from reports import QueryError
from reports.exports import csv_response, stream_csv
from reports.exports.responses import StreamResponse
from tests.exporting import all_ended, exported, rows_of, running
from tests.reports import Faulty, FigureInstances, Figures, SettingsSeen

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = {
    "numbers": lambda: rows_of("SELECT generate_series(1, 100000) AS id", id="integer"),
    "endless": lambda: rows_of("SELECT generate_series(1, 2000000000) AS id", id="integer"),
    "silent": lambda: rows_of("SELECT 1 AS id, pg_sleep(20)::text AS a", id="integer", a="text"),
    "faulty": lambda: Faulty().run(),
    "late": lambda: rows_of(
        "SELECT n AS id, 1 / (150000 - n) AS x FROM generate_series(1, 200000) AS n", id="integer", x="integer"
    ),
}


def download(request: HttpRequest, name: str) -> Any:
    return csv_response(ROWS[name](), "a.csv")


async def adownload(request: HttpRequest, name: str) -> Any:
    return csv_response(ROWS[name](), "a.csv")


def seen(response: Any) -> None:
    response["X-Seen"] = "1"


def answered() -> StreamResponse:
    stream = stream_csv(ROWS["faulty"]())
    response = StreamResponse(
        stream, filename="a", content_type="a/b", on_error=lambda error: HttpResponse(type(error).__name__, status=503)
    )
    response.add_post_render_callback(seen)  # as a decorator does that comes from middleware
    return response


def sync_answered(request: HttpRequest) -> StreamResponse:
    return answered()


async def async_answered(request: HttpRequest) -> StreamResponse:
    return answered()


urlpatterns = [path("sync/answered", sync_answered), path("async/answered", async_answered)]
urlpatterns += [path("sync/<name>", download), path("async/<name>", adownload)]
GZIP = ["django.middleware.gzip.GZipMiddleware"]
DEFAULT = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
]


@pytest.fixture(autouse=True)
def urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = DEFAULT


# Headers.


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("tickets.csv", 'attachment; filename="tickets.csv"'),
        ("Jänner 2026.csv", "attachment; filename*=utf-8''J%C3%A4nner%202026.csv"),
        ('a"b.csv', r'attachment; filename="a\"b.csv"'),
        (None, 'attachment; filename="figures.csv"'),
    ],
)
def test_response_is_a_download(filename: str | None, disposition: str):
    response = csv_response(Figures().run(), filename)

    assert (response["Content-Type"], response["Content-Disposition"]) == ("text/csv; charset=utf-8", disposition)
    assert response.status_code == 200
    assert "Content-Length" not in response
    response.close()


def test_response_of_a_model_has_its_name():
    assert csv_response(FigureInstances().run())["Content-Disposition"] == 'attachment; filename="FigureRow.csv"'


def test_filename_cannot_add_a_header():
    response = csv_response(Figures().run(), "a\r\nX-Evil: 1.csv")

    assert response["Content-Disposition"] == "attachment; filename*=utf-8''a%0D%0AX-Evil%3A%201.csv"


def test_options_are_those_of_the_stream():
    response = csv_response(SettingsSeen().run(), header=None, spreadsheet_safe=False)

    assert response.getvalue() == b"on,0,\n"


# Whole downloads. Warnings are errors: Django warns where it reads an iterator to its end first.


@pytest.mark.parametrize("middleware", [DEFAULT, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("view", ["sync", "async"])
def test_download_by_wsgi(view: str, middleware: list[str], settings: Any):
    """An asynchronous view too: its response is read where the request is served."""
    settings.MIDDLEWARE = middleware
    expected = exported(ROWS["numbers"]())

    response: Any = Client().get(f"/{view}/numbers", headers={"Accept-Encoding": "gzip"})
    data = b"".join(response)

    assert (gzip.decompress(data) if middleware is GZIP else data) == expected


@pytest.mark.parametrize("middleware", [DEFAULT, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("view", ["sync", "async"])
def test_download_by_asgi(view: str, middleware: list[str], settings: Any):
    settings.MIDDLEWARE = middleware
    expected = exported(ROWS["numbers"]())

    async def get() -> bytes:
        response: Any = await AsyncClient().get(f"/{view}/numbers", headers={"Accept-Encoding": "gzip"})
        return b"".join([part async for part in response])

    data = async_to_sync(get)()

    assert (gzip.decompress(data) if middleware is GZIP else data) == expected


def test_middleware_may_put_an_asynchronous_iterator():
    async def get() -> bytes:
        response = csv_response(ROWS["numbers"]())
        parts = response._stream

        async def upper() -> Any:
            async for part in parts:
                yield part.upper()

        response.streaming_content = upper()
        return b"".join([part async for part in response])

    assert async_to_sync(get)() == exported(ROWS["numbers"]()).upper()


# Servers. The applications are called as a server does.


class Exchange:
    """One request to the ASGI application, in a task of its own."""

    def __init__(self, url: str) -> None:
        self.sent: list[Any] = []
        self.has_body = asyncio.Event()
        self.has_gone = asyncio.Event()
        self._received = 0
        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": url, "raw_path": url.encode(),
            "query_string": b"", "headers": [(b"host", b"testserver")],
        }  # fmt: skip
        self.task = asyncio.create_task(ASGIHandler()(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        self._received += 1
        if self._received == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.has_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.has_body.set()
        await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def test_asgi_server_gets_the_download_in_parts():
    async def get() -> Exchange:
        exchange = Exchange("/async/numbers")
        await exchange.task
        return exchange

    exchange = async_to_sync(get)()

    assert exchange.body == exported(ROWS["numbers"]())
    assert len(exchange.sent) > 4
    assert exchange.sent[-1] == {"type": "http.response.body"}


@pytest.mark.parametrize("middleware", [DEFAULT, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("name", ["endless", "silent"])
def test_client_of_an_asgi_server_that_goes_away_stops_the_backend(
    name: str, view: str, middleware: list[str], settings: Any
):
    settings.MIDDLEWARE = middleware

    async def get() -> None:
        exchange = Exchange(f"/{view}/{name}")
        if name == "endless":
            await asyncio.wait_for(exchange.has_body.wait(), 10)
        else:
            while not await asyncio.to_thread(running):
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(running) == 1
        exchange.has_gone.set()
        await asyncio.wait_for(exchange.task, 10)
        assert all(message.get("more_body") is not False for message in exchange.sent)
        assert bool(exchange.sent) == (name == "endless")  # no head before PostgreSQL has answered

    async_to_sync(get)()

    assert all_ended()


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # Django 5.2 and 6.0 forget the request's body
@pytest.mark.parametrize("view", ["sync", "async"])
def test_asgi_server_sees_an_error_in_the_middle(view: str):
    """The application ends with the error, so that the server breaks the connection; no last part was sent."""

    async def get() -> Exchange:
        exchange = Exchange(f"/{view}/late")
        with pytest.raises(QueryError, match="22012"):
            await exchange.task
        return exchange

    exchange = async_to_sync(get)()

    assert exchange.body.startswith(b"id,x\n1,0\n")
    assert b"rror" not in exchange.body
    assert all(message.get("more_body", True) and message.get("body", b"x") for message in exchange.sent)
    assert all_ended()
    del exchange
    gc.collect()


def start_wsgi(url: str) -> tuple[Any, list[Any]]:
    began: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": url, "SERVER_NAME": "testserver", "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1",
    }  # fmt: skip
    return WSGIHandler()(environ, lambda status, headers: began.append(status)), began  # type: ignore[arg-type]


@pytest.mark.parametrize("middleware", [DEFAULT, GZIP], ids=["plain", "gzip"])
def test_client_of_a_wsgi_server_that_goes_away_stops_the_backend(middleware: list[str], settings: Any):
    settings.MIDDLEWARE = middleware
    response, began = start_wsgi("/sync/endless")
    parts = iter(response)
    next(parts)
    assert running() == 1

    response.close()

    assert began == ["200 OK"]
    assert all_ended()


def test_wsgi_server_sees_an_error_in_the_middle():
    response, _ = start_wsgi("/sync/late")
    parts: list[bytes] = []

    with pytest.raises(QueryError, match="22012"):
        parts.extend(response)
    response.close()

    assert b"".join(parts).startswith(b"id,x\n1,0\n")
    assert all_ended()


def test_error_before_the_first_bytes_is_one_of_the_request():
    """Under WSGI: the view's, so that middleware and the error page see it."""
    client = Client(raise_request_exception=False)

    assert client.get("/sync/faulty").status_code == 500
    with pytest.raises(QueryError, match="42883"):
        Client().get("/sync/faulty")


@pytest.mark.parametrize("view", ["sync", "async"])
def test_error_before_the_first_bytes_is_one_of_the_request_under_asgi(view: str):
    response: Any = async_to_sync(AsyncClient(raise_request_exception=False).get)(f"/{view}/faulty")

    assert response.status_code == 500


@pytest.mark.parametrize("view", ["sync", "async"])
def test_error_before_the_first_bytes_can_be_answered(view: str):
    expected: Any = {"sync": Client().get, "async": async_to_sync(AsyncClient().get)}[view](f"/{view}/answered")

    assert (expected.status_code, expected.content) == (503, b"QueryError")
    assert expected["X-Seen"] == "1"


def test_response_is_read_once_although_it_was_rendered():
    response = csv_response(ROWS["numbers"]())

    assert response.render() is response
    assert response.render() is response
    assert response.getvalue() == exported(ROWS["numbers"]())


def test_rendered_response_that_nobody_reads_frees_the_connection():
    response = csv_response(ROWS["endless"]())
    response.render()
    assert running() == 1

    response.close()

    assert all_ended()
