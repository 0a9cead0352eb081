"""The session of the tests' connection: how a caller uses it, what it is set to, and a look from another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction


@contextmanager
def without_autocommit() -> Iterator[None]:
    connection.set_autocommit(False)
    try:
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


MODES: dict[str, Callable[[], Any]] = {
    "autocommit": nullcontext,
    "atomic": transaction.atomic,
    "no_autocommit": without_autocommit,
}
modes = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def from_outside(sql: str, *params: object) -> list[Any]:
    """Return the rows of a query on a connection that Django knows nothing of."""
    options = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: options[name] for name in names if name in options}) as other:
        return other.execute(sql, params).fetchall()
