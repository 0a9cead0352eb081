"""DRF's pagination by number and by offset, for rows that are dear to count.

The view says how: ``count = "exact"``, ``"estimate"`` (the planner's) or ``"none"``. The envelope is DRF's own.
"""

from __future__ import annotations

import sys
from typing import Any

from django.template import loader
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.settings import api_settings

from reports.rest_framework.counting import CountMode, KnownPage, count_mode, read_window, refuse_far

MOST_ROWS = 1000
PAGE_SIZE = api_settings.PAGE_SIZE or 25


class _Counting:
    """What both classes do where the number of rows is not known."""

    max_offset: int | None = 10_000
    mode: CountMode = "exact"
    template: str | None
    without_numbers = "rest_framework/pagination/previous_and_next.html"

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a page; see DRF. With ``mode`` "none" the number may be null."""
        found: dict[str, Any] = super().get_paginated_response_schema(schema)  # type: ignore[misc]  # DRF's class is beside
        if self.mode == "none":
            found["properties"]["count"]["nullable"] = True
        return found

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters with their bounds; see DRF. The view is remembered for the page's schema."""
        self.mode = count_mode(view)
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)  # type: ignore[misc]
        bounds = self._bounds()
        for parameter in found:
            parameter["schema"].update(bounds.get(parameter["name"], {}))
        return found

    def _bounds(self) -> dict[str | None, dict[str, int]]:
        raise NotImplementedError

    @property
    def known_count(self) -> int | None:
        """The number of rows, None where it is unknown."""
        raise NotImplementedError

    def get_html_context(self) -> dict[str, Any]:
        """Return what the page controls show: the numbers of pages where the rows are counted."""
        if self.known_count is None:
            return {"previous_url": self.get_previous_link(), "next_url": self.get_next_link()}  # type: ignore[attr-defined]
        found: dict[str, Any] = super().get_html_context()  # type: ignore[misc]
        return found

    def to_html(self) -> str:
        """Return the page controls of the browsable API."""
        template = self.without_numbers if self.known_count is None else self.template
        return loader.get_template(str(template)).render(self.get_html_context())


class ReportPagination(_Counting, PageNumberPagination):
    """``?page=3&page_size=50``: one query for the rows and at most one for their number.

    A page that begins beyond ``max_offset`` rows is a 400 that names cursor pagination.
    """

    page: Any
    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MOST_ROWS

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        """Return the rows of the page that the request asks for; None when ``page_size`` is None.

        Raises:
            NotFound: There is no such page.
            ValidationError: The page begins beyond ``max_offset``, or is the last of rows that are not counted.
        """
        self.request, self.mode = request, count_mode(view)
        size = self.get_page_size(request)
        if not size:
            return None
        paginator = self.django_paginator_class(queryset, size)
        number = self._number(request, paginator)
        offset = (number - 1) * size
        refuse_far(offset, self.max_offset, self.page_query_param)
        window = read_window(queryset, offset, size, self.mode)
        if offset and not window.rows:
            raise NotFound(self.invalid_page_message)
        paginator.count = window.count
        self.page = KnownPage(window, number, paginator)
        self.display_page_controls = self.template is not None and self.page.has_other_pages()
        return window.rows

    def _number(self, request: Any, paginator: Any) -> int:
        asked = request.query_params.get(self.page_query_param) or 1
        if asked in self.last_page_strings:
            if self.mode != "exact":
                problem = (
                    f"{asked!r} is not known here, where rows are not counted exactly. Follow 'next', or give a number."
                )
                raise ValidationError({self.page_query_param: [problem]})
            return int(paginator.num_pages)
        try:
            number = int(asked)
        except ValueError:  # no number, or one of more digits than Python reads
            number = 0
        if number < 1:
            raise NotFound(self.invalid_page_message)
        return number

    @property
    def known_count(self) -> int | None:
        found: int | None = self.page.paginator.count
        return found

    def _bounds(self) -> dict[str | None, dict[str, int]]:
        sizes = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return {self.page_query_param: {"minimum": 1}, self.page_size_query_param: _given(sizes)}


class ReportLimitOffsetPagination(_Counting, LimitOffsetPagination):
    """``?limit=50&offset=100``: one query for the rows and at most one for their number.

    A page that begins beyond ``max_offset`` rows is a 400 that names cursor pagination.
    """

    default_limit = PAGE_SIZE
    max_limit = MOST_ROWS

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        """Return the rows of the page that the request asks for; None when there is no limit.

        Raises:
            ValidationError: The page begins beyond ``max_offset``.
        """
        self.request, self.mode = request, count_mode(view)
        self.limit = self.get_limit(request)
        if self.limit is None:
            return None
        self.offset = self.get_offset(request)
        refuse_far(self.offset, self.max_offset, self.offset_query_param)
        window = read_window(queryset, self.offset, self.limit, self.mode)
        self.count, self.more = window.count, window.more
        self.display_page_controls = self.template is not None and (window.more or self.offset > 0)
        return window.rows

    def get_offset(self, request: Any) -> int:
        """Return the offset asked for; 0 for what is no number, as in DRF."""
        asked = request.query_params.get(self.offset_query_param, "")
        try:
            return max(int(asked), 0)
        except ValueError:
            return sys.maxsize if asked.isdecimal() else 0  # more digits than Python reads

    def get_next_link(self) -> str | None:
        """Return the address of the next page."""
        known, self.count = self.count, self.offset + self.limit + self.more
        try:
            return super().get_next_link()  # type: ignore[no-any-return]
        finally:
            self.count = known

    @property
    def known_count(self) -> int | None:
        found: int | None = self.count
        return found

    def _bounds(self) -> dict[str | None, dict[str, int]]:
        limits = {"minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        offsets = {"minimum": 0, "maximum": self.max_offset}
        return {self.limit_query_param: _given(limits), self.offset_query_param: _given(offsets)}


def _given(bounds: dict[str, int | None]) -> dict[str, int]:
    return {name: bound for name, bound in bounds.items() if bound is not None}
