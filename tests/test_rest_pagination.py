"""Pages by number and by offset: Django REST Framework's own answers, for fewer statements."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import rest_framework
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from reports.rest_framework.pagination import ReportLimitOffsetPagination, ReportPagination
from tests.models import Figure, Store
from tests.reports import Figures

ROWS = 23
PAGINATORS = pytest.mark.parametrize("paginator", [ReportPagination, ReportLimitOffsetPagination])
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [Path(rest_framework.__file__).parent / "templates"],
    "OPTIONS": {"libraries": {"rest_framework": "rest_framework.templatetags.rest_framework"}},
}


class View:
    """All that a paginator asks of a view."""

    def __init__(self, count: Any) -> None:
        self.count = count


def store_figures(number: int) -> None:
    Store.objects.create(pk=1, name="one")
    month = datetime.date(2026, 1, 1)
    Figure.objects.bulk_create(Figure(pk=i + 1, store_id=1, month=month, revenue=i) for i in range(number))


@pytest.fixture
def figures(db: None) -> None:
    store_figures(ROWS)


def page_of(paginator: Any, rows: Any, count: Any = "exact", **query: Any) -> tuple[Any, dict[str, Any]]:
    """Return the paginator after it has paged, and the envelope."""
    request = Request(APIRequestFactory().get("/figures/", {"a": "1", **query}))
    paged = paginator()
    found = paged.paginate_queryset(rows, request, View(count))
    return paged, paged.get_paginated_response(found).data


def asked(address: str | None) -> dict[str, str] | None:
    """Return the query of an address, in which the keys of the request must still be."""
    return None if address is None else {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def statements(paginator: Any, count: Any, **query: Any) -> tuple[int, Any]:
    """Return how many statements a page of ten needs, and the count in its envelope."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        _, found = page_of(paginator, Figures().run(), count, **query)
    return len(captured), found["count"]


# What a page costs.

BY_NUMBER = [
    ("exact", {"page": 1}, 2, ROWS),
    ("exact", {"page": 2}, 2, ROWS),
    ("exact", {"page": 3}, 1, ROWS),
    ("exact", {"page": "last"}, 2, ROWS),
    ("exact", {"page_size": ROWS}, 1, ROWS),
    ("exact", {"page_size": ROWS - 1}, 2, ROWS),
    ("estimate", {"page": 3}, 1, ROWS),
    ("none", {"page": 1}, 1, None),
    ("none", {"page": 2}, 1, None),
    ("none", {"page": 3}, 1, ROWS),
]
BY_OFFSET = [
    ("exact", {}, 2, ROWS),
    ("exact", {"offset": 5}, 2, ROWS),
    ("exact", {"offset": 13}, 1, ROWS),
    ("exact", {"offset": ROWS}, 2, ROWS),
    ("exact", {"offset": 50}, 2, ROWS),
    ("exact", {"limit": 50}, 1, ROWS),
    ("none", {}, 1, None),
    ("none", {"offset": ROWS}, 1, None),
    ("none", {"offset": 13}, 1, ROWS),
]


@pytest.mark.parametrize(("count", "query", "number", "total"), BY_NUMBER)
def test_statements_of_a_page_by_number(figures: None, count: str, query: Any, number: int, total: int | None) -> None:
    assert statements(ReportPagination, count, **{"page_size": 10, **query}) == (number, total)


@pytest.mark.parametrize(("count", "query", "number", "total"), BY_OFFSET)
def test_statements_of_a_page_by_offset(figures: None, count: str, query: Any, number: int, total: int | None) -> None:
    assert statements(ReportLimitOffsetPagination, count, **{"limit": 10, **query}) == (number, total)


@PAGINATORS
def test_statements_of_a_page_without_rows(db: None, paginator: Any) -> None:
    for count in ("exact", "estimate", "none"):
        assert statements(paginator, count) == (1, 0)


@PAGINATORS
def test_estimate_is_the_planners(figures: None, paginator: Any) -> None:
    """The rows, and an EXPLAIN, which counts nothing."""
    size = {"page_size": 10, "limit": 10}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tests_figure")
    expected = round(Figures().run().plan().rows)

    with CaptureQueriesContext(connection) as captured:
        _, found = page_of(paginator, Figures().run(), "estimate", **size)

    assert found["count"] == max(expected, 11)
    assert [query["sql"].startswith("EXPLAIN") for query in captured] == [False, True]


@PAGINATORS
def test_estimate_is_never_less_than_what_was_seen(figures: None, monkeypatch: Any, paginator: Any) -> None:
    class Low:
        rows = 2.0

    monkeypatch.setattr("reports.rows.Rows.plan", lambda rows: Low)

    _, found = page_of(paginator, Figures().run(), "estimate", page_size=10, limit=10, page=2, offset=10)

    assert found["count"] == 21
    assert found["next"] is not None


def test_estimate_is_never_more_than_an_offset_without_rows(figures: None, monkeypatch: Any) -> None:
    class High:
        rows = 1e6

    monkeypatch.setattr("reports.rows.Rows.plan", lambda rows: High)

    _, found = page_of(ReportLimitOffsetPagination, Figures().run(), "estimate", offset=30)

    assert (found["count"], found["results"], found["next"]) == (30, [], None)


@PAGINATORS
def test_estimate_of_other_rows_is_a_count(figures: None, paginator: Any) -> None:
    _, found = page_of(paginator, Figure.objects.all(), "estimate", page_size=10, limit=10)

    assert found["count"] == ROWS


# The same as Django REST Framework's.


class TheirPages(PageNumberPagination):
    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 1000


class FarPages(ReportPagination):
    max_offset = None


class TheirOffsets(LimitOffsetPagination):
    default_limit = 25
    max_limit = 1000


@pytest.mark.django_db
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 12),
    st.one_of(st.integers(-2, 14), st.sampled_from(["", "last", "abc", "1.0", " 2", "0x1", "\0"])),
    st.data(),
)
def test_pages_are_those_of_the_framework(number: int, page: Any, data: Any) -> None:
    size = data.draw(st.one_of(st.integers(1, 14), st.sampled_from(["", "0", "-1", "abc", "5000"])))
    rows = Figures().run({"least": str(12 - number)})
    if not Store.objects.exists():
        store_figures(12)

    ours, theirs = (envelope(kind, rows, page=page, page_size=size) for kind in (FarPages, TheirPages))

    assert ours == theirs


@pytest.mark.django_db
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 12), st.one_of(st.integers(-2, 20), st.sampled_from(["", "abc", " 2"])), st.data())
def test_offsets_are_those_of_the_framework(number: int, offset: Any, data: Any) -> None:
    limit = data.draw(st.one_of(st.integers(1, 14), st.sampled_from(["", "0", "-1", "abc", "5000"])))
    rows = Figures().run({"least": str(12 - number)})
    if not Store.objects.exists():
        store_figures(12)

    ours, theirs = (
        envelope(kind, rows, offset=offset, limit=limit) for kind in (ReportLimitOffsetPagination, TheirOffsets)
    )

    assert ours == theirs


def envelope(paginator: Any, rows: Any, **query: Any) -> Any:
    """Return the envelope and the numbers of the page controls, or that there is no such page."""
    try:
        paged, found = page_of(paginator, rows, **query)
    except NotFound:
        return "Invalid page."
    links = [(link.number, link.is_active) for link in paged.get_html_context()["page_links"]]
    return {**found, "next": asked(found["next"]), "previous": asked(found["previous"])}, links


@pytest.mark.parametrize("count", ["exact", "estimate", "none"])
@pytest.mark.parametrize("paginator", [ReportPagination, ReportLimitOffsetPagination])
def test_links_lead_through_all_rows(figures: None, paginator: Any, count: str) -> None:
    """Forwards by next, backwards by previous, in each mode."""
    rows, query, pages = Figures().run(), {"page_size": "7", "limit": "7"}, []
    while True:
        _, found = page_of(paginator, rows, count, **query)
        pages.append(found["results"])
        if found["next"] is None:
            break
        query = asked(found["next"]) or {}
        assert query["a"] == "1"
    back = [found["results"]]
    while found["previous"] is not None:
        _, found = page_of(paginator, rows, count, **(asked(found["previous"]) or {}))
        back.append(found["results"])

    assert [row for page in pages for row in page] == list(rows)
    assert back == pages[::-1]


def test_any_sequence_can_be_paged() -> None:
    """Also what is no queryset and yields texts: it is sliced, read and counted."""

    class Texts(list[str]):
        def count(self) -> int:  # type: ignore[override]
            return len(self)

        def __getitem__(self, index: Any) -> Any:
            return Texts(super().__getitem__(index))

    _, found = page_of(ReportPagination, Texts(map(str, range(9))), page=2, page_size=4)

    assert found["results"] == ["4", "5", "6", "7"]
    assert found["count"] == 9


# What is refused.


@pytest.mark.parametrize("page", ["0", "-1", "abc", "1.5", "\0", "9" * 5000, "4", "٠"])
@pytest.mark.parametrize("count", ["exact", "estimate", "none"])
def test_page_that_there_is_not(figures: None, page: str, count: str) -> None:
    with pytest.raises(NotFound) as caught:
        page_of(ReportPagination, Figures().run(), count, page=page, page_size=10)

    assert str(caught.value.detail) == "Invalid page."


@pytest.mark.parametrize("page", ["402", "1" + "0" * 30])
def test_page_too_far_on(page: str) -> None:
    """Without a database: nothing is read."""
    with pytest.raises(ValidationError) as caught:
        page_of(ReportPagination, Figures().run(), page=page)

    problem = "A page may not begin beyond row 10000. Use cursor pagination (ReportCursorPagination)."
    assert caught.value.detail == {"page": [problem]}


@pytest.mark.parametrize("offset", ["10001", "1" + "0" * 30, "9" * 5000])
def test_offset_too_far_on(offset: str) -> None:
    with pytest.raises(ValidationError) as caught:
        page_of(ReportLimitOffsetPagination, Figures().run(), offset=offset)

    problem = "A page may not begin beyond row 10000. Use cursor pagination (ReportCursorPagination)."
    assert caught.value.detail == {"offset": [problem]}


def test_farthest_page_is_read(figures: None) -> None:
    _, found = page_of(ReportLimitOffsetPagination, Figures().run(), offset=10_000)

    assert (found["count"], found["results"]) == (ROWS, [])


def test_how_far_is_the_paginators(figures: None) -> None:
    with pytest.raises(NotFound):
        page_of(FarPages, Figures().run(), page=402)


@pytest.mark.parametrize("size", ["1" + "0" * 30, "1001"])
def test_size_is_cut(figures: None, size: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        page_of(ReportPagination, Figures().run(), page_size=size)
        page_of(ReportLimitOffsetPagination, Figures().run(), limit=size)

    assert [query["sql"][-10:] for query in captured] == ["LIMIT 1001"] * 2


@pytest.mark.parametrize("count", ["estimate", "none"])
def test_last_page_needs_a_count(count: str) -> None:
    with pytest.raises(ValidationError) as caught:
        page_of(ReportPagination, Figures().run(), count, page="last")

    problem = "'last' is not known here, where rows are not counted exactly. Follow 'next', or give a number."
    assert caught.value.detail == {"page": [problem]}


@PAGINATORS
@pytest.mark.parametrize("count", ["fast", None, len])
def test_unknown_mode_is_refused(paginator: Any, count: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        page_of(paginator, Figures().run(), count)

    assert str(caught.value) == f"View.count is {count!r} (allowed: 'estimate', 'exact', 'none')."


@PAGINATORS
def test_view_without_a_mode_counts(figures: None, paginator: Any) -> None:
    paged = paginator()
    request = Request(APIRequestFactory().get("/", {"page_size": 10, "limit": 10}))

    page = paged.paginate_queryset(Figures().run(), request)

    assert paged.get_paginated_response(page).data["count"] == ROWS


def test_pagination_can_be_switched_off() -> None:
    class NoPages(ReportPagination):
        page_size = None

    class NoLimit(ReportLimitOffsetPagination):
        default_limit = None

    request = Request(APIRequestFactory().get("/"))
    assert NoPages().paginate_queryset(Figures().run(), request) is None
    assert NoLimit().paginate_queryset(Figures().run(), request) is None


# The browsable API and the schema.


@PAGINATORS
@pytest.mark.parametrize("count", ["exact", "estimate", "none"])
def test_page_controls(figures: None, settings: Any, paginator: Any, count: str) -> None:
    """Numbers where there is a count; else the pages before and after."""
    settings.TEMPLATES = [TEMPLATES]

    paged, _ = page_of(paginator, Figures().run(), count, page_size=10, limit=10, page=2, offset=10)
    html = paged.to_html()

    assert paged.display_page_controls
    assert ("page=3" in html) != ("offset=20" in html)
    assert ('class="active"' in html) == (count != "none")
    assert ("pager" in html) == (count == "none")


@PAGINATORS
def test_no_page_controls_for_one_page(figures: None, paginator: Any) -> None:
    paged, _ = page_of(paginator, Figures().run(), "none")

    assert not paged.display_page_controls


@PAGINATORS
def test_schema_of_a_page(paginator: Any) -> None:
    rows = {"type": "array"}

    plain = paginator().get_paginated_response_schema(rows)

    assert plain["properties"]["results"] is rows
    assert "nullable" not in plain["properties"]["count"]


@PAGINATORS
def test_schema_remembers_the_view(paginator: Any) -> None:
    paged = paginator()

    paged.get_schema_operation_parameters(View("none"))

    assert paged.get_paginated_response_schema({})["properties"]["count"]["nullable"] is True


def test_schema_of_the_parameters() -> None:
    def bounds(paginator: Any) -> dict[str, Any]:
        return {item["name"]: item["schema"] for item in paginator().get_schema_operation_parameters(View("exact"))}

    size = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 25}
    assert bounds(ReportPagination) == {"page": {"type": "integer", "minimum": 1}, "page_size": size}
    offset = {"type": "integer", "minimum": 0, "maximum": 10_000}
    assert bounds(ReportLimitOffsetPagination) == {"limit": size, "offset": offset}
