"""An index as a line of a model's ``Meta.indexes``."""

from __future__ import annotations

from django.apps import apps
from django.db import models

from reports.indexes.candidates import Candidate
from reports.indexes.comparisons import Kind

_LOOKUPS = {
    Kind.NULL: "__isnull=True",
    Kind.NOT_NULL: "__isnull=False",
    Kind.TRUE: "=True",
    Kind.FALSE: "=False",
}


def model_of(wanted: Candidate) -> type[models.Model] | None:
    """Return the model whose table is to get the index, None when the table is no model's or its columns are not."""
    for model in apps.get_models(include_auto_created=True):
        names = (wanted.table, f"{wanted.schema}.{wanted.table}")
        if model._meta.managed and not model._meta.proxy and model._meta.db_table.replace('"', "") in names:
            columns = {field.column for field in model._meta.local_concrete_fields}
            return model if columns.issuperset(wanted.names) else None
    return None


def index_line(wanted: Candidate, model: type[models.Model]) -> str:
    """Return ``models.Index(…)``, ready to paste, with the name that Django itself would give it."""
    fields = {field.column: field.name for field in model._meta.local_concrete_fields}
    keys = [f"{'-' if key.descending else ''}{fields[key.column]}" for key in wanted.columns]
    include = [fields[column] for column in wanted.include]
    index = models.Index(fields=[*keys, *include])
    index.set_name_with_model(model)
    parts = [f"fields={_listed(keys)}"]
    if include:
        parts.append(f"include={_listed(include)}")
    if wanted.where:
        tests = ", ".join(f"{fields[column]}{_LOOKUPS[kind]}" for column, kind in wanted.where)
        parts.append(f"condition=models.Q({tests})")
    parts.append(f'name="{index.name}"')
    return f"models.Index({', '.join(parts)})"


def _listed(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
