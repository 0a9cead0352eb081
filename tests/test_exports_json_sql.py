"""JSON texts that PostgreSQL makes: which columns have one, and its SQL. The values are in test_rest_values.py."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from datetime import timezone as fixed
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres import fields as postgres
from django.db import models
from django.db.models import Avg, Count, F, Max, Sum, Value
from django.db.models.functions import Coalesce, Concat, TruncDate, TruncMonth
from django.utils import timezone

from reports import fields
from reports.columns import NAMES, build_field
from reports.exports.compiled import compiled
from reports.exports.json_rows import is_built_in_database, json_rows
from reports.exports.json_sql import json_expression, json_select
from reports.exports.json_times import moment, zone_name
from reports.exports.literals import literal
from reports.exports.primitives import JSONForm, primitive_rows
from reports.header import Column
from tests.exporting import rows_of
from tests.models import Figure

UNPROVED = {
    "datemultirange", "daterange", "int4multirange", "int4range", "int8multirange", "int8range", "nummultirange",
    "numrange", "timetz", "tsmultirange", "tsrange", "tstzmultirange", "tstzrange", "tsvector",
}  # fmt: skip


def field_of(kind: str) -> Any:
    return build_field(Column("a", kind, null=True), file="a.sql")


def form_of(field: Any) -> str | None:
    return json_expression(field, "c0", JSONForm(), ZoneInfo("UTC"))


def test_types_without_a_form():
    assert {name for name in NAMES if form_of(field_of(name)) is None} == UNPROVED


def test_arrays_with_a_form():
    kinds = [name for name in NAMES if form_of(field_of(f"{name}[]")) is not None]

    assert kinds == [
        "bigint", "boolean", "character", "character varying", "date", "integer", "oid", "smallint", "text", "uuid",
        '"char"', "bit", "bit varying", "citext", "ltree", "macaddr", "macaddr8", "name", "pg_lsn",
    ]  # fmt: skip


class _Shout(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    def from_db_value(self, value: str, expression: Any, connection: Any) -> str:
        return value.upper()


@pytest.mark.parametrize(
    "field",
    [
        _Shout(), models.JSONField(decoder=json.JSONDecoder), models.FilePathField(), postgres.IntegerRangeField(),
        fields.ArrayField(models.DecimalField()), fields.ArrayField(_Shout()),
    ],
)  # fmt: skip
def test_fields_whose_values_are_not_known_have_none(field: Any):
    assert form_of(field) is None


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("boolean", "c0::boolean::text"),
        (
            "text",
            "CASE pg_typeof(c0) WHEN 'text'::regtype THEN to_json(c0)::text WHEN 'character varying'::regtype THEN"
            " to_json(c0)::text ELSE CASE WHEN num_nulls(c0) = 0 THEN to_json(concat(c0))::text END END",
        ),
        ("date", "to_json(c0::date)::text"),
        ("jsonb", "c0::jsonb::text"),
        ("bigint[]", "to_json(c0::bigint[])::text"),
        ("numeric", """'"' || c0::numeric::text || '"'"""),
        ("real", "CASE WHEN abs(c0::real) < 'Infinity' THEN c0::real::text END"),
        (
            "integer",
            "CASE pg_typeof(c0) WHEN 'integer'::regtype THEN c0::text WHEN 'bigint'::regtype THEN c0::text"
            " WHEN 'boolean'::regtype THEN c0::text::boolean::integer::text"
            " ELSE CASE WHEN abs(c0::text::numeric) < 'Infinity' THEN trunc(c0::text::numeric)::text END END",
        ),
    ],
)
def test_forms(kind: str, sql: str):
    assert form_of(field_of(kind)) == sql


def test_a_foreign_key_is_a_number():
    key = Figure._meta.get_field("store")

    assert json_expression(key, "c0", JSONForm(bigints="string"), None) == form_of(field_of("bigint"))


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (UTC, "UTC"),
        (ZoneInfo("UTC"), "UTC"),
        (ZoneInfo("Europe/Dublin"), "Europe/Dublin"),
        (ZoneInfo("CET"), None),  # +1 in summer too, for PostgreSQL
        (fixed(timedelta(hours=1)), None),
        (None, None),
    ],
)
def test_zones_that_postgresql_knows_by_the_same_name(zone: Any, name: str | None):
    assert zone_name(zone) == name
    assert (json_expression(models.DateTimeField(), "c0", JSONForm(), zone) is None) == (name is None)


def test_offsets_of_this_age_are_looked_up():
    sql = moment("c0", ZoneInfo("Europe/Dublin"))

    assert """CASE c0_local - (c0::timestamptz AT TIME ZONE interval '0') WHEN interval '+00:00' THEN""" in sql
    assert [f"WHEN interval '{offset}'" in sql for offset in ("+01:00", "+02:00")] == [True, False]


def test_literals():
    assert literal("a'b\\c%") == r"E'a''b\\c%%'"


COLUMNS: dict[str, Any] = {
    "id": "integer",
    "a": "numeric(8,2)",
    "b": "timestamptz",
    "c": "text",
    "d": "double precision",
}
SQL = "SELECT 1 AS id, 1.005 AS a, timestamptz '2026-07-01 12:00+00' AS b, 'x' AS c, 2.5::float8 AS d"


@pytest.mark.django_db
def test_the_whole_statement():
    rows = rows_of("SELECT true AS id, '1'::jsonb AS c", id="boolean", c="jsonb")
    found = compiled(rows.order_by("id")[:5], labels=False)

    assert found.sql is not None
    assert json_select(found, JSONForm()) == (
        """SELECT concat(E'{"id":', coalesce(c0::boolean::text, 'null'),"""
        """ E',"c":', coalesce(c1::jsonb::text, 'null'), '}')"""
        f""" FROM (SELECT c0, c1 FROM ({found.sql}\n) AS export (c0, c1) OFFSET 0) AS texts"""
    )


PROVED = {
    "count": Count("c"),
    "sum": Sum("a"),
    "sum of integers": Sum("id"),
    "maximum": Max("c"),
    "text": Concat("c", Value("%s 100%"), output_field=models.TextField()),
    "product": F("a") * 2,
    "coalesced": Coalesce("d", Value(1.0)),
    "date": Max("b__date"),
}
UNKNOWN = {
    "month": TruncMonth("b"),
    "last month": Max(TruncMonth("b")),
    "moment": Max("b"),
    "day": TruncDate("b"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*PROVED, *UNKNOWN])
def test_computed_columns(name: str):
    rows = rows_of(SQL, **COLUMNS).values("id").annotate(found=(PROVED | UNKNOWN)[name])

    assert is_built_in_database(rows) == (name in PROVED)
    (text,) = json_rows(rows)
    (row,) = rows
    want = row["found"]
    if name in ("sum", "product"):
        want = str(want)
    elif name == "moment":
        want = "2026-07-01T09:30:00-02:30"
    elif hasattr(want, "isoformat"):
        want = want.isoformat()
    assert json.loads(text) == {"id": 1, "found": want}


@pytest.mark.django_db
def test_means_keep_their_places():
    rows = rows_of("SELECT n AS id, n / 3.0 AS a FROM generate_series(1, 3) AS n", id="integer", a="numeric(8,2)")
    (row,) = rows.values(one=Value(1)).annotate(mean=Avg("a"))

    (text,) = json_rows(rows.values(one=Value(1)).annotate(mean=Avg("a")))

    assert json.loads(text) == {"one": 1, "mean": str(row["mean"])}
    assert len(str(row["mean"])) > 10


@pytest.mark.django_db
def test_sums_beyond_a_bigint():
    rows = rows_of(f"SELECT n AS id, {2**63 - 1} AS a FROM generate_series(1, 3) AS n", id="integer", a="bigint")

    assert [json.loads(text)["a"] for text in json_rows(rows.values(n=Value(1)).annotate(a=Sum("a")))] == [
        3 * (2**63 - 1)
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["a b", "back\\slash", "a'b", "line\nend", "ä" * 25, "{}", "c1", "c0_local"])
def test_names_of_columns(name: str):
    columns: dict[str, Any] = {name: "integer"}
    rows = rows_of(f'SELECT 1 AS id, 5 AS "{name}"', id="integer", **columns)

    assert [json.loads(text) for text in json_rows(rows)] == [{"id": 1, name: 5}]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["back\\slash", "ä" * 80, "{}", "c1", "c0_local"])
def test_names_of_annotations(name: str):
    rows = rows_of("SELECT 1 AS id", id="integer").annotate(**{name: Value(5)})

    assert [json.loads(text) for text in json_rows(rows)] == [{"id": 1, name: 5}]


@pytest.mark.django_db
def test_hundreds_of_columns():
    names = [f"a{n}" for n in range(400)]
    sql = "SELECT 1 AS id, " + ", ".join(f"{n} AS {name}" for n, name in enumerate(names))
    columns: dict[str, Any] = dict.fromkeys(names, "integer")
    rows = rows_of(sql, id="integer", **columns)

    (text,) = json_rows(rows)

    assert json.loads(text) == {"id": 1, **{name: n for n, name in enumerate(names)}}


@pytest.mark.django_db
def test_values_that_python_does_not_have_are_postgresqls_words():
    with timezone.override("Europe/Dublin"):
        rows = rows_of(
            "SELECT 1 AS id, timestamptz 'infinity' AS a, timestamp '12000-01-01' AS b,"
            " timestamptz '0044-03-15 BC' AS c",
            id="integer", a="timestamptz", b="timestamp", c="timestamptz",
        )  # fmt: skip
        (text,) = json_rows(rows)

    found = json.loads(text)
    assert (found["a"], found["b"]) == ("infinity", "12000-01-01T00:00:00")
    assert found["c"].endswith(" BC")


@pytest.mark.django_db
def test_an_integer_under_a_declared_numeric():
    rows = rows_of("SELECT 1 AS id, 7 AS a, 2.9 AS b", id="integer", a="numeric(8,2)", b="integer")

    assert [json.loads(text) for text in json_rows(rows)] == [{"id": 1, "a": "7.00", "b": 2}]


NUMBERS = ["7::oid", "4294967295::oid", "true", "false", "7::smallint", "1.5::numeric", "-1.5::float8", "'12'::text"]


@pytest.mark.django_db
@pytest.mark.parametrize("sql", [*NUMBERS, "1e20::numeric", "NULL", "NULL::boolean"])
@pytest.mark.parametrize("kind", ["bigint", "integer", "oid"])
@pytest.mark.parametrize("form", [JSONForm(), JSONForm(bigints="string")])
def test_any_type_under_a_declared_integer_is_an_integer(sql: str, kind: str, form: JSONForm):
    rows = rows_of(f"SELECT 1 AS id, {sql} AS a", id="integer", a=kind)
    (row,) = primitive_rows([dict(row) for row in rows], {"a": field_of(kind)}, form)

    (text,) = json_rows(rows, form)

    assert json.loads(text)["a"] == row["a"]
    assert type(json.loads(text)["a"]) is type(row["a"])


@pytest.mark.django_db
@pytest.mark.parametrize("sql", ["'NaN'::numeric", "'Infinity'::numeric", "'-Infinity'::float8", "'NaN'::real"])
def test_what_is_no_number_is_null_under_a_declared_integer(sql: str):
    def refused(word: str) -> None:
        raise AssertionError(word)

    (text,) = json_rows(rows_of(f"SELECT 1 AS id, {sql} AS a", id="integer", a="bigint"))

    assert json.loads(text, parse_constant=refused) == {"id": 1, "a": None}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql", ["1.50::numeric", "7", "'a  '::char(3)", "'[1]'::jsonb", "uuid '%s'" % ("a" * 32), "NULL"]
)
def test_any_type_under_a_declared_text_is_a_text(sql: str):
    rows = rows_of(f"SELECT 1 AS id, {sql} AS a", id="integer", a="text")
    (row,) = primitive_rows([dict(row) for row in rows], {"a": field_of("text")}, JSONForm())

    (text,) = json_rows(rows)

    assert json.loads(text)["a"] == row["a"]
    assert isinstance(row["a"], str) or sql == "NULL"


@pytest.mark.django_db
def test_a_row_of_nulls_under_a_declared_text_is_a_text():
    (text,) = json_rows(rows_of("SELECT 1 AS id, ROW(NULL, NULL) AS a", id="integer", a="text"))

    assert json.loads(text)["a"] == "(,)"


def test_without_time_zones_moments_have_no_form(settings: Any):
    settings.USE_TZ = False
    assert not is_built_in_database(rows_of(SQL, **COLUMNS))


def test_a_moment_is_moved_to_the_zone_once():
    sql = json_select(compiled(rows_of(SQL, **COLUMNS), labels=False), JSONForm())

    assert sql is not None
    assert "c4, c2::timestamptz AT TIME ZONE E'America/St_Johns' AS c2_local FROM" in sql
    assert sql.count("AT TIME ZONE E'") == 1
