"""PostgreSQL's types by their words."""

from __future__ import annotations

import pytest
from django.db import connection, models
from hypothesis import given
from hypothesis import strategies as st

from reports.columns import NAMES
from reports.types import SYNONYMS, Type, instead, parse_type

TYPES = st.builds(
    Type,
    st.sampled_from(NAMES),
    st.sampled_from([(), (5,), (12, 2), (3, -2)]),
    st.integers(0, 3),
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("bigint", Type("bigint")),
        ("INT8", Type("bigint")),
        ("double  precision", Type("double precision")),
        ("numeric(12,2)", Type("numeric", (12, 2))),
        ("decimal ( 12 , 2 )", Type("numeric", (12, 2))),
        ("numeric(3,-2)", Type("numeric", (3, -2))),
        ("varchar(40)[][]", Type("character varying", (40,), 2)),
        ("char", Type("character")),
        ('"char"', Type('"char"')),
        ('"bit"[]', Type("bit", (), 1)),
        ("timestamp(3) with time zone", Type("timestamptz", (3,))),
        ("timestamp without time zone[]", Type("timestamp", (), 1)),
        ("time with time zone", Type("timetz")),
        ("interval day to second(3)", Type("interval", (3,))),
        ("interval year to month", Type("interval")),
        ("interval day", Type("interval")),
        ("interval(0)", Type("interval", (0,))),
        ("bit varying(5)", Type("bit varying", (5,))),
        ("mood", Type("mood")),
        ("numeric(,)", Type("numeric(,)")),
        ("text[", Type("text[")),
        ("integer[3]", Type("integer[3]")),
        ("", Type("")),
        ("🎉", Type("🎉")),
    ],
)
def test_parse_type(text: str, kind: Type):
    assert parse_type(text) == kind


@given(TYPES)
def test_words_of_a_type_are_read_as_the_same(kind: Type):
    assert parse_type(str(kind)) == kind


@given(st.text())
def test_any_text_is_a_type(text: str):
    assert parse_type(str(parse_type(text))) == parse_type(text)


@pytest.mark.django_db
@pytest.mark.parametrize(("word", "name"), SYNONYMS.items())
def test_synonym_is_postgresqls(word: str, name: str):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT format_type('{word}'::regtype, NULL), format_type('{name}'::regtype, NULL)")
        one, other = cursor.fetchone()

    assert one == other
    assert parse_type(one) == Type(name)


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("numeric", None),
        ("numeric(5)", (5, 0)),
        ("numeric(5,2)", (5, 2)),
        ("numeric(3,-2)", (5, 0)),
        ("numeric(2,4)", (4, 4)),
        ("bigint(5)", None),
    ],
)
def test_digits(words: str, digits: tuple[int, int] | None):
    assert parse_type(words).digits == digits


@pytest.mark.django_db
@pytest.mark.parametrize("words", ["numeric(5,2)", "numeric(3,-2)", "numeric(2,4)", "numeric(4)"])
def test_digits_let_through_every_value(words: str):
    """The greatest value is found by asking PostgreSQL, which refuses one that does not fit."""
    kind = parse_type(words)
    precision, scale = kind.sizes[0], [*kind.sizes, 0][1]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT (({10**precision - 1}) * 10.0 ^ {-scale})::{words}")
        (greatest,) = cursor.fetchone()

    digits, places = kind.digits or (0, 0)
    models.DecimalField(max_digits=digits, decimal_places=places).run_validators(greatest)


@pytest.mark.parametrize(
    ("declared", "other"),
    [
        ("numeric", "numeric(12,2)"),
        ("numeric(12,2)", "numeric(12,2)"),
        ("text", "varchar(3)"),
        ("text", "character(3)"),
        ("text", "name"),
        ("varchar", "varchar(40)"),
        ("integer[][]", "integer[]"),
    ],
)
def test_type_that_holds_another(declared: str, other: str):
    assert parse_type(declared).holds(parse_type(other))


@pytest.mark.parametrize(
    ("declared", "other"),
    [
        ("numeric(12,2)", "numeric"),
        ("numeric(12,2)", "numeric(12,3)"),
        ("text", "bigint"),
        ("varchar(40)", "text"),
        ("integer", "integer[]"),
        ("text[]", "varchar[]"),
        ("text", "citext"),
    ],
)
def test_type_that_does_not_hold_another(declared: str, other: str):
    assert not parse_type(declared).holds(parse_type(other))


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("money", "write ({name})::numeric AS {name}"),
        ("money[]", "write ({name})::numeric[] AS {name}"),
        ("xml", "write ({name})::text AS {name}"),
        ("point", "select its coordinates, as in ({name})[0] AS x, ({name})[1] AS y"),
        ("point[]", "write ({name})::text[] AS {name}"),
        ("geometry(Point,4326)", None),
        ("geometry", "write ST_AsGeoJSON({name})::jsonb AS {name}"),
        ("record", "select its fields, as in ({name}).field AS field, or write to_jsonb({name}) AS {name}"),
        ("record[]", "write to_jsonb({name}) AS {name}"),
        ("text", None),
        ("regclass", None),
    ],
)
def test_what_to_write_instead(kind: str, advice: str | None):
    assert instead(parse_type(kind)) == advice


def test_what_to_write_instead_of_a_type_of_the_projects_own():
    assert instead(Type("mood", (), 1), "text") == "write ({name})::text[] AS {name}"
