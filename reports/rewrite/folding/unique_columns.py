"""What the models say of a table's columns: which is its key, which has each value once."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady
from django.db import models

from reports.rewrite.sql.joined import unquoted


def is_unique(table: str, column: str) -> bool:
    """Return whether a column has each value once; of tables without a model, the column ``id``."""
    if column == "k1" and table.startswith('"folded_'):
        return True  # a branch that has its sub-select already
    fields = _fields(table)
    return any(field.unique and field.column == column for field in fields) if fields else column == "id"


def is_key(table: str, column: str) -> bool:
    """Return whether a column is the primary key of a table that migrations make: never NULL, in PostgreSQL too."""
    return any(field.primary_key and field.column == column and field.model._meta.managed for field in _fields(table))


def _fields(table: str) -> list[models.Field[Any, Any]]:
    try:
        found = apps.get_models(include_auto_created=True)
    except AppRegistryNotReady:
        return []
    name = unquoted(table)
    return [field for model in found if unquoted(model._meta.db_table) == name for field in model._meta.local_fields]
