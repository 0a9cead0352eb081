"""A model's fields as Python text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from keyword import iskeyword
from typing import Any

from django.apps import apps
from django.db import models

from reports.columns import build_field
from reports.header import Column

_WIDTH = 115  # and an indentation of 4 before it
# What the body of a model, or Django in it, means something else by.
_TAKEN = ("check", "models", "objects")
_DEFAULTS: Mapping[str, object] = {"size": None, "default_bounds": "[)"}


def field_name(column: Column) -> str:
    """Return the name of a column's field: ``department`` for ``department_id`` with a foreign key."""
    name = column.name.removesuffix("_id") if column.fk else column.name
    return f"{name}_field" if iskeyword(name) or name in _TAKEN else name


def field_text(column: Column, *, is_key: bool, file: str) -> tuple[str, set[str]]:
    """Return ``name = models.TextField(…)`` and the import lines that it needs.

    Args:
        is_key: The column alone is the primary key.

    Raises:
        TemplateError: The column can have no field; names the file and the column.
    """
    field = build_field(column, file=file)
    name = field_name(column)
    if isinstance(field, models.ForeignKey):
        kind = "OneToOneField" if is_key else "ForeignKey"
        words = [quoted(str(column.fk)), "models.DO_NOTHING", "db_constraint=False", 'related_name="+"']
        default, imports = f"{name}_id", {"from django.db import models"}
        head = f"models.{kind}"
    else:
        head, words, imports = _parts(field)
        default = name
    words += ["primary_key=True"] * is_key + ["null=True"] * column.null
    words += [f"db_column={quoted(column.name)}"] if column.name != default else []
    words += [f"verbose_name={quoted(column.label)}"] if column.label else []
    text = f"{name} = {head}({', '.join(words)})"
    if len(text) > _WIDTH:
        inner = ", ".join(words)
        lines = [inner] if len(inner) < _WIDTH else [f"{word}," for word in words]
        text = "\n".join([f"{name} = {head}(", *(f"        {line}" for line in lines), "    )"])
    return text, imports


def needs_postgres_app(columns: Iterable[Column], *, file: str) -> bool:
    """Return whether Django's checks will ask for an app that is not installed."""
    kinds = {kind for column in columns for kind in type(build_field(column, file=file)).__mro__}
    is_needed = any(kind.__module__.startswith("django.contrib.postgres.") for kind in kinds)
    return is_needed and not apps.is_installed("django.contrib.postgres")


def quoted(text: str) -> str:
    """Return a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _parts(field: models.Field[Any, Any]) -> tuple[str, list[str], set[str]]:
    """Return the class, the arguments of its own, and the import lines."""
    _, _, args, kwargs = field.deconstruct()
    head, imports = _class(type(field))
    words = [_literal(arg) for arg in args]
    base = kwargs.pop("base_field", None)
    if base is not None:
        base_head, base_words, base_imports = _parts(base)
        words.append(f"{base_head}({', '.join(base_words)})")
        imports |= base_imports
    options = {name: value for name, value in kwargs.items() if name not in ("null", "db_column", "verbose_name")}
    words += [f"{name}={_literal(value)}" for name, value in options.items() if _DEFAULTS.get(name, name) != value]
    return head, words, imports


def _class(kind: type) -> tuple[str, set[str]]:
    name, module = kind.__name__, kind.__module__
    if module.startswith("django.db.models."):
        return f"models.{name}", {"from django.db import models"}
    if module.startswith("django.contrib.postgres.fields."):
        module = "django.contrib.postgres.fields"
    return name, {f"from {module} import {name}"}


def _literal(value: object) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)
