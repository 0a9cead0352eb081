"""System checks of views that show reports."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.db.models import F
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.filters import OrderingFilter
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet

from reports import Report
from reports.rest_framework.checks import check_cursor_pagination, check_views
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.viewsets import ReportViewSet
from tests.reports import FigureInstances, Figures, Keyless, StoreMonths

HINT = "Set pagination_class = ReportCursorPagination, which compares all columns and the key."


def pages(*ordering: Any, of: type[Any] = CursorPagination) -> type[Any]:
    return type("Pages", (of,), {"ordering": ordering})


def view(report: Any = Figures, pagination: Any = CursorPagination, **attributes: Any) -> Any:
    defaults = {"report_class": report, "pagination_class": pagination, "filter_backends": []}
    return type("Figures", (ListAPIView,), {**defaults, **attributes})


def mounted(monkeypatch: Any, settings: Any, *patterns: Any) -> list[str]:
    """Return the messages of the views that these addresses lead to."""
    module = ModuleType("tests_addresses")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_addresses", module)
    settings.ROOT_URLCONF = "tests_addresses"
    found = check_cursor_pagination()
    assert {(message.id, message.hint) for message in found} <= {("reports.W010", HINT)}
    return [message.msg for message in found]


@pytest.fixture
def told(monkeypatch: Any, settings: Any) -> Any:
    """Give a function that returns what is said of a view, without what is said of each."""

    def told(found: Any) -> list[str]:
        head = "Figures pages by Pages, which compares only the first column of the ordering, and "
        tail = ": pages repeat or lose rows."
        messages = mounted(monkeypatch, settings, path("figures/", found.as_view()))
        return [message.removeprefix(head).removesuffix(tail) for message in messages]

    return told


CASES = [
    (Figures, ("orders",), ["'orders' may be NULL"]),
    (Figures, ("-orders", "id"), ["'-orders' may be NULL"]),
    (Figures, ("-month",), ["'-month' may be the same in two rows"]),
    (Figures, ("created",), ["'created' is no column of the report"]),
    (Figures, (F("id").desc(),), ["it is an expression, in which rows may be equal"]),
    (Figures, ("id",), []),
    (Figures, ("-pk", "orders"), []),
    (FigureInstances, ("store_id",), ["'store_id' may be the same in two rows"]),
    (FigureInstances, ("-id",), []),
    (StoreMonths, ("store_id", "month"), ["'store_id' may be the same in two rows"]),
    (Keyless, ("store_id",), ["'store_id' may be the same in two rows"]),
]


@pytest.mark.parametrize(("report", "ordering", "expected"), CASES)
def test_first_column(told: Any, report: Any, ordering: Any, expected: list[str]) -> None:
    assert told(view(report, pages(*ordering))) == expected


def test_message_is_exactly_that(monkeypatch: Any, settings: Any) -> None:
    assert mounted(monkeypatch, settings, path("", view().as_view())) == [
        "Figures pages by CursorPagination, which compares only the first column of the ordering, and '-created' is no "
        "column of the report: pages repeat or lose rows."
    ]


def test_orderings_that_a_client_may_ask_for(told: Any) -> None:
    """With a filter by ordering the view's own default and every column that it allows count."""
    filtered = {"filter_backends": [OrderingFilter]}

    assert told(view(pagination=pages("id"), ordering_fields=["id", "pk"], **filtered)) == []
    assert told(view(pagination=pages("orders"), ordering="id", ordering_fields=["id"], **filtered)) == []
    assert told(view(pagination=pages("id"), ordering=["-orders"], ordering_fields=["id"], **filtered)) == [
        "'-orders' may be NULL"
    ]
    assert told(view(pagination=pages("id"), ordering_fields=["id", ("label", "Label"), "month"], **filtered)) == [
        "'label' may be NULL; 'month' may be the same in two rows"
    ]
    same = [f"{name!r} may be the same in two rows" for name in ("store", "month", "revenue")]
    every = "; ".join([*same, *(f"{name!r} may be NULL" for name in ("orders", "label", "seen_at"))])
    assert told(view(pagination=pages("id"), ordering_fields="__all__", **filtered)) == [every]
    assert told(view(pagination=pages("id"), **filtered)) == [every]


def test_views_that_are_none_of_it(told: Any) -> None:
    assert told(view(pagination=ReportCursorPagination)) == []
    assert told(view(pagination=pages("orders", of=ReportCursorPagination))) == []
    assert told(view(pagination=PageNumberPagination)) == []
    assert told(view(pagination=None)) == []
    assert told(view(report=None)) == []
    assert told(view(report=Figures())) == []


def test_views_are_found_wherever_they_are(monkeypatch: Any, settings: Any) -> None:
    """Below an include, behind a router, and with what as_view() was given; each is told once."""
    router = SimpleRouter()
    viewset = type(
        "FigureViewSet",
        (ReadOnlyModelViewSet,),
        {"report_class": Figures, "pagination_class": pages("orders"), "filter_backends": []},
    )
    router.register("figures", viewset, basename="figures")
    given = view(report=None, pagination=None).as_view(report_class=Figures, pagination_class=pages("month"))

    found = mounted(
        monkeypatch,
        settings,
        path("api/", include([path("v1/", include(router.urls))])),
        path("given/", given),
        path("plain/", lambda request: HttpResponse()),
    )

    assert sorted(message.split(" ")[0] for message in found) == ["FigureViewSet", "Figures"]


def test_addresses_that_cannot_be_read_are_no_business_of_this_check(monkeypatch: Any, settings: Any) -> None:
    for root in ("tests.no_such_module", None, ""):
        settings.ROOT_URLCONF = root
        assert check_cursor_pagination() == []
    del settings.ROOT_URLCONF
    assert check_cursor_pagination() == []
    assert mounted(monkeypatch, settings, path("x/", view().as_view()), object()) == []


def test_reports_with_faults_are_no_business_of_this_check(told: Any, tmp_path: Path, settings: Any) -> None:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "wrong.sql").write_text("-- column: id no_such_type pk\nSELECT 1 AS id")
    (tmp_path / "undeclared.sql").write_text("SELECT 1 AS id")
    for template in ("wrong.sql", "absent.sql", "undeclared.sql"):
        report = type("Wrong", (Report,), {"__module__": "tests", "template": template})

        assert told(view(report, pages("id"))) == []


# E011.


class Unfinished(ReportViewSet):
    pass


@pytest.mark.parametrize("report", [None, "helpdesk.tickets", Report, FigureInstances.model], ids=repr)
def test_viewset_without_a_report(report: Any, monkeypatch: Any, settings: Any):
    found: Any = Unfinished if report is None else type("Unfinished", (ReportViewSet,), {"report_class": report})
    mounted(
        monkeypatch, settings, path("a/", found.as_view({"get": "list"})), path("b/", found.as_view({"get": "list"}))
    )

    (message,) = check_views()

    assert (message.id, message.obj) == ("reports.E011", found)
    assert message.msg == f"Unfinished.report_class is {report!r}; it must be a Report."


def test_viewset_may_get_its_report_with_the_address(monkeypatch: Any, settings: Any):
    mounted(monkeypatch, settings, path("a/", Unfinished.as_view({"get": "list"}, report_class=Figures)))

    assert check_views() == []


def test_checks_of_views_run_with_the_others(monkeypatch: Any, settings: Any):
    mounted(monkeypatch, settings, path("a/", Unfinished.as_view({"get": "list"})))

    assert "reports.E011" in {message.id for message in checks.run_checks()}
