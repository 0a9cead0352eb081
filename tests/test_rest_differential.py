"""The same request to a report and to a ModelViewSet over a real table that holds the same rows: the same answer.

Rows are compared by column: a report's keys are its columns' names, so a ModelSerializer's ``store`` is ``store_id``.
The links of pages are compared without the report's parameters.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import QueryDict
from django_filters.rest_framework import CharFilter, DjangoFilterBackend, FilterSet, NumberFilter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import pagination, renderers, serializers
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from reports import Report
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.pagination import ReportLimitOffsetPagination, ReportPagination
from reports.rest_framework.viewsets import ReportViewSet
from tests.models import FigureRow, KeptFigure
from tests.reports import FigureInstances, Figures
from tests.test_differential import PARAMS, figures

__all__ = ["figures"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("figures")]

COLUMNS = {"store": "store_id"}
JSON = "application/json"


class Filters(FilterSet):
    """Filters that name no model, so that both sides can have them."""

    few = NumberFilter("orders", lookup_expr="lt")
    region = CharFilter("store__region__name")
    not_label = CharFilter("label", exclude=True)


class Shared:
    """What both views have."""

    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
    filterset_fields = {
        "label": ["exact", "in", "isnull"],
        "orders": ["gte", "isnull"],
        "revenue": ["range"],
        "month": ["exact", "year"],
        "seen_at": ["lt"],
        "store": ["exact"],
        "store__name": ["icontains"],
    }
    search_fields = ["label", "^store__name"]
    ordering_fields = ["id", "revenue", "orders", "label", "store__name", "seen_at"]
    filterset_class: Any = None
    ordering: Any = None
    permission_classes: list[Any] = []
    authentication_classes: list[Any] = []


class KeptSerializer(serializers.ModelSerializer[KeptFigure]):
    class Meta:
        model = KeptFigure
        fields = ["id", "store", "month", "revenue", "orders", "label", "seen_at"]


class Table(Shared, ModelViewSet):
    queryset = KeptFigure.objects.all()
    serializer_class: Any = KeptSerializer
    pagination_class: Any = None


class Dicts(Shared, ReportViewSet):
    report_class: type[Report] = Figures
    pagination_class: Any = None


class Instances(Dicts):
    report_class = FigureInstances


REPORTS = [Dicts, Instances]


class Pages(pagination.PageNumberPagination):
    page_size, page_size_query_param, max_page_size = 5, "page_size", 7


class ReportPages(ReportPagination):
    page_size, max_page_size = 5, 7


class Offsets(pagination.LimitOffsetPagination):
    default_limit, max_limit = 5, 7


class ReportOffsets(ReportLimitOffsetPagination):
    default_limit, max_limit = 5, 7


class Cursors(pagination.CursorPagination):
    page_size, ordering = 5, "id"


class ReportCursors(ReportCursorPagination):
    page_size = 5


PAGING = {"none": (None, None), "pages": (Pages, ReportPages), "offsets": (Offsets, ReportOffsets)}


# Asking.


def ask(view: type[Any], query: str = "", *, accept: str = JSON, method: str = "get", **options: Any) -> Any:
    """Return the rendered response; a report is asked with its parameters before the query."""
    if issubclass(view, ReportViewSet):
        query = "&".join(filter(None, [own_parameters(), query]))
    request = getattr(APIRequestFactory(), method)(f"/rows/?{query}", headers={"Accept": accept})
    kwargs = {"pk": options.pop("pk")} if "pk" in options else {}
    actions = {"get": "retrieve" if kwargs else "list"}
    return view.as_view(actions, **options)(request, **kwargs).render()


def own_parameters() -> str:
    params = QueryDict(mutable=True)
    for name, value in PARAMS.items():
        params.setlist(name, [value] if isinstance(value, str) else list(value))
    return params.urlencode()


def answer(view: type[Any], query: str = "", **options: Any) -> tuple[int, Any]:
    """Return the status and the JSON, in order and exact, with rows by column and links as their own keys."""
    response = ask(view, query, **options)
    found = json.loads(response.content, parse_float=str)
    if isinstance(found, list) and response.status_code == 200:
        found = list(map(by_column, found))
    elif "results" in found:
        found["results"] = list(map(by_column, found["results"]))
        found |= {name: link_query(found[name]) for name in ("next", "previous")}
    return response.status_code, list(found.items()) if isinstance(found, dict) else found


def by_column(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(COLUMNS.get(name, name), value) for name, value in row.items()]


def link_query(link: str | None) -> dict[str, list[str]] | None:
    if link is None:
        return None
    query = dict(QueryDict(urlsplit(link).query).lists())
    return {name: values for name, values in query.items() if name not in PARAMS}


def assert_same(query: str, paging: str = "none", **options: Any) -> tuple[int, Any]:
    """Ask the table and both reports; return the table's answer."""
    theirs, ours = PAGING[paging]
    expected = answer(Table, query, pagination_class=theirs, **options)
    for report in REPORTS:
        assert answer(report, query, pagination_class=ours, **options) == expected, (report, query)
    return expected


# Paging, filters, ordering.

FILTERS = [
    "",
    "label=a",
    "label__in=a,c&orders__gte=3",
    "orders__isnull=true",
    "revenue__range=20,60",
    "month__year=2026&store=2",
    "seen_at__lt=2025-12-01T00:00",
    "store__name__icontains=%25",
    "search=a",
    "search=b%20Store",
    "label=nothing",
]
ORDERINGS = ["", "-id", "revenue,-id", "-orders,id", "store__name,label,-id", "nothing,-id"]
PLACES = {
    "none": [""],
    "pages": ["", "page=2", "page=last", "page=2&page_size=3", "page=2&page_size=99", "page=99"],
    "offsets": ["", "offset=4", "limit=3&offset=6", "limit=99&offset=1", "offset=99"],
}
BAD = [
    "page=0",
    "page=-1",
    "page=x",
    "page=1.5",
    "page=",
    "page=99",
    "page_size=0",
    "page_size=-3",
    "page_size=x",
    "page=٢",
]
BAD_OFFSETS = ["limit=0", "limit=-1", "limit=x", "offset=-1", "offset=x", "offset=1e3", "limit=&offset="]


def all_of(*parts: str) -> str:
    return "&".join(filter(None, parts))


@pytest.mark.parametrize("paging", PAGING)
def test_every_filter_on_every_page_in_two_orders(paging: str):
    for chosen, order, place in itertools.product(FILTERS, ("", "ordering=-orders,id"), PLACES[paging]):
        assert_same(all_of(chosen, order, place), paging)


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_every_order_on_every_page(ordering: str):
    for paging, places in PLACES.items():
        for place in places:
            assert_same(all_of(f"ordering={ordering}", place), paging)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    paging=st.sampled_from(sorted(PAGING)),
    label=st.sampled_from(["", "a", "b", "100%", "'"]),
    least=st.integers(-1, 12),
    search=st.text("aS t1%_\\'", max_size=4),
    ordering=st.lists(st.sampled_from(["revenue", "-orders", "label", "-store__name", "seen_at", "x"]), max_size=3),
    page=st.integers(-1, 6),
    size=st.integers(-1, 9),
)
def test_any_request(**drawn: Any):
    query = QueryDict(mutable=True)
    query["label"], query["orders__gte"], query["search"] = drawn["label"], str(drawn["least"]), drawn["search"]
    query["ordering"] = ",".join([*drawn["ordering"], "id"])
    if drawn["paging"] == "pages":
        query["page"], query["page_size"] = str(drawn["page"]), str(drawn["size"])
    elif drawn["paging"] == "offsets":
        query["offset"], query["limit"] = str(drawn["page"] * 3), str(drawn["size"])

    assert_same(query.urlencode(), drawn["paging"])


@pytest.mark.parametrize("query", BAD)
def test_page_that_there_is_not(query: str):
    status, _ = assert_same(query, "pages")

    assert status == (200 if query in ("page=", "page=٢") or query.startswith("page_size") else 404)


@pytest.mark.parametrize("query", BAD_OFFSETS)
def test_offset_that_there_is_not(query: str):
    assert assert_same(query, "offsets")[0] == 200


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("orders__gte=x", "orders__gte"),
        ("orders__gte=NaN", "orders__gte"),
        ("store=99", "store"),
        ("store=x", "store"),
        ("month=soon", "month"),
        ("month__year=x", "month__year"),
        ("revenue__range=1", "revenue__range"),
        ("seen_at__lt=2026-13-01", "seen_at__lt"),
        ("label=%00", "label"),
    ],
)
def test_filter_with_a_bad_value(query: str, key: str):
    status, found = assert_same(query, "pages")

    assert status == 400
    assert [name for name, _ in found] == [key]


def test_search_with_a_bad_value():
    """DRF's list of messages; a report's messages are always an object."""
    status, messages = answer(Table, "search=%00")

    assert status == 400
    for report in REPORTS:
        assert answer(report, "search=%00") == (400, [("non_field_errors", messages)])


@pytest.mark.parametrize(
    "query", ["few=4", "region=north&few=8", "not_label=a", "few=x", "region=&search=a&ordering=-id"]
)
def test_filter_set_of_the_project(query: str):
    assert_same(query, "pages", filterset_class=Filters)


@pytest.mark.parametrize("ordering", ["revenue,-id", "-seen_at,id", "-label,id", "pk", "x"])
def test_orderings_that_the_view_does_not_name(ordering: str):
    assert_same(f"ordering={ordering}", "pages", ordering_fields="__all__")
    if ordering != "pk":
        assert_same(f"ordering={ordering}", "pages", ordering_fields=None)


def test_order_that_the_view_has_by_default():
    assert_same("", "pages", ordering=["-revenue", "id"])
    assert_same("ordering=id", "pages", ordering=["-revenue", "id"])


# Cursors.


def walk(view: type[Any], query: str, paginator: Any) -> tuple[list[Any], list[Any]]:
    """Return the ids of each page, forwards to the end and then back to the first."""
    forwards: list[list[int]] = []
    backwards: list[list[int]] = []
    link: str | None = query
    while link is not None:
        page = json.loads(ask(view, link, pagination_class=paginator).content)
        forwards.append([row["id"] for row in page["results"]])
        link = followed(page["next"])
    link = followed(page["previous"])
    while link is not None:
        page = json.loads(ask(view, link, pagination_class=paginator).content)
        backwards.append([row["id"] for row in page["results"]])
        link = followed(page["previous"])
    return forwards, backwards[::-1]


def followed(link: str | None) -> str | None:
    query = link_query(link)
    if query is None:
        return None
    found = QueryDict(mutable=True)
    for name, values in query.items():
        found.setlist(name, values)
    return found.urlencode()


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("ordering", ["", "-id", "label", "-orders", "store__name,-revenue", "seen_at,orders"])
@pytest.mark.parametrize("chosen", ["", "label__in=a,b&orders__gte=2", "search=a", "orders__isnull=true"])
def test_cursors_give_the_whole_list_in_order(report: type[ReportViewSet], ordering: str, chosen: str):
    """DRF's own would lose or repeat rows that are equal in the first column, or NULL there."""
    key = "-id" if ordering.rpartition(",")[2].startswith("-") else "id"  # as the last item
    whole = [row["id"] for row in json.loads(ask(Table, all_of(chosen, f"ordering={ordering},{key}")).content)]

    forwards, backwards = walk(report, all_of(chosen, f"ordering={ordering}"), ReportCursors)

    assert list(itertools.chain(*forwards)) == whole
    assert all(len(page) == 5 for page in forwards[:-1])
    assert backwards == forwards[:-1]


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("ordering", ["", "id", "-id"])
def test_cursors_of_drf_on_a_key(report: type[ReportViewSet], ordering: str):
    """Where they are right on a table they are right on a report, to the letter of the cursor."""
    query = f"ordering={ordering}"

    assert walk(report, query, Cursors) == walk(Table, query, Cursors)
    assert answer(report, query, pagination_class=Cursors) == answer(Table, query, pagination_class=Cursors)


# One row.


@pytest.mark.parametrize("pk", ["9", "010", "999", "x", "1.5", "-1", " 9"])
def test_row_by_its_key(pk: str):
    expected = ask(Table, pk=pk)

    for report in REPORTS:
        found = ask(report, pk=pk)
        assert found.status_code == expected.status_code
        if expected.status_code == 200:
            assert by_column(json.loads(found.content)) == by_column(json.loads(expected.content))


def test_row_that_the_filters_keep_out():
    pk = str(KeptFigure.objects.filter(label="a")[0].pk)

    assert [ask(view, "label=a", pk=pk).status_code for view in (Table, *REPORTS)] == [200] * 3
    assert [ask(view, "label=b", pk=pk).status_code for view in (Table, *REPORTS)] == [404] * 3


# Representations.


@pytest.mark.parametrize("accept", [JSON, f"{JSON}; indent=4", "*/*", "application/*"])
def test_json_is_the_same_to_the_letter(accept: str):
    expected = ask(Table, accept=accept)

    for report in REPORTS:
        found = ask(report, accept=accept)
        assert found["Content-Type"] == expected["Content-Type"]
        assert found.content.decode() == expected.content.decode().replace('"store":', '"store_id":')


@pytest.mark.parametrize("accept", ["text/html", f"text/html, {JSON};q=0.9", "application/xml", "image/png, text/xml"])
def test_negotiation(accept: str):
    expected = ask(Table, accept=accept)

    for report in REPORTS:
        found = ask(report, accept=accept)
        assert (found.status_code, found["Content-Type"]) == (expected.status_code, expected["Content-Type"])
        assert found["Vary"] == expected["Vary"]


@pytest.mark.parametrize("method", ["head", "options", "post", "put", "delete"])
def test_methods(method: str):
    expected = ask(Table, method=method)

    for report in REPORTS:
        found = ask(report, method=method)
        assert (found.status_code, found["Allow"]) == (expected.status_code, expected["Allow"])
        if method == "options":
            assert json.loads(found.content)["parses"] == json.loads(expected.content)["parses"]
        else:
            assert len(found.content) >= len(expected.content) > 0 or method == "head"


PLAIN = {bool, dict, float, int, list, str, type(None)}


class Outline(renderers.BaseRenderer):
    """A format of somebody else's, which knows no types but those of JSON."""

    media_type, format = "application/x-outline", "outline"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return "\n".join(self.lines(data)).encode()

    def lines(self, data: Any) -> list[str]:
        if isinstance(data, Mapping):
            return [f"{COLUMNS.get(key, key)}: {line}" for key, value in data.items() for line in self.lines(value)]
        if isinstance(data, list):
            return [f"- {line}" for item in data for line in self.lines(item)]
        return [repr(data)]


def kinds_in(data: Any) -> set[type[Any]]:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return {type(data)}.union(*map(kinds_in, inner))


def test_renderer_of_the_project_gets_plain_values():
    renderer_classes = [Outline]

    expected = ask(Table, accept="*/*", renderer_classes=renderer_classes)

    for report in REPORTS:
        found = ask(report, accept="*/*", renderer_classes=renderer_classes)
        assert kinds_in(found.data) <= PLAIN
        assert found.content == expected.content
        assert found["Content-Type"] == expected["Content-Type"]


def own_serializer(shown: type[Any]) -> Any:
    class Own(serializers.ModelSerializer[Any]):
        region = serializers.CharField(source="store.region.name", default=None)
        double = serializers.SerializerMethodField()

        class Meta:
            model = shown
            fields = ["id", "store", "label", "region", "double"]

        def get_double(self, row: Any) -> str:
            assert isinstance(row, shown)
            return str(row.revenue * 2)

    return Own


@pytest.mark.parametrize("query", ["", "page=2&ordering=-revenue,id", "label=b&page_size=7"])
def test_serializer_of_the_project(query: str):
    expected = answer(Table, query, pagination_class=Pages, serializer_class=own_serializer(KeptFigure))

    kinds: dict[type[Any], type[Any]] = {Dicts: row_model(Figures), Instances: FigureRow}
    for report, kind in kinds.items():
        own = own_serializer(kind)
        assert answer(report, query, pagination_class=ReportPages, serializer_class=own) == expected


def row_model(report: type[Report]) -> type[Any]:
    model = report.get_row_model()
    assert model is not None
    return model
