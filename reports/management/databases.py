"""The database that a command was asked for."""

from __future__ import annotations

from django.core.management import CommandError
from django.db import OperationalError, connections

from reports.errors import listed, near
from reports.management.exit_codes import DATABASE


def connect(alias: str) -> None:
    """Connect to a database.

    Raises:
        CommandError: There is none of that alias, it is not PostgreSQL, or it cannot be reached.
    """
    if alias not in connections:
        raise CommandError(
            f"there is no database {alias!r} (there are: {listed(connections)}).{near(alias, connections)}"
        )
    connection = connections[alias]
    if connection.vendor != "postgresql":
        raise CommandError(f"the database {alias!r} is {connection.vendor}; reports are for PostgreSQL.")
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"the database {alias!r} cannot be reached: {error}", returncode=DATABASE) from error
