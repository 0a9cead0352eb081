"""The rows of a page as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models
from rest_framework.utils.encoders import JSONEncoder

from reports import Report

_NUMBERS = (models.IntegerField, models.DecimalField, models.FloatField)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading. ``name`` is the key in JSON."""

    name: str
    label: str
    unit: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Headings, and the rows' cells as text; None for a missing value."""

    headings: list[Heading]
    body: list[list[tuple[Heading, str | None]]]


def row_table(report: type[Report], rows: Sequence[Any]) -> Table | None:
    """Return the table of rows as the response has them; None when there are none, or they are no objects."""
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        return None
    model = report.get_row_model()
    fields = {} if model is None else {field.column: field for field in model._meta.concrete_fields}
    units = {column.name: column.unit or "" for column in report.get_columns()}
    headings = [
        _heading(name, fields.get(name), units.get(name, ""), [row.get(name) for row in rows]) for name in rows[0]
    ]
    return Table(headings, [[(heading, _text(row.get(heading.name))) for heading in headings] for row in rows])


def _heading(name: str, field: models.Field[Any, Any] | None, unit: str, values: list[Any]) -> Heading:
    label = name.replace("_", " ")
    if field is None:
        found = [value for value in values if value is not None]
        is_number = bool(found) and all(isinstance(v, (int, float, Decimal)) and v is not True for v in found)
        return Heading(name, label, unit, is_number)
    if field._verbose_name:  # type: ignore[attr-defined]  # what somebody gave; verbose_name is made of the name
        label = str(field.verbose_name)
    return Heading(name, label, unit, isinstance(field, _NUMBERS) and not field.primary_key)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, cls=JSONEncoder, ensure_ascii=False)
