"""A report's endpoint against a ModelViewSet over the same table: 10 000 rows, and a page of 25."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from benchmarks.tickets import BenchmarkTicket, Tickets, create_table
from benchmarks.timing import Comparison, compare
from reports.rest_framework import ReportPagination, ReportViewSet

MANY = 10_000
FEW = 1000
BACKENDS = (SearchFilter, OrderingFilter)
FORMATS = {"JSON": ReportViewSet.renderer_classes, "DRF's JSON": [JSONRenderer]}


class TicketSerializer(ModelSerializer):
    """Every column."""

    class Meta:
        model = BenchmarkTicket
        fields = ("id", "department_id", "status", "priority", "resolution_hours", "opened_at")


class NumberPages(PageNumberPagination):
    """DRF's pages, as large as ours."""

    page_size = ReportPagination.page_size


class TicketsViewSet(ReportViewSet):
    """The report."""

    report_class = Tickets
    most = MANY
    authentication_classes = permission_classes = ()
    filter_backends = BACKENDS
    search_fields = ("status",)

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(id__lte=self.most)


class ModelTicketsViewSet(ModelViewSet):
    """The model."""

    serializer_class = TicketSerializer
    most = MANY
    authentication_classes = permission_classes = ()
    renderer_classes = (JSONRenderer,)
    filter_backends = BACKENDS
    search_fields = ("status",)

    def get_queryset(self) -> Any:
        return BenchmarkTicket.objects.filter(id__lte=self.most).order_by("id")


def measure() -> Iterator[Comparison]:
    """Yield the ratios: at most 1/8 with our renderer, 1/4 for the data of any other, 1 for a page."""
    create_table()
    theirs = _view(ModelTicketsViewSet, pagination_class=None)
    for name, renderers in FORMATS.items():
        ours = _view(TicketsViewSet, pagination_class=None, renderer_classes=renderers)
        yield compare(f"10 000 rows as {name}, to the bytes / ModelViewSet", _bytes(ours), _bytes(theirs))
    ours = _view(TicketsViewSet, pagination_class=None, renderer_classes=[JSONRenderer])
    yield compare("10 000 rows, to response.data / ModelViewSet", _data(ours), _data(theirs))
    for count in ("exact", "none"):
        ours = _view(TicketsViewSet, pagination_class=ReportPagination, most=FEW, count=count)
        theirs = _view(ModelTicketsViewSet, pagination_class=NumberPages, most=FEW)
        name = f"a page of 25 of 1 000 rows, count = {count!r} / ModelViewSet"
        yield compare(name, _bytes(ours, times=10), _bytes(theirs, times=10), runs=15)


def _view(viewset: Any, **options: Any) -> Any:
    return viewset.as_view({"get": "list"}, **options)


def _request() -> Any:
    return APIRequestFactory().get("/tickets/", {"ordering": "-id"}, headers={"Accept": "application/json"})


def _bytes(view: Any, times: int = 1) -> Callable[[], object]:
    def run() -> None:
        for _ in range(times):
            response = view(_request()).render()
            assert response.status_code == 200, response.content

    return run


def _data(view: Any) -> Callable[[], object]:
    return lambda: view(_request()).data
