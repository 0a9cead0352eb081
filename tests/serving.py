"""Web servers that serve the tests' database, their clients, and a look at their backends."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from uuid import uuid4

from django.db import connection

from scripts.environment import CHECKOUT
from scripts.web_server import HOST, WebServer, web_server
from tests.sessions import from_outside

ENDLESS = 2_000_000_000
# The most rows of an XLSX file.
SHEET = int(os.environ.get("SERVED_SHEET") or 50_000)
# Seconds for what should take two at most: a machine may be busy, but nothing may last.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server, and the name that its connections have in PostgreSQL."""

    server: WebServer
    name: str

    def begin(self, url: str) -> http.client.HTTPConnection:
        """Send a request, whose answer nobody has read yet."""
        client = http.client.HTTPConnection(HOST, self.server.port, timeout=PATIENCE)
        client.request("GET", url)
        return client

    def get(self, url: str) -> tuple[int, Message, bytes]:
        """Return the status, the headers and the body of an answer that is whole."""
        client = self.begin(url)
        try:
            response = client.getresponse()
            return response.status, response.headers, response.read()
        finally:
            client.close()

    def json(self, url: str) -> Any:
        status, _, body = self.get(url)
        assert status == 200, self.server.log()
        return json.loads(body)

    def parts(self, url: str) -> tuple[http.client.HTTPResponse, Iterator[bytes]]:
        """Return an answer, and its body in parts as they come."""
        client = self.begin(url)
        response = client.getresponse()

        def read() -> Iterator[bytes]:
            with closing(client), response:
                while part := response.read1(1 << 16):
                    yield part

        return response, read()

    def give_up(self, url: str) -> None:
        """Read the first bytes of an answer, and go away."""
        client = self.begin(url)
        response = client.getresponse()
        assert response.status == 200, self.server.log()
        assert len(response.read(100_000)) == 100_000
        response.close()
        client.close()

    def states(self) -> list[str]:
        """Return the states of the server's backends."""
        return [state or "" for (state,) in from_outside(_STATES, self.name)]

    def working(self) -> int:
        """Return how many of the server's backends run a statement or are within a transaction."""
        return sum(state != "idle" for state in self.states())

    def seconds_until_idle(self) -> float:
        """Return how long it took until no backend worked any more, at most ``PATIENCE``."""
        begun = time.monotonic()
        while self.working() and time.monotonic() < begun + PATIENCE:
            time.sleep(0.02)
        return time.monotonic() - begun

    def wait_until_working(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self.working():
            assert time.monotonic() < end, self.server.log()
            time.sleep(0.02)


_STATES = "SELECT state FROM pg_stat_activity WHERE application_name = %s"


@contextmanager
def served(kind: str, *, threads: int = 1, **database: Any) -> Iterator[Served]:
    """Serve the tests' database; ``database`` are settings of it."""
    name = f"served-{uuid4().hex}"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.served.settings",
        "PYTHONPATH": str(CHECKOUT),
        "SERVED_DATABASE": connection.settings_dict["NAME"],
        "SERVED_NAME": name,
        "SERVED_SHEET": str(SHEET),
        "SERVED_OPTIONS": json.dumps(database),
    }
    application = f"tests.served.applications:{'asgi' if kind == 'uvicorn' else 'wsgi'}"
    with web_server(kind, application, environment, threads=threads) as server:
        yield Served(server, name)
