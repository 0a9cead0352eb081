"""Columns and parameters as PostgreSQL sees them."""

from __future__ import annotations

import asyncio
import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from reports.describe import describe_columns, describe_query
from reports.errors import QueryError, TemplateError
from reports.header import Column
from reports.rendering import Query, render_string
from reports.source import TemplateSource
from tests.models import Region

pytestmark = pytest.mark.django_db

TYPES = """
CREATE SCHEMA elsewhere;
CREATE EXTENSION citext SCHEMA elsewhere;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN price AS numeric(8,2) CHECK (value > 0);
CREATE DOMAIN dear AS price;
CREATE DOMAIN moody AS mood;
CREATE DOMAIN cost AS money;
CREATE DOMAIN numbers AS integer[];
CREATE TYPE elsewhere.address AS (street text, number int);
CREATE DOMAIN home AS elsewhere.address;
"""


@pytest.fixture
def own_types() -> None:
    with connection.cursor() as cursor:
        cursor.execute(TYPES)


def infer_params(query: Query, *, using: str) -> tuple[str | None, ...]:
    return describe_query(query, using=using).params


def query_of(template: str, **context: object) -> Query:
    return render_string(template, context)


def columns_of(sql: str) -> list[tuple[str, str]]:
    """Return (name, type) as both functions find them."""
    query = Query(sql, ())
    columns = describe_columns(TemplateSource("tests.described", query), using="default")
    assert describe_query(query, using="default").columns == columns
    assert all(column == Column(column.name, column.type, null=True) for column in columns)
    return [(column.name, column.type) for column in columns]


# Columns.


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("1", "integer"),
        ("count(*)", "bigint"),
        ("sum(1.5)", "numeric"),
        ("'1.5'::numeric(5,2)", "numeric(5,2)"),
        ("'1200'::numeric(3,-2)", "numeric(3,-2)"),
        ("'a'::varchar(3)", "character varying(3)"),
        ("'a'::varchar(3)[]", "character varying(3)[]"),
        ("'a'::\"char\"", '"char"'),
        ("B'101'", "bit"),
        ("ARRAY[B'101']", "bit[]"),
        ("B'101'::bit(3)", "bit(3)"),
        ("'a'", "text"),
        ("NULL", "text"),
        ("now()::timestamp(3)", "timestamp(3)"),
        ("now()::time with time zone", "timetz"),
        ("'1 day'::interval day to second(3)", "interval(3)"),
        ("ARRAY[[1], [2]]", "integer[]"),
        ("'happy'::mood", "text"),
        ("'1'::price", "numeric(8,2)"),
        ("'1'::dear", "numeric(8,2)"),
        ("'sad'::moody", "text"),
        ("'{1}'::numbers", "integer[]"),
        ("'a'::elsewhere.citext", "citext"),
        ("'{a}'::elsewhere.citext[]", "citext[]"),
    ],
)
@pytest.mark.usefixtures("own_types")
def test_type_of_a_column(expression: str, kind: str):
    sql = f"SELECT {expression} AS value".replace("'a'::varchar(3)[]", "'{a}'::varchar(3)[]")
    assert columns_of(sql) == [("value", kind)]


@pytest.mark.usefixtures("own_types")
def test_columns_that_a_report_cannot_return_are_told_at_once():
    sql = (
        "SELECT 1 AS id, '1'::money AS cost, ARRAY['1'::money] AS costs, point(1, 2) AS at, ROW(1) AS pair,\n"
        "'(a,1)'::elsewhere.address AS home, ARRAY['(a,1)'::elsewhere.address] AS homes, ARRAY['sad'::mood] AS moods,\n"
        "ARRAY['1'::price] AS prices, 'pg_class'::regclass AS relation, ARRAY['pg_class'::regclass] AS relations"
    )
    problem = (
        "a report cannot return these columns:"
        " column 'cost' is of the type money: write (cost)::numeric AS cost;"
        " column 'costs' is of the type money[]: write (costs)::numeric[] AS costs;"
        " column 'at' is of the type point: select its coordinates, as in (at)[0] AS x, (at)[1] AS y;"
        " column 'pair' is of the type record: select its fields, as in (pair).field AS field,"
        " or write to_jsonb(pair) AS pair;"
        " column 'home' is of the type elsewhere.address: select its fields, as in (home).field AS field,"
        " or write to_jsonb(home) AS home;"
        " column 'homes' is of the type elsewhere.address[]: write to_jsonb(homes) AS homes;"
        " column 'moods' is of the type mood[]: write (moods)::text[] AS moods;"
        " column 'prices' is of the type price[]: write (prices)::numeric(8,2)[] AS prices;"
        " column 'relation' is of the type regclass: write (relation)::text AS relation;"
        " column 'relations' is of the type regclass[]: write (relations)::text[] AS relations."
    )
    query = query_of(sql)

    for describe in (
        lambda: describe_columns(TemplateSource("tests.described", query), using="default"),
        lambda: describe_query(query, using="default"),
    ):
        with pytest.raises(TemplateError) as caught:
            describe()
        assert str(caught.value) == f"<template>:1: {problem}"


@pytest.mark.parametrize(
    ("items", "advice"),
    [
        ("'1'::price", "(values)::numeric(8,2)[]"),
        ("'1'::dear", "(values)::numeric(8,2)[]"),
        ("'sad'::moody", "(values)::text[]"),
        ("'1'::cost", "(values)::numeric[]"),
        ("'{1}'::numbers", "to_jsonb(values)"),
        ("'(a,1)'::home", "to_jsonb(values)"),
    ],
)
@pytest.mark.usefixtures("own_types")
def test_array_of_a_domain(items: str, advice: str):
    """The advice names no domain: an array of the one below would be refused as well."""
    with pytest.raises(TemplateError) as caught:
        columns_of(f"SELECT ARRAY[{items}] AS values")
    assert str(caught.value).endswith(f": write {advice} AS values.")


@pytest.mark.parametrize(
    ("advised", "kind"),
    [
        ("('1'::money)::numeric", "numeric"),
        ("(ARRAY['1'::money])::numeric[]", "numeric[]"),
        ("(point(1, 2))[0]", "double precision"),
        ("('(a,1)'::elsewhere.address).street", "text"),
        ("to_jsonb(ARRAY['(a,1)'::elsewhere.address])", "jsonb"),
        ("(ARRAY['sad'::mood])::text[]", "text[]"),
        ("(ARRAY['1'::price])::numeric(8,2)[]", "numeric(8,2)[]"),
        ("(ARRAY['1'::dear])::numeric(8,2)[]", "numeric(8,2)[]"),
        ("(ARRAY['sad'::moody])::text[]", "text[]"),
        ("(ARRAY['1'::cost])::numeric[]", "numeric[]"),
        ("to_jsonb(ARRAY['{1}'::numbers])", "jsonb"),
        ("to_jsonb(ARRAY['(a,1)'::home])", "jsonb"),
        ("('pg_class'::regclass)::text", "text"),
        ("(box(point(1, 2), point(3, 4)))::text", "text"),
    ],
)
@pytest.mark.usefixtures("own_types")
def test_what_is_advised_can_be_returned(advised: str, kind: str):
    assert columns_of(f"SELECT {advised} AS value") == [("value", kind)]


def test_describing_is_two_queries():
    with CaptureQueriesContext(connection) as queries:
        describe_columns(TemplateSource("tests.described", Query("SELECT 1 AS a, 2 AS b", ())), using="default")

    assert len(queries) == 2
    assert queries[0]["sql"].startswith("SELECT * FROM (/* report=tests.described */ SELECT 1")


def test_async_code_cannot_describe():
    async def describe() -> None:
        describe_columns(TemplateSource("tests.described", Query("SELECT 1 AS a", ())), using="default")

    with pytest.raises(SynchronousOnlyOperation, match=r"report 'tests\.described' declares no columns"):
        asyncio.run(describe())


# Parameters.


@pytest.mark.parametrize(
    ("template", "kinds"),
    [
        ("SELECT 1 AS a", ()),
        ("SELECT {{ x }} AS a", ("text",)),
        ("SELECT {{ x }} + 1 AS a, {{ x }}::date AS b", ("integer", "date")),
        (
            "SELECT id FROM tests_region WHERE id = {{ x }} AND name LIKE {{ x }} LIMIT {{ x }}",
            ("bigint", "text", "bigint"),
        ),
        ("SELECT id FROM tests_region WHERE id = ANY({{ x }})", ("bigint[]",)),
        ("SELECT id FROM tests_region WHERE id IN {{ xs | inclause }}", ("bigint", "bigint")),
        ("SELECT '100%' AS a, 7 % 2 AS b, {{ x }}::uuid AS c, '%s' AS d", ("uuid",)),
        ("SELECT 'sad'::mood = {{ x }} AS a, {{ x }}::price AS b", ("text", "numeric(8,2)")),
        ("SELECT {{ x }}::elsewhere.citext AS a", ("citext",)),
        (
            "SELECT {{ x }}::dear AS a, {{ x }}::moody AS b, {{ x }}::numbers AS c",
            ("numeric(8,2)", "text", "integer[]"),
        ),
        ("SELECT 1 AS a WHERE {{ x }} IS NULL", (None,)),
        ("SELECT 1 AS a WHERE {{ x }} IS NULL OR 1 = {{ x }} OR {{ x }} IS NOT NULL", (None, "integer", None)),
    ],
)
@pytest.mark.usefixtures("own_types")
def test_infer_params(template: str, kinds: tuple[str | None, ...]):
    """No value is looked at: what is bound here could not even be sent."""
    assert infer_params(query_of(template, x=object(), xs=[object(), object()]), using="default") == kinds


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime.date(2026, 1, 1), "date"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "timestamptz"),
        (datetime.timedelta(1), "interval"),
    ],
)
def test_infer_params_by_their_values_where_a_function_needs_them(value: object, kind: str):
    template = "SELECT date_trunc('month', {{ value }}) AS a, {{ other }} + 1 AS b, {{ none }}::text AS c"

    found = infer_params(query_of(template, value=value, other=object(), none=None), using="default")

    assert found == (kind, "integer", "text")


def test_infer_params_refused_with_and_without_the_values():
    with pytest.raises(QueryError, match="42725: function date_trunc") as caught:
        infer_params(query_of("SELECT 1 AS a,\n date_trunc('month', {{ x }}) AS b", x="2026-01-01"), using="default")
    assert (caught.value.file, caught.value.line, caught.value.sqlstate) == ("<template>", 2, "42725")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "SELECT {{ x }} AS a, '50%' AS b,\n  nme\nFROM tests_region",
            '<template>:2: PostgreSQL\'s error 42703: column "nme" does not exist.'
            ' Perhaps you meant to reference the column "tests_region.name".',
        ),
        ("SELECT 1 AS a\n\nFROM {{ x }}", '<template>:3: PostgreSQL\'s error 42601: syntax error at or near "$1".'),
        (
            "SELECT 1/0 AS a, 'x'::integer AS b",
            '<template>:1: PostgreSQL\'s error 22P02: invalid input syntax for type integer: "x".',
        ),
    ],
)
def test_error_has_its_line_and_no_value(template: str, message: str):
    with pytest.raises(QueryError) as caught:
        describe_query(query_of(template, x="s3cret"), using="default")

    assert str(caught.value) == message
    assert caught.value.__cause__ is not None


def test_error_without_a_place():
    with pytest.raises(QueryError) as caught:
        describe_query(query_of("SELECT '1'::integer AS a, relname FROM pg_class_of_nothing"), using="default")
    assert caught.value.line == 1

    with pytest.raises(QueryError) as caught:
        describe_query(Query("SELECT nme", ()), using="default")
    assert str(caught.value) == 'PostgreSQL\'s error 42703: column "nme" does not exist.'


@pytest.mark.parametrize("count", range(1, 12))
def test_place_of_an_error_behind_many_parameters(count: int):
    """A placeholder's number is longer or shorter than %s, and a percent sign is sent once."""
    template = "SELECT " + ", ".join("{{ x }}::text || '%'" for _ in range(count)) + "\n, '%%',\n nme"

    with pytest.raises(QueryError) as caught:
        infer_params(query_of(template, x=1), using="default")

    assert caught.value.line == 3


def test_nothing_is_executed_and_nothing_stays():
    Region.objects.create(name="x")
    with CaptureQueriesContext(connection) as queries:
        found = describe_query(query_of("SELECT 1 / {{ x }} AS a, pg_sleep(100) IS NULL AS b", x=0), using="default")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        (prepared,) = cursor.fetchone()

    assert found.params == ("integer",)
    assert prepared == 0
    assert not any("pg_sleep" in query["sql"] for query in queries)


def test_inside_a_savepoint_after_an_error():
    region = Region.objects.create(name="kept")
    with pytest.raises(IntegrityError), transaction.atomic():
        Region.objects.create(pk=region.pk, name="again")

    with pytest.raises(QueryError):
        infer_params(query_of("SELECT nme"), using="default")

    assert infer_params(query_of("SELECT {{ x }}::int AS a", x=1), using="default") == ("integer",)
    assert Region.objects.get().name == "kept"


def test_inside_a_broken_transaction():
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            infer_params(query_of("SELECT 1 AS a"), using="default")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("threshold", [None, 0, 1])
def test_in_autocommit(threshold: int | None):
    """Whatever psycopg prepares by itself; and on a connection that was not open."""
    connection.close()
    connection.ensure_connection()
    driver: Any = connection.connection
    driver.prepare_threshold = threshold
    for _ in range(3):
        assert infer_params(query_of("SELECT {{ x }}::numeric AS a", x=Decimal(1)), using="default") == ("numeric",)
        with pytest.raises(QueryError, match="42703"):
            infer_params(query_of("SELECT nme"), using="default")
    assert not driver.info.transaction_status

    connection.close()
    assert infer_params(query_of("SELECT {{ x }}::date AS a", x=None), using="default") == ("date",)
