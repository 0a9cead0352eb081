"""A report as a resource: which rows are read as what, who may read them, and what goes wrong."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import renderers, serializers
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.settings import api_settings
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.versioning import QueryParameterVersioning

from reports import QueryError, Report, Rows
from reports.columns import NAMES
from reports.param_fields import ListParam
from reports.rest_framework import ReportCursorPagination, ReportViewSet
from reports.rest_framework.errors import api_exception
from reports.rest_framework.json_renderer import ReportJSONRenderer, RowsJSON
from reports.rest_framework.serializers import serializer_for
from tests.models import Figure, FigureRow, Region, Store
from tests.reports import (
    Faulty,
    FigureInstances,
    Figures,
    Keyless,
    Shops,
    SlowRows,
    StoreMonths,
    Undeclared,
)

pytestmark = [
    pytest.mark.django_db,
    # Of reports that say no ordering; reports.W001 tells their authors.
    pytest.mark.filterwarnings("ignore:Pagination may yield inconsistent results"),
]

JSON = "application/json"


class FigureViewSet(ReportViewSet):
    report_class: type[Report] = Figures
    filter_backends = [SearchFilter, OrderingFilter]
    search_fields = ["label"]


class Seen(Report):
    """What the user may see."""

    template = "tests/figures.sql"

    class Params(forms.Form):
        least = forms.DecimalField(required=False)
        labels = forms.MultipleChoiceField(required=False, choices=[("a", "A"), ("b", "B")])
        once = forms.IntegerField(required=False)
        several = forms.CharField(required=False, widget=forms.SelectMultiple)
        listed = ListParam(forms.IntegerField(), required=False)
        period = forms.SplitDateTimeField(required=False)

    def get_context(self) -> Mapping[str, object]:
        assert self.user is not None
        return {}


class SeenViewSet(ReportViewSet):
    report_class = Seen


@pytest.fixture(autouse=True)
def figures() -> None:
    store = Store.objects.create(name="A", region=Region.objects.create(name="north"))
    moment = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    for n in range(1, 31):
        Figure.objects.create(
            id=n, store=store, month=f"2026-01-{n:02}", revenue=f"{n}.50", orders=n % 3 or None, label="abc"[n % 3],
            seen_at=moment,
        )  # fmt: skip


def ask(view: type[ReportViewSet], query: str = "", accept: str = "*/*", user: Any = None, **kwargs: Any) -> Any:
    """Return the rendered response of a list, or with ``pk`` of one row."""
    request = APIRequestFactory().get(f"/rows/{query}", headers={"Accept": accept})
    force_authenticate(request, user or AnonymousUser())
    actions = {"get": "retrieve" if "pk" in kwargs else "list"}
    return view.as_view(actions)(request, **kwargs).render()


def rows_in(response: Any) -> list[Any]:
    assert response.status_code == 200, response.content
    found: list[Any] = json.loads(response.content)["results"]
    return found


# Lists.


def test_list_is_a_page_in_the_templates_column_order():
    response = ask(FigureViewSet)

    found = json.loads(response.content)
    assert response["Content-Type"] == JSON
    assert (found["count"], found["previous"], len(found["results"])) == (30, None, 25)
    assert found["next"] == "http://testserver/rows/?page=2"
    assert list(found["results"][0].items()) == [
        ("id", 1),
        ("store_id", Store.objects.get().pk),
        ("month", "2026-01-01"),
        ("revenue", "1.50"),
        ("orders", 1),
        ("label", "b"),
        ("seen_at", "2026-03-01T08:30:00-03:30"),
    ]


def test_page_is_one_query_and_at_most_one_count():
    with CaptureQueriesContext(connection) as first:
        ask(FigureViewSet)
    with CaptureQueriesContext(connection) as last:
        ask(FigureViewSet, "?page=2")

    assert len(first) == 2
    assert len(last) == 1  # the number of rows is known at the end


def test_parameters_filters_ordering_and_paging_share_the_query_string():
    response = ask(FigureViewSet, "?least=10&labels=a&labels=b&search=A&ordering=-revenue&page_size=2&page=2")

    assert [row["id"] for row in rows_in(response)] == [24, 21]


@pytest.mark.parametrize("accept", [JSON, "application/json; indent=4", "text/html"])
@pytest.mark.parametrize("size", [3, 201])
def test_rows_are_the_same_however_they_are_made(size: int, accept: str):
    """Built by PostgreSQL, made of dicts since they are few, read by the browsable API, and indented."""
    built = rows_in(ask(FigureViewSet, "?page_size=900"))[:size]

    response = ask(FigureViewSet, f"?page_size={size}", accept)

    assert list(response.data["results"]) == built
    if accept != "text/html":
        assert rows_in(response) == built


def test_rows_are_built_by_postgresql_for_our_renderer_alone():
    class Other(renderers.BaseRenderer):
        media_type, format = "text/x", "x"

        def render(self, data: Any, *args: Any) -> bytes:
            return repr(data).encode()

    class Both(FigureViewSet):
        renderer_classes = [*FigureViewSet.renderer_classes, Other]

    class Whole(Both):
        pagination_class = None

    built, plain = ask(Both, "?page_size=201").data["results"], ask(Both, "?page_size=201", "text/x").data["results"]

    assert type(built) is type(ask(Whole).data) is RowsJSON
    assert type(plain) is type(ask(Both).data["results"]) is list
    assert built == plain
    assert {type(value) for row in plain for value in row.values()} == {int, str, type(None)}


@pytest.mark.parametrize("view_of", [Figures, FigureInstances], ids=["dicts", "instances"])
def test_report_with_a_model_gives_the_same(view_of: type[Report]):
    class View(ReportViewSet):
        report_class = view_of

    assert rows_in(ask(View, "?page_size=2")) == rows_in(ask(FigureViewSet, "?page_size=2"))


@pytest.mark.parametrize("view_of", [Figures, FigureInstances], ids=["dicts", "instances"])
def test_serializer_of_the_project_gets_instances(view_of: type[Report]):
    class Own(serializers.ModelSerializer):
        twice = serializers.SerializerMethodField()

        class Meta:
            model = FigureRow
            fields = ["id", "store", "twice"]

        def get_twice(self, row: Any) -> int:
            return int(row.revenue * 2)

    class View(ReportViewSet):
        report_class = view_of
        serializer_class = Own

    store = Store.objects.get().pk
    assert rows_in(ask(View, "?page_size=1")) == [{"id": 1, "store": store, "twice": 3}]
    assert json.loads(ask(View, pk=2).content) == {"id": 2, "store": store, "twice": 5}


@pytest.mark.parametrize("size", [1, 201])
def test_annotations_of_the_view_are_part_of_the_rows(size: int):
    class View(FigureViewSet):
        def get_queryset(self) -> Any:
            return super().get_queryset().annotate(double=F("revenue") * 2)

    assert rows_in(ask(View, f"?page_size={size}"))[0]["double"] == "3.00"


def test_list_without_pages():
    class View(FigureViewSet):
        pagination_class = None

    response = ask(View)

    assert [row["id"] for row in json.loads(response.content)] == list(range(1, 31))


def test_cursor_pages():
    class View(FigureViewSet):
        pagination_class = ReportCursorPagination

    response = ask(View, "?ordering=-orders&page_size=7")
    seen = [row["id"] for row in rows_in(response)]
    while (following := json.loads(response.content)["next"]) is not None:
        response = ask(View, following.partition("/rows/")[2])
        seen += [row["id"] for row in rows_in(response)]

    assert sorted(seen) == list(range(1, 31))


@pytest.mark.parametrize(
    "changed",
    [{"DATETIME_FORMAT": "%d.%m.%Y"}, {"DATE_FORMAT": "%d.%m."}, {"COERCE_DECIMAL_TO_STRING": False}],
    ids=lambda changed: next(iter(changed)),
)
def test_formats_of_the_projects_settings(changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    for name, value in changed.items():
        monkeypatch.setattr(api_settings, name, value)

    class Own(serializers.ModelSerializer):
        class Meta:
            model = FigureRow
            fields = ["id", "month", "revenue", "orders", "label", "seen_at"]

    class Theirs(FigureViewSet):
        report_class = FigureInstances
        serializer_class = Own

    theirs = rows_in(ask(Theirs, "?page_size=3"))
    ours = [{name: row[name] for name in theirs[0]} for row in rows_in(ask(FigureViewSet, "?page_size=3"))]
    if "COERCE_DECIMAL_TO_STRING" in changed:  # its JSON has the number's text, ours the number
        theirs = [row | {"revenue": float(row["revenue"])} for row in theirs]
    assert ours == theirs


# One row.


def test_row_by_its_key():
    assert json.loads(ask(FigureViewSet, pk=3).content) == rows_in(ask(FigureViewSet))[2]


@pytest.mark.parametrize("pk", ["99", "abc", "9" * 30, "1.5", "\0", "\ud800", ""])
def test_row_that_there_is_not(pk: str):
    assert ask(FigureViewSet, pk=pk).status_code == 404


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        ("numeric", "1", "1e131073"), ("interval", "1 day", "P99999999999D"), ("int4range", "[1,2)", "x"),
        ("integer[]", "{1}", "x"), ("macaddr", "08:00:2b:01:02:03", "zz"), ("oid", "1", "4294967296"),
        ("timestamptz", "2026-01-01", "0001-01-01T00:00:00+14:00"), ("bytea", "a", "zz"),
    ],
)  # fmt: skip
def test_key_that_postgresql_cannot_read(kind: str, value: str, wrong: str, tmp_path: Any, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text(f"-- column: k {kind} pk\n-- ordering: k\nSELECT '{value}'::{kind} AS k\n")
    report = type("Keyed", (Report,), {"template": "divided.sql"})
    view = type("View", (ReportViewSet,), {"report_class": report, "filter_backends": [OrderingFilter]})

    assert ask(view, "?ordering=k").status_code == 200  # which asks the serializer
    assert len(rows_in(ask(view))) == 1
    assert ask(view, pk=wrong).status_code == 404


def test_row_takes_the_parameters():
    assert ask(FigureViewSet, "?least=10", pk=3).status_code == 404
    assert ask(FigureViewSet, "?least=3", pk=3).status_code == 200


class MonthViewSet(ReportViewSet):
    report_class = StoreMonths


def test_row_by_a_key_of_several_columns():
    rows = rows_in(ask(MonthViewSet))
    row = rows[0]
    names = [column.name for column in StoreMonths.get_columns() if column.pk]

    assert json.loads(ask(MonthViewSet, pk=",".join(str(row[name]) for name in names)).content) == row
    for wrong in ("1", "1,2,3", "x,y", ","):
        assert ask(MonthViewSet, pk=wrong).status_code == 404


def test_row_of_a_report_without_a_key():
    class View(ReportViewSet):
        report_class = Keyless

    assert ask(View, pk="1").status_code == 404
    assert ask(View).status_code == 200


def test_row_is_no_download():
    assert ask(FigureViewSet, "?format=csv", pk=3).status_code == 404


# The query string.


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "?leest=3&pge=2",
            {
                "leest": "No such key (there are: format, labels, least, ordering, page, page_size, search)."
                " Did you mean 'least'?",
                "pge": "No such key (there are: format, labels, least, ordering, page, page_size, search)."
                " Did you mean 'page'?",
            },
        ),
        ("?least=3&least=4", {"least": "Give this parameter once."}),
        ("?labels=x", {"labels": "Select a valid choice. This is not one of the available choices. Allowed: a, b, c."}),
        ("?least=NaN", {"least": "Enter a number. Allowed: a number."}),
        ("?least=1e100000", {"least": "PostgreSQL cannot store this value (NUL, lone surrogate, NaN, too many digits)."
                                      " Allowed: a number."}),
        ("?least=%00", {"least": "Enter a number. Allowed: a number."}),
    ],
)  # fmt: skip
def test_query_that_is_refused(query: str, errors: dict[str, str]):
    response = ask(FigureViewSet, query)

    assert (response.status_code, response["Content-Type"]) == (400, JSON)
    assert json.loads(response.content) == {key: [text] for key, text in errors.items()}


def test_every_fault_of_a_query_at_once():
    class View(FigureViewSet):
        filter_backends = [DjangoFilterBackend]
        filterset_fields = {"orders": ["gte"]}

    response = ask(View, "?least=x&orders__gte=1&order__gte=2&labels=z&labels=a")

    found = json.loads(response.content)
    assert list(found) == ["least", "labels", "order__gte"]
    assert found["order__gte"] == [
        "No such key (there are: format, labels, least, orders__gte, page, page_size). Did you mean 'orders__gte'?"
    ]


def test_key_of_the_projects_own():
    class View(FigureViewSet):
        extra_query_keys = ["utm_source"]

    class Lenient(FigureViewSet):
        strict_query = False

    assert ask(View, "?utm_source=a").status_code == 200
    assert ask(View, "?utm_sourc=a").status_code == 400
    assert ask(Lenient, "?anything=a").status_code == 200
    assert ask(Lenient, "?least=1&least=2").status_code == 400


def test_key_of_the_version():
    class View(FigureViewSet):
        versioning_class = QueryParameterVersioning

    assert ask(View, "?version=1").status_code == 200
    assert ask(FigureViewSet, "?version=1").status_code == 400


def test_keys_of_widgets():
    user = User(username="a")

    def told(query: str) -> set[str]:
        response = ask(SeenViewSet, query, user=user)
        return set(json.loads(response.content)) if response.status_code == 400 else set()

    assert told("?several=1&several=2&listed=1&listed=2") == set()
    assert told("?period_0=2026-01-01&period_1=12:00") == set()
    assert told("?once=1&once=2&period_2=1&period_zz=1&period=2026-01-01") == {
        "once",
        "period_2",
        "period_zz",
        "period",
    }


def test_keys_of_a_form_with_a_prefix():
    class Prefixed(Seen):
        Params: ClassVar[Any] = type("Params", (Seen.Params,), {"prefix": "p"})

    view = type("View", (ReportViewSet,), {"report_class": Prefixed})
    user = User(username="a")

    assert rows_in(ask(view, "?p-least=30&p-period_0=2026-01-01&p-period_1=12:00", user=user)) != []
    assert set(json.loads(ask(view, "?least=30&p-once=1&p-once=2", user=user).content)) == {"least", "p-once"}


class FilteredViewSet(ReportViewSet):
    report_class = Figures
    filter_backends = [DjangoFilterBackend]
    filterset_fields = {"orders": ["gte"], "label": ["exact"], "revenue": ["range", "in"]}


@pytest.mark.parametrize(
    "query",
    [
        "?orders__gte=-1e1000000", "?orders__gte=1E%2B99999", "?revenue__range=1,1e5000", "?revenue__in=1,-1e1000",
    ],
)  # fmt: skip
def test_number_of_a_filter_that_would_take_hours(query: str):
    key = query[1:].partition("=")[0]

    response = ask(FilteredViewSet, query)

    assert (response.status_code, json.loads(response.content)[key]) == (400, ["Enter a number of fewer digits."])


def test_other_numbers_and_texts_of_filters_pass():
    assert ask(FilteredViewSet, "?orders__gte=-1e9&label=-1e1000000").status_code == 200


def test_filters_are_told_with_the_parameters():
    response = ask(FilteredViewSet, "?least=x&orders__gte=y")
    with_key = ask(FilteredViewSet, "?orders__gte=y&zz=1")

    assert set(json.loads(response.content)) == {"least", "orders__gte"}
    assert set(json.loads(with_key.content)) == {"orders__gte", "zz"}


def test_value_that_a_filters_column_cannot_have(tmp_path: Any, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text("-- column: i inet pk\n-- ordering: i\nSELECT '10.0.0.1'::inet AS i\n")
    attributes = {"report_class": type("Addresses", (Report,), {"template": "divided.sql"})}
    view = type("View", (FilteredViewSet,), {**attributes, "filterset_fields": ["i"]})

    assert rows_in(ask(view, "?i=10.0.0.1")) == [{"i": "10.0.0.1"}]
    assert json.loads(ask(view, "?i=zz").content) == {"detail": ["A filter has a value that its column cannot have."]}


def test_many_unknown_keys_are_not_told_the_names_each_time():
    response = ask(FigureViewSet, "?" + "&".join(f"k{n}=1" for n in range(500)))

    assert len(json.loads(response.content)) == 500
    assert len(response.content) < 20_000


def test_messages_with_a_number_are_whole():
    class Short(Figures):
        class Params(forms.Form):
            name = forms.CharField(max_length=3, required=False)
            least = forms.DecimalField(max_digits=3, required=False)
            store = forms.ModelMultipleChoiceField(Store.objects.all(), required=False)

    view = type("View", (ReportViewSet,), {"report_class": Short})

    assert json.loads(ask(view, "?name=abcdef&least=12345&store=hostile").content) == {
        "name": ["Ensure this value has at most 3 characters (it has 6)."],
        "least": ["Ensure that there are no more than 3 digits in total. Allowed: a number."],
        "store": ["“This” is not a valid value."],
    }


# Who may.


def test_report_knows_the_user():
    seen = []

    class Noted(Seen):
        def get_context(self) -> Mapping[str, object]:
            seen.append(self.user)
            return {}

    class View(ReportViewSet):
        report_class = Noted

    user = User(username="a")
    ask(View, user=user)

    assert seen == [user]


def test_permissions_are_those_of_the_view():
    class View(FigureViewSet):
        permission_classes = [IsAuthenticated]

    class Staff(FigureViewSet):
        permission_classes = [IsAdminUser]

    user, staff = User(username="a"), User(username="b", is_staff=True)
    assert [ask(View, user=one).status_code for one in (None, user, staff)] == [403, 200, 200]
    assert [ask(Staff, user=one).status_code for one in (None, user, staff)] == [403, 403, 200]
    assert ask(Staff, "?format=csv", user=user).status_code == 403


def test_report_that_says_who_may_run_it():
    class Own(Figures):
        @classmethod
        def has_permission(cls, user: Any) -> bool:
            return bool(user.username == "b")

    class Required(Figures):
        permission_required = "tests.view_figure"

    for report in (Own, Required):
        view = type("View", (ReportViewSet,), {"report_class": report})
        user, right = User(pk=1, username="a"), User(pk=2, username="b", is_superuser=True)
        assert [ask(view, user=one).status_code for one in (None, user, right)] == [403, 403, 200]
        assert [ask(view, user=one, pk=1).status_code for one in (None, user, right)] == [403, 403, 200]


# What goes wrong.


def test_timeout_is_503_with_retry_after():
    class Slow(SlowRows):
        timeout = 0.2

    view = type("View", (ReportViewSet,), {"report_class": Slow})

    for accept in (JSON, "text/csv", "application/x-ndjson"):
        response = ask(view, "?rows=5&seconds=1", accept)

        assert (response.status_code, response["Retry-After"]) == (503, "30")
        assert response["Content-Type"] == JSON
        assert json.loads(response.content) == {"detail": "The report took too long. Ask for less, or try again later."}


def test_database_that_is_not_there_is_503(monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Any, *args: Any) -> Any:
        raise OperationalError("connection to server at db.internal, user secret failed")

    monkeypatch.setattr(Rows, "_fetch_all", refuse)

    response = ask(FigureViewSet)

    assert response.status_code == 503
    assert json.loads(response.content) == {"detail": "The report cannot be read at the moment."}


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        (None, 503), ("08006", 503), ("40001", 503), ("40P01", 503), ("53300", 503), ("55P03", 503), ("57014", 503),
        ("57P01", 503), ("22012", None), ("42883", None), ("55000", None), ("XX000", None),
    ],
)  # fmt: skip
def test_errors_that_pass(sqlstate: str | None, status: int | None):
    error = QueryError("a")
    error.sqlstate = sqlstate

    found = api_exception(error, asked=False)

    assert (found and found.status_code) == status
    if sqlstate == "22012":
        asked = api_exception(error, asked=True)
        assert asked is not None
        assert asked.status_code == 400


def test_object_permissions_are_asked():
    class Odd(BasePermission):
        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            return bool(obj["id"] % 2)

    class View(FigureViewSet):
        permission_classes = [Odd]

    assert [ask(View, pk=pk).status_code for pk in (1, 2)] == [200, 403]


def test_strict_keys_of_a_row():
    assert ask(FigureViewSet, "?zz=1", pk=1).status_code == 400


def test_page_by_cursor_is_made_of_dicts_however_large():
    class View(FigureViewSet):
        pagination_class = ReportCursorPagination

    assert len(rows_in(ask(View, "?page_size=900"))) == 30


def test_ascii_is_kept(monkeypatch: pytest.MonkeyPatch):
    Figure.objects.filter(id=1).update(label="ä")
    monkeypatch.setattr(ReportJSONRenderer, "ensure_ascii", True)

    assert b'"\\u00e4"' in ask(FigureViewSet, "?page_size=900").content


@pytest.mark.parametrize("accept", [JSON, "text/csv"])
def test_fault_of_the_report_is_the_servers(accept: str):
    view = type("View", (ReportViewSet,), {"report_class": Faulty})

    with pytest.raises(Exception, match="42883"):
        ask(view, accept=accept)


class Divided(Report):
    template = "divided.sql"

    class Params(forms.Form):
        by = forms.IntegerField(initial=1)


def test_values_that_postgresql_cannot_compute_with(tmp_path: Any, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text("-- column: id integer pk\n-- ordering: id\nSELECT 1 / {{ by }}::int AS id\n")
    view = type("View", (ReportViewSet,), {"report_class": Divided})

    assert ask(view).status_code == 200
    for accept in (JSON, "text/csv", "text/html"):
        response = ask(view, "?by=0", accept)
        assert response.status_code == 400
        assert response.data == {"detail": ["The report cannot be computed with these values."]}


def test_value_that_the_driver_refuses():
    class View(FigureViewSet):
        def get_queryset(self) -> Any:
            return super().get_queryset().filter(label__icontains="\0")

    assert ask(View, "?page_size=2").status_code == 400


def test_columns_that_are_not_declared():
    view = type("View", (ReportViewSet,), {"report_class": Undeclared, "filter_backends": [OrderingFilter]})

    assert ask(view).status_code == 200
    assert ask(view, "?ordering=-figures").status_code == 200


def test_foreign_key_whose_column_does_not_end_in_id(monkeypatch: pytest.MonkeyPatch):
    view = type("View", (ReportViewSet,), {"report_class": Shops, "filter_backends": [OrderingFilter]})

    rows = rows_in(ask(view, "?ordering=shop_id"))
    monkeypatch.setattr(api_settings, "DATE_FORMAT", "%d.%m.%Y")

    assert rows == rows_in(ask(view, "?ordering=shop_id"))
    assert list(rows[0]) == [column.name for column in Shops.get_columns()]


# The serializer.


def test_serializer_has_the_columns():
    found = serializer_for(Figures)()

    assert list(found.fields) == ["id", "store_id", "month", "revenue", "orders", "label", "seen_at"]
    assert type(found).__name__ == "TestsFiguresRowSerializer"
    assert found.fields["revenue"].help_text == "Unit: EUR."
    assert found.fields["label"].label == "Its label"
    assert all(field.read_only for field in found.fields.values())
    assert [name for name, field in found.fields.items() if field.allow_null] == ["orders", "label", "seen_at"]


def test_serializer_takes_dicts_and_instances():
    kind = serializer_for(Figures)

    assert kind(Figures().run()[:2], many=True).data == kind(FigureInstances().run()[:2], many=True).data


@pytest.mark.parametrize("kind", NAMES)
def test_serializer_of_every_type(kind: str, tmp_path: Any, settings: Any):
    """Each has a field that gives what the page does."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text(
        f"-- column: id integer pk\n-- column: k {kind} null\n-- column: ks {kind}[] null\n-- ordering: id\n"
        f"SELECT 1 AS id, NULL::{kind} AS k, NULL::{kind}[] AS ks\n"
    )
    report: type[Report] = type("Typed", (Report,), {"template": "divided.sql"})

    found = serializer_for(report)({"id": 1, "k": None, "ks": None}).data

    assert found == {"id": 1, "k": None, "ks": None}


def test_timestamp_without_a_zone_stays_without(tmp_path: Any, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text(
        "-- column: t timestamp pk\n-- ordering: t\nSELECT timestamp '2026-01-01' AS t\n"
    )
    report: type[Report] = type("Naive", (Report,), {"template": "divided.sql"})

    assert serializer_for(report)(report().run()[0]).data == {"t": "2026-01-01T00:00:00"}


def test_rows_of_texts_are_a_list():
    rows = RowsJSON(['{"a":1}', '{"a":2}', '{"a":3}'])

    assert (len(rows), rows[1], rows[1:], next(iter(rows))) == (3, {"a": 2}, [{"a": 2}, {"a": 3}], {"a": 1})
    assert rows == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert rows == RowsJSON(['{"a": 1}', '{"a": 2}', '{"a": 3}'])
    assert rows != [{"a": 1}]
    assert repr(rows[:1]) == repr(RowsJSON(['{"a":1}']))


# A serializer of the project's own.


class IdSerializer(serializers.Serializer):
    id = serializers.IntegerField()


class ByAttribute(ReportViewSet):
    report_class = Figures
    serializer_class = IdSerializer


class ByMethod(ReportViewSet):
    report_class = Figures

    def get_serializer_class(self) -> Any:
        return IdSerializer


class ByInstance(ReportViewSet):
    report_class = Figures

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        return IdSerializer(*args, **kwargs)


@pytest.mark.parametrize("view", [ByAttribute, ByMethod, ByInstance])
def test_own_serializer_decides_what_is_seen(view: type[ReportViewSet]):
    assert rows_in(ask(view, "?page_size=1")) == [{"id": 1}]
    assert rows_in(ask(view, "?page_size=201"))[0] == {"id": 1}
    assert json.loads(ask(view, pk=2).content) == {"id": 2}
    for name in ("csv", "ndjson", "json-array", "xlsx", "parquet"):  # they would have every column
        response = ask(view, f"?format={name}")
        assert (response.status_code, json.loads(response.content)) == (
            404, {"detail": "No such format here (there are: api, json)."},
        )  # fmt: skip


def test_own_serializer_with_downloads_that_are_named():
    class View(ByAttribute):
        renderer_classes = list(ReportViewSet.renderer_classes)

    assert ask(View, "?format=csv").getvalue().startswith(b"id,store_id,")


# Downloads.


@pytest.mark.parametrize("name", ["csv", "ndjson", "json-array", "xlsx", "parquet"])
def test_head_of_a_download_reads_no_row(name: str):
    request = APIRequestFactory().head(f"/rows/?format={name}")
    with CaptureQueriesContext(connection) as queries:
        response: Any = FigureViewSet.as_view({"get": "list"})(request)
        data = b"".join(response)

    download = ask(FigureViewSet, f"?format={name}")
    assert (len(queries), data) == (0, b"")
    assert (response.status_code, response["Content-Type"]) == (200, download["Content-Type"])
    assert response["Content-Disposition"] == download["Content-Disposition"]
    assert FigureViewSet.as_view({"get": "list"})(APIRequestFactory().head("/rows/?format=csv&zz=1")).status_code == 400


def test_value_that_a_format_cannot_hold(tmp_path: Any, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "divided.sql").write_text("-- column: id numeric pk\n-- ordering: id\nSELECT 1e30 AS id\n")
    view = type("View", (ReportViewSet,), {"report_class": type("Large", (Report,), {"template": "divided.sql"})})

    response = ask(view, "?format=parquet")

    assert (response.status_code, response["Content-Type"]) == (422, JSON)
    assert "'id'" in json.loads(response.content)["detail"]
    assert "Content-Disposition" not in response


def test_forms_of_the_settings_are_those_of_downloads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api_settings, "COERCE_DECIMAL_TO_STRING", False)

    assert json.loads(ask(FigureViewSet, "?format=ndjson").getvalue().splitlines()[0])["revenue"] == 1.5
    assert json.loads(ask(FigureViewSet, "?format=json-array").getvalue())[0]["revenue"] == 1.5


@pytest.mark.parametrize(
    ("name", "kind", "start"),
    [
        ("csv", "text/csv; charset=utf-8", b"id,store_id,month,revenue,orders,Its label,seen_at\n"),
        ("ndjson", "application/x-ndjson", b'{"id":1,'),
        ("json-array", "application/vnd.reports.rows+json", b'[\n{"id":1,'),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
        ("parquet", "application/vnd.apache.parquet", b"PAR1"),
    ],
)
@pytest.mark.parametrize("by", ["format", "accept"])
def test_download_has_all_rows(name: str, kind: str, start: bytes, by: str):
    query, accept = (f"?format={name}&page_size=2", "*/*") if by == "format" else ("?page_size=2", kind)

    response = ask(FigureViewSet, query, accept)
    data = response.getvalue()

    extension = {"json-array": "json"}.get(name, name)
    assert (response.status_code, response["Content-Type"]) == (200, kind)
    assert response["Content-Disposition"] == f'attachment; filename="figures.{extension}"'
    assert data.startswith(start)
    assert response.get("Content-Length", str(len(data))) == str(len(data))


def test_download_is_filtered_and_ordered():
    response = ask(FigureViewSet, "?format=ndjson&least=27&ordering=-id")

    assert [json.loads(line)["id"] for line in response.getvalue().splitlines()] == [30, 29, 28, 27]


def test_lines_and_array_have_the_values_of_the_page():
    page = rows_in(ask(FigureViewSet, "?page_size=30"))

    assert [json.loads(line) for line in ask(FigureViewSet, "?format=ndjson").getvalue().splitlines()] == page
    assert json.loads(ask(FigureViewSet, "?format=json-array").getvalue()) == page


def test_wrong_parameters_of_a_download():
    response = ask(FigureViewSet, "?format=csv&least=x")

    assert (response.status_code, response["Content-Type"]) == (400, JSON)
    assert set(json.loads(response.content)) == {"least"}
    assert "Content-Disposition" not in response


def test_workbook_of_too_many_rows_is_413_and_names_csv(settings: Any):
    settings.REPORTS = {"XLSX_ROWS": 29}

    response = ask(FigureViewSet, "?format=xlsx")

    assert (response.status_code, response["Content-Type"]) == (413, JSON)
    assert "CSV" in json.loads(response.content)["detail"]
    assert "29" in json.loads(response.content)["detail"]
