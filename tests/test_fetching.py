"""Binary results are what text results would have been, in value and in type; what could differ comes as text."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Avg, F, Value
from django.db.models.functions import ExtractYear, TruncDay
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import DataError
from psycopg.postgres import types

from reports import QueryError, fetching
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from tests.models import Region, Store
from tests.reports import Figures

pytestmark = pytest.mark.django_db

PostgreSQLType = str
Spy = list[str]


@pytest.fixture(autouse=True)
def binary_statements(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Return the statements that were fetched in binary, so far."""
    statements: Spy = []
    execute = fetching.BinaryCursor.execute

    def spy(self: fetching.BinaryCursor, query: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(query)
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(fetching.BinaryCursor, "execute", spy)
    monkeypatch.setattr(fetching, "_text_only", set())
    return statements


def rows_of(sql: str, *params: object, **columns: PostgreSQLType) -> Rows:
    """Return the rows of a statement with these columns declared."""
    declared = [Column(name, kind, pk=name == "id", null=True) for name, kind in columns.items()]
    model = build_row_model("tests.values", declared, ordering=(), file="values.sql")
    return Rows.of(TemplateSource("tests.values", Query(sql, params)), model)


def read(rows: Any) -> Any:
    """Return the rows, or the name of the error and what it says in general."""
    try:
        return list(rows.all())
    except QueryError as error:
        cause = error.__cause__
        return type(cause), re.sub(r"\W.*", "", str(cause))


def read_as_text(rows: Rows) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "_can_be_binary", lambda compiler: False)
        return read(rows)


# Values of every type that is fetched in binary, as PostgreSQL reads them.

NUMERICS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(places=4, allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "0", "0.000", "-0.0", "1e-400", "1e400", "1.10", "10000", "9" * 300]
    ),
)
DATES = st.one_of(st.dates().map(str), st.sampled_from(["0001-01-01", "9999-12-31", "2024-02-29", "1582-10-10"]))
DATETIMES = st.one_of(
    st.datetimes().map(str),
    st.datetimes(datetime.datetime(2025, 11, 2), datetime.datetime(2025, 11, 2, 8)).map(str),
    st.datetimes(datetime.datetime(2026, 3, 8), datetime.datetime(2026, 3, 8, 8)).map(str),
    st.sampled_from(["0001-01-02 00:00:00", "9999-12-30 23:59:59.999999", "1884-01-01 03:30:52", "1970-01-01"]),
)
FLOATS = st.one_of(
    st.floats().map(repr),
    st.sampled_from(
        ["-0.0", "5e-324", "1.7976931348623157e308", "0.1", "1e16", "123456789012345680", repr(sys.float_info.min)]
    ),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: dict[PostgreSQLType, st.SearchStrategy[str]] = {
    "bool": st.sampled_from(["true", "false"]),
    "bpchar": TEXTS,
    "date": DATES,
    "float8": FLOATS,
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "numeric": NUMERICS,
    "text": TEXTS,
    "time": st.times().map(str),
    "timestamp": DATETIMES,
    "timestamptz": DATETIMES.map(lambda value: f"{value}+00"),
    "uuid": st.uuids().map(str),
    "varchar": TEXTS,
}

TIME_ZONES = ["UTC", "America/St_Johns", "Europe/Dublin", "Australia/Lord_Howe"]


def test_every_binary_type_has_values() -> None:
    assert {types[name].oid for name in VALUES} == fetching._BINARY_TYPES


@pytest.fixture
def in_zone(request: pytest.FixtureRequest) -> Iterator[Callable[[str | None], None]]:
    """Give the connection another TIME_ZONE."""
    before = connection.settings_dict["TIME_ZONE"]

    def change(zone: str | None) -> None:
        connection.settings_dict["TIME_ZONE"] = zone
        for name in ("timezone", "timezone_name"):
            connection.__dict__.pop(name, None)
        connection.ensure_timezone()

    yield change
    change(before)


def assert_same(rows: Rows, spy: Spy) -> None:
    spy.clear()

    binary = read(rows)

    assert len(spy) == 1
    text = read_as_text(rows)
    assert len(spy) == 1
    assert repr(binary) == repr(text)
    # A datetime's repr shows its zone, not which half of a doubled hour it is.
    assert [utc(value) for value in values(binary)] == [utc(value) for value in values(text)]


def values(rows: Any) -> list[Any]:
    return [value for row in rows for value in row.values()] if isinstance(rows, list) else []


def utc(value: Any) -> Any:
    is_aware = isinstance(value, datetime.datetime) and value.tzinfo
    return (value.astimezone(datetime.UTC), value.fold) if is_aware else str(value)


@pytest.mark.parametrize("kind", VALUES)
def test_binary_is_equal_to_text(kind: PostgreSQLType, binary_statements: Spy) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.none() | VALUES[kind], max_size=20))
    def check(literals: list[str | None]) -> None:
        declared = "character varying" if kind == "varchar" else kind
        sql = f"SELECT literal::{kind} AS value FROM unnest(%s::text[]) AS literal"
        rows = rows_of(sql, literals, value=declared)
        assert_same(rows, binary_statements)
        assert len(rows) == len(literals)

    check()


@pytest.mark.parametrize("zone", TIME_ZONES)
def test_binary_timestamptz_in_a_zone(zone: str, binary_statements: Spy, in_zone: Callable[[str | None], None]) -> None:
    """Every quarter of an hour around the changes of the clocks, and whatever else there is."""
    in_zone(zone)
    quarters = "generate_series(%s::timestamptz, %s::timestamptz, '15 minutes')"
    for start, end in [("2025-10-04", "2025-10-06"), ("2025-10-25", "2025-11-03"), ("2026-03-07", "2026-04-06")]:
        assert_same(rows_of(f"SELECT {quarters} AS value", start, end, value="timestamptz"), binary_statements)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.none() | VALUES["timestamptz"], max_size=20))
    def check(literals: list[str | None]) -> None:
        sql = "SELECT literal::timestamptz AS value FROM unnest(%s::text[]) AS literal"
        assert_same(rows_of(sql, literals, value="timestamptz"), binary_statements)

    check()


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("date", "infinity"),
        ("date", "-infinity"),
        ("date", "0044-03-15 BC"),
        ("date", "10000-01-01"),
        ("timestamp", "infinity"),
        ("timestamptz", "infinity"),
        ("timestamptz", "0044-03-15 12:00 BC"),
        ("timestamptz", "10000-01-01 12:00+00"),
        ("time", "24:00"),
    ],
)
def test_value_that_python_cannot_hold(kind: PostgreSQLType, literal: str, binary_statements: Spy) -> None:
    rows = rows_of(f"SELECT %s::{kind} AS value", literal, value=kind)

    found = read(rows)

    assert len(binary_statements) == 1
    assert found[0] is DataError
    assert read_as_text(rows)[0] is DataError
    with pytest.raises(QueryError) as caught:
        list(rows)
    assert caught.value.args == ("report 'tests.values': the driver or the connection failed (DataError).",)


def test_session_in_another_zone_comes_as_text(binary_statements: Spy) -> None:
    """Someone has said SET TIME ZONE; Django reads the session's wall time as its own zone's, and so do we."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Tokyo'")
    rows = rows_of("SELECT '2026-01-01 00:00+00'::timestamptz AS value", value="timestamptz")

    found = list(rows)

    assert binary_statements == []
    assert found == list(rows.values("value"))


def test_without_use_tz(binary_statements: Spy, settings: Any) -> None:
    settings.USE_TZ = False
    rows = rows_of(
        "SELECT 1 AS id, '2026-07-01 00:00+00'::timestamptz AS value, '2026-07-01 10:00'::timestamp AS plain",
        id="integer", value="timestamptz", plain="timestamp",
    )  # fmt: skip

    assert list(rows) == [
        {
            "id": 1,
            "value": datetime.datetime(2026, 6, 30, 21, 30),
            "plain": datetime.datetime(2026, 7, 1, 10),
        }
    ]
    assert binary_statements == []
    assert list(rows.only("id")) == [{"id": 1}]
    assert len(binary_statements) == 1


# Columns that are not what they are declared to be.


@pytest.fixture
def mood() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")


@pytest.mark.usefixtures("mood")
@pytest.mark.parametrize(
    ("declared", "sql", "expected"),
    [
        ("text", "'happy'::mood", "happy"),
        ("text", "'10.0.0.1/24'::inet", "10.0.0.1/24"),
        ("text", "'10.0.0.0/24'::cidr", "10.0.0.0/24"),
        ("text", "'tests_region'::regclass", "tests_region"),
        ("text", "'{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("text", "'a=>1'::text::bytea", b"a=>1"),
        ("text", "ARRAY[1, 2]", [1, 2]),
        ("double precision", "0.1::float4", 0.1),
        ("integer", "'12.50'::money", "$12.50"),
        ("numeric", "interval '1 hour'", datetime.timedelta(hours=1)),
    ],
)
def test_undeclared_type_comes_as_text(declared: str, sql: str, expected: object, binary_statements: Spy) -> None:
    """PostgreSQL's own answer counts: found out once, by a second statement, then remembered."""
    rows = rows_of(f"SELECT 1 AS id, {sql} AS value", id="integer", value=declared)

    with CaptureQueriesContext(connection) as first:
        found = list(rows.all())
    with CaptureQueriesContext(connection) as second:
        again = list(rows.all())

    assert repr(found) == repr(again) == repr([{"id": 1, "value": expected}])
    assert (len(first), len(second)) == (2, 1)
    assert len(binary_statements) == 1


@pytest.mark.parametrize(
    ("declared", "sql", "expected"),
    [
        ("text", "42", 42),
        ("integer", "'42'::text", "42"),
        ("integer", "4.20", "Decimal('4.20')"),
        ("date", "'2026-01-01'::timestamp", "datetime.datetime(2026, 1, 1, 0, 0)"),
    ],
)
def test_undeclared_type_that_is_safe_stays_binary(
    declared: str, sql: str, expected: object, binary_statements: Spy
) -> None:
    rows = rows_of(f"SELECT 1 AS id, {sql} AS value", id="integer", value=declared)

    (row,) = rows

    assert str(expected) in repr(row["value"])
    assert repr([row]) == repr(read_as_text(rows))
    assert len(binary_statements) == 1


@pytest.mark.parametrize("kind", ["real", "jsonb", "inet", "interval", "integer[]", "int4range", "bytea", "citext"])
def test_other_declared_types_are_not_tried(kind: str, binary_statements: Spy) -> None:
    value = {"integer[]": "'{1,NULL}'::int[]", "int4range": "'[1,5)'::int4range", "jsonb": "'[1]'::jsonb"}.get(
        kind, "NULL"
    )
    rows = rows_of(f"SELECT 1 AS id, {value} AS value", id="integer", value=kind)

    assert [row["value"] for row in rows] == [row.value for row in instances(rows)]
    assert binary_statements == []


# Expressions: Django makes their values what their output_field says.


def instances(rows: Rows) -> list[Any]:
    """Return the same rows as Django reads instances."""
    clone = rows.all()
    clone._iterable_class = models.query.ModelIterable
    return list(clone)


@pytest.mark.parametrize(
    "expression",
    [
        ExtractYear("day"),
        TruncDay("at"),
        TruncDay("at", tzinfo=datetime.UTC),
        F("n") / 2,
        F("n") * 1.5,
        F("price") * 2,
        Avg("n"),
        Value("x'%"),
        Value(True),
        F("at"),
    ],
    ids=str,
)
def test_expressions_are_converted_after_a_binary_fetch(expression: Any, binary_statements: Spy) -> None:
    rows = rows_of(
        "SELECT 1 AS id, 7 AS n, 1.50 AS price, date '2026-03-08' AS day, timestamptz '2026-03-08 02:10+00' AS at",
        id="integer", n="integer", price="numeric", day="date", at="timestamptz",
    ).annotate(value=expression)  # fmt: skip

    found = list(rows)

    assert len(binary_statements) == 1
    assert repr([row["value"] for row in found]) == repr([row.value for row in instances(rows)])


def test_extra_select_comes_as_text(binary_statements: Spy) -> None:
    rows = rows_of("SELECT 1 AS id", id="integer").extra(select={"real": "0.1::float4"})

    assert list(rows) == [{"id": 1, "real": 0.1}]
    assert binary_statements == []


# The whole way.


def test_figures_are_binary(binary_statements: Spy) -> None:
    """Foreign keys, whose target is an automatic key, do not hinder it; nor does any operation on the rows."""
    Store.objects.create(pk=1, name="x", region=Region.objects.create(name="y"))
    rows = Figures().run({"least": "1"})

    for changed in (rows, rows.filter(store__region__name="y"), rows.order_by("-id")[:5], rows.only("store")):
        binary_statements.clear()
        list(changed.all())
        assert len(binary_statements) == 1


def test_binary_is_one_query() -> None:
    rows = rows_of("SELECT %s::int AS id", 1, id="integer")

    with CaptureQueriesContext(connection) as queries:
        list(rows)

    assert len(queries) == 1
    assert queries[0]["sql"].startswith('SELECT "report_tests__values"."id" FROM (/* report=tests.values */ SELECT')


def test_empty_result_set_runs_no_statement(binary_statements: Spy) -> None:
    rows = rows_of("SELECT 1 AS id", id="integer")

    with CaptureQueriesContext(connection) as queries:
        assert list(rows.none()) == []
        assert list(rows.filter(id__in=[])) == []

    assert len(queries) == 0
    assert binary_statements == []


def test_iterator_reads_text(binary_statements: Spy) -> None:
    """A server-side cursor is Django's own."""
    rows = rows_of("SELECT generate_series(1, 5) AS id", id="integer")

    assert [row["id"] for row in rows.iterator(chunk_size=2)] == [1, 2, 3, 4, 5]
    assert binary_statements == []


def test_values_are_bound_as_the_connection_says() -> None:
    """PostgreSQL takes no parameter after the word interval; in the text it takes a value there."""
    rows = rows_of("SELECT extract(day FROM interval %s)::int AS id", "3 days", id="integer")

    if connection.settings_dict["OPTIONS"]["server_side_binding"]:
        with pytest.raises(QueryError, match="42601"):
            list(rows)
    else:
        assert list(rows) == [{"id": 3}]


def test_percent_signs_and_parameters_in_both_ways(binary_statements: Spy) -> None:
    """A value is bound by the driver, or written into the text by it: the same comes back."""
    value = 'it\'s 100%, %s, %(a)s, \\ and "quotes"'
    rows = rows_of(
        "SELECT 1 AS id, %s::text AS value, 'is %%s'::text AS other", value, id="integer", value="text", other="text"
    )

    assert list(rows) == [{"id": 1, "value": value, "other": "is %s"}]
    assert len(binary_statements) == 1
