"""Rows of any statement, and what the tests of exports look at."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

from reports.exports import stream_csv
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from tests.sessions import from_outside


def rows_of(sql: str, *params: object, seconds: float | None = None, **columns: Any) -> Rows:
    """Return the rows of a statement, its columns declared as ``name="type"``; ``seconds`` are the report's timeout."""
    declared = [Column(name, kind, pk=name == "id", null=True) for name, kind in columns.items()]
    model = build_row_model("tests.exported", declared, ordering=(), file="exported.sql")
    return Rows.of(TemplateSource("tests.exported", Query(sql, params), seconds), model)


def exported(rows: Any, **options: Any) -> bytes:
    return b"".join(stream_csv(rows, **options))


def cells(data: bytes) -> list[list[str]]:
    """Return what another program reads."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def all_ended() -> bool:
    """Return whether no export of the tests runs any more. PostgreSQL may tell of an end a little after it."""
    for _ in range(40):
        if running() == 0:
            return True
        time.sleep(0.05)
    return False


def running() -> int:
    """Return how many connections run an export of the tests."""
    (count,) = from_outside(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%report=tests.%%' AND state = 'active'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(count[0])
