from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import OperationalError
from django.urls import include, path, reverse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.test import APIClient
from rest_framework.versioning import AcceptHeaderVersioning

from example_project import settings as example
from example_project.helpdesk.models import Department
from example_project.helpdesk.reports import DepartmentTickets
from reports import Report, registry
from reports.rest_framework.catalogue import CatalogueViewSet, NoReport, viewset_for
from reports.rest_framework.descriptions import describe
from tests.reports import Figures, Undeclared

urlpatterns = [path("api/reports/", include("reports.rest_framework.urls"))]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

LIST = "/api/reports/"
TICKETS = "/api/reports/helpdesk.department_tickets/"


@pytest.fixture
def client():
    return APIClient()


@pytest.fixture
def staff(db):
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def department(db):
    return Department.objects.create(name="Repairs", region="north", created="2020-01-01")


@pytest.fixture
def registered(monkeypatch):
    """Registers reports until the test is over."""
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))
    return registry.register


def entries(client):
    return {entry["name"]: entry for entry in client.get(LIST).json()}


def test_list_describes_a_report(client, staff):
    client.force_authenticate(staff)

    entry = entries(client)["helpdesk.department_tickets"]

    assert entry == {
        "name": "helpdesk.department_tickets",
        "title": "Open and closed tickets per department.",
        "description": "Open and closed tickets and mean resolution time. "
        "One row per department, also those with no ticket.",
        "url": "http://testserver/api/reports/helpdesk.department_tickets/",
        "parameters": [
            parameter("opened_from", format="date"),
            parameter(
                "priorities",
                type="integer",
                list=True,
                choices=[{"value": number, "label": str(number)} for number in range(1, 6)],
            ),
        ],
        "columns": [
            column("department_id", "bigint", key=True),
            column("name", "text"),
            column("open_tickets", "bigint"),
            column("closed_tickets", "bigint"),
            column("avg_resolution", "numeric", unit="hours", null=True),
        ],
    }


def parameter(name, **other):
    plain = dict.fromkeys(("format", "default", "choices", "choices_from"))
    words = {"type": "string", "list": False, "required": False, "label": None, "help_text": ""}
    return {"name": name, **plain, **words, **other}


def column(name, type_, **other):
    return {"name": name, "type": type_, "unit": None, "label": None, "null": False, "key": False, **other}


def test_list_names_types_of_a_model_that_somebody_wrote(client, staff):
    client.force_authenticate(staff)

    entry = entries(client)["helpdesk.employee_loads"]

    assert entry["columns"] == [
        column("employee_id", "bigint", key=True),
        column("department_id", "bigint"),
        column("open_tickets", "bigint"),
        column("urgent_tickets", "bigint"),
        column("oldest_open", "timestamptz", null=True),
    ]


def test_list_has_keys_of_several_columns_and_of_none(client, staff, monkeypatch):
    monkeypatch.setattr(Undeclared, "_described", None)  # another test may have run it
    client.force_authenticate(staff)

    found = entries(client)

    keys = {
        name: [one["name"] for one in found[name]["columns"] if one["key"]]
        for name in ("tests.store_months", "tests.keyless")
    }
    assert keys == {"tests.store_months": ["store_id", "month"], "tests.keyless": []}
    assert found["tests.undeclared"]["columns"] is None


def test_list_is_sorted_and_complete(client, staff):
    client.force_authenticate(staff)

    assert list(entries(client)) == list(registry.registered())


def test_list_does_not_ask_the_database(client, staff, registered, django_assert_num_queries):
    registered(ByDepartment)
    client.force_authenticate(staff)

    with django_assert_num_queries(0):
        found = entries(client)["tests.by_department"]["parameters"]

    assert found == [
        parameter("department", type="integer", required=True, choices_from="helpdesk.Department"),
        parameter("others", type="integer", list=True, choices_from="helpdesk.Department", label="Others"),
        parameter("region", required=True),
    ]


def test_addresses_have_names():
    assert reverse("reports:catalogue") == LIST
    assert reverse("reports:helpdesk.department_tickets") == TICKETS
    assert reverse("reports:helpdesk.department_tickets-row", args=[3]) == f"{TICKETS}3/"
    assert reverse("reports:report", args=["a.b"]) == "/api/reports/a.b/"


def test_report_is_run_as_the_user(client, staff, department):
    outsider = User.objects.create_user("outsider")

    client.force_authenticate(staff)
    assert [row["name"] for row in client.get(TICKETS).json()["results"]] == ["Repairs"]
    client.force_authenticate(outsider)
    assert client.get(TICKETS).json()["results"] == []


def test_row_and_download_are_there(client, staff, department):
    client.force_authenticate(staff)

    row = client.get(f"{TICKETS}{department.pk}/")
    csv = client.get(TICKETS, {"format": "csv"})

    assert row.json()["name"] == "Repairs"
    assert b"".join(csv).decode().splitlines()[1].split(",")[:2] == [str(department.pk), "Repairs"]


@pytest.mark.parametrize("address", [LIST, TICKETS, f"{TICKETS}1/", "/api/reports/no.such/", "/api/reports/no.such/1/"])
def test_nobody_is_asked_to_log_in_whatever_the_name(client, address):
    response = client.get(address)

    assert response.status_code == 403
    assert response.json() == {"detail": "Authentication credentials were not provided."}


class ByDepartment(Report):
    """Choices that are rows, and some that a function gives."""

    template = "tests/keyless.sql"
    name = "tests.by_department"

    class Params(forms.Form):
        department = forms.ModelChoiceField(Department.objects.all())
        others = forms.ModelMultipleChoiceField(Department.objects.all(), required=False, label="Others")
        region = forms.ChoiceField(choices=lambda: [(one.region, one.region) for one in Department.objects.all()])


NAMES = ("secret", "no_secret")


class Secret(Figures):
    """Only for those who may see users."""

    name = "tests.secret"
    permission_required = "auth.view_user"


class Open(Figures):
    """For everybody."""

    name = "tests.open"

    @classmethod
    def has_permission(cls, user):
        return True


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/csv"])
@pytest.mark.parametrize("key", ["", "1/", "?format=csv", "1/?format=csv", "?no=1"])
def test_a_report_that_the_user_may_not_run_looks_as_if_it_were_not_there(client, staff, registered, key, accept):
    registered(Secret)

    def answers():
        found = [client.get(f"/api/reports/tests.{name}/{key}", headers={"accept": accept}) for name in NAMES]
        return {(one.status_code, one.headers["content-type"], one.content) for one in found}

    assert len(answers()) == 1
    client.force_authenticate(staff)
    assert "tests.secret" not in entries(client)
    ((status, _, content),) = answers()
    assert status in (404, 406)
    assert b"ecret" not in content


class Broken(BaseAuthentication):
    """A database that does not answer."""

    def authenticate(self, request):
        raise OperationalError("no connection")


def pages(client, method="get", **options):
    """Return what a browser gets of a report that it may not see, and of one that there is not."""
    options["headers"] = {"accept": "text/html", **options.get("headers", {})}
    seen = set()
    for key in ("", "1/"):
        found = [getattr(client, method)(f"/api/reports/tests.{name}/{key}", **options) for name in NAMES]
        answers = {(one.status_code, one.headers["content-type"], one.content) for one in found}
        assert len(answers) == 1
        ((status, kind, content),) = answers
        assert kind == "application/json"
        assert b"ecret" not in content
        seen.add(status)
    (status,) = seen
    return status


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_errors_before_the_permission_tell_nothing(client, staff, registered, monkeypatch, method):
    registered(Secret)
    view = viewset_for(Secret)

    assert pages(client, method, headers={"authorization": "Basic xx"}) == 403
    assert pages(client, method, query_params={"format": "nothing"}) == 404
    for one in (view, NoReport):
        monkeypatch.setattr(one, "versioning_class", type("V", (AcceptHeaderVersioning,), {"allowed_versions": ["1"]}))
    assert pages(client, method, headers={"accept": "text/html;version=9"}) == 406
    for one in (view, NoReport):
        monkeypatch.setattr(one, "authentication_classes", [Broken])
        monkeypatch.setattr(one, "versioning_class", None)
    assert pages(client, method) == 503


def test_a_missing_csrf_token_tells_nothing(staff, registered, settings):
    registered(Secret)
    settings.MIDDLEWARE, settings.SESSION_ENGINE = example.MIDDLEWARE, "django.contrib.sessions.backends.signed_cookies"
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(staff)

    assert pages(client, "post") == 403


def test_a_report_has_pages_for_who_may_run_it(client, staff):
    client.force_authenticate(staff)

    shown = client.get(TICKETS, headers={"accept": "text/html"})
    missing = client.get(f"{TICKETS}1/", headers={"accept": "text/html"})

    assert (shown.status_code, missing.status_code) == (200, 404)
    assert all(b"<title>Department Tickets" in one.content for one in (shown, missing))


def test_options_say_what_the_report_is(client, staff):
    client.force_authenticate(staff)

    assert client.options(TICKETS).json()["description"] == (
        "Open and closed tickets and mean resolution time. One row per department, also those with no ticket."
    )
    assert b"<p>Open and closed tickets and mean" in client.get(TICKETS, headers={"accept": "text/html"}).content


def test_permissions_by_model_ask_no_model_of_the_list(client, staff, monkeypatch):
    monkeypatch.setattr(CatalogueViewSet, "permission_classes", [DjangoModelPermissions])

    assert client.get(LIST).status_code == 403
    client.force_authenticate(staff)
    assert client.get(LIST).status_code == 200


def test_a_report_that_the_user_may_run_is_there(client, staff, registered):
    registered(Secret)
    staff.user_permissions.add(Permission.objects.get(codename="view_user"))
    client.force_authenticate(staff)

    assert "tests.secret" in entries(client)
    assert client.get("/api/reports/tests.secret/").status_code == 200


def test_a_report_for_everybody_is_run_by_everybody(client, registered):
    registered(Open)

    assert list(entries(client)) == ["tests.open"]
    assert client.get("/api/reports/tests.open/").status_code == 200


def test_a_report_without_a_key_has_no_rows_of_their_own(client, staff):
    client.force_authenticate(staff)

    assert client.get("/api/reports/tests.keyless/1/").status_code == 404


def test_the_viewset_of_a_report_is_made_once():
    assert viewset_for(DepartmentTickets) is viewset_for(DepartmentTickets)


def test_nothing_but_reading_is_allowed(client, staff):
    client.force_authenticate(staff)

    assert [client.post(one, {}).status_code for one in (LIST, TICKETS)] == [405, 405]


def test_inactive_users_may_run_nothing(staff):
    staff.is_active = False

    assert not DepartmentTickets.has_permission(staff)
    assert not DepartmentTickets.has_permission(AnonymousUser())


def test_description_is_json(staff):
    for report in registry.registered().values():
        json.dumps(describe(report, "http://testserver/"), allow_nan=False)


def test_description_of_a_report_without_words(tmp_path, settings):
    (tmp_path / "bare.sql").write_text("SELECT 1 AS id")
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    bare = type("Bare", (Report,), {"template": "bare.sql", "name": "tests.bare"})

    found = SimpleNamespace(**describe(bare, "http://testserver/"))

    assert (found.title, found.description, found.parameters, found.columns) == ("tests.bare", None, [], None)


def test_description_says_no_title_again(tmp_path, settings):
    (tmp_path / "bare.sql").write_text("SELECT 1 AS id")
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def found(doc):
        report = type("Bare", (Report,), {"template": "bare.sql", "name": "tests.bare", "__doc__": doc})
        return describe(report, "http://testserver/")

    one, more = (
        found("All loans."),
        found("""All loans.

        With their fines,
        and books.
        """),
    )
    assert (one["title"], one["description"]) == ("All loans.", None)
    assert (more["title"], more["description"]) == ("All loans.", "With their fines,\nand books.")
