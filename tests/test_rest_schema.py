from __future__ import annotations

import datetime
from decimal import Decimal
from functools import cache
from unittest import mock

import pytest
import yaml
from django import forms
from django.contrib.postgres.forms import SimpleArrayField, SplitArrayField
from django.core.management import call_command
from django.test import override_settings
from django.urls import include, path
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.schemas.openapi import AutoSchema as DRFAutoSchema
from rest_framework.test import APIClient

from example_project.helpdesk.models import Department
from example_project.helpdesk.reports import DepartmentTickets
from example_project.shop.reports import CustomerBalances
from reports import Report, registry
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.form_schemas import field_schema
from reports.rest_framework.parameters import parameters_of
from reports.rest_framework.viewsets import ReportViewSet
from tests.reports import Figures, StoreMonths, Undeclared

SPECTACULAR = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}


class TicketsViewSet(ReportViewSet):
    """What the view itself says."""

    report_class = DepartmentTickets
    filter_backends = (DjangoFilterBackend, SearchFilter, OrderingFilter)
    filterset_fields = {"open_tickets": ["gte"], "name": ["exact"]}
    search_fields = ("name",)
    ordering_fields = ("name", "open_tickets")

    @action(detail=False)
    def other(self, request):
        """Something of the project's own."""
        return Response()


class BalancesViewSet(ReportViewSet):
    report_class = CustomerBalances
    count = "none"


class CursorBalancesViewSet(ReportViewSet):
    report_class = CustomerBalances
    pagination_class = ReportCursorPagination
    lookup_field = "name"


class MonthsViewSet(ReportViewSet):
    report_class = StoreMonths
    filter_backends = (OrderingFilter,)


with override_settings(REST_FRAMEWORK=SPECTACULAR):  # the decorator asks for the class there and then

    @extend_schema(tags=["mine"], summary="Mine", description="Said by the project.")
    class AnnotatedViewSet(ReportViewSet):
        report_class = Figures


router = SimpleRouter()
router.register("tickets", TicketsViewSet, basename="tickets")
router.register("balances", BalancesViewSet, basename="balances")
router.register("cursor-balances", CursorBalancesViewSet, basename="cursor-balances")
router.register("months", MonthsViewSet, basename="months")
router.register("annotated", AnnotatedViewSet, basename="annotated")
urlpatterns = [
    path("api/reports/", include("reports.rest_framework.urls")),
    path("api/", include(router.urls)),
]


@cache
def schema():
    # Another test may have run the report, and so described it.
    with override_settings(REST_FRAMEWORK=SPECTACULAR), mock.patch.object(Undeclared, "_described", None):
        return SchemaGenerator(urlconf=__name__).get_schema(public=True)


def operation(address):
    return schema()["paths"][address]["get"]


def parameters(address):
    return {one["name"]: one for one in operation(address)["parameters"]}


def component(name):
    return schema()["components"]["schemas"][name]


def test_an_api_of_all_reports_passes_without_a_warning(settings, tmp_path):
    settings.REST_FRAMEWORK, settings.ROOT_URLCONF = SPECTACULAR, __name__

    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "schema.yaml"), urlconf=__name__)

    made = yaml.safe_load((tmp_path / "schema.yaml").read_text())
    assert {f"/api/reports/{name}/" for name in registry.registered()} < set(made["paths"])


def test_no_database_is_asked(django_assert_num_queries, db):
    with django_assert_num_queries(0), override_settings(REST_FRAMEWORK=SPECTACULAR):
        SchemaGenerator(urlconf=__name__).get_schema(public=True)


def test_parameters_are_those_of_report_filters_and_paging():
    assert parameters("/api/tickets/") == {
        "format": query("format", type="string", enum=["csv", "json", "json-array", "ndjson", "parquet", "xlsx"]),
        "name": query("name", type="string"),
        "open_tickets__gte": query("open_tickets__gte", type="integer"),
        "opened_from": query("opened_from", type="string", format="date"),
        "ordering": {
            **query("ordering", type="array", items=names("name", "-name", "open_tickets", "-open_tickets")),
            "required": False,
            "description": "Which field to use when ordering the results.",
            "style": "form",
            "explode": False,
        },
        "page": {
            **query("page", type="integer", minimum=1),
            "required": False,
            "description": "A page number within the paginated result set.",
        },
        "page_size": {
            **query("page_size", type="integer", minimum=1, maximum=1000, default=25),
            "required": False,
            "description": "Number of results to return per page.",
        },
        "priorities": {
            **query("priorities", type="array", items={"type": "integer", "enum": [1, 2, 3, 4, 5]}),
            "style": "form",
            "explode": True,
        },
        "search": {**query("search", type="string"), "required": False, "description": "A search term."},
    }


def query(name, **schema):
    return {"in": "query", "name": name, "schema": schema}


def names(*names):
    return {"type": "string", "enum": list(names)}


def test_parameters_of_a_header_have_defaults_and_bounds():
    found = parameters("/api/reports/flights.carrier_delays/")

    assert found["late_after"] == query("late_after", type="integer", minimum=-(2**31), maximum=2**31 - 1, default=15)
    assert found["month"] == query("month", type="integer", enum=list(range(1, 13)))


def test_retrieve_has_the_report_s_parameters_and_a_typed_key():
    found = parameters("/api/reports/helpdesk.department_tickets/{id}/")

    assert list(found) == ["id", "opened_from", "priorities"]
    assert found["id"] == {
        "in": "path",
        "name": "id",
        "schema": {"type": "integer"},
        "description": "The row's key.",
        "required": True,
    }


@pytest.mark.parametrize(
    ("address", "key", "schema"),
    [
        ("/api/reports/shop.monthly_revenue/{id}/", "id", {"type": "string", "format": "date"}),
        ("/api/reports/flights.carrier_delays/{id}/", "id", {"type": "string"}),
        ("/api/reports/helpdesk.employee_loads/{id}/", "id", {"type": "integer"}),
        ("/api/cursor-balances/{name}/", "name", {"type": "string"}),
        ("/api/months/{id}/", "id", {"type": "string"}),
    ],
)
def test_key_has_the_column_s_type(address, key, schema):
    assert parameters(address)[key]["schema"] == schema


def test_key_of_several_columns_is_said_to_be():
    assert parameters("/api/months/{id}/")["id"]["description"] == "The values of the key's columns, divided by commas."


def test_a_report_without_a_key_has_no_rows_of_their_own():
    found = [address for address in schema()["paths"] if "keyless" in address or "undeclared" in address]

    assert found == ["/api/reports/tests.keyless/", "/api/reports/tests.undeclared/"]


def test_ordering_of_a_report_with_a_key_of_several_columns():
    items = parameters("/api/months/")["ordering"]["schema"]["items"]

    assert items["enum"][:4] == ["store_id", "-store_id", "month", "-month"]


def test_words_are_the_report_s():
    found = operation("/api/reports/helpdesk.department_tickets/")

    assert found["operationId"] == "reports_helpdesk_department_tickets_list"
    assert found["tags"] == ["helpdesk"]
    assert found["summary"] == "Open and closed tickets per department."
    assert found["description"].startswith("Open and closed tickets and mean resolution time. One row")


def test_words_of_the_view_come_first():
    assert operation("/api/tickets/")["description"] == "What the view itself says."
    annotated = operation("/api/annotated/")
    assert [annotated[word] for word in ("tags", "summary", "description")] == [
        ["mine"],
        "Mine",
        "Said by the project.",
    ]
    assert "least" in parameters("/api/annotated/")


def test_an_action_of_the_project_is_as_anywhere():
    found = operation("/api/tickets/other/")

    assert found["description"] == "Something of the project's own."
    assert list(found["responses"]) == ["200"]
    assert "parameters" not in found


def test_rows_are_those_of_the_serializer():
    found = component("HelpdeskDepartmentTicketsRow")

    assert found["properties"]["avg_resolution"] == {
        "type": "string",
        "format": "decimal",
        "readOnly": True,
        "nullable": True,
        "description": "Unit: hours.",
    }
    assert list(found["properties"]) == ["department_id", "name", "open_tickets", "closed_tickets", "avg_resolution"]


def test_rows_that_nothing_declares_are_any_objects():
    assert component("UndeclaredRow") == {
        "type": "object",
        "additionalProperties": {},
        "description": "A row whose columns the report does not declare; ``inspectreport --write`` writes them.",
    }


def test_each_format_has_its_own_body():
    row = {"$ref": "#/components/schemas/HelpdeskDepartmentTicketsRow"}
    content = operation("/api/tickets/")["responses"]["200"]["content"]

    assert {media: body["schema"] for media, body in content.items()} == {
        "application/json": {"$ref": "#/components/schemas/PaginatedHelpdeskDepartmentTicketsRowList"},
        "text/csv": {"type": "string"},
        "application/x-ndjson": {"type": "string"},
        "application/vnd.reports.rows+json": {"type": "array", "items": row},
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {"type": "string", "format": "binary"},
        "application/vnd.apache.parquet": {"type": "string", "format": "binary"},
    }
    assert operation("/api/tickets/{id}/")["responses"]["200"]["content"] == {"application/json": {"schema": row}}


def test_pages_of_two_kinds_are_two_components():
    def page(address):
        reference = operation(address)["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        return reference.rpartition("/")[2], component(reference.rpartition("/")[2])["properties"]

    (name, uncounted), (cursor_name, cursor) = page("/api/balances/"), page("/api/cursor-balances/")
    counted_name, counted = page("/api/reports/shop.customer_balances/")

    assert len({name, cursor_name, counted_name}) == 3
    assert uncounted["count"]["nullable"] is True
    assert "nullable" not in counted["count"]
    assert "count" not in cursor


def test_errors_have_bodies():
    found = operation("/api/tickets/")["responses"]

    assert list(found) == ["200", "400", "403", "404", "406", "413", "422", "503"]
    assert found["400"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ReportErrors"}
    assert found["503"]["headers"]["Retry-After"]["schema"] == {"type": "integer", "minimum": 0}
    assert component("ReportErrors")["additionalProperties"] == {"type": "array", "items": {"type": "string"}}
    assert component("ReportErrorDetail")["required"] == ["detail"]


def test_not_logging_in_is_offered_where_the_report_does_not_ask():
    assert {} in operation("/api/annotated/")["security"]
    assert {} not in operation("/api/reports/tests.figures/")["security"]


def test_catalogue_is_documented():
    found = operation("/api/reports/")

    body = found["responses"]["200"]["content"]["application/json"]["schema"]
    assert body == {"type": "array", "items": {"$ref": "#/components/schemas/CatalogueReport"}}
    assert component("CatalogueReport")["properties"]["columns"]["nullable"] is True


def test_without_drf_spectacular_the_project_s_class_is_kept():
    view = TicketsViewSet()
    with override_settings(REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "rest_framework.schemas.openapi.AutoSchema"}):
        assert type(view.schema) is DRFAutoSchema


class ProjectSchema(AutoSchema):
    def get_tags(self):
        return ["project's"]

    def get_external_docs(self):
        return "https://example.org/"


def test_a_project_s_own_schema_class_is_built_upon():
    with override_settings(REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": f"{__name__}.ProjectSchema"}):
        made = SchemaGenerator(urlconf=__name__).get_schema(public=True)

    found = made["paths"]["/api/tickets/"]["get"]
    assert found["externalDocs"] == {"url": "https://example.org/"}
    assert "opened_from" in [one["name"] for one in found["parameters"]]


# One field each.


def never():
    raise AssertionError("choices of a function may be rows: they are not asked for")


INT64 = {"minimum": -(2**63), "maximum": 2**63 - 1}


@pytest.mark.parametrize(
    ("field", "want"),
    [
        (forms.CharField(max_length=9, min_length=2), {"type": "string", "minLength": 2, "maxLength": 9}),
        (forms.IntegerField(), {"type": "integer", **INT64}),
        (forms.IntegerField(min_value=1, max_value=20), {"type": "integer", "minimum": 1, "maximum": 20}),
        (forms.FloatField(max_value=1.5), {"type": "number", "format": "double", "maximum": 1.5}),
        (forms.DecimalField(min_value=Decimal("0.5")), {"type": "number", "format": "decimal", "minimum": 0.5}),
        (forms.BooleanField(), {"type": "boolean"}),
        (forms.NullBooleanField(), {"type": "boolean"}),
        (forms.DateField(), {"type": "string", "format": "date"}),
        (forms.DateTimeField(), {"type": "string", "format": "date-time"}),
        (forms.TimeField(), {"type": "string", "format": "time"}),
        (forms.DurationField(), {"type": "string", "format": "duration"}),
        (forms.UUIDField(), {"type": "string", "format": "uuid"}),
        (forms.EmailField(), {"type": "string", "format": "email"}),
        (forms.URLField(assume_scheme="https"), {"type": "string", "format": "uri"}),
        (forms.JSONField(), {"type": "string"}),
        (forms.ChoiceField(choices=[("", "-"), ("a", "A"), ("Group", [("b", "B")])]), names("a", "b")),
        (forms.TypedChoiceField(choices=[("1", "x"), ("2", "y")], coerce=int), {"type": "integer", "enum": [1, 2]}),
        (forms.TypedChoiceField(choices=[("1.50", "x")], coerce=Decimal), names("1.50")),
        (forms.TypedChoiceField(choices=[("01", "x")], coerce=int), names("01")),
        (forms.ChoiceField(choices=never), {"type": "string"}),
        (forms.ModelChoiceField(Department.objects.all()), {"type": "integer"}),
        (forms.ModelChoiceField(Department.objects.all(), to_field_name="name"), {"type": "string"}),
        (forms.ModelMultipleChoiceField(Department.objects.all()), {"type": "array", "items": {"type": "integer"}}),
        (forms.MultipleChoiceField(choices=[("a", "A")]), {"type": "array", "items": names("a")}),
        (
            SimpleArrayField(forms.DateField(), max_length=3),
            {"type": "array", "items": {"type": "string", "format": "date"}, "maxItems": 3},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schema_of_a_field(field, want):
    assert field_schema(field) == want


def form_of(**fields):
    """The parameters of a report with such fields."""
    form = type("Params", (forms.Form,), fields)
    return parameters_of(type("Fields", (Report,), {"template": "tests/keyless.sql", "Params": form}))


def test_a_widget_of_several_keys_is_several_parameters():
    found = form_of(
        at=forms.SplitDateTimeField(), pair=SplitArrayField(forms.IntegerField(min_value=0, max_value=9), size=2)
    )

    assert [(one.name, one.schema) for one in found] == [
        ("at_0", {"type": "string", "format": "date"}),
        ("at_1", {"type": "string", "format": "time"}),
        ("pair_0", {"type": "integer", "minimum": 0, "maximum": 9}),
        ("pair_1", {"type": "integer", "minimum": 0, "maximum": 9}),
    ]


def test_lists_are_repeated_or_divided_as_the_widget_reads_them():
    found = form_of(
        commas=SimpleArrayField(forms.IntegerField()),
        bars=SimpleArrayField(forms.IntegerField(), delimiter="|"),
        repeated=forms.MultipleChoiceField(choices=[("a", "A")]),
    )

    assert [(one.is_list, one.several) for one in found] == [(True, False), (False, False), (True, True)]


def test_a_parameter_with_a_default_is_not_required():
    found = form_of(
        day=forms.DateField(initial=datetime.date(2026, 1, 2)),
        made=forms.DateField(initial=datetime.date.today),
        none=forms.DateField(),
        several=forms.TypedMultipleChoiceField(choices=[(1, "1")], coerce=int, initial=[1]),
        wrong=forms.IntegerField(initial="x"),
    )

    assert [(one.required, one.default) for one in found] == [
        (False, "2026-01-02"),
        (False, None),
        (True, None),
        (False, [1]),
        (False, "x"),
    ]


def test_description_is_label_help_and_labels_of_choices():
    (found,) = form_of(
        sort=forms.ChoiceField(label="Sort.", help_text="How.", choices=[("a", "Ascending"), ("d", "d")])
    )

    assert found.description == "Sort. How.\n\n* `a` - Ascending"


def test_a_form_s_prefix_is_part_of_the_keys():
    form = type("Params", (forms.Form,), {"n": forms.IntegerField(), "prefix": "p"})

    (found,) = parameters_of(type("Prefixed", (Report,), {"template": "tests/keyless.sql", "Params": form}))

    assert found.name == "p-n"


# Hostile values, for every parameter of every report of the example project.

HOSTILE = {
    "beyond bigint": "9223372036854775808",
    "not a number": "NaN",
    "nul": "1%00",
    "lone surrogate": "%ED%A0%80",
    "much": "1e100000",
}
EXAMPLES = [
    (name, one.name, one.several)
    for name, report in registry.registered().items()
    if not name.startswith("tests.")
    for one in parameters_of(report)
]


@pytest.fixture
def staff_client(django_user_model):
    client = APIClient()
    client.force_authenticate(django_user_model.objects.create_user("staff", is_staff=True))
    return client


@pytest.mark.django_db
@pytest.mark.injection
@pytest.mark.urls(__name__)
def test_hostile_values_of_parameters_are_the_client_s_fault(staff_client):
    for name, key, takes_several in EXAMPLES:
        queries = [f"{key}={value}" for value in HOSTILE.values()]
        queries += [] if takes_several else [f"{key}=1&{key}=2"]
        for text in queries:
            response = staff_client.get(f"/api/reports/{name}/?{text}")
            assert (response.status_code, list(response.json())) == (400, [key]), (name, text)
            assert "9223372036854775808" not in str(response.json()[key]).replace("-9223372036854775808", "")
    assert len(EXAMPLES) > 10


@pytest.mark.django_db
@pytest.mark.injection
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("key", ["%00", "9223372036854775808", "NaN", "1e100000", "%ED%A0%80", "1,2,3", ","])
def test_hostile_keys_are_not_found(staff_client, key):
    addresses = [one.partition("{")[0] for one in schema()["paths"] if one.endswith("}/") and "/tests." not in one]

    for address in addresses:
        response = staff_client.get(f"{address}{key}/")
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."}), address
    assert len(addresses) > 10


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_search_that_is_refused_has_the_shape_of_errors(staff_client):
    response = staff_client.get("/api/tickets/?search=%00")

    assert (response.status_code, response.json()) == (400, {"non_field_errors": ["Null characters are not allowed."]})
