"""XLSX files, read back by openpyxl."""

from __future__ import annotations

import asyncio
import datetime
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db.models import BooleanField, F, IntegerField, Value
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg.postgres import types

from reports import QueryError
from reports.errors import TooManyRows
from reports.exports import xlsx
from reports.exports.compiled import Compiled
from reports.exports.xlsx import stream_xlsx, write_xlsx, xlsx_response
from reports.exports.xlsx_book import sheet_name
from reports.exports.xlsx_sql import cells_sql
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from tests.exporting import all_ended, rows_of, running
from tests.models import Store
from tests.reports import Faulty, Figures

pytestmark = [pytest.mark.django_db, pytest.mark.once]
committed = pytest.mark.django_db(transaction=True)  # the connection is used in several threads

UTC = datetime.UTC
COUNTED = Compiled(
    report="tests.one", using="default", sql="SELECT 1", params=(), names=("a",), positions=(0,),
    fields=(IntegerField(),), width=1, is_exact=True, expressions=(),
)  # fmt: skip


def xlsx_of(rows: Any, **options: Any) -> bytes:
    return b"".join(stream_xlsx(rows, **options))


def sheet_of(data: bytes) -> Any:
    (sheet,) = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    return sheet


def values(rows: Any, **options: Any) -> list[tuple[Any, ...]]:
    return list(sheet_of(xlsx_of(rows, **options)).iter_rows(values_only=True))


def shown(text: Any) -> Any:
    """Return a text as Excel shows it; openpyxl leaves its escapes as they are."""
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text) if isinstance(text, str) else text


def column(kind: str, sql: str) -> Any:
    """Return the one cell of a column of that type."""
    data = xlsx_of(rows_of(f"SELECT ({sql})::{kind.replace('%', '%%')} AS x", x=kind), header=None)
    return sheet_of(data)["A1"]


# The statement.


def test_statement_prepares_the_cells():
    query = Compiled(
        report="tests.two", using="default", sql="SELECT 1, true, %s", params=("x",), names=("a", "b"),
        positions=(2, 0), fields=(BooleanField(), IntegerField()), width=3, is_exact=False, expressions=(),
    )  # fmt: skip
    oids = [types["int4"].oid, types["text"].oid, types["bool"].oid]

    assert cells_sql(query, oids, UTC, limit=11) == (
        "SELECT CASE WHEN c2 IS NOT NULL THEN concat('b', c2::int) END,"
        " CASE WHEN c0 IS NOT NULL THEN concat('n', c0) END"
        " FROM (SELECT c2, c0 FROM (SELECT * FROM (SELECT 1, true, %s\n) AS export (c0, c1, c2) OFFSET 0) AS once"
        " LIMIT 11) AS cells"
    )


# Cells by type.


@pytest.mark.parametrize(
    ("kind", "sql", "value", "shape"),
    [
        ("smallint", "-7", -7, "0"),
        ("integer", "2147483647", 2147483647, "0"),
        ("bigint", "-999999999999999", -999999999999999, "0"),
        ("bigint", "1000000000000000", "1000000000000000", "0"),
        ("oid", "4294967295", 4294967295, "0"),
        ("real", "0.1", 0.1, "General"),
        ("double precision", "-1.5e-7", -1.5e-7, "General"),
        ("double precision", "9.99e307", 9.99e307, "General"),
        ("double precision", "1e308", "1e+308", "General"),
        ("double precision", "'NaN'", "NaN", "General"),
        ("real", "'-Infinity'", "-Infinity", "General"),
        ("numeric", "0.5", 0.5, "General"),
        ("numeric", "1e-320", "0." + 319 * "0" + "1", "General"),
        ("numeric", "0", 0, "General"),
        ("numeric", "-999999999999999.5", -999999999999999.5, "General"),
        ("numeric", "1e15", "1" + 15 * "0", "General"),
        ("numeric", "'NaN'", "NaN", "General"),
        ("numeric", "'-Infinity'", "-Infinity", "General"),
        ("numeric(12,2)", "1.5", 1.5, "0.00"),
        ("numeric(12,0)", "15", 15, "0"),
        ("numeric(60,40)", "0.25", 0.25, "General"),
        ("boolean", "true", True, "General"),
        ("boolean", "false", False, "General"),
        ("date", "'1900-03-01'", datetime.datetime(1900, 3, 1), "yyyy-mm-dd"),
        ("date", "'9999-12-31'", datetime.datetime(9999, 12, 31), "yyyy-mm-dd"),
        ("date", "'1900-02-28'", "1900-02-28", "yyyy-mm-dd"),
        ("date", "'10000-01-01'", "10000-01-01", "yyyy-mm-dd"),
        ("date", "'infinity'", "infinity", "yyyy-mm-dd"),
        ("timestamp", "'2026-02-03 23:59:59.5'", datetime.datetime(2026, 2, 3, 23, 59, 59, 500000), None),
        ("timestamp", "'1899-12-31 12:00'", "1899-12-31T12:00:00", None),
        ("timestamp", "'-infinity'", "-infinity", None),
        # Half an hour and three hours behind, then with summer time.
        ("timestamptz", "'2026-01-01 00:00+00'", datetime.datetime(2025, 12, 31, 20, 30), None),
        ("timestamptz", "'2026-07-01 00:00+00'", datetime.datetime(2026, 6, 30, 21, 30), None),
        ("timestamptz", "'infinity'", "infinity", None),
        ("time", "'04:05:06'", datetime.time(4, 5, 6), "hh:mm:ss"),
        ("time", "'24:00'", "24:00:00", "hh:mm:ss"),
        ("timetz", "'04:05+02'", "04:05:00+02", "General"),
        ("interval", "'30:00:01'", datetime.timedelta(hours=30, seconds=1), "[h]:mm:ss"),
        ("interval", "'2 days'", datetime.timedelta(days=2), "[h]:mm:ss"),
        ("interval", "'-1 second'", "-00:00:01", "[h]:mm:ss"),
        ("interval", "'1 month'", "1 mon", "[h]:mm:ss"),
        ("interval", "'9000000 days'", "9000000 days", "[h]:mm:ss"),
        ("text", "'=1+1'", "=1+1", "General"),
        ("text", "'https://example.org'", "https://example.org", "General"),
        ("text", "'007'", "007", "General"),
        ("character(5)", "'a'", "a    ", "General"),
        ("uuid", "'00000000-0000-0000-0000-00000000000a'", "00000000-0000-0000-0000-00000000000a", "General"),
        ("jsonb", """'{"a": "<&>"}'""", '{"a": "<&>"}', "General"),
        ("integer[]", "'{1,NULL}'", "{1,NULL}", "General"),
        ("int4range", "'[1,5)'", "[1,5)", "General"),
        ("bytea", r"'\x00ff'", r"\x00ff", "General"),
    ],
)  # fmt: skip
def test_cell(kind: str, sql: str, value: Any, shape: str | None):
    cell = column(kind, sql)

    assert (type(cell.value), cell.value) == (type(value), value)
    assert cell.number_format == (shape or "yyyy-mm-dd hh:mm:ss")
    if isinstance(value, str):
        assert cell.data_type == "s"


def test_null_and_the_empty_text_are_no_cell():
    rows = rows_of("SELECT 1 AS id, NULL::integer AS n, '' AS a, NULL AS b, NULL::date AS d, 'x' AS c",
                   id="integer", n="integer", a="text", b="text", d="date", c="text")  # fmt: skip
    data = xlsx_of(rows, header=None)

    assert list(sheet_of(data).iter_rows(values_only=True)) == [(1, None, None, None, None, "x")]
    assert zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml").count(b"<c ") == 2


@pytest.mark.parametrize(
    ("zone", "value"),
    [
        (ZoneInfo("Asia/Kolkata"), datetime.datetime(2026, 1, 1, 5, 30)),
        (datetime.timezone(datetime.timedelta(hours=-3, minutes=-30)), datetime.datetime(2025, 12, 31, 20, 30)),
        (UTC, datetime.datetime(2026, 1, 1)),
    ],
    ids=str,
)
def test_points_in_time_are_in_the_active_zone(zone: Any, value: datetime.datetime):
    rows = rows_of("SELECT timestamptz '2026-01-01 00:00+00' AS x", x="timestamptz")
    with timezone.override(zone):
        stream = stream_xlsx(rows, header=None)

    assert sheet_of(b"".join(stream))["A1"].value == value


def test_zone_that_postgresql_cannot_be_told_gives_text():
    class Odd(datetime.tzinfo):
        def utcoffset(self, when: datetime.datetime | None) -> None:
            return None

        dst = tzname = utcoffset

    with timezone.override(Odd()):
        cell = column("timestamptz", "'2026-01-01 00:00+00'")

    assert cell.data_type == "s"
    assert datetime.datetime.fromisoformat(cell.value) == datetime.datetime(2026, 1, 1, tzinfo=UTC)


# Texts.


@pytest.mark.parametrize(
    "text",
    [
        " a ", "a\nb", "a\r\nb\tc\\d\\N", "<&>\"'&amp;", "_x0041_", "\x01\x1f\x7f\x85", "\ufffe\uffff",
        "%s 100%", "é💶中\u2028", "\\", "'", "=cmd|'/c calc'!A0", "\n",
    ],
)  # fmt: skip
def test_hostile_text(text: str):
    cell = sheet_of(xlsx_of(rows_of("SELECT %s::text AS x", text, x="text"), header=None))["A1"]

    assert (cell.data_type, shown(cell.value)) == ("s", text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 32767, "a" * 32767),
        ("a" * 32768, "a" * 32764 + "..."),
        ("é" * 32767, "é" * 32767),
        ("é" * 40000, "é" * 32764 + "..."),
        ("💶" * 16383, "💶" * 16383),
        ("💶" * 20000, "💶" * 16382 + "..."),
        ("a" * 32766 + "💶", "a" * 32763 + "..."),
    ],
    ids=len,
)
def test_long_text_is_cut_at_what_a_cell_holds(text: str, kept: str):
    cell = sheet_of(xlsx_of(rows_of("SELECT %s::text AS x", text, x="text"), header=None))["A1"]

    assert cell.value == kept
    assert len(cell.value.encode("utf-16-le")) <= 2 * 32767


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROW = st.tuples(
    TEXTS | st.none(),
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.decimals(1 - 10**10, 10**10 - 1, places=2) | st.none(),
    st.datetimes(datetime.datetime(1901, 1, 1), datetime.datetime(9999, 1, 1), timezones=st.just(UTC)) | st.none(),
)


@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=6))
def test_cells_are_the_values_of_the_rows(data: list[tuple[Any, ...]]):
    rows = rows_of(
        "SELECT n AS id, a, b, c, d FROM unnest(%s::text[], %s::bigint[], %s::numeric[], %s::timestamptz[])"
        " WITH ORDINALITY AS t (a, b, c, d, n) ORDER BY n",
        *([row[i] for row in data] for i in range(4)),
        id="bigint", a="text", b="bigint", c="numeric(12,2)", d="timestamptz",
    )  # fmt: skip

    found = values(rows, header=None)

    assert len(found) == len(data) or not data
    for cells, row in zip(found, rows, strict=bool(data)):
        cells = (*cells, None, None, None, None)  # a row ends at the last cell of the sheet
        number = row["b"]
        assert shown(cells[1]) == (row["a"] or None)
        assert cells[2] == (str(number) if number is not None and abs(number) >= 10**15 else number)
        assert cells[3] == (None if row["c"] is None else float(row["c"]))
        if row["d"] is None:
            assert cells[4] is None
        else:
            local = timezone.make_naive(row["d"])
            assert abs(cells[4] - local) < datetime.timedelta(milliseconds=1)


# The sheet.


def labelled() -> Rows:
    columns = [Column("id", "integer", pk=True), Column("note", "text", label="=Its label & <more>", null=True)]
    model = build_row_model("tests.labelled_sheet", columns, ordering=(), file="labelled.sql")
    sql = "SELECT n AS id, repeat('x', n) AS note FROM generate_series(1, 300) AS n"
    return Rows.of(TemplateSource("tests.labelled_sheet", Query(sql, ())), model)


def test_header_is_bold_and_frozen_with_a_filter_over_all():
    data = xlsx_of(labelled())
    sheet = sheet_of(data)

    assert [cell.value for cell in sheet[1]] == ["id", "=Its label & <more>"]
    assert all(cell.font.bold and cell.data_type == "s" for cell in sheet[1])
    assert not sheet["A2"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.max_row, sheet.title) == (
        "A2", "A1:B301", 301, "labelled_sheet",
    )  # fmt: skip
    assert b"labelled_sheet!$A$1:$B$301" in zipfile.ZipFile(io.BytesIO(data)).read("xl/workbook.xml")


def test_header_of_names_and_none():
    assert values(labelled()[:1], header="names") == [("id", "note"), (1, "x")]
    sheet = sheet_of(xlsx_of(labelled()[:2], header=None))
    assert [row[1].value for row in sheet] == ["x", "xx"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == (None, None)


def test_widths_are_of_the_first_rows_and_bounded():
    widths = {name: int(one.width) for name, one in sheet_of(xlsx_of(labelled())).column_dimensions.items()}
    assert widths == {"A": 6, "B": 60}

    rows = rows_of("SELECT 1 AS id, date '2026-01-01' AS day, now() AS at, 1/3.0 AS third, 'a &amp; b'||E'\\nc' AS t",
                   id="integer", day="date", at="timestamptz", third="numeric", t="text")  # fmt: skip
    dimensions = sheet_of(xlsx_of(rows)).column_dimensions
    assert {name: int(one.width) for name, one in dimensions.items()} == {"A": 6, "B": 12, "C": 21, "D": 14, "E": 11}


def test_columns_are_those_of_the_rows_with_annotations_behind():
    rows = rows_of("SELECT n AS id, n * 2 AS b, 'x' AS a FROM generate_series(1, 5) AS n",
                   id="integer", b="integer", a="text")  # fmt: skip

    found = values(rows.filter(b__gt=4).annotate(c=F("b") + 1, word=Value("=w")).order_by("-id")[:2])
    assert found == [("id", "b", "a", "c", "word"), (5, 10, "x", 11, "=w"), (4, 8, "x", 9, "=w")]
    assert values(rows.values("a", "id")[:1]) == [("a", "id"), ("x", 1)]
    assert values(rows.filter(a=" it's 100% %s ")) == [("id", "b", "a")]


@pytest.mark.parametrize("rows", [lambda: Figures().run(), lambda: Figures().run().none()], ids=["sql", "none"])
def test_no_rows(rows: Any):
    stream = stream_xlsx(rows())
    data = b"".join(stream)

    assert (stream.rows, stream.size) == (0, len(data))
    assert next(sheet_of(data).iter_rows(values_only=True))[:3] == ("id", "store_id", "month")
    assert sheet_of(data).max_row == 1


def test_many_columns():
    declared: Any = {f"c{n}": "integer" for n in range(200)}
    rows = rows_of("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(200)), **declared)

    assert values(rows) == [tuple(declared), tuple(range(200))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tickets", "tickets"), ("a[b]:c*d?e/f\\g", "a_b__c_d_e_f_g"), ("x" * 40, "x" * 31), ("'a'", "a"),
        ("'", "_"), ("", "_"), ("History", "History_"),
    ],
)  # fmt: skip
def test_sheet_name(name: str, expected: str):
    assert sheet_name(name) == expected


# Limits.


def numbers(count: int) -> Rows:
    return rows_of(f"SELECT generate_series(1, {count}) AS id", id="integer")


def test_as_many_rows_as_allowed(settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 3}

    assert [row[0] for row in values(numbers(3))] == ["id", 1, 2, 3]
    assert [row[0] for row in values(numbers(3), header=None)] == [1, 2, 3]


def test_too_many_rows(settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 3}

    for header in ("labels", None):
        with pytest.raises(TooManyRows) as caught:
            xlsx_of(numbers(2000000000), header=header)
        assert caught.value.args == (
            "report 'tests.exported' has more than the 3 rows that an XLSX file may have. Take CSV, which has no limit,"
            " or narrow the rows.",
        )
        assert caught.value.limit == 3
    assert Store.objects.count() == 0
    assert all_ended()


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(xlsx, "_MOST_BYTES", 1 << 18)

    with pytest.raises(TooManyRows, match=r"has more than the 1 GiB that .* Take CSV"):
        xlsx_of(numbers(100000))


# Files.


def test_write_xlsx(tmp_path: Path):
    file = io.BytesIO()

    assert write_xlsx(numbers(3), file) == write_xlsx(numbers(3), tmp_path / "a.xlsx", header="names") == 3
    assert sheet_of(file.getvalue()).max_row == sheet_of((tmp_path / "a.xlsx").read_bytes()).max_row == 4


def test_write_xlsx_that_fails_leaves_no_file(tmp_path: Path, settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 2}
    file = io.BytesIO()

    for target in (tmp_path / "a.xlsx", file):
        with pytest.raises(TooManyRows):
            write_xlsx(numbers(3), target)

    assert (list(tmp_path.iterdir()), file.getvalue()) == ([], b"")


def test_other_rows_and_headers_are_refused():
    with pytest.raises(TypeError, match="XLSX is made of a report's rows"):
        stream_xlsx(Store.objects.all())
    with pytest.raises(ValueError, match="header is 'label'"):
        stream_xlsx(numbers(1), header="label")  # type: ignore[arg-type]


# Downloads.

ROWS: dict[str, Any] = {
    "numbers": lambda: numbers(50000),
    "endless": lambda: numbers(2000000000),
    "silent": lambda: rows_of("SELECT 1 AS id, pg_sleep(20)::text AS a", id="integer", a="text"),
    "faulty": lambda: Faulty().run(),
    "late": lambda: rows_of(
        "SELECT n AS id, 1 / (50000 - n) AS x FROM generate_series(1, 60000) AS n", id="integer", x="integer"
    ),
}


def download(request: HttpRequest, name: str) -> Any:
    return xlsx_response(ROWS[name](), "a.xlsx")


async def adownload(request: HttpRequest, name: str) -> Any:
    return xlsx_response(ROWS[name](), "a.xlsx")


urlpatterns = [path("sync/<name>", download), path("async/<name>", adownload)]


@pytest.fixture
def urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django.middleware.http.ConditionalGetMiddleware"]


def get(view: str, name: str) -> tuple[Any, bytes]:
    """Ask a view by WSGI for "sync", by ASGI for "async"."""
    if view == "sync":
        response: Any = Client().get(f"/sync/{name}")
        return response, response.getvalue()

    async def read() -> tuple[Any, bytes]:
        found: Any = await AsyncClient().get(f"/async/{name}")
        return found, b"".join([part async for part in found]) if found.streaming else found.content

    return async_to_sync(read)()


@committed
@pytest.mark.parametrize("view", ["sync", "async"])
def test_download(view: str, urls: None):
    response, data = get(view, "numbers")

    assert response.status_code == 200
    assert response["Content-Length"] == str(len(data))
    assert response["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert response["Content-Disposition"] == 'attachment; filename="a.xlsx"'
    assert sheet_of(data).max_row == 50001


@committed
@pytest.mark.parametrize("view", ["sync", "async"])
def test_download_of_too_many_rows(view: str, urls: None, settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 1000}

    response, data = get(view, "endless")

    assert (response.status_code, response["Content-Type"]) == (413, "text/plain; charset=utf-8")
    assert data.startswith(b"report 'tests.exported' has more than the 1000 rows that an XLSX file may have. Take CSV")
    assert "Content-Disposition" not in response
    assert all_ended()


@committed
@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("name", ["faulty", "late"])
def test_error_is_one_of_the_request(view: str, name: str, urls: None):
    """Also one in the middle: nothing was sent."""
    with pytest.raises(QueryError):
        get(view, name)

    assert all_ended()


def test_errors_can_be_answered_otherwise(settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 1}
    response = xlsx_response(numbers(2), on_error=lambda error: HttpResponse(type(error).__name__, status=400))

    assert response["Content-Disposition"] == 'attachment; filename="exported.xlsx"'
    answer = response.render()
    assert (answer.status_code, answer.content) == (400, b"TooManyRows")


@committed
@pytest.mark.parametrize("name", ["endless", "silent"])
def test_cancelled_task_stops_the_backend_while_the_file_is_built(name: str, settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 1048575}

    async def read() -> None:
        task = asyncio.create_task(xlsx_response(ROWS[name]()).render())
        while not await asyncio.to_thread(running):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Store.objects.acount() == 0

    async_to_sync(read)()

    assert all_ended()


def test_without_xlsxwriter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)

    for call in (stream_xlsx, xlsx_response):
        with pytest.raises(ImproperlyConfigured) as caught:
            call(numbers(1))
        assert caught.value.args == ("XLSX needs XlsxWriter: pip install django-sql-reports[xlsx]",)


def test_export_timeout_ends_the_build(settings: Any):
    settings.REPORTS = {"EXPORT_TIMEOUT": 0.2, "XLSX_ROWS": 1048575}

    with pytest.raises(QueryError, match=re.escape("stopped after its timeout of 0.2 s")):
        xlsx_of(numbers(2000000000))
