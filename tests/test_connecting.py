"""Wrappers on connections: which get one, and where in their list it comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

from reports.connecting import on_every_connection, put_first


def test_wrapper_comes_first_and_once():
    other: Any = SimpleNamespace(vendor="postgresql", execute_wrappers=["theirs"])

    for _ in range(2):
        put_first(other, str)

    assert other.execute_wrappers == [str, "theirs"]


def test_wrapper_is_for_postgresql_alone():
    other: Any = SimpleNamespace(vendor="sqlite", execute_wrappers=[])

    put_first(other, str)

    assert other.execute_wrappers == []


def test_connections_that_are_open_and_those_to_come():
    seen: list[Any] = []

    def install(connection: Any, **kwargs: Any) -> None:
        seen.append(connection)

    try:
        for _ in range(2):
            on_every_connection(install, "tests.connecting")
        opened = list(seen)
        connection_created.send(type(connection), connection=connection)
    finally:
        is_connected = connection_created.disconnect(dispatch_uid="tests.connecting")

    assert connection in opened
    assert seen == [*opened, connection]
    assert is_connected
