"""System checks of views that show reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.db.models import F
from django.http import HttpResponse
from django.urls import include, path
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet

from reports import Report
from reports.rest_framework.checks import check_cursor_pagination, check_views
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.viewsets import ReportViewSet
from tests.models import Store
from tests.reports import FigureInstances, Figures, Keyless, StoreMonths, Undeclared

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
        "?ordering= allows 'label' and 'month', which may be NULL or the same in two rows"
    ]
    assert told(view(pagination=pages("orders"), ordering_fields=["id", "orders", "store_id"], **filtered)) == [
        "'orders' may be NULL; ?ordering= allows 'store_id', which may be NULL or the same in two rows"
    ]
    every = "?ordering= allows 'store_id', 'month' and 4 more, which may be NULL or the same in two rows"
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


# E012.


class Documents(Report):
    """Rows with columns that nothing filters by."""

    template = "documents.sql"
    name = "tests.documents"


class Rated(ReportViewSet):
    report_class = Figures
    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]


def names(monkeypatch: Any, settings: Any, base: Any = Rated, **attributes: Any) -> list[str]:
    """Return what is said of the names on a viewset."""
    router = SimpleRouter()
    router.register("rated", type("Rated", (base,), attributes), basename="rated")
    mounted(monkeypatch, settings, *router.urls)
    found = check_views()
    assert {message.id for message in found} <= {"reports.E012"}
    return [message.msg for message in found]


COLUMNS = "id, label, month, orders, revenue, seen_at, store, store_id"
WRONG_NAMES: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"filterset_fields": {"order": ["gte", "lte"], "label": ["exact"]}},
        [f"filterset_fields has 'order': the rows have no 'order' (there are: {COLUMNS}). Did you mean 'orders'?"],
    ),
    (
        {"filterset_fields": ["month", "lable"]},
        [f"filterset_fields has 'lable': the rows have no 'lable' (there are: {COLUMNS}). Did you mean 'label'?"],
    ),
    ({"filterset_fields": "label"}, ["filterset_fields is 'label'; it must be a list, a dict or '__all__'."]),
    (
        {"search_fields": ["label", "^lable", "=labels"]},
        [
            f"search_fields has '^lable': the rows have no 'lable' (there are: {COLUMNS}). Did you mean 'label'?",
            f"search_fields has '=labels': the rows have no 'labels' (there are: {COLUMNS}). Did you mean 'label'?",
        ],
    ),
    (
        {"search_fields": ["store"]},
        [
            "search_fields has 'store': Unsupported lookup 'icontains' for ForeignKey or join on the field not "
            "permitted."
        ],
    ),
    ({"search_fields": "label"}, ["search_fields is 'label'; it must be a list."]),
    ({"search_fields": [""]}, ["search_fields has '': it names no column."]),
    (
        {"ordering": ["-nonsense", "id"]},
        [f"ordering has '-nonsense': the rows have no 'nonsense' (there are: {COLUMNS})."],
    ),
    (
        {"ordering": [F("order").desc(nulls_last=True)]},
        [f"ordering has 'order': the rows have no 'order' (there are: {COLUMNS}). Did you mean 'orders'?"],
    ),
    (
        {"ordering_fields": ["month", ("order", "Orders")]},
        [f"ordering_fields has 'order': the rows have no 'order' (there are: {COLUMNS}). Did you mean 'orders'?"],
    ),
    ({"ordering_fields": "month"}, ["ordering_fields is 'month'; it must be a list or '__all__'."]),
    (
        {"lookup_field": "lable"},
        [f"lookup_field is 'lable': the rows have no 'lable' (there are: {COLUMNS}). Did you mean 'label'?"],
    ),
    ({"count": "exactly"}, ["count is 'exactly' (allowed: 'estimate', 'exact', 'none'). Did you mean 'exact'?"]),
]


@pytest.mark.parametrize(("attributes", "expected"), WRONG_NAMES)
def test_names_that_the_rows_do_not_have(
    monkeypatch: Any, settings: Any, attributes: dict[str, Any], expected: list[str]
) -> None:
    assert names(monkeypatch, settings, **attributes) == [f"Rated.{text}" for text in expected]


@pytest.mark.parametrize("attribute", ["filterset_fields", "search_fields", "ordering", "ordering_fields"])
def test_names_across_a_relation(monkeypatch: Any, settings: Any, attribute: str) -> None:
    (problem,) = names(monkeypatch, settings, **{attribute: ["store__nam"]})

    want = f"Rated.{attribute} has 'store__nam': Store has no 'nam' (there are: "
    assert problem.startswith(want)
    assert problem.endswith("). Did you mean 'name'?")


def test_lookups_that_a_column_does_not_have(monkeypatch: Any, settings: Any) -> None:
    (problem,) = names(monkeypatch, settings, filterset_fields={"orders": ["gte", "gte_"]})

    assert problem.startswith("Rated.filterset_fields has 'orders': 'orders' has no lookup 'gte_' (there are: ")
    assert "gte, " in problem
    assert problem.endswith("). Did you mean 'gte'?")


def test_columns_that_have_no_filter(monkeypatch: Any, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "documents.sql").write_text(
        "-- column: id bigint pk\n-- column: meta jsonb\n-- column: tags text[]\n-- ordering: id\n"
        "SELECT 1 AS id, '{}'::jsonb AS meta, '{}'::text[] AS tags"
    )
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    of: dict[str, Any] = {"report_class": Documents}

    assert names(monkeypatch, settings, filterset_fields=["id", "meta", "tags"], **of) == [
        f"Rated.filterset_fields has {name!r}: django-filter has no filter for {kind}. Declare one in a "
        "filterset_class."
        for name, kind in (("meta", "JSONField"), ("tags", "ArrayField"))
    ]
    (problem,) = names(monkeypatch, settings, filterset_fields="__all__", **of)
    assert problem.startswith("Rated.filterset_fields has '__all__': ")
    assert names(monkeypatch, settings, search_fields=["meta"], **of) == []


def test_filter_set_of_another_model(monkeypatch: Any, settings: Any) -> None:
    class Stores(FilterSet):
        class Meta:
            model = Store
            fields = ["name"]

    (problem,) = names(monkeypatch, settings, filterset_class=Stores)

    assert problem.startswith(f"Rated.filterset_class is {Stores!r}, which cannot filter the report's rows: ")


RIGHT_NAMES: dict[str, Any] = {
    "filterset_fields": {"month": ["gte", "year", "year__gt"], "store__name": ["icontains"], "store": ["exact", "in"]},
    "search_fields": ["label", "^label", "=store__name", "$store__region__name", "label__startswith", "orders"],
    "ordering": ["store__name", "-pk", F("orders").asc(nulls_first=True), "?"],
    "ordering_fields": ["store_id", ("label", "Label"), "store__region__name", "pk"],
    "lookup_field": "label",
    "count": "estimate",
}


def test_names_that_the_rows_have(monkeypatch: Any, settings: Any) -> None:
    assert names(monkeypatch, settings, **RIGHT_NAMES) == []
    assert names(monkeypatch, settings, filterset_fields="__all__", ordering_fields="__all__") == []
    assert names(monkeypatch, settings, search_fields=property(lambda self: ["label"])) == []


WRONG: dict[str, Any] = {
    "filterset_fields": ["no"],
    "search_fields": ["no"],
    "ordering": "no",
    "ordering_fields": ["no"],
    "lookup_field": "no",
}


class Doubled(Figures):
    name = "tests.doubled"

    def run(self, params: Any = None) -> Any:
        return super().run(params).annotate(no=F("orders") * 2)


class OwnBackend(DjangoFilterBackend):
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return super().filter_queryset(request, queryset.annotate(no=F("orders") * 2), view)


@pytest.mark.parametrize(
    "own",
    [
        {"get_queryset": lambda self: None},
        {"filter_queryset": lambda self, queryset: queryset},
        {"get_report": lambda self: None},
        {"report_class": Doubled},
        {"report_class": Undeclared},
        {"filter_backends": [OwnBackend, SearchFilter, OrderingFilter]},
    ],
    ids=lambda own: next(iter(own)),
)
def test_rows_of_the_projects_own_making_may_have_any_columns(monkeypatch: Any, settings: Any, own: Any) -> None:
    monkeypatch.setattr(Undeclared, "_described", None)  # another test may have run it

    assert len(names(monkeypatch, settings, **WRONG)) == 5
    assert names(monkeypatch, settings, **{**WRONG, **own}) == []


def test_names_that_nothing_reads_are_no_business_of_this_check(monkeypatch: Any, settings: Any) -> None:
    names_of_filters = {name: value for name, value in WRONG.items() if name != "lookup_field"}

    assert names(monkeypatch, settings, **names_of_filters, filter_backends=[]) == []
    mounted(monkeypatch, settings, path("a/", Rated.as_view({"get": "list"}, lookup_field="no")))
    assert check_views() == []


# W011.


def test_apps_whose_templates_are_needed(monkeypatch: Any, settings: Any) -> None:
    mounted(monkeypatch, settings, path("a/", Rated.as_view({"get": "list"})))
    plain: Any = type("Plain", (ReportViewSet,), {"report_class": Figures, "filter_backends": []})
    assert check_views() == []

    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name not in ("rest_framework", "django_filters")
    ]

    assert [(message.id, message.msg) for message in check_views()] == [
        ("reports.W011", f"Rated has pages for browsers, but {name!r} is not in INSTALLED_APPS.")
        for name in ("rest_framework", "django_filters")
    ]
    assert "reports.W011" in {message.id for message in checks.run_checks()}
    mounted(monkeypatch, settings, path("a/", plain.as_view({"get": "list"})))
    assert [message.hint for message in check_views()] == [
        "Add 'rest_framework', whose templates the pages are made of."
    ]
    mounted(monkeypatch, settings, path("a/", plain.as_view({"get": "list"}, renderer_classes=[JSONRenderer])))
    assert check_views() == []


SCRIPT = """
import sys
import django
from django.conf import settings
from django.core import checks
settings.configure(
    INSTALLED_APPS=["reports.apps.ReportsConfig"], ROOT_URLCONF="bare_addresses", REST_FRAMEWORK={"NO_SUCH": 1},
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
)
module = type(sys)("bare_addresses")
module.urlpatterns = []
sys.modules["bare_addresses"] = module
django.setup()
print([message.id for message in checks.run_checks()], sorted(name for name in sys.modules if name == "rest_framework"))
"""


@pytest.mark.once
def test_a_project_without_rest_framework_does_not_import_it() -> None:
    made = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert made.stdout.strip() == "[] []"
