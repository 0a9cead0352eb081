r"""Rows downloaded from a report's endpoint, against ``psql \copy``, against what one writes by hand, and packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from rest_framework.test import APIRequestFactory

from benchmarks.endpoint import ModelTicketsViewSet, TicketsViewSet
from benchmarks.psql import Psql
from benchmarks.tickets import ROWS, Tickets, create_table
from benchmarks.timing import Comparison, compare

# What takes the others half a minute for all rows is asked for a tenth of them.
TENTH = ROWS // 10
BATCH = 10_000


def measure() -> Iterator[Comparison]:
    r"""Yield the ratios of downloads."""
    from drf_excel.renderers import XLSXRenderer
    from rest_framework_csv.renderers import CSVRenderer

    create_table()
    sql = Tickets().run().query.sql_with_params()[0].replace("%%", "%")
    with Psql() as psql:
        yield compare(
            r"200 000 rows as CSV, from the endpoint / psql \copy", _ours("csv"), lambda: psql.copy(sql, os.devnull)
        )
    yield compare("200 000 rows as NDJSON / json.dumps of each row", _ours("ndjson"), lambda: _json(sql), runs=5)
    yield compare("200 000 rows as Parquet / pyarrow from tuples", _ours("parquet"), lambda: _parquet(sql), runs=5)
    for name, form, renderer in (("CSV", "csv", CSVRenderer), ("XLSX", "xlsx", XLSXRenderer)):
        package = {"csv": "drf-csv", "xlsx": "drf-excel"}[form]
        yield compare(
            f"20 000 rows as {name}, from the endpoint / {package} in a ModelViewSet",
            _ours(form, TENTH),
            _theirs(renderer),
            runs=3,
        )


def _ours(form: str, most: int = ROWS) -> Callable[[], object]:
    view = TicketsViewSet.as_view({"get": "list"}, most=most)

    def run() -> None:
        response = view(APIRequestFactory().get("/tickets/", {"format": form})).render()
        assert response.status_code == 200, response.content
        for _ in response:
            pass
        response.close()

    return run


def _theirs(renderer: Any) -> Callable[[], object]:
    view = ModelTicketsViewSet.as_view({"get": "list"}, most=TENTH, renderer_classes=[renderer])
    return lambda: view(APIRequestFactory().get("/tickets/")).render()


def _json(sql: str) -> None:
    encode = DjangoJSONEncoder().encode
    with open(os.devnull, "w") as file, connection.cursor() as cursor:  # noqa: PTH123 - no file
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        for row in cursor:
            file.write(encode(dict(zip(names, row, strict=True))) + "\n")


def _parquet(sql: str) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    types = (pa.int64(), pa.int32(), pa.string(), pa.int32(), pa.decimal128(8, 2), pa.timestamp("us", "UTC"))
    with connection.cursor() as cursor:
        cursor.execute(sql)
        schema = pa.schema([(column.name, kind) for column, kind in zip(cursor.description, types, strict=True)])
        with ParquetWriter(os.devnull, schema, compression="zstd") as writer:
            while rows := cursor.fetchmany(BATCH):
                columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), types, strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
