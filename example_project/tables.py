"""A report's columns and rows as the cells of an HTML table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, models
from django.utils import timezone

from reports import Report
from reports.header import Column

NUMBERS = frozenset({"bigint", "double precision", "integer", "numeric", "real", "smallint"})


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading, and the ``?sort=`` value that a click on it asks for."""

    label: str
    unit: str
    is_number: bool
    sort: str
    arrow: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text."""

    text: str
    is_number: bool


def columns_of(report: Report) -> list[Column]:
    """Return a report's columns: as its header declares them, else the fields of its model."""
    model = report.model
    return list(report.get_columns()) if model is None else [_column(field) for field in model._meta.concrete_fields]


def _column(field: models.Field[Any, Any]) -> Column:
    related = field.related_model._meta.label if isinstance(field.related_model, type) else None
    return Column(field.attname, field.db_type(connection) or "", pk=field.primary_key, fk=related)


def header(columns: Iterable[Column], sort: str) -> list[Heading]:
    """Return the headings. The first click on a number sorts from the top, on another column from A."""
    return [_heading(column, sort) for column in columns]


def body(columns: Sequence[Column], rows: Iterable[Any]) -> list[list[Cell]]:
    """Return the cells, row by row."""
    return [[Cell(_text(column, _value(row, column)), _is_number(column)) for column in columns] for row in rows]


def _heading(column: Column, sort: str) -> Heading:
    first, second = (f"-{column.name}", column.name) if _is_number(column) else (column.name, f"-{column.name}")
    arrow = "" if sort.removeprefix("-") != column.name else "▼" if sort.startswith("-") else "▲"
    label = column.label or column.name.removesuffix("_id").replace("_", " ")
    return Heading(label, column.unit or "", _is_number(column), second if sort == first else first, arrow)


def _is_number(column: Column) -> bool:
    return column.type.partition("(")[0] in NUMBERS and not (column.pk or column.fk)


def _value(row: Any, column: Column) -> Any:
    """Return a row's value; for a foreign key of an instance, the object behind it."""
    if isinstance(row, dict):
        return row[column.name]
    return getattr(row, column.name.removesuffix("_id") if column.fk else column.name)


def _text(column: Column, value: Any) -> str:
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, (Decimal, float)):
        return f"{value:,.2f}"
    if isinstance(value, int) and _is_number(column):
        return f"{value:,}"
    if isinstance(value, list):
        return " › ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
