r"""CSV of 200 000 rows: ours against ``psql \copy``, against ``csv.writer`` over a cursor, against drf-csv."""

from __future__ import annotations

import csv
import gc
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

from django.db import connection

from benchmarks.psql import Psql
from benchmarks.tickets import BenchmarkTicket, Tickets, create_table
from benchmarks.timing import Comparison, compare
from reports import Report
from reports.exports import stream_csv, write_csv

MANY = 5_000_000
MEBIBYTE = 2**20


class ManyRows(Report):
    """As many rows as are asked for."""

    template = "benchmarks/many_rows.sql"


def measure() -> Iterator[Comparison]:
    r"""Yield the ratios: at most 1.5 and 2.2 of ``\copy``, a quarter of ``csv.writer``, 32 MiB for 5 million rows."""
    yield _memory()
    create_table()
    rows = Tickets().run()
    sql = rows.query.sql_with_params()[0].replace("%%", "%")
    with Psql() as psql:
        for name, is_safe in (("as it is", False), ("formula-safe", True)):
            yield compare(
                rf"200 000 rows as CSV, {name} / psql \copy",
                lambda is_safe=is_safe: _write(rows, is_safe),  # type: ignore[misc]
                lambda: psql.copy(sql, os.devnull),
                runs=15,
            )
    for name, is_safe in (("as it is", False), ("formula-safe", True)):
        yield compare(
            f"200 000 rows as CSV, {name} / csv.writer over a cursor",
            lambda is_safe=is_safe: _write(rows, is_safe),  # type: ignore[misc]
            lambda: _by_hand(sql),
        )
    yield compare(
        "200 000 rows as CSV, formula-safe / drf-csv", lambda: _write(rows, is_safe=True), _by_drf_csv, runs=3
    )


def _write(rows: Any, is_safe: bool) -> None:
    with open(os.devnull, "wb") as file:  # noqa: PTH123 - no file
        write_csv(rows, file, spreadsheet_safe=is_safe)


def _by_hand(sql: str) -> None:
    with open(os.devnull, "w", newline="") as file, connection.cursor() as cursor:  # noqa: PTH123 - no file
        cursor.execute(sql)
        writer = csv.writer(file)
        writer.writerow([column.name for column in cursor.description])
        writer.writerows(cursor)


def _by_drf_csv() -> None:
    from rest_framework.serializers import ModelSerializer
    from rest_framework_csv.renderers import CSVRenderer

    class Serializer(ModelSerializer):
        class Meta:
            model = BenchmarkTicket
            fields = "__all__"

    CSVRenderer().render(Serializer(BenchmarkTicket.objects.all(), many=True).data)


def _memory() -> Comparison:
    """Return what a stream of 5 million rows adds to the most memory that the process had."""
    for _ in stream_csv(ManyRows().run({"rows": 1000})):
        pass
    gc.collect()
    before = _peak()
    for _ in stream_csv(ManyRows().run({"rows": MANY})):
        pass
    added = (_peak() - before) / MEBIBYTE
    return Comparison("5 million rows as CSV, memory added / 32 MiB", added, 32, added / 32, unit="MiB")


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
