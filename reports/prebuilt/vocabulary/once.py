"""What a queryset's query tells of its rows: whether one comes several times, and whether they are all."""

from __future__ import annotations

from typing import Any

from django.db import models


def is_cut(queryset: models.QuerySet[Any]) -> bool:
    """Return whether a queryset's rows are those of a slice, of which two reads need not give the same."""
    return any(getattr(getattr(each, "rhs", None), "is_sliced", False) for each in queryset.query.where.leaves())


def is_filtered(queryset: models.QuerySet[Any]) -> bool:
    """Return whether a queryset has not all rows of its table."""
    return bool(queryset.query.where) or len(_joined(queryset.query)) > 1


def many_joins(query: Any) -> list[Any]:
    """Return the joins, and the tables of ``extra()``, that lead to many rows."""
    fields = [(item, getattr(item, "join_field", None)) for item in _joined(query)]
    many = [item for item, field in fields if field is not None and (field.one_to_many or field.many_to_many)]
    return [*many, *query.extra_tables]


def _joined(query: Any) -> list[Any]:
    return [item for alias, item in query.alias_map.items() if query.alias_refcount[alias]]
