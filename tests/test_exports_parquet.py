"""Parquet files, read back by pyarrow."""

from __future__ import annotations

import datetime
import io
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Avg, F, FloatField, IntegerField, Sum, Value
from django.http import HttpResponse
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg.postgres import types

from reports import QueryError
from reports.errors import ExportError
from reports.exports import parquet
from reports.exports.compiled import Compiled
from reports.exports.parquet import parquet_response, stream_parquet, write_parquet
from reports.exports.parquet_sql import ParquetColumn, kind_of, parquet_sql
from reports.rows import Rows
from tests.exporting import all_ended, rows_of
from tests.models import Store
from tests.reports import Faulty, Figures

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def table_of(rows: Any) -> Any:
    return pq.read_table(pa.BufferReader(b"".join(stream_parquet(rows))))


def column(kind: str, sql: str) -> Any:
    """Return the one column of a file, of that type."""
    return table_of(rows_of(f"SELECT ({sql})::{kind} AS x", x=kind)).column("x")


# The statement.


def test_statement_selects_the_values():
    query = Compiled(
        report="tests.two", using="default", sql="SELECT 1, %s", params=("x",), names=("b", "a"), positions=(1, 0),
        fields=(IntegerField(), IntegerField()), width=2, is_exact=False, expressions=(),
    )  # fmt: skip
    columns = [ParquetColumn("b", 1, IntegerField(), False), ParquetColumn("a", 0, IntegerField(), False)]
    kinds = [kind_of(one, types[name].oid) for one, name in zip(columns, ("date", "int4"), strict=True)]

    assert parquet_sql(query, columns, kinds) == (
        "SELECT CASE WHEN isfinite(c1) THEN c1 - DATE '1970-01-01' END, c0"
        " FROM (SELECT * FROM (SELECT 1, %s\n) AS export (c0, c1) OFFSET 0) AS once"
    )


# Values by type.

AT = datetime.datetime(2026, 2, 3, 4, 5, 6, 500001)


@pytest.mark.parametrize(
    ("kind", "sql", "of", "value"),
    [
        ("boolean", "true", pa.bool_(), True),
        ("smallint", "-7", pa.int16(), -7),
        ("integer", "-2147483648", pa.int32(), -2147483648),
        ("bigint", "9223372036854775807", pa.int64(), 2**63 - 1),
        ("oid", "4294967295", pa.int64(), 4294967295),
        ("real", "0.5", pa.float32(), 0.5),
        ("double precision", "0.1", pa.float64(), 0.1),
        ("double precision", "'-Infinity'", pa.float64(), -math.inf),
        ("numeric(12,2)", "-0.10", pa.decimal128(12, 2), Decimal("-0.10")),
        ("numeric(12,0)", "7", pa.decimal128(12, 0), Decimal("7")),
        ("numeric(38,10)", "1e27", pa.decimal128(38, 10), Decimal("1e27")),
        ("numeric(60,2)", "1e57", pa.decimal256(60, 2), Decimal("1e57")),
        ("numeric(90,2)", "1e57", pa.string(), "1" + 57 * "0" + ".00"),
        ("numeric", "1/3.0", pa.decimal128(38, 18), Decimal("0.333333333333333333")),
        ("numeric", "'NaN'", pa.decimal128(38, 18), None),
        ("numeric", "'-Infinity'", pa.decimal128(38, 18), None),
        ("date", "'2026-02-03'", pa.date32(), datetime.date(2026, 2, 3)),
        ("date", "'0001-01-01'", pa.date32(), datetime.date(1, 1, 1)),
        ("date", "'-infinity'", pa.date32(), None),
        ("timestamp", "'2026-02-03 04:05:06.500001'", pa.timestamp("us"), AT),
        ("timestamp", "'infinity'", pa.timestamp("us"), None),
        ("timestamptz", "'2026-02-03 04:05:06.500001+00'", pa.timestamp("us", "UTC"), AT.replace(tzinfo=datetime.UTC)),
        ("timestamptz", "'-infinity'", pa.timestamp("us", "UTC"), None),
        ("time", "'23:59:59.999999'", pa.time64("us"), datetime.time(23, 59, 59, 999999)),
        ("time", "'24:00'", pa.time64("us"), None),
        ("bytea", r"'\x00ff5c'", pa.binary(), b"\x00\xff\\"),
        ("bytea", "''", pa.binary(), b""),
        ("interval", "'1 month 02:03'", pa.string(), "1 mon 02:03:00"),
        ("uuid", "'00000000-0000-0000-0000-00000000000a'", pa.string(), "00000000-0000-0000-0000-00000000000a"),
        ("jsonb", """'{"a": [1, null]}'""", pa.string(), '{"a": [1, null]}'),
        ("integer[]", "'{1,NULL}'", pa.string(), "[1,null]"),
        ("text[]", """'{"a,b",c}'""", pa.string(), '["a,b","c"]'),
        ("character(3)", "'a'", pa.string(), "a  "),
        ("int4range", "'[1,5)'", pa.string(), "[1,5)"),
    ],
)  # fmt: skip
def test_value(kind: str, sql: str, of: Any, value: Any):
    found = column(kind, sql)

    assert (found.type, found.to_pylist()) == (of, [value])
    assert column(kind, "NULL").to_pylist() == [None]
    assert table_of(rows_of(f"SELECT ({sql})::{kind} AS x", x=kind).none()).schema.field("x").type == of


@pytest.mark.parametrize(
    "text",
    ["", r"\N", r"\.", "NULL", "a,b", 'a"b', "a\r\nb\n", "\n", '"', "'", "\t", "é💶中\u2028", "=1", "t", "%s 100%"],
)
def test_hostile_text(text: str):
    """Alone in its line, and among others."""
    alone = rows_of("SELECT %s::text AS x UNION ALL SELECT NULL ORDER BY 1", text, x="text")
    among = rows_of("SELECT 1 AS id, %s::text AS x, NULL::text AS y, %s AS z", text, text, id="integer", x="text",
                    y="text", z="text")  # fmt: skip

    assert table_of(alone).to_pylist() == [{"x": text}, {"x": None}]
    assert table_of(among).to_pylist() == [{"id": 1, "x": text, "y": None, "z": text}]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROW = st.tuples(
    TEXTS | st.none(),
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.decimals(1 - 10**10, 10**10 - 1, places=2) | st.none(),
    st.datetimes(datetime.datetime(1, 1, 2), timezones=st.just(datetime.UTC)) | st.none(),
    st.dates() | st.none(),
    st.times() | st.none(),
    st.binary(max_size=5) | st.none(),
    st.floats() | st.none(),
    st.booleans() | st.none(),
)
KINDS = ["text", "bigint", "numeric(12,2)", "timestamptz", "date", "time", "bytea", "double precision", "boolean"]


@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=6))
def test_values_are_those_of_the_rows(data: list[tuple[Any, ...]]):
    arrays = ", ".join(f"%s::{kind}[]" for kind in KINDS)
    declared: Any = {f"c{i}": kind for i, kind in enumerate(KINDS)}
    rows = rows_of(
        f"SELECT n AS id, {', '.join(declared)} FROM unnest({arrays}) WITH ORDINALITY AS t ({', '.join(declared)}, n)"
        " ORDER BY n",
        *([row[i] for row in data] for i in range(len(KINDS))), id="bigint", **declared,
    )  # fmt: skip

    found = table_of(rows).to_pylist()

    # By repr, because NaN equals nothing.
    assert repr(found) == repr([{name: as_read(value) for name, value in row.items()} for row in rows])


def as_read(value: Any) -> Any:
    """Return a row's value as pyarrow gives it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(ZoneInfo("UTC"))
    return bytes(value) if isinstance(value, memoryview) else value


# Columns.


def numbers(count: int) -> Rows:
    return rows_of(f"SELECT generate_series(1, {count}) AS id", id="integer")


MONEY: Any = {"id": "integer", "b": "numeric(6,2)", "a": "text"}
PAID = "SELECT n AS id, 9999.99 AS b, 'x' AS a FROM generate_series(1, 5) AS n"


def test_columns_are_those_of_the_rows_with_annotations_behind():
    rows = rows_of(PAID, **MONEY)

    found = table_of(rows.filter(id__gt=1).annotate(c=F("id") + 1, word=Value("%w")).order_by("-id")[:2])
    assert found.column_names == ["id", "b", "a", "c", "word"]
    assert found.to_pylist()[0] == {"id": 5, "b": Decimal("9999.99"), "a": "x", "c": 6, "word": "%w"}
    assert table_of(rows.values("a", "id")[:1]).to_pylist() == [{"a": "x", "id": 1}]


def test_computed_numbers_may_have_more_digits_than_what_they_are_computed_from():
    found = table_of(rows_of(PAID, **MONEY).values("a").annotate(total=Sum("b"), mean=Avg("id")))

    assert found.to_pylist() == [{"a": "x", "total": Decimal("49999.95"), "mean": 3.0}]
    assert [field.type for field in found.schema] == [pa.string(), pa.decimal128(38, 2), pa.float64()]


@pytest.mark.parametrize(
    ("kind", "sql", "of"),
    [
        ("numeric(6,2)", "9999.995", "decimal128(6, 2)"),
        ("numeric(60,2)", "1e58", "decimal256(60, 2)"),
        ("numeric", "1e20", "decimal128(38, 18)"),
    ],
)
def test_number_that_does_not_fit(kind: str, sql: str, of: str):
    with pytest.raises(ExportError) as caught:
        table_of(rows_of(f"SELECT 1 AS id, {sql} AS total", id="integer", total=kind))

    assert caught.value.args == (
        f"report 'tests.exported': a value of the column 'total' does not fit {of}: declare the column as a"
        " numeric(p,s) of more digits, or cast it to text.",
    )
    assert Store.objects.count() == 0


def test_number_that_is_rounded_to_its_places():
    assert column("numeric(6,2)", "1.005").to_pylist() == [Decimal("1.01")]


def test_float_that_postgresql_computes_as_a_numeric():
    assert kind_of(ParquetColumn("a", 0, FloatField(), True), types["numeric"].oid).type == "float64"


# Bytes.


def test_rows_are_in_groups_and_are_handed_on_while_they_come(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "_GROUP", 6)
    asked: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(5):
            asked.append(number)
            yield b"%d\n%d\n" % (number, number)

    column = ParquetColumn("id", 0, IntegerField(), False)
    encoded = parquet._encode(parquet._Table("tests.groups", [column], [kind_of(column, types["int4"].oid)]), parts())
    first = next(encoded)
    assert asked == [0, 1]
    rest = list(encoded)
    file = pq.ParquetFile(io.BytesIO(first + b"".join(rest)))

    assert [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)] == [4, 4, 2]
    assert file.read().column("id").to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(pa.BufferReader(first + b"".join(rest[:-1])))


def test_many_rows():
    stream = stream_parquet(numbers(300000))
    table = pq.read_table(pa.BufferReader(b"".join(stream)))

    assert stream.rows == 300000
    assert table.column("id").to_pylist() == list(range(1, 300001))


def test_rows_longer_than_a_group():
    rows = rows_of(
        "SELECT n AS id, repeat('x', 3000000) || n AS a FROM generate_series(1, 3) AS n", id="integer", a="text"
    )

    assert [row["a"][-2:] for row in table_of(rows).to_pylist()] == ["x1", "x2", "x3"]


@pytest.mark.parametrize("rows", [lambda: Figures().run(), lambda: Figures().run().none()], ids=["sql", "none"])
def test_no_rows(rows: Any):
    stream = stream_parquet(rows())
    table = pq.read_table(pa.BufferReader(b"".join(stream)))

    assert (stream.rows, table.num_rows) == (0, 0)
    assert [str(field.type) for field in table.schema] == [
        "int64", "int64", "date32[day]", "decimal128(12, 2)", "int32", "string", "timestamp[us, tz=UTC]",
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_stream_is_an_asynchronous_one():
    async def read() -> bytes:
        return b"".join([part async for part in stream_parquet(numbers(1000))])

    assert pq.read_table(pa.BufferReader(async_to_sync(read)())).num_rows == 1000


def test_write_parquet(tmp_path: Path):
    file = io.BytesIO()

    assert write_parquet(numbers(3), file) == write_parquet(numbers(3), tmp_path / "a.parquet") == 3
    assert file.getvalue() == (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(ExportError):
        write_parquet(rows_of("SELECT 1e20 AS id", id="numeric"), tmp_path / "b.parquet")
    assert not (tmp_path / "b.parquet").exists()


def test_response_is_a_download():
    response = parquet_response(numbers(3))

    assert response["Content-Type"] == "application/vnd.apache.parquet"
    assert response["Content-Disposition"] == 'attachment; filename="exported.parquet"'
    assert pq.read_table(pa.BufferReader(response.render().getvalue())).num_rows == 3


def test_error_before_the_first_bytes_can_be_answered():
    response = parquet_response(Faulty().run(), "a", on_error=lambda error: HttpResponse(status=503))

    assert response.render().status_code == 503
    with pytest.raises(QueryError, match="42883"):
        parquet_response(Faulty().run()).render()


def test_error_in_the_middle_leaves_no_end():
    rows = rows_of(
        "SELECT n AS id, 1 / (450000 - n) AS x FROM generate_series(1, 500000) AS n", id="integer", x="integer"
    )
    parts: list[bytes] = []

    with pytest.raises(QueryError, match="22012"):
        parts.extend(stream_parquet(rows))

    assert b"".join(parts).startswith(b"PAR1")
    assert not b"".join(parts).endswith(b"PAR1")
    assert all_ended()


# What is refused.


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    for call in (stream_parquet, parquet_response):
        with pytest.raises(ImproperlyConfigured) as caught:
            call(numbers(1))
        assert caught.value.args == ("Parquet needs pyarrow: pip install django-sql-reports[parquet]",)


def test_other_querysets_are_refused():
    with pytest.raises(TypeError, match="Parquet is made of a report's rows"):
        stream_parquet(Store.objects.all())


def test_error_of_pyarrow_that_names_no_column_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "AS_CSV", "FORMAT csv, ENCODING 'UTF8', DELIMITER ';'")

    with pytest.raises(pa.ArrowInvalid):
        table_of(rows_of("SELECT 1 AS id, 2 AS x", id="integer", x="integer"))
