"""Tables filled by statements that run inside PostgreSQL: any size, the same rows every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOBase

from django.core.management.color import no_style
from django.db import connection, models, transaction

from example_project.progress import progress

CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Filling:
    """A table, how many rows it gets, and the statement that fills those with ids from ``first`` to ``last``.

    The statement may ask for ``total``, the number of rows.
    """

    model: type[models.Model]
    statement: str
    rows: int


def is_filled(fillings: Sequence[Filling]) -> bool:
    """Return whether each table has as many rows as it gets. A run that was broken off is found by this."""
    return all(filling.model._default_manager.count() == filling.rows for filling in fillings)


def fill(fillings: Sequence[Filling], stream: TextIOBase) -> None:
    """Empty the tables, all at once and those that refer to them, and fill them one after the other."""
    tables = ", ".join(connection.ops.quote_name(filling.model._meta.db_table) for filling in fillings)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")
    for filling in fillings:
        _fill(filling, stream)
    with connection.cursor() as cursor:
        # VACUUM sets the visibility map that index-only scans need; inside a transaction it is not allowed.
        cursor.execute(f"{'ANALYZE' if connection.in_atomic_block else 'VACUUM ANALYZE'} {tables}")


def _fill(filling: Filling, stream: TextIOBase) -> None:
    with progress(str(filling.model._meta.verbose_name_plural), filling.rows, stream) as advance:
        for first in range(1, filling.rows + 1, CHUNK):
            last = min(first + CHUNK - 1, filling.rows)
            with transaction.atomic(), connection.cursor() as cursor:
                # One seed per chunk: the rows do not depend on what ran before in the session.
                cursor.execute("SELECT setseed(%s)", [1 / (1 + first // CHUNK)])
                cursor.execute(filling.statement, {"first": first, "last": last, "total": filling.rows})
            advance(last - first + 1)
        # The ids came with the rows; the table's own sequence goes on after them.
        for statement in connection.ops.sequence_reset_sql(no_style(), [filling.model]):
            with connection.cursor() as cursor:
                cursor.execute(statement)
