"""What run() costs beside its query: reports of one row, with one and with five parameters, against a bare cursor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection

from benchmarks.timing import Comparison, compare
from reports import Report

TIMES = 200


class OneParameter(Report):
    """One row."""

    template = "benchmarks/one_parameter.sql"


class FiveParameters(Report):
    """One row."""

    template = "benchmarks/one_row.sql"


CASES: tuple[tuple[str, type[Report], Mapping[str, Any]], ...] = (
    ("1 parameter", OneParameter, {"department_id": 1}),
    (
        "5 parameters",
        FiveParameters,
        {"department_id": 1, "opened_from": "2025-01-01", "priorities": [1, 2, 3], "status": "open", "least": "1.5"},
    ),
)


def measure() -> Iterator[Comparison]:
    """Yield, for each report, what one run takes more than a bare cursor, in milliseconds: at most 0.7."""
    for name, report, params in CASES:
        query = report().query(params)
        found = compare(
            name,
            lambda report=report, params=params: _reports(report, params),  # type: ignore[misc]
            lambda query=query: _bare(query.sql, query.params),  # type: ignore[misc]
            runs=25,
        )
        more = (found.ours - found.other) / TIMES
        yield Comparison(f"run() of one row, {name}: more than a bare cursor / 0.7 ms", more, 0.7, more / 0.7)


def _reports(report: type[Report], params: Mapping[str, Any]) -> None:
    for _ in range(TIMES):
        list(report().run(params))


def _bare(sql: str, params: tuple[Any, ...]) -> None:
    for _ in range(TIMES):
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()
