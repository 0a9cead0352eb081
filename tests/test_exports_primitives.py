"""Values as JSON has them. That they are those of DRF is in test_rest_values.py."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres import fields as postgres
from django.db import models
from django.db.models import Avg, F
from django.utils import timezone
from psycopg.types.range import Range

from reports import fields
from reports.exports.primitives import JSONForm, exact_field, primitive, primitive_rows
from tests.models import Figure

SET: dict[str, Any] = {"decimal_places": 2, "max_digits": 8}
AS_TEXT = JSONForm(decimals="string", bigints="string")
AS_NUMBER = JSONForm(decimals="number", bigints="number")


def value_of(field: Any, value: Any, form: JSONForm | None = None) -> Any:
    convert = primitive(field, form or JSONForm())
    return value if convert is None else convert(value)


@pytest.mark.parametrize(
    "field",
    [
        models.BooleanField(), models.JSONField(), fields.HStoreField(), fields.InetField("inet"),
        fields.PlainJSONField(), fields.ArrayField(models.TextField()),
    ],
)  # fmt: skip
def test_what_the_driver_gives_is_json_already(field: Any):
    assert primitive(field, JSONForm()) is None


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        (models.DecimalField(**SET), Decimal("1.50"), "1.50"),
        (models.DecimalField(**SET), Decimal("1.5"), "1.50"),
        (models.DecimalField(**SET), Decimal("0.125"), "0.12"),
        (models.DecimalField(**SET), Decimal("0.135"), "0.14"),
        (models.DecimalField(**SET), Decimal("-0.001"), "-0.00"),
        (models.DecimalField(**SET), Decimal("1E+2"), "100.00"),
        (models.DecimalField(**SET), 7, "7.00"),
        (models.DecimalField(**SET), Decimal("NaN"), "NaN"),
        (models.DecimalField(**SET), Decimal("-Infinity"), "-Infinity"),
        (models.DecimalField(**SET), Decimal(10**40), f"{10**40}.00"),
        (models.DecimalField(max_digits=20, decimal_places=9), Decimal("1.5E-7"), "0.000000150"),
        (models.DecimalField(max_digits=1000, decimal_places=500), Decimal("1E+3"), "1000"),
        (models.DecimalField(), Decimal("1.500"), "1.500"),
        (models.FloatField(), float("nan"), None),
        (models.FloatField(), float("-inf"), None),
        (models.FloatField(), Decimal("1.5"), 1.5),
        (models.BigIntegerField(), Decimal(2**64), 2**64),
        (models.TextField(), Decimal("1.50"), "1.50"),
        (models.CharField(), "a", "a"),
        (fields.TypedTextField("citext"), "a", "a"),
        (models.UUIDField(), UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (models.BinaryField(), b"\x00\xff", "AP8="),
        (models.BinaryField(), memoryview(b"\x00\xff"), "AP8="),
        (models.DateField(), date(1, 1, 1), "0001-01-01"),
        (models.TimeField(), time(10, 0, 0, 5), "10:00:00.000005"),
        (models.DurationField(), timedelta(days=-1, microseconds=1), "-1 00:00:00.000001"),
        (fields.NaiveDateTimeField(), datetime(2026, 1, 1), "2026-01-01T00:00:00"),
        (fields.ArrayField(fields.ArrayField(models.UUIDField())), [[UUID(int=1), None]], [[str(UUID(int=1)), None]]),
        (postgres.IntegerRangeField(), Range(1, 5), '{"bounds": "[)", "lower": "1", "upper": "5"}'),
        (fields.MultirangeField("int4multirange"), [1], "[1]"),
        (models.ForeignKey(Figure, models.CASCADE), 5, 5),
    ],
)  # fmt: skip
def test_values(field: Any, value: Any, found: Any):
    assert value_of(field, value) == found


def test_forms_of_numbers():
    figure = Figure._meta.get_field("revenue")

    assert value_of(figure, Decimal("1.5"), AS_NUMBER) == 1.5
    assert value_of(figure, Decimal("NaN"), AS_NUMBER) is None
    assert value_of(models.BigIntegerField(), 2**60, AS_TEXT) == str(2**60)
    assert value_of(models.BigAutoField(), 1, AS_TEXT) == "1"
    assert value_of(models.IntegerField(), 1, AS_TEXT) == 1
    assert value_of(Figure._meta.get_field("store"), 1, AS_TEXT) == 1


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ("UTC", "2026-07-01T00:00:00Z"),
        ("America/St_Johns", "2026-06-30T21:30:00-02:30"),
        ("Europe/London", "2026-07-01T01:00:00+01:00"),
        ("Africa/Abidjan", "2026-07-01T00:00:00Z"),
    ],
)
def test_moments_are_in_the_active_zone(zone: str, found: str):
    with timezone.override(zone):
        convert = primitive(models.DateTimeField(), JSONForm())
    assert convert is not None
    assert convert(datetime(2026, 7, 1, tzinfo=UTC)) == found
    assert convert(datetime(2026, 7, 1, tzinfo=ZoneInfo("UTC"))) == found


def test_moments_beyond_the_years_are_in_utc():
    with timezone.override("America/St_Johns"):
        assert value_of(models.DateTimeField(), datetime.min.replace(tzinfo=UTC)) == "0001-01-01T00:00:00Z"


def test_fields_of_the_project_are_what_their_parent_is():
    class Upper(models.CharField):  # type: ignore[type-arg]
        pass

    class Shade:
        def __str__(self) -> str:
            return "red"

    class Other(models.Field):  # type: ignore[type-arg]
        pass

    assert value_of(Upper(), Shade()) == "red"
    other = Other()
    assert [value_of(other, value) for value in (True, 5, float("nan"), Decimal("1.5"), date(2026, 1, 1))] == [
        True, 5, None, 1.5, "2026-01-01",
    ]  # fmt: skip
    assert value_of(other, datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"
    assert value_of(other, Shade()) == "red"


def test_rows_are_copied():
    rows: list[dict[str, Any]] = [{"a": Decimal("1.50"), "b": 1}, {"a": None, "b": Decimal(2)}]
    of: dict[str, Any] = {"a": models.DecimalField(**SET), "b": models.IntegerField()}

    assert json.dumps(primitive_rows(rows, of, JSONForm())) == '[{"a": "1.50", "b": 1}, {"a": null, "b": 2}]'
    assert rows[0]["a"] == Decimal("1.50")
    assert primitive_rows([], of, JSONForm()) == []


def test_computed_decimals_have_no_declared_places():
    query = Figure.objects.annotate(mean=Avg("revenue"), twice=F("revenue") * 2).query
    (column,) = (c for c, *_ in _select(query) if getattr(c, "target", None) is Figure._meta.get_field("revenue"))

    assert exact_field(column).decimal_places == 2  # type: ignore[attr-defined]
    assert [exact_field(query.annotations[name]).decimal_places for name in ("mean", "twice")] == [None, None]  # type: ignore[attr-defined]


def _select(query: Any) -> Any:
    compiler = query.get_compiler("default")
    compiler.setup_query()
    return compiler.select
