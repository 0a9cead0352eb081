"""Rows as dicts, in the template's column order.

Not ``values()``, which changes GROUP BY and forbids ``only()``. Where every selected column is of a type that is known
to come out the same, results are fetched in PostgreSQL's binary format, which is faster to read than text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models.query import BaseIterable
from django.db.models.sql.compiler import SQLCompiler
from psycopg.postgres import types

from reports.fields import NaiveDateTimeField

Row = dict[str, Any]

# Types whose binary values are equal to Django's text ones; tests compare them. Not the same are, among others, real,
# jsonb, inet, enums, citext. Both are asked: the fields before the statement, PostgreSQL's own answer after it.
_BINARY_FIELDS = frozenset({
    models.AutoField, models.BigAutoField, models.BigIntegerField, models.BooleanField, models.CharField,
    models.DateField, models.DateTimeField, models.DecimalField, models.FloatField, models.IntegerField,
    models.SmallAutoField, models.SmallIntegerField, models.TextField, models.TimeField, models.UUIDField,
    NaiveDateTimeField,
})  # fmt: skip
_BINARY_TYPES = frozenset(
    types[name].oid
    for name in (
        "bool", "bpchar", "date", "float8", "int2", "int4", "int8", "numeric", "text", "time", "timestamp",
        "timestamptz", "uuid", "varchar",
    )
)  # fmt: skip
# Columns that turned out to be of another type than declared, by row model, for the next time.
_text_only: set[tuple[Any, str]] = set()


class BinaryCursor(psycopg.Cursor[Any]):
    """A driver's cursor that asks for binary results.

    PostgreSQL gives them only under the extended protocol, which Django's client-binding cursor does not speak: then
    the parameters are written into the text first, as that cursor would have done.
    """

    binds_on_server = True

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> BinaryCursor:
        """Run a statement; see psycopg."""
        if params is not None and not self.binds_on_server:
            query, params = psycopg.ClientCursor(self.connection).mogrify(query, params), None
        return super().execute(query, params, binary=True, **kwargs)


class DictIterable(BaseIterable):  # type: ignore[type-arg]  # generic in the stubs only
    """Yields a dict for each row: the columns selected, then the annotations."""

    def __iter__(self) -> Iterator[Row]:
        # Nothing may run before the first row is asked for: async code makes the iterator in its own thread and reads
        # it in another. Not a generator, which would cost Python code for each row.
        return chain.from_iterable(map(DictIterable._read, (self,)))

    def _read(self) -> Iterator[Row]:
        queryset = self.queryset
        compiler = queryset.query.get_compiler(using=queryset.db)
        if self.chunked_fetch:
            results: Any = compiler.execute_sql(chunked_fetch=True, chunk_size=self.chunk_size)
            rows: Any = compiler.results_iter(results)
        else:
            rows = _fetch_all(compiler)
        if not compiler.select:
            return iter(())
        names, positions = column_names(compiler)
        if positions == tuple(range(len(positions))):
            return map(dict, map(zip, repeat(names), rows))  # no Python code runs for a row
        return ({name: row[i] for name, i in zip(names, positions, strict=True)} for row in rows)


def column_names(compiler: SQLCompiler) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the keys of a row's dict and where their values stand in the row."""
    select: Any = compiler.select
    found = [(select[i][0].target.column, i) for i in (compiler.klass_info or {}).get("select_fields", ())]
    found += list((compiler.annotation_col_map or {}).items())
    return tuple(name for name, _ in found), tuple(i for _, i in found)


def _fetch_all(compiler: SQLCompiler) -> Iterable[Sequence[Any]]:
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return ()
    connection: Any = compiler.connection
    with connection.cursor() as cursor:
        if _can_be_binary(compiler):
            text_cursor, cursor.cursor = cursor.cursor, BinaryCursor(connection.connection)
            cursor.cursor.binds_on_server = connection.features.uses_server_side_binding
            cursor.execute(sql, params)
            if not _note_other_types(compiler, cursor.description):
                return _converted(compiler, cursor.fetchall())
            cursor.cursor.close()
            cursor.cursor = text_cursor
        cursor.execute(sql, params)
        return _converted(compiler, cursor.fetchall())


def _converted(compiler: SQLCompiler, rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    # Also after a binary fetch: Avg() of integers is a numeric, which Django makes a float.
    converters = compiler.get_converters([column[0] for column in compiler.select or ()])
    return compiler.apply_converters(rows, converters) if converters else rows


def _note_other_types(compiler: SQLCompiler, description: Any) -> bool:
    """Remember the columns whose text value would be another one than the binary; return whether there are any."""
    found = [i for i, column in enumerate(description) if column.type_code not in _BINARY_TYPES]
    select: Any = compiler.select
    _text_only.update(_column(compiler, select[i][0], select[i][2]) for i in found if i < len(select))
    return bool(found)


def _column(compiler: SQLCompiler, expression: Any, alias: str | None) -> tuple[Any, str]:
    return compiler.query.model, str(alias or getattr(getattr(expression, "target", None), "column", expression))


def _can_be_binary(compiler: SQLCompiler) -> bool:
    """Return whether every selected column is of a field whose values are the same in both formats."""
    connection: Any = compiler.connection
    for expression, _, alias in compiler.select or ():
        field = expression.output_field
        field = field.target_field if isinstance(field, models.ForeignKey) else field
        if type(field) not in _BINARY_FIELDS or _column(compiler, expression, alias) in _text_only:
            return False
        # In binary the driver uses the session's zone, in text Django's; timezone is None without USE_TZ.
        if isinstance(field, models.DateTimeField) and connection.connection.info.timezone != connection.timezone:
            return False
    return True
