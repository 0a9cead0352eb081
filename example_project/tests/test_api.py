"""The API of the example: every report is in the catalogue, four have addresses of their own, and who may read them."""

from __future__ import annotations

import base64
import itertools
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils.module_loading import import_string

from example_project import settings as example
from example_project.helpdesk.loading import DEMO_PASSWORD
from example_project.shop.reports import ProductRanks
from example_project.tests.test_pages import NAMES

OWN = ("department-tickets", "latest-tickets", "employee-loads", "customer-balances")


@pytest.fixture(autouse=True)
def sessions(settings):
    """The example's middleware; sessions need no table."""
    settings.MIDDLEWARE = example.MIDDLEWARE
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.LOGIN_REDIRECT_URL = example.LOGIN_REDIRECT_URL


def basic(name: str, password: str = DEMO_PASSWORD) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def get(client, path: str, user: str | None = "staff", **params):
    """Return the answer to a demo user; to nobody for None."""
    return client.get(path, params, headers=basic(user) if user else {})


def test_the_catalogue_has_every_report(loaded, client):
    found = get(client, "/api/reports/").json()

    assert {item["name"] for item in found} >= set(NAMES)
    (tickets,) = (item for item in found if item["name"] == "helpdesk.department_tickets")
    assert [column["unit"] for column in tickets["columns"]] == [None, None, None, None, "hours"]


def test_every_report_of_the_catalogue(loaded, client):
    for name in NAMES:
        asked = {} if name.startswith("flights.") else {"as": "staff"}
        page = client.get(reverse("report-json", args=name.split(".")), asked).json()

        found = get(client, reverse("reports:report", args=[name])).json()

        assert found["count"] == page["count"]
        assert [list(row) for row in found["results"]] == [list(row) for row in page["rows"]]


def test_reports_with_addresses_of_their_own(loaded, client):
    root = get(client, "/api/").json()

    assert set(root) == set(OWN)
    for path in root.values():
        response = get(client, urlsplit(path).path, page_size=3)
        assert response.status_code == 200
        assert len(response.json()["results"]) == 3


@pytest.mark.parametrize("path", ["/api/reports/", *(f"/api/reports/{name}/" for name in NAMES), *OWN])
def test_nobody_reads_anything_without_logging_in(db, client, path):
    path = path if path.startswith("/") else reverse(f"{path}-list")
    formats = ["json", "api"] if path == "/api/reports/" else ["json", "api", "csv", "xlsx"]

    for kind, headers in itertools.product(formats, ({}, basic("staff", "wrong"))):
        response = client.get(path, {"format": kind}, headers=headers)
        assert response.status_code in (401, 403)
        assert b"report-form" not in response.content


def test_login(loaded, client):
    assert client.get("/api/auth/login/").status_code == 200
    refused = client.post("/api/auth/login/", {"username": "north", "password": "wrong"})
    taken = client.post("/api/auth/login/", {"username": "north", "password": "demo"})

    assert refused.status_code == 200
    assert (taken.status_code, taken["Location"]) == (302, example.LOGIN_REDIRECT_URL)
    assert client.get("/api/department-tickets/").json()["count"] == 125


def test_users_see_their_region(loaded, client):
    assert get(client, "/api/department-tickets/").json()["count"] == 500
    assert get(client, "/api/department-tickets/", "south").json()["count"] == 125
    assert get(client, "/api/reports/helpdesk.department_tickets/", "south").json()["count"] == 125


def test_parameters_filters_search_ordering_and_pages(loaded, client):
    asked: dict[str, Any] = {
        "priorities": ["1", "2"],
        "open_tickets__gte": "1",
        "search": "Oslo",
        "ordering": "-closed_tickets,name",
    }

    found = get(client, "/api/department-tickets/", page_size=5, **asked).json()
    second = get(client, "/api/department-tickets/", page_size=5, page=2, **asked).json()

    rows = [*found["results"], *second["results"]]
    assert all("Oslo" in row["name"] and row["open_tickets"] > 0 for row in rows)
    assert len(rows) == min(10, found["count"])
    assert rows == sorted(rows, key=lambda row: (-row["closed_tickets"], row["name"]))


def test_cursors_give_every_ticket_once(loaded, client):
    count = get(client, "/api/reports/helpdesk.latest_tickets/", n=1).json()["count"]

    seen, answer = [], get(client, "/api/latest-tickets/", n=1, page_size=100, ordering="assignee").json()
    while True:
        seen += [row["ticket_id"] for row in answer["results"]]
        if answer["next"] is None:
            break
        answer = client.get(answer["next"], headers=basic("staff")).json()

    assert len(seen) == len(set(seen)) == count


def test_counting_or_not(loaded, client):
    assert get(client, "/api/employee-loads/").json()["count"] > 25
    assert get(client, "/api/customer-balances/").json()["count"] is None


def test_downloads(loaded, client):
    for name, kind in itertools.product(OWN, ["csv", "ndjson", "json-array", "xlsx", "parquet"]):
        response = get(client, f"/api/{name}/", format=kind)

        assert response.status_code == 200
        assert response["Content-Disposition"].startswith("attachment; filename=")
        assert len(b"".join(response.streaming_content)) > 1000


def test_a_bad_value_is_a_400_beside_its_field(loaded, client):
    answer = get(client, "/api/latest-tickets/", n=99)
    shown = client.get("/api/latest-tickets/?n=99", headers={**basic("staff"), "accept": "text/html"})

    assert (answer.status_code, shown.status_code) == (400, 400)
    assert list(answer.json()) == ["n"]
    assert '<div id="id_n_error">' in shown.content.decode()


def test_schema_has_what_the_user_may_run(staff, client, monkeypatch):
    from drf_spectacular.views import SpectacularAPIView  # reads the settings, here those of the example

    said: dict[str, Any] = example.SPECTACULAR_SETTINGS
    monkeypatch.setattr(SpectacularAPIView, "permission_classes", list(map(import_string, said["SERVE_PERMISSIONS"])))
    monkeypatch.setattr(SpectacularAPIView, "serve_public", said["SERVE_PUBLIC"])
    monkeypatch.setattr(ProductRanks, "has_permission", classmethod(lambda cls, user: False))
    assert client.get("/api/schema/").status_code in (401, 403)
    client.force_login(staff)

    response = client.get("/api/schema/")

    assert b"/api/reports/shop.category_sales/:" in response.content
    assert b"shop.product_ranks" not in response.content
    assert response.status_code == 200
    assert b"/api/department-tickets/:" in response.content
