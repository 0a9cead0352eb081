"""Every type that a report may return: the value is right, however it is read, and finds its own row again."""

from __future__ import annotations

import datetime
import json
import math
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from reports import QueryError
from reports.columns import NAMES
from reports.describe import describe_columns
from reports.fields import ArrayField, HStoreField, RealField
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from reports.types import parse_type

pytestmark = pytest.mark.django_db

DAY, NOON = datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 12, 0, 1, 500000)
TWO_HOURS = datetime.timezone(datetime.timedelta(hours=2))
UTC_NOON = NOON.replace(tzinfo=datetime.UTC)
# A value of each type, as PostgreSQL reads it and as Python has it.
VALUES: dict[str, tuple[str, Any]] = {
    '"char"': ("a", "a"),
    "bigint": ("9223372036854775807", 2**63 - 1),
    "bit": ("1", "1"),
    "bit(3)": ("101", "101"),
    "bit varying": ("101", "101"),
    "boolean": ("true", True),
    "bytea": ("\\x00ff", b"\x00\xff"),
    "character": ("a", "a"),
    "character(5)": ("ab", "ab   "),
    "character varying": ("it's", "it's"),
    "character varying(5)": ("ab", "ab"),
    "cidr": ("10.0.0.0/24", "10.0.0.0/24"),
    "citext": ("aB", "aB"),
    "date": ("2026-01-02", DAY),
    "datemultirange": ("{[2026-01-02,)}", Multirange([Range(DAY, None)])),
    "daterange": ("[2026-01-02,)", Range(DAY, None, "[)")),
    "double precision": ("0.1", 0.1),
    "hstore": (r'"a\"b"=>"x,\\", "c"=>NULL, ""=>""', {"": "", "c": None, 'a"b': "x,\\"}),
    "inet": ("10.0.0.1/24", "10.0.0.1/24"),
    "int4multirange": ("{[1,5),[7,8)}", Multirange([Range(1, 5), Range(7, 8)])),
    "int4range": ("[1,5)", Range(1, 5)),
    "int8multirange": ("{[1,5)}", Multirange([Range(1, 5)])),
    "int8range": ("empty", Range(empty=True)),
    "integer": ("-7", -7),
    "interval": ("1 day 02:00", datetime.timedelta(days=1, hours=2)),
    "json": ('{"bb": [1, null], "a": "x"}', {"bb": [1, None], "a": "x"}),
    "jsonb": ('{"bb": [1, null], "a": "x"}', {"a": "x", "bb": [1, None]}),
    "ltree": ("a.b", "a.b"),
    "macaddr": ("08:00:2b:01:02:03", "08:00:2b:01:02:03"),
    "macaddr8": ("08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:05"),
    "name": ("ab", "ab"),
    "numeric": ("1.50", Decimal("1.50")),
    "numeric(5,2)": ("1.5", Decimal("1.50")),
    "numeric(3,-2)": ("1234", Decimal("1200")),
    "numeric(2,4)": ("0.0012", Decimal("0.0012")),
    "nummultirange": ("{[1.5,2.5]}", Multirange([Range(Decimal("1.5"), Decimal("2.5"), "[]")])),
    "numrange": ("[1.5,2.5]", Range(Decimal("1.5"), Decimal("2.5"), "[]")),
    "oid": ("4294967295", 2**32 - 1),
    "pg_lsn": ("16/B374D848", "16/B374D848"),
    "real": ("0.1", 0.1),
    "smallint": ("7", 7),
    "text": ("a'b\"\\,{}", "a'b\"\\,{}"),
    "time": ("12:00:01.5", NOON.time()),
    "timestamp": ("2026-01-02 12:00:01.5", NOON),
    "timestamp(0)": ("2026-01-02 12:00:01.5", NOON.replace(second=2, microsecond=0)),
    "timestamptz": ("2026-01-02 12:00:01.5+00", UTC_NOON),
    "timestamptz(0)": ("2026-01-02 12:00:01.4+00", UTC_NOON.replace(microsecond=0)),
    "timetz": ("12:00:01.5+02", NOON.time().replace(tzinfo=TWO_HOURS)),
    "tsmultirange": ("{[2026-01-02 12:00:01.5,)}", Multirange([Range(NOON, None)])),
    "tsrange": ("(2026-01-02 12:00:01.5,2026-01-03]", Range(NOON, datetime.datetime(2026, 1, 3), "(]")),
    "tstzmultirange": ("{[2026-01-02 12:00:01.5+00,)}", Multirange([Range(UTC_NOON, None)])),
    "tstzrange": ("[2026-01-02 12:00:01.5+00,)", Range(UTC_NOON, None)),
    "tsvector": ("'cat':2 'fat':1", "'cat':2 'fat':1"),
    "uuid": ("12345678-1234-5678-1234-567812345678", UUID("12345678-1234-5678-1234-567812345678")),
}
NO_EQUALITY = ("json[]", "json[][]")


@pytest.fixture(autouse=True)
def extensions() -> None:
    with connection.cursor() as cursor:
        for name in ("citext", "hstore", "ltree"):
            cursor.execute(f"CREATE EXTENSION {name}")


def rows_of(kind: str, literal: str, *, declared: str | None = None) -> Rows:
    """Return three rows: the value, another one made of NULL alone, and NULL. A json is never NULL: it has no UNION."""
    columns = [Column("id", "integer", pk=True), Column("value", declared or kind, null=True)]
    model = build_row_model("tests.values", columns, ordering=("id",), file="values.sql")
    sql = f"SELECT 1 AS id, %s::{kind} AS value UNION ALL SELECT 2, NULL"
    return Rows.of(TemplateSource("tests.values", Query(sql, (literal,))), model)


def in_an_array(literal: str, dimensions: int) -> str:
    quoted = '"' + literal.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return ["", f"{{{quoted},NULL}}", f"{{{{{quoted},NULL}},{{NULL,{quoted}}}}}"][dimensions] or literal


def every_way(rows: Rows) -> Iterator[list[Any]]:
    """Yield the values as dicts, instances, tuples, and from a server-side cursor."""
    instances = rows.all()
    instances._iterable_class = models.query.ModelIterable
    yield [row["value"] for row in rows]
    yield [row.value for row in instances]
    yield list(rows.values_list("value", flat=True))
    yield [row["value"] for row in rows.values("value")]
    yield [row["value"] for row in rows.iterator(chunk_size=1)]


def ids(rows: Any) -> list[int]:
    return [row["id"] for row in rows]


def test_every_type_has_a_value():
    assert {parse_type(kind).name for kind in VALUES} == set(NAMES)


@pytest.mark.parametrize("dimensions", [0, 1, 2])
@pytest.mark.parametrize("kind", VALUES)
def test_value(kind: str, dimensions: int):
    literal, value = VALUES[kind]
    expected = [value, [value, None], [[value, None], [None, value]]][dimensions]
    rows = rows_of(kind + "[]" * dimensions, in_an_array(literal, dimensions))

    for found in every_way(rows):
        assert found == [expected, None]
        assert json.dumps(found, default=repr) == json.dumps([expected, None], default=repr)  # types and order too


@pytest.mark.parametrize("dimensions", [0, 1, 2])
@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "tsvector"])
def test_value_finds_its_row(kind: str, dimensions: int):
    words = kind + "[]" * dimensions
    if words in NO_EQUALITY:
        rows = rows_of(words, in_an_array(VALUES[kind][0], dimensions))
        with pytest.raises(QueryError, match="42883"):
            list(rows.filter(value=rows[0]["value"]))
        return
    rows = rows_of(words, in_an_array(VALUES[kind][0], dimensions))
    value = rows[0]["value"]

    assert ids(rows.filter(value=value)) == [1]
    assert ids(rows.filter(value__in=[value])) == [1]
    assert ids(rows.exclude(value=value)) == [2]
    assert ids(rows.filter(value__isnull=True)) == [2]
    assert ids(rows.order_by("value")) == [1, 2]


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind not in ("json", "jsonb")])
def test_array_of_more_dimensions_than_declared(kind: str):
    """PostgreSQL's own answer for an array of two dimensions is an array, of no number of dimensions."""
    literal, value = VALUES[kind]
    rows = rows_of(f"{kind}[][]", in_an_array(literal, 2), declared=f"{kind}[]")

    assert [row["value"] for row in rows] == [[[value, None], [None, value]], None]
    assert ids(rows.filter(value=rows[0]["value"])) == [1]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("arrays", ["", "[]"])
def test_described_type_is_the_declared(kind: str, arrays: str):
    query = Query(f"SELECT NULL::{kind}{arrays} AS value", ())

    (column,) = describe_columns(TemplateSource("tests.values", query), using="default")

    found, declared = parse_type(column.type), parse_type(f"{kind}{arrays}")
    sized = {"bit": (1,), "character": (1,)}.get(kind, declared.sizes)
    assert (found.name, found.dimensions) == (declared.name, declared.dimensions)
    assert found.sizes == sized


def test_empty_arrays():
    rows = rows_of("macaddr[]", "{}")

    assert [row["value"] for row in rows] == [[], None]
    assert ids(rows.filter(value=[])) == [1]
    assert ids(rows.filter(value=[None])) == []


def test_array_lookups():
    rows = rows_of("citext[]", "{Ab,c}")

    assert ids(rows.filter(value__contains=["AB"])) == [1]
    assert ids(rows.filter(value__contained_by=["aB", "C", "d"])) == [1]
    assert ids(rows.filter(value__overlap=["C", "x"])) == [1]
    assert ids(rows.filter(value__len=2)) == [1]
    assert ids(rows.filter(value__0="ab")) == [1]
    assert ids(rows.filter(value=models.F("value"))) == [1]


def test_array_lookups_prepare_each_item():
    rows = rows_of("jsonb[]", '{"{\\"a\\": 1}","[2]"}')

    assert ids(rows.filter(value__contains=[{"a": 1}])) == ids(rows.filter(value__overlap=[[2], 3])) == [1]


@pytest.mark.parametrize("literal", ["empty", "(,)", "(,2026-01-03)"])
def test_range_without_an_end(literal: str):
    rows = rows_of("tsrange", literal)

    assert ids(rows.filter(value=rows[0]["value"])) == [1]


@pytest.mark.parametrize("kind", ["tsrange", "hstore", "text[]", "real", "inet", "timestamp"])
def test_null_is_found(kind: str):
    rows = rows_of(kind, VALUES[kind][0] if kind in VALUES else "{}")
    field: Any = rows.model._meta.get_field("value")

    assert ids(rows.filter(value=None)) == [2]
    assert ids(rows.filter(value=models.Value(None, field))) == []
    assert field.get_db_prep_value(field.get_prep_value(None), connection, prepared=True) is None


def test_range_lookups():
    rows = rows_of("tsrange", "[2026-01-01,2026-01-03)")

    assert ids(rows.filter(value__contains=Range(NOON, NOON, "[]"))) == [1]
    assert ids(rows.filter(value__overlap=(NOON, None))) == [1]
    assert ids(rows.filter(value__fully_lt=Range(NOON, NOON, "[]"))) == []


# Text.


def test_citext_has_no_case():
    rows = rows_of("citext", "aB")

    assert ids(rows.filter(value="Ab")) == ids(rows.filter(value__in=["AB"])) == [1]


@pytest.mark.parametrize(
    ("kind", "literal", "lookup"),
    [
        ("ltree", "a.b", "a."),
        ("macaddr", "08:00:2b:01:02:03", "08:"),
        ("bit(3)", "101", "10"),
        ("pg_lsn", "16/B3", "16"),
    ],
)
def test_text_lookups(kind: str, literal: str, lookup: str):
    assert ids(rows_of(kind, literal).filter(value__startswith=lookup)) == [1]


# Enums are text: PostgreSQL compares and orders them as their type.


@pytest.fixture
def mood() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")


@pytest.mark.usefixtures("mood")
def test_enum():
    columns = [Column("id", "integer", pk=True), Column("value", "text", null=True)]
    model = build_row_model("tests.values", columns, ordering=("id",), file="values.sql")
    sql = "SELECT 1 AS id, 'happy'::mood AS value UNION ALL SELECT 2, 'sad' UNION ALL SELECT 3, NULL"
    rows = Rows.of(TemplateSource("tests.values", Query(sql, ())), model)

    assert [row["value"] for row in rows] == ["happy", "sad", None]
    assert ids(rows.filter(value="happy")) == ids(rows.filter(value__in=["happy"])) == [1]
    assert ids(rows.filter(value__startswith="ha")) == [1]
    assert ids(rows.order_by("value")) == [2, 1, 3]  # the order of the labels, not of the letters
    with pytest.raises(QueryError, match="22P02"):
        list(rows.filter(value="angry"))


# Numbers.


@settings(suppress_health_check=list(HealthCheck), max_examples=60)
@given(st.floats(width=32, allow_nan=False).map(lambda value: struct.unpack("f", struct.pack("f", value))[0]))
def test_every_real_is_found(value: float):
    rows = rows_of("real", repr(value))
    read = rows[0]["value"]

    assert struct.pack("f", read) == struct.pack("f", value)
    assert ids(rows.filter(value=read)) == [1]
    assert ids(rows.filter(value__gt=read)) == []
    assert ids(rows.filter(value__gte=read, value__lte=read)) == [1]


@pytest.mark.parametrize("value", [1e39, -1e39, math.inf])
def test_real_is_compared_with_what_it_cannot_hold(value: float):
    rows = rows_of("real", "0.1")

    assert ids(rows.filter(value__lt=value)) == ([1] if value > 0 else [])
    assert RealField().get_prep_value(value) == value


def test_real_with_an_expression():
    assert ids(rows_of("real", "0.1").filter(value=models.F("value"))) == [1]


# Dates and times.


def test_timestamp_is_compared_without_a_zone():
    rows = rows_of("timestamp", "2026-01-02 12:00:01.5")

    assert ids(rows.filter(value=NOON)) == ids(rows.filter(value__lte=NOON)) == [1]
    assert ids(rows.filter(value__lt=NOON)) == []
    assert ids(rows.filter(value=timezone.make_aware(NOON))) == [1]  # the same clock time in the current zone
    assert ids(rows.filter(value="2026-01-02 12:00:01.5")) == [1]


# Addresses.


@pytest.mark.parametrize("kind", ["inet", "cidr"])
def test_address_lookups(kind: str):
    rows = rows_of(kind, "10.0.0.0/24")

    assert ids(rows.filter(value=" 10.0.0.0/24 ")) == [1]
    assert ids(rows.filter(value__gt="10.0.0.0/8")) == [1]
    assert ids(rows.filter(value__startswith="10.0.0.0")) == [1]
    assert ids(rows.filter(value="::1")) == []
    assert ids(rows.filter(value=None)) == [2]
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 interface"):
        rows.filter(value="nowhere")


# json, jsonb, hstore.


def test_json_lookups_are_those_of_jsonb():
    rows = rows_of("json", '{"bb": {"c": 1.5}, "a": ["x"]}')

    assert ids(rows.filter(value__bb__c=1.5)) == ids(rows.filter(value__a__0="x")) == [1]
    assert ids(rows.filter(value__has_key="a")) == ids(rows.filter(value__contains={"a": ["x"]})) == [1]
    assert list(rows.values_list("value__bb", "value__a__0")) == [({"c": 1.5}, "x"), (None, None)]
    assert rows.annotate(all=models.F("value"))[0]["all"] == {"bb": {"c": 1.5}, "a": ["x"]}


def test_json_is_selected_as_it_is():
    assert '"value"::jsonb' not in str(rows_of("json", "{}").query)
    assert '"value"::jsonb = ' in str(rows_of("json", "{}").filter(value={}).query)


def test_jsonb_array_of_lists():
    rows = rows_of("jsonb[]", '{"[1, [2]]","{}",NULL}')

    assert rows[0]["value"] == [[1, [2]], {}, None]
    assert ids(rows.filter(value=[[1, [2]], {}, None])) == [1]


def test_hstore_lookups():
    rows = rows_of("hstore", '"a"=>"1","b"=>NULL')

    assert ids(rows.filter(value__a="1")) == ids(rows.filter(value__has_key="b")) == [1]
    assert ids(rows.filter(value__contains={"a": 1})) == ids(rows.filter(value__has_keys=["a", "b"])) == [1]
    assert list(rows.values_list("value__a", flat=True)) == ["1", None]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=list(HealthCheck), max_examples=80)
@given(st.dictionaries(TEXTS, st.none() | TEXTS | st.sampled_from(['"', "\\", "=>", "NULL", ", ", '\\"'])))
def test_every_hstore_is_found(value: dict[str, str | None]):
    with connection.cursor() as cursor:
        cursor.execute("SELECT hstore(%s::text[], %s::text[])::text", [list(value), list(value.values())])
        (literal,) = cursor.fetchone()
    rows = rows_of("hstore", literal)

    assert rows[0]["value"] == value
    assert ids(rows.filter(value=value)) == [1]


def test_hstore_that_the_driver_reads_stays_as_it_is():
    """With django.contrib.postgres installed the driver gives a dict, and a list of dicts."""
    assert HStoreField().from_db_value({"a": "1"}, None, connection) == {"a": "1"}
    assert ArrayField(HStoreField())._from_db_value([{"a": "1"}, None], None, connection) == [{"a": "1"}, None]


@settings(suppress_health_check=list(HealthCheck), max_examples=80)
@given(st.lists(st.none() | TEXTS | st.sampled_from(["NULL", "{}", '"', "\\", " "]), max_size=5))
def test_every_array_of_an_extensions_type(value: list[str | None]):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]::citext[]::text", [value])
        (literal,) = cursor.fetchone()
    rows = rows_of("citext[]", literal)

    assert rows[0]["value"] == value
    assert ids(rows.filter(value=value)) == [1]


# tsvector: as in Django, `exact` is a search.


def test_tsvector_is_searched():
    rows = rows_of("tsvector", "'cat':2 'fat':1")

    assert ids(rows.filter(value="fat cats")) == [1]
    assert ids(rows.filter(value="dogs")) == []


# The fields as Django's own: cloned, deconstructed.


@pytest.mark.parametrize("kind", NAMES)
def test_field_can_be_cloned(kind: str):
    model = build_row_model("tests.values", [Column("value", f"{kind}[]", null=True)], ordering=(), file="values.sql")
    field: Any = model._meta.get_field("value")

    clone = field.clone()

    assert clone.deconstruct()[1:3] == field.deconstruct()[1:3]
    assert clone.db_type(connection) == field.db_type(connection)
    assert clone.base_field.db_type(connection) == field.base_field.db_type(connection)
