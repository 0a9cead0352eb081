"""One page of rows and what is known of their number: one statement for the rows, at most one for the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from django.core.exceptions import ImproperlyConfigured
from django.core.paginator import Page
from django.db import connections
from rest_framework.exceptions import ValidationError

from reports.errors import listed
from reports.rows import Rows
from reports.transactions import together

CountMode = Literal["exact", "estimate", "none"]


def count_mode(view: Any) -> CountMode:
    """Return how a view wants its rows counted: its ``count``, "exact" without one.

    Raises:
        ImproperlyConfigured: It is none of the three.
    """
    mode: Any = getattr(view, "count", "exact")
    if mode not in get_args(CountMode):
        names = listed(map(repr, get_args(CountMode)))
        raise ImproperlyConfigured(f"{type(view).__name__}.count is {mode!r} (allowed: {names}).")
    found: CountMode = mode
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """The rows of a page. ``more`` is whether others follow; ``count`` the number of all, None where it is unknown."""

    rows: list[Any]
    more: bool
    count: int | None


def read_window(queryset: Any, offset: int, size: int, mode: CountMode) -> Window:
    """Return the rows from an offset on, one more being read to know whether there are more.

    Where the rows themselves tell their number, nothing is counted; else it is counted over the same data. An estimate
    is never less than what was seen.
    """
    if mode == "exact" and isinstance(queryset, Rows):
        with together(connections[queryset.db]):
            return _window(queryset, offset, size, mode)
    return _window(queryset, offset, size, mode)


def _window(queryset: Any, offset: int, size: int, mode: CountMode) -> Window:
    found = list(queryset[offset : offset + size + 1])
    rows, more = found[:size], len(found) > size
    if not more and (rows or not offset):
        return Window(rows, more, offset + len(rows))
    count = _count(queryset, mode)
    if count is not None and rows:
        count = max(count, offset + len(found))
    elif count is not None and mode == "estimate":
        count = min(count, offset)  # no row stands there
    return Window(rows, more, count)


def _count(queryset: Any, mode: CountMode) -> int | None:
    if mode == "none":
        return None
    if mode == "estimate" and isinstance(queryset, Rows):
        return round(queryset.plan().rows)
    return int(queryset.count())


def refuse_far(offset: int, max_offset: int | None, key: str) -> None:
    """Raise ValidationError for a page that begins so far on that PostgreSQL would read and drop too many rows."""
    if max_offset is not None and offset > max_offset:
        problem = f"A page may not begin beyond row {max_offset}. Use cursor pagination (ReportCursorPagination)."
        raise ValidationError({key: [problem]})


class KnownPage(Page):  # type: ignore[type-arg]  # generic in the stubs only
    """A page that knows whether another follows, whatever the number of all rows is taken for."""

    def __init__(self, window: Window, number: int, paginator: Any) -> None:
        super().__init__(window.rows, number, paginator)
        self.more = window.more

    def has_next(self) -> bool:
        return self.more

    def next_page_number(self) -> int:
        return self.number + 1

    def previous_page_number(self) -> int:
        return self.number - 1
