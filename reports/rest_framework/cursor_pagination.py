"""DRF's cursor pagination over all that rows are ordered by: no row comes twice, none is left out."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.utils.urls import replace_query_param

from reports.errors import QueryError
from reports.rest_framework.keyset import Keyset, Values
from reports.rest_framework.pagination import MOST_ROWS, PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position, and the page that is asked for: the rows after it, or those before it."""

    values: Values
    backwards: bool = False
    inclusive: bool = False


class ReportCursorPagination(CursorPagination):
    """``?cursor=…``: one query for a page, of one row more than it shows; no OFFSET and no count.

    Rows stand in the order of the view's ``OrderingFilter``, else of ``ordering`` here, else in their own; those that
    are equal in it, by their key, in the direction of its last item. NULLs are where PostgreSQL puts them, or where
    ``nulls_first`` and ``nulls_last`` of an expression say.
    """

    ordering: Any = None
    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MOST_ROWS

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        """Return the rows of the page that the cursor asks for; None when ``page_size`` is None.

        Raises:
            ImproperlyConfigured: The rows have no key, or an ordering that fixes no position.
            NotFound: The cursor cannot be read, or is one of another ordering.
        """
        self.request = request
        self.page_size = self.get_page_size(request)
        if not self.page_size:
            return None
        self.base_url = request.build_absolute_uri()
        self.keyset = Keyset.of(queryset, self.get_ordering(request, queryset, view))
        self.cursor = self.decode_cursor(request)
        rows, more = self._read(queryset)
        positions = [self.keyset.take(row) for row in rows]
        self.page = rows
        self._positions = positions
        backwards = self.cursor is not None and self.cursor.backwards
        self.has_next, self.has_previous = (True, more) if backwards else (more, self.cursor is not None)
        self.display_page_controls = self.template is not None and (self.has_next or self.has_previous)
        return rows

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[Any, ...]:
        """Return the names and expressions to order by; none where the rows keep their own order."""
        backends = [backend for backend in getattr(view, "filter_backends", ()) if hasattr(backend, "get_ordering")]
        asked = backends[0]().get_ordering(request, queryset, view) if backends else None
        ordering = asked or self.ordering or ()
        return tuple(ordering) if isinstance(ordering, Sequence) and not isinstance(ordering, str) else (ordering,)

    def get_next_link(self) -> str | None:
        """Return the address of the page after this one."""
        return self.encode_cursor(self._beside(backwards=False)) if self.has_next else None

    def get_previous_link(self) -> str | None:
        """Return the address of the page before this one."""
        return self.encode_cursor(self._beside(backwards=True)) if self.has_previous else None

    def encode_cursor(self, cursor: Cursor) -> str:
        """Return the address with a cursor: base64 of JSON, the ordering's fingerprint, two flags and the values."""
        held = [self.keyset.fingerprint, int(cursor.backwards), int(cursor.inclusive), *cursor.values]
        text = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
        encoded = urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return str(replace_query_param(self.base_url, self.cursor_query_param, encoded))

    def decode_cursor(self, request: Any) -> Cursor | None:
        """Return the request's cursor; None for the first page.

        Raises:
            NotFound: It cannot be read, or is one of another ordering.
        """
        encoded = request.query_params.get(self.cursor_query_param)
        if not encoded:
            return None
        try:
            text = b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
            fingerprint, backwards, inclusive, *values = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise NotFound(self.invalid_cursor_message) from None
        read = Cursor(tuple(values), backwards == 1, inclusive == 1)
        is_known = fingerprint == self.keyset.fingerprint and all(map(_is_value, values))
        if not is_known or not self.keyset.fits(read.values):
            raise NotFound(self.invalid_cursor_message)
        return read

    def _read(self, queryset: Any) -> tuple[list[Any], bool]:
        """Return the page's rows, in order, and whether there are more in the direction that is read."""
        cursor = self.cursor
        if cursor is None:
            found = list(self.keyset.after(queryset, None)[: self.page_size + 1])
            return found[: self.page_size], len(found) > self.page_size
        rows = self.keyset.after(queryset, cursor.values, backwards=cursor.backwards, inclusive=cursor.inclusive)[
            : self.page_size + 1
        ]
        try:
            found = list(rows)
        except DatabaseError as error:
            if _is_of_a_value(error) and _is_refused(rows):
                raise NotFound(self.invalid_cursor_message) from error
            raise
        page = found[: self.page_size]
        return page[::-1] if cursor.backwards else page, len(found) > self.page_size

    def _beside(self, *, backwards: bool) -> Cursor:
        if self._positions:
            return Cursor(self._positions[0 if backwards else -1], backwards)
        # No row is left where the cursor leads to, which is given: a page without one that is empty has no neighbours.
        cursor: Any = self.cursor
        return Cursor(cursor.values, backwards, inclusive=not cursor.inclusive)


def _is_value(value: object) -> bool:
    """Return whether PostgreSQL takes it for text: no NUL, and nothing that is not Unicode."""
    if value is None:
        return True
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_of_a_value(error: DatabaseError) -> bool:
    """Return whether PostgreSQL refused a value: a date that there is not, a number beyond its type's range."""
    state = error.sqlstate if isinstance(error, QueryError) else getattr(error.__cause__, "sqlstate", None)
    return str(state)[:2] in ("22", "54")


def _is_refused(rows: Any) -> bool:
    """Return whether the statement cannot even be planned, which is the cursor's fault and not that of any row."""
    try:
        rows.explain()
    except DatabaseError:
        return True
    return False
