"""Column types of PostgreSQL as model fields."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.postgres import fields as postgres
from django.db import connection, models

from reports.columns import FIELDS, SYNONYMS, CITextField, RealField, build_field
from reports.errors import TemplateError
from reports.header import Column
from tests.models import Store


def field_of(kind: str, **options: Any) -> Any:
    return build_field(Column("a", kind, **options), file="figures.sql")


@pytest.mark.parametrize(("word", "field"), FIELDS.items())
def test_every_type_and_its_array(word: str, field: Any):
    single, array = field_of(word), field_of(f"{word}[]")

    assert type(single) is field
    assert (type(array), type(array.base_field)) == (postgres.ArrayField, field)


@pytest.mark.parametrize(("word", "name"), SYNONYMS.items())
def test_every_synonym(word: str, name: str):
    assert type(field_of(word)) is FIELDS[name]


@pytest.mark.parametrize(
    ("kind", "field", "attributes"),
    [
        ("numeric(12,2)", models.DecimalField, {"max_digits": 12, "decimal_places": 2}),
        ("numeric(12, 2)", models.DecimalField, {"max_digits": 12, "decimal_places": 2}),
        ("decimal (5)", models.DecimalField, {"max_digits": 5, "decimal_places": 0}),
        ("numeric(3,-2)", models.DecimalField, {"max_digits": 3, "decimal_places": -2}),
        ("numeric", models.DecimalField, {"max_digits": 1000, "decimal_places": 500}),
        ("varchar(40)", models.CharField, {"max_length": 40}),
        ("character varying", models.CharField, {"max_length": None}),
        ("character(3)", models.CharField, {"max_length": 3}),
        ("timestamp(3) with time zone", models.DateTimeField, {}),
        ("timestamp with time zone", models.DateTimeField, {}),
        ("timestamp(6) without time zone", models.DateTimeField, {}),
        ("time without time zone", models.TimeField, {}),
        ("interval(0)", models.DurationField, {}),
    ],
)
def test_type_with_a_size(kind: str, field: Any, attributes: dict[str, object]):
    built = field_of(kind)

    assert type(built) is field
    assert {name: getattr(built, name) for name in attributes} == attributes


def test_array_with_dimensions_and_a_size():
    built = field_of("varchar(40)[][]", null=True, label="Names")

    assert (built.null, built.verbose_name, built.db_column) == (True, "Names", "a")
    assert type(built.base_field) is postgres.ArrayField
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
    with pytest.raises(TemplateError) as caught:
        build_field(Column("store_id", "bigint", fk=fk, line=3), file="figures.sql")

    assert caught.value.args == (f"figures.sql:3: column 'store_id': there is no model {fk!r}.{hint}",)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("bigintt", " Did you mean 'bigint'?"),
        ("json", " Did you mean 'jsonb'?"),
        ("time with time zone", " Did you mean 'time without time zone'?"),
        ("numeric(,)", " Did you mean 'numeric'?"),
        ("numeric(1,2,3)", " Did you mean 'numeric'?"),
        ("text[", " Did you mean 'text'?"),
        ("integer[3]", " Did you mean 'integer'?"),
        ("", ""),
        ("🎉", ""),
    ],
)
def test_unknown_type(kind: str, hint: str):
    with pytest.raises(TemplateError) as caught:
        build_field(Column("a", kind, line=3), file="figures.sql")

    text = str(caught.value)
    assert text.startswith(f"figures.sql:3: column 'a' has the unknown type {kind!r} (allowed: bigint, bool, ")
    assert text.endswith(f", varchar).{hint}")


@pytest.mark.parametrize(("field", "internal"), [(RealField(), "FloatField"), (CITextField(), "TextField")])
def test_own_fields_are_known_to_django(field: models.Field[Any, Any], internal: str):
    assert field.get_internal_type() == internal
    assert field.get_lookup("exact") is not None
    assert connection.data_types[internal]
