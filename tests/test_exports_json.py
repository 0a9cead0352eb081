"""Rows as JSON texts, as NDJSON and as a JSON array: which rows, and their bytes. Values are in test_rest_values.py."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Count, Sum, Value
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reports import QueryError, join
from reports.exports.json import json_response, ndjson_response, stream_json, stream_ndjson, write_json, write_ndjson
from reports.exports.json_rows import is_built_in_database, json_rows
from reports.exports.primitives import JSONForm
from tests.exporting import rows_of
from tests.models import Figure, Region, Store
from tests.reports import Faulty, FigureInstances, Figures, Shops, StoreMonths

pytestmark = pytest.mark.django_db

NUMBERS = "SELECT n AS id, 'text ' || n AS a FROM generate_series(1, %s) AS n"


def numbers(count: int = 3, *, is_proved: bool = True) -> Any:
    """Return rows whose JSON is made by PostgreSQL, or else by Python."""
    if is_proved:
        return rows_of(NUMBERS, count, id="integer", a="text")
    return rows_of(
        NUMBERS.replace(" FROM", ", NULL::int4range AS r FROM"), count, id="integer", a="text", r="int4range"
    )


BOTH = pytest.mark.parametrize("is_proved", [True, False])


@pytest.fixture
def figures() -> None:
    store = Store.objects.create(name="one", region=Region.objects.create(name="north"))
    for n in range(4):
        Figure.objects.create(store=store, month=f"2026-0{n + 1}-01", revenue=Decimal(n) / 2, orders=n, label="abac"[n])


def parsed(rows: Any) -> list[Any]:
    return [json.loads(text) for text in rows]


@BOTH
def test_rows_are_objects_in_the_templates_order(is_proved: bool):
    rows = numbers(2, is_proved=is_proved)

    assert is_built_in_database(rows) == is_proved
    more = "" if is_proved else ',"r":null'
    assert list(json_rows(rows)) == [f'{{"id":1,"a":"text 1"{more}}}', f'{{"id":2,"a":"text 2"{more}}}']


@BOTH
def test_one_query_that_knows_its_report(is_proved: bool):
    with CaptureQueriesContext(connection) as queries:
        assert len(json_rows(numbers(is_proved=is_proved))) == 3

    assert len(queries) == 1
    assert "/* report=tests.exported */" in queries[0]["sql"]


@BOTH
def test_slices_filters_and_pages(is_proved: bool):
    rows = json_rows(numbers(10, is_proved=is_proved).order_by("-id"))

    assert [row["id"] for row in parsed(rows[2:5])] == [8, 7, 6]
    assert [row["id"] for row in parsed(rows.filter(id__lt=3))] == [2, 1]
    assert json.loads(rows[0])["id"] == 10
    page = Paginator(rows, 4).get_page(3)
    assert [row["id"] for row in parsed(page)] == [2, 1]
    assert page.paginator.count == 10
    assert rows.count() == 10


def test_a_page_is_read_as_one_text():
    rows = json_rows(numbers(3))
    with CaptureQueriesContext(connection) as queries:
        assert [len(rows[:300]), len(rows[5:900]), len(rows[:30_000]), len(rows)] == [3, 0, 3, 3]

    heads = [query["sql"].startswith("SELECT string_agg(line, E'\\n')") for query in queries]
    assert heads == [True, True, False, False]


@BOTH
def test_nothing_runs_before_the_first_row_and_all_is_read_once(is_proved: bool):
    with CaptureQueriesContext(connection) as queries:
        rows = json_rows(numbers(is_proved=is_proved))
        iterator = iter(rows._iterable_class(rows))
        assert len(queries) == 0
        next(iterator)
        assert len(queries) == 1


@BOTH
@pytest.mark.parametrize("size", [1, 2, 2000])
def test_rows_by_the_chunk(is_proved: bool, size: int):
    rows = json_rows(numbers(5, is_proved=is_proved))

    assert [row["id"] for row in parsed(rows.iterator(chunk_size=size))] == [1, 2, 3, 4, 5]


@BOTH
def test_asynchronous_reading(is_proved: bool):
    async def read() -> list[Any]:
        return [json.loads(text)["id"] async for text in json_rows(numbers(is_proved=is_proved))]

    assert async_to_sync(read)() == [1, 2, 3]


@BOTH
def test_no_rows(is_proved: bool):
    rows = numbers(0, is_proved=is_proved)

    for none in (rows, rows.none(), rows.filter(id__in=[])):
        assert list(json_rows(none)) == []
        assert b"".join(stream_ndjson(none)) == b""
        assert b"".join(stream_json(none)) == b"[]\n"


@BOTH
def test_bytes_of_ndjson(is_proved: bool):
    stream = stream_ndjson(numbers(2, is_proved=is_proved))

    more = "" if is_proved else ',"r":null'
    assert b"".join(stream).decode() == f'{{"id":1,"a":"text 1"{more}}}\n{{"id":2,"a":"text 2"{more}}}\n'
    assert stream.rows == 2


@BOTH
def test_bytes_of_an_array(is_proved: bool):
    stream = stream_json(numbers(2, is_proved=is_proved))

    more = "" if is_proved else ',"r":null'
    assert b"".join(stream).decode() == f'[\n{{"id":1,"a":"text 1"{more}}},\n{{"id":2,"a":"text 2"{more}}}\n]\n'
    assert stream.rows == 2


@BOTH
def test_an_array_of_many_parts(is_proved: bool):
    parts = list(stream_json(numbers(20_000, is_proved=is_proved)))

    assert len(parts) > 2  # the last is the bracket
    assert [row["id"] for row in json.loads(b"".join(parts))] == list(range(1, 20_001))


HOSTILE = [
    '"',
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\x01",
    "\x02",
    "\x03",
    "\x1f",
    "\x7f",
    "\u2028",
    "😀",
    r"\.",
    r"\N",
    "",
    ",",
    "%s",
    "'",
]


@BOTH
def test_texts_arrive_whole(is_proved: bool):
    sql = "SELECT a AS id, a, NULL::int4range AS r FROM unnest(%s::text[]) AS a"
    columns: dict[str, Any] = (
        {"id": "text", "a": "text"} if is_proved else {"id": "text", "a": "text", "r": "int4range"}
    )
    rows = rows_of(sql, HOSTILE, **columns)

    assert is_built_in_database(rows) == is_proved
    lines = b"".join(stream_ndjson(rows)).decode().removesuffix("\n").split("\n")
    assert [row["a"] for row in parsed(lines)] == HOSTILE
    assert [row["a"] for row in json.loads(b"".join(stream_json(rows)))] == HOSTILE
    assert [row["a"] for row in parsed(json_rows(rows))] == HOSTILE


@BOTH
def test_half_of_a_surrogate_pair_stays_an_escape(is_proved: bool):
    columns: dict[str, Any] = {} if is_proved else {"r": "int4range"}
    rows = rows_of(
        r"""SELECT 1 AS id, '"\ud800"'::json AS a, NULL::int4range AS r""", id="integer", a="json", **columns
    )

    assert rb'"a":"\ud800"' in b"".join(stream_ndjson(rows))
    assert [row["a"] for row in parsed(json_rows(rows))] == ["\ud800"]


@BOTH
def test_forms_of_numbers(is_proved: bool):
    columns: dict[str, Any] = {} if is_proved else {"r": "int4range"}
    sql = "SELECT 1::bigint AS id, 1.50 AS a, NULL::int4range AS r"
    rows = rows_of(sql, id="bigint", a="numeric(8,2)", **columns)
    form = JSONForm(decimals="number", bigints="string")

    for given, found in ((None, {"id": 1, "a": "1.50"}), (form, {"id": "1", "a": 1.5})):
        for read in (
            parsed(json_rows(rows, given)), parsed(json_rows(rows, given)[:1]),
            parsed(stream_ndjson(rows, form=given)), json.loads(b"".join(stream_json(rows, form=given))),
        ):  # fmt: skip
            assert [{name: row[name] for name in found} for row in read] == [found]


def test_rows_with_a_model_are_objects_of_its_columns(figures: None):
    rows = FigureInstances().run().filter(label="a")

    assert is_built_in_database(rows)
    want = [figure["revenue"] for figure in rows.values("revenue")]
    for found in (rows, rows.select_related("store"), rows.only("revenue", "id")):
        read = parsed(json_rows(found))
        assert [Decimal(row["revenue"]) for row in read] == want
        assert read == json.loads(b"".join(stream_json(found)))
    assert list(parsed(json_rows(rows.only("revenue", "id")))[0]) == ["id", "revenue"]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.values("label", "revenue"),
        lambda rows: rows.values_list("label", "revenue"),
        lambda rows: rows.annotate(five=Value(5)),
        lambda rows: rows.values("label").annotate(sum=Sum("revenue"), count=Count("id")).order_by("label"),
        lambda rows: rows.values("label", "store__region__name").order_by("id"),
        lambda rows: rows.defer("orders"),
        lambda rows: rows.extra(select={"six": "6"}),
    ],
)
def test_columns_are_those_that_the_rows_have(figures: None, change: Any):
    rows = change(Figures().run())
    dicts = [dict(row) for row in (rows if isinstance(rows[0], dict) else rows.values("label", "revenue"))]
    found = parsed(json_rows(rows))

    assert [list(row) for row in found] == [list(row) for row in dicts]
    assert [[str(value) for value in row.values()] for row in found] == [
        [str(value) for value in row.values()] for row in dicts
    ]
    assert json.loads(b"".join(stream_json(rows))) == found


def test_keys_of_two_columns_and_foreign_keys(figures: None):
    for rows in (StoreMonths().run(), Shops().run()):
        dicts = list(rows)
        found = parsed(json_rows(rows))
        assert [list(row) for row in found] == [list(row) for row in dicts]
        assert len(found) > 0
        assert json.loads(b"".join(stream_json(rows))) == found


def test_rows_of_joined_models(figures: None):
    stores = join(Store.objects.all(), FigureInstances().run()).values("name").annotate(sum=Sum("figure_rows__orders"))

    assert parsed(json_rows(stores)) == [{"name": "one", "sum": 6}]


def test_the_zone_is_that_of_the_call():
    sql = "SELECT 1 AS id, timestamptz '2026-07-01 00:00+00' AS a, NULL::int4range AS r"
    proved = rows_of(sql, id="integer", a="timestamptz")
    with timezone.override("Asia/Kathmandu"):
        streams = [stream_ndjson(rows) for rows in (proved, rows_of(sql, id="integer", a="timestamptz", r="int4range"))]

    assert [json.loads(b"".join(stream))["a"] for stream in streams] == ["2026-07-01T05:45:00+05:45"] * 2


@pytest.mark.parametrize("call", [stream_json, stream_ndjson, json_rows, json_response])
def test_other_rows_are_refused(call: Any):
    with pytest.raises(TypeError, match="JSON is made of a report's rows"):
        call(Store.objects.all())


def test_errors_are_those_of_the_report():
    with pytest.raises(QueryError):
        list(json_rows(Faulty().run()))
    with pytest.raises(QueryError):
        b"".join(stream_json(Faulty().run()))


@pytest.mark.parametrize(
    ("make", "name", "kind", "body"),
    [
        (json_response, "exported.json", "application/json", b'[\n{"id":1,"a":"text 1"}\n]\n'),
        (ndjson_response, "exported.ndjson", "application/x-ndjson", b'{"id":1,"a":"text 1"}\n'),
    ],
)
def test_responses(make: Any, name: str, kind: str, body: bytes):
    response = make(numbers(1))

    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == kind
    assert b"".join(response.render()) == body
    assert make(numbers(1), "a.json")["Content-Disposition"] == 'attachment; filename="a.json"'


def test_files(tmp_path: Path):
    rows = Figures().run()

    assert write_ndjson(rows, tmp_path / "a.ndjson") == write_json(rows, tmp_path / "a.json") == 0
    assert ((tmp_path / "a.ndjson").read_bytes(), (tmp_path / "a.json").read_bytes()) == (b"", b"[]\n")
    assert write_json(numbers(3), tmp_path / "a.json") == 3
    assert len(json.loads((tmp_path / "a.json").read_bytes())) == 3
