"""What run() costs beside its query: a report of one row with five parameters against a bare cursor."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from benchmarks.timing import Comparison, compare
from reports import Report

TIMES = 200


class OneRow(Report):
    """One row."""

    template = "benchmarks/one_row.sql"


PARAMS = {"department_id": 1, "opened_from": "2025-01-01", "priorities": [1, 2, 3], "status": "open", "least": "1.5"}


def measure() -> Iterator[Comparison]:
    """Yield the times of 200 runs; the difference over 200 is the cost of one run, at most 0.7 ms."""
    sql, params = OneRow().query(PARAMS).sql, OneRow().query(PARAMS).params
    found = compare(f"{TIMES} × run() of one row, 5 parameters / bare cursor", _reports, lambda: _bare(sql, params))
    yield found
    each = (found.ours - found.other) / TIMES
    yield Comparison("one run() more than a bare cursor / 0.7 ms", each, 0.7, each / 0.7)


def _reports() -> None:
    for _ in range(TIMES):
        list(OneRow().run(PARAMS))


def _bare(sql: str, params: tuple[object, ...]) -> None:
    for _ in range(TIMES):
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()
