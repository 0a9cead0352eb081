"""Rows that are read as JSON texts, made by PostgreSQL where the form of every column is proved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any, ClassVar, TypeVar

from django.db import connections
from django.db.models import QuerySet
from django.db.models.query import BaseIterable, ValuesIterable

from reports.exports.compiled import check_rows, compiled
from reports.exports.json_sql import joined_rows, json_select
from reports.exports.primitives import JSONForm, exact_field, primitive_rows
from reports.fetching import DictIterable

# So many rows are read as one text, which takes a tenth less time. A text of PostgreSQL has at most 1 GB.
_PAGE = 20_000
_Rows = TypeVar("_Rows", bound=QuerySet[Any, Any])
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class JSONIterable(BaseIterable):  # type: ignore[type-arg]  # generic in the stubs only
    """Yields the JSON text of each row: an object of the columns selected, then the annotations."""

    form: ClassVar[JSONForm] = JSONForm()

    def __iter__(self) -> Iterator[str]:
        # As in DictIterable: nothing may run before the first row is asked for.
        return chain.from_iterable(map(JSONIterable._read, (self,)))

    def _read(self) -> Iterator[str]:
        queryset = self.queryset
        found = compiled(queryset, labels=False)
        if found.sql is None or not found.names:
            return iter(())
        sql = json_select(found, self.form)
        if sql is not None:
            return self._texts(sql, found.params)
        fields = dict(zip(found.names, map(exact_field, found.expressions), strict=True))
        dicts = self._dicts()
        blocks = iter(lambda: list(islice(dicts, self.chunk_size if self.chunked_fetch else None)), [])
        return map(json_text, chain.from_iterable(primitive_rows(block, fields, self.form) for block in blocks))

    def _texts(self, sql: str, params: Any) -> Iterator[str]:
        connection = connections[self.queryset.db]
        if self.chunked_fetch:
            return self._chunks(connection.chunked_cursor(), sql, params)
        query: Any = self.queryset.query
        is_page = query.high_mark is not None and query.high_mark - query.low_mark <= _PAGE
        with connection.cursor() as cursor:
            cursor.execute(joined_rows(sql) if is_page else sql, params)
            found = cursor.fetchall()
        if not is_page:
            return map(itemgetter(0), found)
        lines: str | None = found[0][0]
        return iter(lines.split("\n") if lines else ())

    def _chunks(self, cursor: Any, sql: str, params: Any) -> Iterator[str]:
        with cursor:
            cursor.execute(sql, params)
            while block := cursor.fetchmany(self.chunk_size):
                yield from map(itemgetter(0), block)

    def _dicts(self) -> Iterator[dict[str, Any]]:
        queryset = self.queryset.all()
        queryset.query.select_related = False  # as for the other way: columns of other models are none of the rows'
        iterable: Any = DictIterable if queryset.query.default_cols else ValuesIterable
        return iter(iterable(queryset, chunked_fetch=self.chunked_fetch, chunk_size=self.chunk_size))


def json_rows(rows: _Rows, form: JSONForm | None = None) -> _Rows:
    """Return rows that are read as JSON texts, one object for each row; they can be filtered and sliced as before.

    A text has no line end. It is read by one query, like the rows. ``values()`` gives dicts again, so say it before.

    Raises:
        TypeError: ``rows`` are not those of a report.
    """
    check_rows(rows, "JSON")
    clone = rows.all()
    clone._iterable_class = _iterable(form or JSONForm())
    return clone


def is_built_in_database(rows: QuerySet[Any], form: JSONForm | None = None) -> bool:
    """Return whether PostgreSQL makes the JSON of rows: the form of each of their columns is proved."""
    return json_select(compiled(rows, labels=False), form or JSONForm()) is not None


def json_text(row: dict[str, Any]) -> str:
    """Return the JSON text of a row of JSON values, which has no line end and can be sent as UTF-8."""
    # Half of a surrogate pair, which a json column may hold, has no UTF-8; an escape is what JSON has for it.
    return _encode(row).encode(errors="backslashreplace").decode()


@cache
def _iterable(form: JSONForm) -> type[JSONIterable]:
    return type("JSONIterable", (JSONIterable,), {"form": form})
