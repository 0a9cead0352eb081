"""What is grouped by: its name, type, whether it may be NULL, and the object that it is the key of."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When, Window
from django.db.models.functions import ExtractHour, Lower, RowNumber, TruncMonth
from django.test.utils import isolate_apps

from reports.describe import describe_columns
from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.dimensions import Dimension, named, read_dimension
from reports.prebuilt.vocabulary.facts import grouped
from reports.rendering import render_string
from reports.source import TemplateSource
from tests.models import Buyer, Figure, Sale, Store
from tests.test_prebuilt_metrics import Thing

LATEST = Subquery(Sale.objects.filter(buyer=OuterRef("buyer")).order_by("-at").values("kind")[:1])


def read(value: Any, source: Any = Sale, name: str = "x") -> Dimension:
    return read_dimension(source if isinstance(source, models.QuerySet) else source.objects.all(), name, value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["kind", "buyer__region"], {"kind": "kind", "buyer_region": "buyer__region"}),
        ({"area": "buyer__region"}, {"area": "buyer__region"}),
    ],
)
def test_names_are_those_given_or_the_paths(given, expected):
    assert named(given) == expected
    assert list(named(given)) == list(expected)


def test_two_of_one_name_are_refused():
    with pytest.raises(DeclarationError, match=r"^several dimensions would be called a_b, kind; give a dict"):
        named(["kind", "a__b", "a_b", "kind"])


@pytest.mark.parametrize(
    ("value", "source", "name", "kind", "null", "fk"),
    [
        ("kind", Sale, "x", "character varying", True, None),
        ("name", Buyer, "x", "character varying", False, None),
        ("id", Sale, "x", "bigint", False, None),
        ("pk", Sale, "x", "bigint", False, None),
        ("revenue", Figure, "x", "numeric", False, None),
        # A relation's column is called after its own where no name was given.
        ("store", Figure, "x", "bigint", False, "tests.Store"),
        ("buyer", Sale, "x", "bigint", True, "tests.Buyer"),
        ("buyer__name", Sale, "x", "character varying", True, None),
        ("store__name", Figure, "x", "character varying", False, None),
        ("store__region", Figure, "x", "bigint", True, "tests.Region"),
        ("store__region__name", Figure, "x", "character varying", True, None),
        ("at__date", Sale, "x", "date", True, None),
        (Lower("kind"), Sale, "x", "character varying", True, None),
        (ExtractHour("at"), Sale, "x", "integer", True, None),
        (TruncMonth("at"), Sale, "x", "timestamptz", True, None),
        (Q(amount__gt=0), Sale, "x", "boolean", True, None),
        (Exists(Sale.objects.filter(buyer=OuterRef("buyer"))), Sale, "x", "boolean", True, None),
        (LATEST, Sale, "x", "character varying", True, None),
        (
            Case(When(amount__gt=5, then=Value("high")), default=Value("low")),
            Sale,
            "x",
            "character varying",
            True,
            None,
        ),
        ("numbers", Thing, "x", "integer[]", True, None),
        ("data", Thing, "x", "jsonb", True, None),
        ("address", Thing, "x", "inet", True, None),
        ("clock", Thing, "x", "time", True, None),
        ("size", Sale.objects.annotate(size=F("amount") * 2), "x", "numeric", True, None),
        ("sort", Sale.objects.alias(sort=F("kind")), "x", "character varying", True, None),
        # Its own condition makes a join inner, but get_source() may have another one.
        ("buyer__name", Sale.objects.filter(buyer__region="north"), "x", "character varying", True, None),
    ],
)
def test_dimension_is_read(value, source, name, kind, null, fk):
    found = read(value, source, name)

    assert (found.name, found.type, found.null, found.fk) == (name, kind, null, fk)
    assert found.column(pk=True).pk
    assert found.is_array == (kind == "integer[]")


@pytest.mark.parametrize(
    ("path", "name"), [("buyer", "buyer_id"), ("buyer_id", "buyer_id"), ("shelf__parent", "shelf_parent_id")]
)
def test_relation_is_called_after_its_column(path, name):
    ((given, value),) = named([path]).items()

    assert read(value, name=given).name == name


@isolate_apps("tests")
def test_relation_to_another_column_than_the_key_finds_no_object():
    """A row's ForeignKey would take the code for a key."""

    class Country(models.Model):
        code = models.CharField(max_length=2, unique=True)

        class Meta:
            app_label = "tests"

    class City(models.Model):
        country = models.ForeignKey(Country, models.CASCADE, to_field="code")

        class Meta:
            app_label = "tests"

    found = read("country", City, "country")

    assert (found.name, found.type, found.fk) == ("country_id", "character varying", None)


@pytest.mark.parametrize(
    ("value", "source", "problem"),
    [
        ("kinds", Sale, r"there is no field 'kinds' \(there are: amount, .*\)\. Did you mean 'kind'\?"),
        ("buyer__nam", Sale, r"there is no field 'nam' as in 'buyer__nam' \(there are: .* Did you mean 'name'\?"),
        ("sales", Buyer, "dimension 'x' leads to many rows by 'sales'; take that model as the source"),
        ("tags__name", Store, "dimension 'x' leads to many rows by 'tags'; take that model as the source"),
        (Lower("buyer__visits__step"), Sale, "dimension 'x' leads to many rows by 'buyer__visits'"),
        (Count("pk"), Sale, r"dimension 'x' is Count\(F\(pk\)\); it must be a field's name or an expression"),
        (Window(RowNumber()), Sale, "dimension 'x' is .*; it must be a field's name or an expression"),
        (Sale.objects.all(), Sale, "dimension 'x' is a QuerySet; it must be"),
        (Sale, Sale, "dimension 'x' is a ModelBase; it must be"),
        (1, Sale, "dimension 'x' is a int; it must be"),
        (F("amount") * F("kind"), Sale, "dimension 'x': .*Cannot infer type of"),
        (models.Func("kind", output_field=models.Field()), Sale, "dimension 'x' is a Field, which is no column's type"),
    ],
)
def test_dimension_that_cannot_be_read_is_refused(value, source, problem):
    with pytest.raises(DeclarationError, match=problem):
        read(value, source)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", ["kind", "buyer", "buyer__name", "at__date", LATEST, Q(amount__gt=0), ExtractHour("at")]
)
def test_type_is_that_of_postgresql(value):
    found = read(value)
    query = render_string("{{ facts }}", {"facts": grouped(Sale.objects.all(), {"x": found.expression}, [])})

    (column,) = describe_columns(TemplateSource("tests.facts", query, None), using="default")

    assert column.type.partition("(")[0] == found.type


SAME = (
    '{% import "prebuilt/macros/dimensions.sql" as dimension with context %}SELECT count(*) AS n FROM a JOIN b ON true'
)


def test_groups_are_compared_by_this_sql():
    dimensions = [read("name", Buyer, "name"), read("kind", name="kind"), read("numbers", Thing, "numbers")]

    query = render_string(f"{SAME}{{{{ dimension.same(dimensions, 'a', 'b') }}}}", {"dimensions": dimensions})

    assert query.sql.partition("true")[2] == (
        ' AND "a"."by_name" = "b"."by_name" AND ARRAY["a"."by_kind"] = ARRAY["b"."by_kind"]'
        ' AND "a"."by_numbers" IS NOT DISTINCT FROM "b"."by_numbers"'
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "values"),
    [("kind", "(NULL), ('a'), ('')"), ("numbers", "(NULL::integer[]), ('{}'), ('{1}'), ('{NULL}')")],
)
def test_groups_are_the_same_as_postgresql_groups(value, values):
    dimension = read(value, Thing if value == "numbers" else Sale)
    rows = f"(VALUES {values})"
    text = SAME.replace("FROM a JOIN b", f"FROM {rows} AS a(by_x) JOIN {rows} AS b(by_x)")

    query = render_string(f"{text}{{{{ dimension.same([d], 'a', 'b') }}}}", {"d": dimension})

    with connection.cursor() as cursor:
        cursor.execute(query.sql, list(query.params))  # type: ignore[arg-type]  # whatever a template binds
        assert cursor.fetchone() == (values.count("("),)
