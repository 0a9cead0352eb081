"""Values of a statement as what a template holds: a declared parameter with a default, or a literal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.backends.postgresql.psycopg_any import get_adapters_template
from django.utils.duration import duration_string
from psycopg import ProgrammingError, sql

from reports.column_lines import quoted
from reports.errors import TemplateError
from reports.header import Param
from reports.param_fields import FIELDS, build_form
from reports.types import parse_type

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (Decimal, "numeric"),
    (str, "text"),
    (datetime, "timestamptz"),
    (date, "date"),
    (time, "time"),
    (timedelta, "interval"),
    (UUID, "uuid"),
)


def param_line(param: Param) -> str:
    """Return the line of a header that declares a parameter."""
    words = [param.name, param.type, *(flag for flag in ("required", "list") if getattr(param, flag))]
    words += [f"default={quoted(param.default)}"] if param.default is not None else []
    return f"-- param: {' '.join(words)}"


def declared(name: str, values: Sequence[Any], kind: str | None, *, is_list: bool) -> Param | None:
    """Return a parameter whose default is these values (one, unless it is a list); None where no default gives them.

    Args:
        name: In the template.
        values: As Django binds them.
        kind: The type that PostgreSQL infers, if any.
        is_list: Whether they are an IN's.
    """
    texts = [_text(value) for value in values]
    if not texts or None in texts or any("\n" in str(text) for text in texts):
        return None
    for each in _types(kind, values[0]):
        param = Param(name, each, required=True, list=is_list, default=",".join(map(str, texts)))
        if _gives(param, values):
            return param
    return None


def literal(value: Any, *, is_typed: bool) -> str:
    """Return a value as PostgreSQL reads it; ``is_typed``: with the type as which a server-binding driver sends it.

    Raises:
        TemplateError: The driver has no text for such a value.
    """
    try:
        text = sql.Literal(value).as_string(get_adapters_template(settings.USE_TZ, None)).strip()
    except ProgrammingError as error:
        raise TemplateError(f"a {type(value).__name__} cannot be written into a template.") from error
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return text
    kind = {float: "double precision", Decimal: "numeric"}.get(type(value))
    if is_typed and kind:
        return f"({text})::{kind}"
    return f"({text})" if text.startswith("-") else text


def _text(value: Any) -> str | None:
    """Return a value as a person types it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_string(value)
    return str(value) if isinstance(value, str | float | Decimal | UUID) else None


def _types(kind: str | None, value: Any) -> Iterator[str]:
    """Yield the types to try: what PostgreSQL infers, then that of the value in Python."""
    found = parse_type(kind) if kind else None
    if found and found.name in FIELDS and not found.dimensions:
        yield "text" if found.name == "character varying" else found.name
    yield from (name for of, name in _TYPES if isinstance(value, of))


def _gives(param: Param, values: Sequence[Any]) -> bool:
    """Return whether the parameter, left out, has exactly these values."""
    try:
        form = build_form((param,), file="")
        cleaned = form.base_fields[param.name].clean(form.base_fields[param.name].initial)
    except (TemplateError, ValidationError):
        return False
    found = cleaned if param.list else [cleaned]
    return len(found) == len(values) and all(map(_is_same, found, values))


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime) and (one.tzinfo is None) != (other.tzinfo is None):
        return False
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool) and _kind(one) == _kind(other)


def _kind(value: Any) -> type:
    """Return the class of values that PostgreSQL computes with alike."""
    return next((of for of, _ in _TYPES if isinstance(value, of)), type(value))
