"""The panel of Django Debug Toolbar, in a project that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core import checks
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from example_project.helpdesk.models import Department
from reports import QueryError
from reports.execution import report_executed
from reports.exports import csv_response
from reports.toolbar import ReportsPanel, plans, recording
from tests.models import Store
from tests.reports import Figures
from tests.subqueries import of_tickets

SECRET = "it's a secret"


def page(request: HttpRequest) -> HttpResponse:
    list(Figures().run().filter(label=SECRET))
    list(Department.objects.filter(name=SECRET))
    return HttpResponse("<html><body>page</body></html>")


def repeating(request: HttpRequest) -> HttpResponse:
    for _ in range(2):
        list(Department.objects.annotate(open=of_tickets(Count("*"), status=SECRET), last=of_tickets(Max("priority"))))
    list(Store.objects.annotate(tagged=Count("tags"), figured=Count("figures")))
    return HttpResponse("<html><body>page</body></html>")


def failing(request: HttpRequest) -> HttpResponse:
    try:
        list(Figures().run().extra(where=["1/0 = 1"]))
    except QueryError:
        return HttpResponse("<html><body>page</body></html>")
    raise AssertionError("no error came")


def download(request: HttpRequest) -> Any:
    return csv_response(Figures().run())


async def awaited(request: HttpRequest) -> HttpResponse:
    [row async for row in Figures().run()]
    return HttpResponse("<html><body>page</body></html>")


urlpatterns: list[Any] = [
    path("page/", page),
    path("repeating/", repeating),
    path("failing/", failing),
    path("download/", download),
    path("awaited/", awaited),
]


@pytest.fixture(autouse=True)
def toolbar(settings: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wrappers, registered = list(connection.execute_wrappers), set(checks.registry.registry.registered_checks)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "debug_toolbar"]
    settings.DEBUG = True
    settings.INTERNAL_IPS = ["127.0.0.1"]
    settings.DEBUG_TOOLBAR_PANELS = ["reports.toolbar.ReportsPanel"]
    settings.DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False}
    settings.MIGRATION_MODULES = {}
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    from debug_toolbar.toolbar import DebugToolbar, debug_toolbar_urls  # they need the app: it has a model

    monkeypatch.setattr(DebugToolbar, "_urlpatterns", None)
    monkeypatch.setattr("tests.test_toolbar.urlpatterns", [*urlpatterns, *debug_toolbar_urls()])
    settings.ROOT_URLCONF = "tests.test_toolbar"
    yield
    connection_created.disconnect(dispatch_uid="reports.toolbar")
    report_executed.disconnect(dispatch_uid="reports.toolbar")
    connection.execute_wrappers[:] = wrappers
    checks.registry.registry.registered_checks = registered  # the toolbar has some of its own
    store().clear()
    plans._kept.clear()


def store() -> Any:
    from debug_toolbar.store import get_store

    return get_store()


def get(url: str) -> Any:
    response = Client().get(url)
    assert response.status_code == 200
    return response


def panel() -> str:
    """Return the panel of the last request, as the toolbar shows it."""
    (request_id,) = list(store().request_ids())[-1:]
    shown = get(f"/__debug__/render_panel/?request_id={request_id}&panel_id=ReportsPanel").json()
    return unescape(str(shown["content"]))


def cells(text: str) -> list[str]:
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", text, re.DOTALL)]


def test_reports_of_a_request():
    response = get("/page/")

    name, alias, milliseconds, rows, line, plan = cells(panel())
    assert (name, alias, rows, plan) == ("tests.figures", "default", "0", "EXPLAIN")
    assert re.fullmatch(r"\d+\.\d ms", milliseconds)
    assert re.fullmatch(r"tests/test_toolbar\.py:\d+ in page", line)
    assert "SQL reports" in response.content.decode()
    assert re.search(r"1 statement in \d+ ms", response.content.decode())


def test_panel_holds_no_values():
    get("/page/")
    assert "secret" not in panel()

    get("/repeating/")
    assert "secret" not in panel()


def test_findings():
    response = get("/repeating/")

    found = cells(panel())
    assert found[:4] == ["shared scan", "helpdesk_ticket", "2", "2 ×"]
    assert re.fullmatch(r"tests/test_toolbar\.py:\d+ in repeating", found[4])
    assert found[5].startswith(
        '.annotate(open=Count("tickets", filter=Q(tickets__status=...)), last=Max("tickets__priority"))'
    )
    assert found[6] == "multiplied: the result is wrong"
    assert found[11].startswith("from reports.prebuilt import GroupedMetrics")
    assert "No report was run." in panel()
    assert "0 statements in 0 ms, 2 findings" in response.content.decode()


def test_without_sqlglot(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "has_parser", False)

    get("/repeating/")
    assert "when the extra <code>rewrite</code> is installed" in panel()

    get("/page/")
    assert cells(panel())[4] == ""


def test_failed_report():
    get("/failing/")

    assert cells(panel())[3] == "failed"


def test_export_has_no_plan():
    assert b"".join(get("/download/").streaming_content)  # read after the toolbar has stopped: not in it

    get("/page/")
    assert len(cells(panel())) == 6


@pytest.mark.parametrize(
    ("sql", "can_be"),
    [
        ("SELECT 1", True),
        ("/* report=a */ (SELECT 1)", True),
        (" WITH a AS (SELECT 1) SELECT 1", True),
        ("COPY (SELECT 1) TO STDOUT", False),
        ("EXPLAIN SELECT 1", False),
    ],
)
def test_what_can_be_explained(sql: str, can_be: bool):
    assert plans.can_be_explained(sql) is can_be


def test_explained_report_has_no_plan():
    with connection.execute_wrapper(recording.watch):
        noted = recording.Recording()
        token = recording.current.set(noted)
        recording.install_everywhere()
        try:
            list(Figures().run())
            Figures().run().explain()
        finally:
            recording.current.reset(token)

    assert [bool(each.token) for each in noted.reports] == [True, False]


def plan_of(text: str) -> str:
    (address,) = re.findall(r'href="([^"]+)"', text)
    return unescape(str(get(address).json()["content"]))


def test_plan_on_demand():
    get("/page/")

    plan = plan_of(panel())

    assert "tests_figure" in plan
    assert "expected" in plan
    assert "secret" not in plan


def test_plan_that_is_no_longer_kept():
    get("/page/")
    shown = panel()
    plans._kept.clear()

    assert "This process keeps the statement no longer. Load the page again." in plan_of(shown)


def test_plan_that_postgresql_refuses():
    token = plans.keep("SELECT nothing", None, "default")

    assert "nothing" in unescape(str(get(f"/__debug__/report_plan/{token}/").json()["content"]))


def test_plans_are_shown_to_those_alone_who_see_the_toolbar(settings: Any):
    token = plans.keep("SELECT 1", None, "default")
    settings.INTERNAL_IPS = []

    assert Client().get(f"/__debug__/report_plan/{token}/").status_code == 404


def test_only_the_last_statements_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plans, "_MOST", 2)

    tokens = [plans.keep(f"SELECT {number}", None, "default") for number in range(3)]

    assert list(plans._kept) == tokens[1:]


@pytest.mark.django_db(transaction=True)
def test_async_view():
    async def ask() -> None:
        response = await AsyncClient().get("/awaited/")
        assert response.status_code == 200

    async_to_sync(ask)()

    assert cells(panel())[0] == "tests.figures"


def test_nothing_is_noted_outside_a_request():
    get("/page/")
    before = len(plans._kept)

    list(Figures().run())

    assert recording.current.get() is None
    assert len(plans._kept) == before


def test_fault_of_the_recording_reaches_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(recording.Recording, "keep", broken)
    monkeypatch.setattr(recording.Recording, "look", broken)
    caplog.set_level("DEBUG", logger="reports.toolbar")

    get("/page/")

    assert {record.message for record in caplog.records} == {
        "a statement could not be kept",
        "a statement could not be looked through",
    }


def test_ready_watches_connections_to_come():
    ReportsPanel.ready()
    ReportsPanel.ready()

    assert connection.execute_wrappers.count(recording.watch) == 1
    assert connection.execute_wrappers[0] is recording.watch


def test_other_engines_are_left_alone():
    class Connection:
        vendor = "sqlite"
        execute_wrappers: list[Any] = []

    recording.install(Connection())  # type: ignore[arg-type]  # what it asks of a connection

    assert Connection.execute_wrappers == []
    assert apps.is_installed("debug_toolbar")
