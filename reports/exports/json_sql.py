"""Rows as JSON texts that PostgreSQL makes, equal to those made of ``reports.exports.primitives``.

Only columns whose form is proved, by tests that compare the two, have one here.

The texts of the values are put together by ``concat()``. For 100 000 rows of six columns that takes 75 ms,
``row_to_json()`` 88 and ``json_build_object()`` 137; and a point in time, which needs a form of its own, is not escaped
a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from inspect import getattr_static
from typing import Any

from django.conf import settings
from django.contrib.postgres import fields as postgres
from django.db import models
from django.db.models.expressions import BaseExpression, Col
from django.utils import timezone

from reports import fields
from reports.exports import json_times
from reports.exports.compiled import Compiled, once
from reports.exports.literals import literal
from reports.exports.primitives import JSONForm, exact_field, places

Form = Callable[[Any, str, JSONForm], str]
# PostgreSQL's functions take at most 100 arguments.
_ARGUMENTS = 90


def json_select(found: Compiled, form: JSONForm) -> str | None:
    """Return a query of one column, the JSON text of each row, in the same order of rows; it has no line end.

    None when a column has no proved form. The parameters are those of the query within.
    """
    zone = timezone.get_current_timezone() if settings.USE_TZ else None
    columns = [f"c{i}" for i in range(found.width)]
    texts: list[str] = []
    before = "{"
    for name, position, expression in zip(found.names, found.positions, found.expressions, strict=True):
        column = columns[position]
        value = json_expression(exact_field(expression), column, form, zone) if is_plain(expression) else None
        if value is None:
            return None
        if zone and f"{column}_local" in value:
            columns.append(json_times.local(column, zone))
        texts += [literal(f"{before}{json.dumps(name, ensure_ascii=False)}:"), f"coalesce({value}, 'null')"]
        before = ","
    if found.sql is None or not texts:
        return None
    row = _joined([*texts, "'}'"])
    return f"SELECT {row} FROM {once(found.sql, found.width, ', '.join(columns))} AS texts"  # noqa: S608 - our own


def joined_rows(sql: str) -> str:
    """Return a query of one text, the lines that a query of ``json_select()`` gives; NULL when there are none."""
    return f"SELECT string_agg(line, E'\\n') FROM ({sql}) AS rows (line)"  # noqa: S608 - a query of ours


def json_expression(field: models.Field[Any, Any], column: str, form: JSONForm, zone: tzinfo | None) -> str | None:
    """Return the SQL of the JSON text of a column's value, NULL for null; None when there is no proved form.

    ``zone`` is that of points in time, which may refer to ``json_times.local()``.
    """
    if isinstance(field, models.ForeignKey):
        return json_expression(field.target_field, column, JSONForm(form.decimals), zone)
    kind = type(field)
    if kind is models.DateTimeField:
        return json_times.moment(column, zone) if zone and json_times.zone_name(zone) else None
    if isinstance(field, models.JSONField) and field.decoder is not None:
        return None
    if kind in _INTEGERS:
        return _integer(column, is_text=kind in _BIGINTS and form.bigints == "string")
    if kind in (fields.ArrayField, postgres.ArrayField):
        return _array(field, column, form)
    make = _FORMS.get(kind)
    return make(field, column, form) if make else None


def is_plain(expression: Any) -> bool:
    """Return whether Django hands on an expression's values as its field reads them, of the type of its field."""
    if isinstance(expression, Col):
        return True
    # A truncated point in time has left its zone, whatever its field says, and what is made of it as well.
    if isinstance(expression.output_field, models.DateTimeField):
        return False
    return all(
        getattr_static(type(expression), name) is getattr_static(BaseExpression, name)
        for name in ("convert_value", "get_db_converters")
    )


def _joined(texts: list[str]) -> str:
    while len(texts) > _ARGUMENTS:
        texts = [_concat(texts[i : i + _ARGUMENTS]) for i in range(0, len(texts), _ARGUMENTS)]
    return _concat(texts)


def _concat(texts: Iterable[str]) -> str:
    return f"concat({', '.join(texts)})"


def _plain(field: Any, column: str, form: JSONForm) -> str:
    # Not cast to text, which would cut the blanks of a character(n). What is declared as a text and is none becomes one
    # by concat(), as the type writes it; to_json() alone, without it, is faster. And num_nulls, because a row of NULLs
    # "IS NULL" without being it.
    known = " ".join(f"WHEN '{kind}'::regtype THEN to_json({column})::text" for kind in ("text", "character varying"))
    other = f"CASE WHEN num_nulls({column}) = 0 THEN to_json(concat({column}))::text END"
    return f"CASE pg_typeof({column}) {known} ELSE {other} END"


def _boolean(field: Any, column: str, form: JSONForm) -> str:
    return f"{column}::boolean::text"


def _integer(column: str, *, is_text: bool) -> str:
    # A sum of bigints is a numeric, and a column may be declared as another type than it has. By the text, because not
    # every type has a cast to numeric. NaN and infinity, which JSON does not have, are above every number.
    number = f"{column}::text::numeric"
    known = " ".join(f"WHEN '{kind}'::regtype THEN {column}::text" for kind in ("integer", "bigint"))
    whole = (
        f"CASE pg_typeof({column}) {known}"
        f" WHEN 'boolean'::regtype THEN {column}::text::boolean::integer::text"
        f" ELSE CASE WHEN abs({number}) < 'Infinity' THEN trunc({number})::text END END"
    )
    return f"""'"' || {whole} || '"'""" if is_text else whole


def _float(field: Any, column: str, form: JSONForm) -> str:
    kind = "real" if isinstance(field, fields.RealField) else "float8"
    return f"CASE WHEN abs({column}::{kind}) < 'Infinity' THEN {column}::{kind}::text END"


def _decimal(field: Any, column: str, form: JSONForm) -> str:
    number, count = f"{column}::numeric", places(field)
    text = f"{number}::text" if count is None else _rounded(number, count)
    if form.decimals == "string":
        return f"""'"' || {text} || '"'"""
    # A number without a point would be read as an integer.
    point = (
        "" if count else f" || CASE WHEN {f'scale({number}) > 0' if count is None else 'false'} THEN '' ELSE '.0' END"
    )
    return f"CASE WHEN abs({number}) < 1.7976931348623158e308 THEN {text}{point} END"


def _rounded(number: str, count: int) -> str:
    """Return the text of a number rounded half-even, with the sign that Python leaves to a negative zero."""
    cut, near = f"trunc({number}, {count})", f"round({number}, {count})"
    is_half = f"abs({number} - {cut}) = 5e-{count + 1} AND mod({cut}, 2e-{count}) = 0"
    return (
        f"CASE WHEN scale({number}) = {count} THEN {number}::text ELSE"
        f" CASE WHEN {number} < 0 AND {number} >= -5e-{count + 1} THEN '-' ELSE '' END"
        f" || CASE WHEN {is_half} THEN {cut} ELSE {near} END::text END"
    )


def _uuid(field: Any, column: str, form: JSONForm) -> str:
    return f"to_json({column}::uuid)::text"


def _bytes(field: Any, column: str, form: JSONForm) -> str:
    return f"""'"' || translate(encode({column}::bytea, 'base64'), E'\\n', '') || '"'"""


def _jsonb(field: Any, column: str, form: JSONForm) -> str:
    return f"{column}::jsonb::text"


def _json(field: Any, column: str, form: JSONForm) -> str:
    # Line ends and TABs can only stand between its parts: inside a text JSON has them escaped.
    return f"translate({column}::text, E'\\n\\r\\t', '   ')"


def _hstore(field: Any, column: str, form: JSONForm) -> str:
    return f"{column}::json::text"


def _array(field: Any, column: str, form: JSONForm) -> str | None:
    leaf = field.base_field
    while isinstance(leaf, postgres.ArrayField):
        leaf = leaf.base_field
    if type(leaf) in _INTEGERS:
        as_text = type(leaf) in _BIGINTS and form.bigints == "string"
        return f"to_json({column}::{'text' if as_text else 'bigint'}[])::text"
    cast = _ITEMS.get(type(leaf))
    return None if cast is None else f"to_json({column}{cast})::text"


_BIGINTS = {models.BigIntegerField, models.BigAutoField, fields.OidField, models.PositiveBigIntegerField}
_INTEGERS = {
    *_BIGINTS, models.AutoField, models.IntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField,
    models.SmallAutoField, models.SmallIntegerField,
}  # fmt: skip
_FORMS: Mapping[type[Any], Form] = {
    fields.HStoreField: _hstore,
    fields.InetField: _plain,
    fields.NaiveDateTimeField: json_times.timestamp,
    fields.PlainJSONField: _json,
    fields.RealField: _float,
    fields.TypedTextField: _plain,
    models.BinaryField: _bytes,
    models.BooleanField: _boolean,
    models.CharField: _plain,
    models.DateField: json_times.date,
    models.DecimalField: _decimal,
    models.DurationField: json_times.duration,
    models.EmailField: _plain,
    models.FloatField: _float,
    models.GenericIPAddressField: _plain,
    models.JSONField: _jsonb,
    models.SlugField: _plain,
    models.TextField: _plain,
    models.TimeField: json_times.time,
    models.URLField: _plain,
    models.UUIDField: _uuid,
    postgres.HStoreField: _hstore,
}
_ITEMS: Mapping[type[Any], str] = {
    fields.TypedTextField: "",
    models.BooleanField: "::boolean[]",
    models.CharField: "",
    models.DateField: "::date[]",
    models.TextField: "",
    models.UUIDField: "::uuid[]",
}
