"""Downloads from real web servers: given up, broken off, refused; and what is left on their connections."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.serving import ENDLESS, PATIENCE, SHEET, Served, served

pytestmark = [pytest.mark.once, pytest.mark.django_db]

KINDS = ["sync", "gthread", "uvicorn"]
STREAMS = ["csv", "ndjson", "json-array", "parquet"]
# What a client who goes away may cost, in seconds.
PROMPT = 2.0


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Served]:
    with served(request.param, threads=4 if request.param == "gthread" else 1, CONN_MAX_AGE=60) as found:
        yield found


@pytest.fixture(scope="module")
def uvicorn(django_db_setup: None) -> Iterator[Served]:
    with served("uvicorn") as found:
        yield found


# A client goes away.


@pytest.mark.parametrize("form", STREAMS)
def test_download_that_is_given_up_stops_the_backend(form: str, server: Served):
    """The quickest of three: a busy machine may hold up any of them, but none goes on."""
    seconds = []
    for _ in range(3):
        server.give_up(f"/rows/?format={form}&rows={ENDLESS}")
        seconds.append(server.seconds_until_idle())

    assert max(seconds) < PATIENCE, server.server.log()
    assert min(seconds) < PROMPT


@pytest.mark.parametrize(
    "query",
    [*(f"format={form}&pause=20&rows=1" for form in [*STREAMS, "xlsx"]), "format=xlsx&pause=0.001&rows=40000"],
)
def test_query_whose_client_has_gone_before_the_first_byte_is_cancelled(query: str, uvicorn: Served):
    """Only an ASGI server tells of it."""
    seconds = []
    for _ in range(3):
        client = uvicorn.begin(f"/rows/?{query}")
        uvicorn.wait_until_working()
        client.close()
        seconds.append(uvicorn.seconds_until_idle())

    assert min(seconds) < PROMPT


# Something goes wrong.


@pytest.mark.parametrize("form", STREAMS)
def test_download_that_fails_in_the_middle_is_no_whole_one(form: str, server: Served):
    response, parts = server.parts(f"/rows/?format={form}&rows=200000&faulty=150000")
    read: list[bytes] = []

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        read.extend(parts)

    body = b"".join(read)
    assert response.status == 200
    assert len(body) > 100_000
    assert [word for word in (b"division", b"SELECT", b"Traceback", b"<html") if word in body] == []
    assert server.seconds_until_idle() < PATIENCE


@pytest.mark.parametrize("form", [*STREAMS, "xlsx", "json"])
def test_timeout_before_the_first_byte_has_a_status(form: str, server: Served):
    status, headers, body = server.get(f"/hasty/?format={form}&rows=10&pause=1")

    assert (status, headers["Retry-After"]) == (503, "30")
    assert json.loads(body) == {"detail": "The report took too long. Ask for less, or try again later."}
    assert "Content-Disposition" not in headers


@pytest.mark.parametrize(
    ("query", "expected", "key"),
    [
        ("format=csv&rows=no", 400, "rows"),
        ("format=csv&rows=3&faulty=1", 400, "detail"),
        (f"format=xlsx&rows={SHEET}&faulty={SHEET - 1}", 400, "detail"),
        (f"format=xlsx&rows={SHEET + 1}", 413, "detail"),
    ],
)
def test_error_before_the_first_byte_has_a_status(query: str, expected: int, key: str, server: Served):
    status, headers, body = server.get(f"/rows/?{query}")

    assert (status, headers["Content-Type"]) == (expected, "application/json")
    assert list(json.loads(body)) == [key]


# What is left behind.


def test_next_request_on_the_connection_has_the_settings_of_the_server():
    """After a download that was whole, one given up, one broken off, a timeout and a page."""
    with served("sync", CONN_MAX_AGE=60) as server:
        before = server.json("/session/")
        for query in ("format=csv&rows=10", "format=xlsx&rows=10", "format=json&rows=10"):
            assert server.get(f"/rows/?{query}")[0] == 200
            assert server.json("/session/") == before
        server.give_up(f"/rows/?format=csv&rows={ENDLESS}")
        assert server.json("/session/") == before
        with suppress(http.client.IncompleteRead):
            server.get("/rows/?format=ndjson&rows=200000&faulty=150000")
        assert server.json("/session/") == before
        assert server.get("/hasty/?format=csv&rows=10&pause=1")[0] == 503
        assert server.json("/session/") == before

    assert before["settings"] == {
        "statement_timeout": "0",
        "lock_timeout": "0",
        "transaction_read_only": "off",
        "default_transaction_read_only": "off",
    }


CONNECTIONS: dict[str, dict[str, Any]] = {
    "closed": {"CONN_MAX_AGE": 0},
    "kept": {"CONN_MAX_AGE": 60},
    "pooled": {"OPTIONS": {"pool": {"min_size": 0, "max_size": 4, "timeout": PATIENCE}}},
}


# Under ASGI Django itself keeps the connections of any view open, each in a thread of its own, when they may be kept.
@pytest.mark.parametrize(
    ("kind", "connections"),
    [("gthread", "closed"), ("gthread", "kept"), ("gthread", "pooled"), ("uvicorn", "closed"), ("uvicorn", "pooled")],
)
def test_connections_return(kind: str, connections: str):
    """Of 30 downloads, half of them given up, eight at a time. A connection that is lost is one less for the rest."""
    with served(kind, threads=4, **CONNECTIONS[connections]) as server, ThreadPoolExecutor(8) as pool:
        whole = [f"/rows/?format={form}&rows=1000" for form in [*STREAMS, "xlsx"] * 3]
        endless = [f"/rows/?format={form}&rows={ENDLESS}" for form in STREAMS * 4]
        given_up = [pool.submit(server.give_up, url) for url in endless]
        assert {answer[0] for answer in pool.map(server.get, whole)} == {200}, server.server.log()
        for one in given_up:
            one.result()
        assert server.seconds_until_idle() < PATIENCE
        left = server.states()

    assert len(left) <= (0 if connections == "closed" else 4)
