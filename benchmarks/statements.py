"""What is measured: a report read to its end, and a statement written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection

from reports import Report


def run(report: type[Report]) -> Callable[[], object]:
    """Return what reads all rows of a report as tuples."""
    return lambda: list(report().run().values_list())


def execute(sql: str) -> list[Any]:
    """Run a statement, and read what it gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
