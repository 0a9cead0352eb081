"""Column types of PostgreSQL as model fields."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models

from reports import fields
from reports.columns import FIELDS, NAMES, TYPED, build_field
from reports.errors import TemplateError
from reports.header import Column
from reports.types import SYNONYMS
from tests.models import Store


def field_of(kind: str, **options: Any) -> Any:
    return build_field(Column("a", kind, **options), file="figures.sql")


def refused(kind: str, **options: Any) -> str:
    with pytest.raises(TemplateError) as caught:
        field_of(kind, line=3, **options)
    return str(caught.value)


@pytest.mark.parametrize(("word", "field"), FIELDS.items())
def test_every_type_and_its_array(word: str, field: Any):
    single, array = field_of(word), field_of(f"{word}[]")

    assert type(single) is field
    item = fields.TypedTextField if word == "character" else field
    assert (type(array), type(array.base_field)) == (fields.ArrayField, item)


@pytest.mark.parametrize(("word", "field"), TYPED.items())
def test_every_type_that_its_field_is_told(word: str, field: Any):
    single, array = field_of(f"{word}(3)"), field_of(f"{word}[]")

    assert (type(single), single.kind) == (field, f"{word}(3)")
    assert (type(array.base_field), array.base_field.kind) == (field, word)


@pytest.mark.parametrize(("word", "name"), SYNONYMS.items())
def test_every_synonym(word: str, name: str):
    assert type(field_of(word)) is {**FIELDS, **TYPED}[name]


@pytest.mark.parametrize(
    ("kind", "field", "attributes"),
    [
        ("numeric(12,2)", models.DecimalField, {"max_digits": 12, "decimal_places": 2}),
        ("numeric(12, 2)", models.DecimalField, {"max_digits": 12, "decimal_places": 2}),
        ("decimal (5)", models.DecimalField, {"max_digits": 5, "decimal_places": 0}),
        ("numeric(3,-2)", models.DecimalField, {"max_digits": 5, "decimal_places": 0}),
        ("numeric(2,4)", models.DecimalField, {"max_digits": 4, "decimal_places": 4}),
        ("numeric", models.DecimalField, {"max_digits": 1000, "decimal_places": 500}),
        ("varchar(40)", models.CharField, {"max_length": 40}),
        ("character varying", models.CharField, {"max_length": None}),
        ("character(3)", models.CharField, {"max_length": 3}),
        ("timestamp(3) with time zone", models.DateTimeField, {}),
        ("timestamp with time zone", models.DateTimeField, {}),
        ("timestamp(6) without time zone", fields.NaiveDateTimeField, {}),
        ("time without time zone", models.TimeField, {}),
        ("time(3) with time zone", fields.TimeTzField, {}),
        ("interval(0)", models.DurationField, {}),
        ("interval day to second(3)", models.DurationField, {}),
    ],
)
def test_type_with_a_size(kind: str, field: Any, attributes: dict[str, object]):
    built = field_of(kind)

    assert type(built) is field
    assert {name: getattr(built, name) for name in attributes} == attributes


def test_array_with_dimensions_and_a_size():
    built = field_of("varchar(40)[][]", null=True, label="Names")

    assert (built.null, built.verbose_name, built.db_column) == (True, "Names", "a")
    assert type(built.base_field) is fields.ArrayField
    assert built.base_field.base_field.max_length == 40
    assert built.base_field.null is False


def test_options_of_a_column():
    built = field_of("text", null=True, label="Its name", unit="EUR")

    assert (built.null, built.verbose_name, built.db_column) == (True, "Its name", "a")
    assert field_of("text").null is False


def test_foreign_key():
    column = Column("store_id", "bigint", null=True, fk="tests.Store")

    built: Any = build_field(column, file="figures.sql")

    assert [type(built)] == [models.ForeignKey]
    assert built.remote_field.model is Store
    assert built.remote_field.on_delete is models.DO_NOTHING
    assert built.remote_field.related_name == "+"
    assert (built.db_constraint, built.null, built.db_column) == (False, True, "store_id")


@pytest.mark.parametrize(
    ("fk", "hint"),
    [
        ("tests.Stores", " Did you mean 'tests.Store'?"),
        ("nowhere.Nothing", ""),
        ("Store", " Did you mean 'tests.Store'?"),
    ],
)
def test_foreign_key_to_no_model(fk: str, hint: str):
    problem = f"column 'a': there is no model {fk!r}; write app_label.Model.{hint}"
    assert refused("bigint", fk=fk) == f"figures.sql:3: {problem}"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("bigintt", " Did you mean 'bigint'?"),
        ("jsn", " Did you mean 'json'?"),
        ("time with timezone", " Did you mean 'time with time zone'?"),
        ("numeric(,)", " Did you mean 'numeric'?"),
        ("numeric(1,2,3)", " Did you mean 'numeric'?"),
        ("text[", " Did you mean 'text'?"),
        ("integer[3]", " Did you mean 'integer'?"),
        ("", ""),
        ("🎉", ""),
    ],
)
def test_unknown_type(kind: str, hint: str):
    text = refused(kind)

    assert text.startswith(f"figures.sql:3: column 'a' has the unknown type {kind!r} (allowed: \"char\", bigint, bit, ")
    assert text.endswith(f", varbit, varchar).{hint}")


@pytest.mark.parametrize("kind", ["bigintt", "money"])
def test_type_of_a_foreign_key_is_checked_too(kind: str):
    assert kind in refused(kind, fk="tests.Store")


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("money", "write (a)::numeric AS a"),
        ("money[]", "write (a)::numeric[] AS a"),
        ("xml", "write (a)::text AS a"),
        ("polygon", "write (a)::text AS a"),
        ("geometry", "write ST_AsGeoJSON(a)::jsonb AS a"),
    ],
)
def test_type_that_a_report_cannot_return(kind: str, advice: str):
    assert refused(kind) == f"figures.sql:3: column 'a' is of the type {kind}, which has no field: {advice}."


def test_no_type_is_both_allowed_and_refused():
    assert [name for name in NAMES if name in ("box", "money", "point", "record", "xml")] == []
