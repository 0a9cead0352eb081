"""An ``execute_wrapper`` on every PostgreSQL connection: those that are open, and all to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def on_every_connection(install: Callable[..., None], name: str) -> None:
    """Call ``install`` with the connections open in this thread, and as a receiver of ``connection_created``.

    ``name`` tells one receiver from another: it is connected once.
    """
    connection_created.connect(install, dispatch_uid=name)
    for connection in connections.all(initialized_only=True):
        install(connection)


def put_first(connection: BaseDatabaseWrapper, wrapper: Callable[..., Any]) -> None:
    """Put a wrapper before all others, so that they run inside it; on a connection to PostgreSQL, and once."""
    if connection.vendor == "postgresql" and wrapper not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, wrapper)
