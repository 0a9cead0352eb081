"""The pages of the browsable API: one form for all that the query string may say, downloads, the rows as a table."""

from __future__ import annotations

import datetime
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.http import QueryDict
from django.utils.translation import override
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import permissions, renderers, serializers, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from reports import Report
from reports.rest_framework.browsable import ReportBrowsableAPIRenderer
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.descriptions import description_of
from reports.rest_framework.errors import TimedOut, Unavailable
from reports.rest_framework.pagination import ReportLimitOffsetPagination, ReportPagination
from reports.rest_framework.viewsets import ReportViewSet
from tests.models import Figure, FigureRow, Store
from tests.reports import FigureInstances, FigureParams, Figures, Undeclared

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)",
    "</select></form><b id=x>",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
]


class Sample(Report):
    """Figures with every kind of parameter."""

    template = "tests/figures.sql"

    class Params(forms.Form):
        least = forms.DecimalField(required=False, label="At least", help_text="In <EUR>.")
        labels = forms.MultipleChoiceField(
            required=False, choices=[("a", "A"), ("b", "B"), ("c", "C")], widget=forms.CheckboxSelectMultiple
        )
        period = forms.SplitDateTimeField(required=False)
        exact = forms.BooleanField(required=False, initial=True)
        loose = forms.BooleanField(required=False)
        token = forms.CharField(required=False, widget=forms.HiddenInput)
        note = forms.CharField(required=False, initial="as is", widget=forms.TextInput(attrs={"class": "wide"}))


class SampleViewSet(ReportViewSet):
    """Figures that can be filtered."""

    report_class: type[Report] = Sample
    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
    filterset_fields = {"orders": ["gte"], "label": ["exact"]}
    search_fields = ["label"]
    ordering_fields = ["revenue", "orders"]


@pytest.fixture(autouse=True)
def figures() -> None:
    store = Store.objects.create(pk=1, name="A")
    for n in range(1, 13):
        Figure.objects.create(
            pk=n, store=store, month=f"2026-01-{n:02}", revenue=n * 10, orders=n % 4 or None, label="abc"[n % 3]
        )


class Page(HTMLParser):
    """What a page holds: elements with their attributes, the controls of its form, the cells of its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.controls: list[tuple[str, str]] = []
        self.cells: list[list[str]] = []
        self.text = ""
        self._select = ""
        self._inside = False
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        self._inside = self._inside or (tag == "form" and "report-form" in (found.get("class") or ""))
        if self._inside:
            self._control(tag, found)
        if tag == "tr":
            self.cells.append([])
        if tag in ("th", "td"):
            self._cell = True
            self.cells[-1].append("")

    def _control(self, tag: str, attrs: dict[str, str | None]) -> None:
        name, value = attrs.get("name") or "", attrs.get("value") or ""
        is_box = attrs.get("type") in ("checkbox", "radio")
        if tag == "input" and (not is_box or "checked" in attrs):
            self.controls.append((name, "on" if is_box and "value" not in attrs else value))
        if tag == "select":
            self._select = name
        if tag == "option" and "selected" in attrs:
            self.controls.append((self._select, value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag in ("th", "td"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.cells[-1][-1] += data

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.elements if attrs.get("name") == name]

    @property
    def links(self) -> list[str]:
        return [attrs.get("href") or "" for tag, attrs in self.elements if tag == "a"]

    @property
    def has_form(self) -> bool:
        return any(tag == "form" and "report-form" in (attrs.get("class") or "") for tag, attrs in self.elements)


def ask(view: type[Any] = SampleViewSet, query: str = "", user: Any = None, method: str = "get", **options: Any) -> Any:
    """Return the rendered response, as a browser gets it."""
    request = getattr(APIRequestFactory(), method)(f"/rows/?{query}", headers={"Accept": "text/html, */*;q=0.8"})
    force_authenticate(request, user or AnonymousUser())
    kwargs = {"pk": options.pop("pk")} if "pk" in options else {}
    return view.as_view({"get": "retrieve" if kwargs else "list"}, **options)(request, **kwargs).render()


def shown(view: type[Any] = SampleViewSet, query: str = "", status: int = 200, **options: Any) -> Page:
    response = ask(view, query, **options)
    assert response.status_code == status
    return Page(response.content.decode())


def table(page: Page) -> list[list[str]]:
    return page.cells


# The form.


def test_one_form_has_parameters_filters_search_and_ordering():
    page = shown()

    names = [name for name, _ in page.controls]
    assert sum(tag == "form" and "report-form" in str(attrs.get("class")) for tag, attrs in page.elements) == 1
    assert {"least", "period_0", "period_1", "token", "note", "orders__gte", "label", "search"} <= set(names)
    assert {"labels", "loose", "exact", "ordering"} <= {str(attrs.get("name")) for _, attrs in page.elements}
    for title in ("Parameters", "Filters", "Search and ordering", "At least", "In <EUR>.", "Orders is greater than"):
        assert title in page.text
    assert not [attrs for _, attrs in page.elements if attrs.get("id") == "filtersModal"]


def test_form_shows_what_was_asked_and_what_is_by_default():
    query = "least=20&labels=a&labels=b&period_0=2026-01-02&period_1=10:00&exact=false&loose=on&token=t&orders__gte=1"
    page = shown(query=f"{query}&search=b&ordering=-revenue")

    controls = QueryDict(urlencode(page.controls))
    assert controls.getlist("labels") == ["a", "b"]
    assert {name: controls[name] for name in ("least", "period_0", "period_1", "exact", "loose", "token")} == {
        "least": "20", "period_0": "2026-01-02", "period_1": "10:00", "exact": "False", "loose": "on", "token": "t",
    }  # fmt: skip
    assert (controls["orders__gte"], controls["search"], controls["ordering"]) == ("1", "b", "-revenue")
    default = QueryDict(urlencode(shown().controls))
    assert (default["exact"], default["note"], "loose" in default, default["least"]) == ("True", "as is", False, "")


QUESTIONS = [
    "",
    "least=30&page=2&page_size=3",
    "labels=a&labels=c&orders__gte=1&ordering=revenue&page_size=2&page=2",
    "search=b&ordering=-revenue,orders&label=b&page_size=1&page=3",
    "exact=false&loose=true&note=&least=20",
    "period_0=2026-01-02&period_1=10:00",
]


@pytest.mark.parametrize("query", QUESTIONS)
def test_submitting_asks_the_same_from_the_first_page(query: str):
    page = shown(query=query)

    sent = QueryDict(urlencode(page.controls))
    again = ask(query=sent.urlencode())

    first = re.sub("&page=[0-9]+", "", query)
    assert not {"page", "cursor"} & set(sent)
    assert again.status_code == 200
    assert again.data["results"] == ask(query=first).data["results"]
    assert Page(again.content.decode()).controls == page.controls


@pytest.mark.parametrize(
    ("paginator", "place"),
    [(ReportPagination, "page=2"), (ReportLimitOffsetPagination, "offset=2&limit=2"), (None, "")],
)
def test_submitting_keeps_the_size_of_pages_and_the_format(paginator: type[Any] | None, place: str):
    class View(SampleViewSet):
        pagination_class: Any = paginator and type("Two", (paginator,), {"page_size": 2, "default_limit": 2})
        extra_query_keys = ["from"]

    sent = QueryDict(urlencode(shown(View, f"{place}&format=api&from=mail").controls))

    assert {key: sent[key] for key in ("format", "from", "limit") if key in sent} == {
        "format": "api", "from": "mail", **({"limit": "2"} if "limit" in place else {}),
    }  # fmt: skip
    assert not {"page", "offset"} & set(sent)


def test_submitting_leaves_the_cursor():
    class View(SampleViewSet):
        pagination_class = type("Two", (ReportCursorPagination,), {"page_size": 2})

    following = ask(View, "ordering=orders").data["next"].partition("?")[2]
    page = shown(View, f"{following}&page_size=2")

    sent = QueryDict(urlencode(page.controls))
    assert "cursor" not in sent
    assert (sent["ordering"], sent["page_size"]) == ("orders", "2")


def test_box_that_is_ticked_by_default_can_be_unticked():
    """A box that is not ticked is not sent, and what is not sent is as by default: hence a choice of two."""
    page = shown(query="exact=False")

    assert [attrs.get("name") for tag, attrs in page.elements if tag == "select"][:1] == ["exact"]
    assert dict(page.controls)["exact"] == "False"


def test_every_input_has_a_label_and_its_messages_are_tied_to_it():
    page = shown(query="least=x&labels=z&orders__gte=y&period_0=x", status=400)

    ids = [str(attrs["id"]) for _, attrs in page.elements if attrs.get("id")]
    labelled = {attrs.get("for") for tag, attrs in page.elements if tag == "label"}
    inputs = [
        attrs for tag, attrs in page.elements if tag in ("input", "select") and attrs.get("type") not in ("hidden",)
    ]
    described = [str(attrs["aria-describedby"]).split() for _, attrs in page.elements if attrs.get("aria-describedby")]
    in_legends = {"id_period_0", "id_period_1"}
    assert len(ids) == len(set(ids))
    assert {str(attrs["id"]) for attrs in inputs if attrs.get("id")} - in_legends <= labelled
    assert {one for several in described for one in several} <= set(ids)
    assert page.named("least")[0]["aria-describedby"] == "id_least_helptext id_least_error"
    assert page.named("note")[0]["class"] == "wide form-control"
    assert [attrs["aria-invalid"] for attrs in page.named("orders__gte")] == ["true"]
    assert "aria-invalid" not in page.named("search")[0]


class Dated(Sample):
    class Params(forms.Form):
        since = forms.DateField(required=False)
        own = forms.DateField(required=False, input_formats=["%d.%m.%Y"])
        styled = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "month"}))
        preset = forms.DateField(required=False, initial=datetime.date(2026, 1, 31))
        at = forms.DateTimeField(required=False)

    def get_context(self) -> dict[str, object]:
        return {"least": None, "labels": None}


@pytest.mark.parametrize("language", ["en", "de"])
def test_dates_have_the_calendar_of_the_browser(language: str):
    class View(SampleViewSet):
        report_class = Dated

    def types(query: str, status: int = 200) -> list[tuple[str | None, str | None]]:
        with override(language):
            page = shown(View, query, status=status)
        return [(page.named(name)[0]["type"], page.named(name)[0].get("value")) for name in Dated.Params.base_fields]

    free = [("text", None), ("month", None), ("date", "2026-01-31"), ("text", None)]
    assert types("") == [("date", None), *free]
    assert types("since=2026-02-28") == [("date", "2026-02-28"), *free]
    assert types("since=2026-02-30", 400) == [("text", "2026-02-30"), *free]
    assert types("since=<b>", 400) == [("text", "<b>"), *free]
    assert shown(View).named("at")[0]["placeholder"] == "2026-01-31 14:30"


# What went wrong.


def test_refused_values_stand_in_the_form_with_their_messages():
    page = shown(query="least=much&labels=z&orders__gte=few&search=b&ordering=-revenue", status=400)

    controls = dict(page.controls)
    assert (controls["least"], controls["search"], controls["ordering"]) == ("much", "b", "-revenue")
    for text in ("Enter a number. Allowed: a number.", "This is not one of the available choices. Allowed: a, b, c."):
        assert page.text.count(text) == 2  # beside the field, and in the JSON below
    assert page.text.count("Enter a number.") == 4  # two of them the filter's
    assert not page.cells


def test_refused_filter_has_its_message_beside_it():
    page = shown(query="orders__gte=few&least=20", status=400)

    assert page.named("orders__gte")[0]["aria-describedby"] == "id_orders__gte_error"
    assert dict(page.controls)["least"] == "20"


def test_messages_of_no_field_stand_above():
    text = ask(query="leest=3&least=1&least=2").content.decode()
    alert = text[text.index('role="alert"') :].partition("</div>")[0]

    assert "leest: No such key" in alert
    assert "least: Give" not in alert
    assert "Give this parameter once." in text
    assert dict(Page(text).controls).keys().isdisjoint({"leest"})  # submitting mends it


@pytest.mark.parametrize("data", [["It cannot be."], {"detail": "It cannot be."}, {"__all__": ["It cannot be."]}])
def test_messages_without_keys_stand_above(data: Any):
    class View(SampleViewSet):
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response(data, status=400)

    text = ask(View).content.decode()

    assert '<div class="alert alert-danger" role="alert">\n    <p>It cannot be.</p>' in text


def test_form_is_there_past_the_end():
    assert shown(query="page=99", status=404).has_form


@pytest.mark.parametrize(("error", "has_form"), [(TimedOut, True), (Unavailable, False)])
def test_form_is_there_when_less_can_be_asked_for(error: type[Exception], has_form: bool):
    class View(SampleViewSet):
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            raise error

    assert shown(View, status=503).has_form is has_form


def test_options_have_the_form_but_no_downloads():
    page = Page(ask(method="options").content.decode())

    assert page.has_form
    assert not page.cells
    assert "All rows as" not in page.text


def test_form_with_a_prefix():
    class Prefixed(Sample):
        def get_form_kwargs(self) -> dict[str, Any]:
            return {"prefix": "my"}

    class View(SampleViewSet):
        report_class = Prefixed

    page = shown(View, "my-least=x&my-note=b", status=400)

    assert dict(page.controls)["my-least"] == "x"
    assert page.named("my-least")[0]["aria-describedby"] == "id_my-least_helptext id_my-least_error"
    assert not [attrs for _, attrs in page.elements if attrs.get("role") == "alert"]


def test_report_of_unknown_columns():
    class Needy(Undeclared):
        class Params(forms.Form):
            n = forms.IntegerField()

    class View(SampleViewSet):
        report_class = Needy

    page = shown(View, "n=x", status=400)

    assert dict(page.controls) == {"n": "x"}


def test_parameter_and_filter_of_one_name_are_one_input():
    class Own(Sample):
        class Params(Sample.Params):
            label = forms.CharField(required=False, label="Mine")

    class View(SampleViewSet):
        report_class = Own

    page = shown(View, "label=a")

    assert [name for name, _ in page.controls].count("label") == 1
    assert "Mine" in page.text


def test_parameters_that_the_view_adds():
    class View(SampleViewSet):
        def get_params(self) -> Any:
            return {**self.request.query_params.dict(), "least": "50"}

    assert dict(shown(View).controls)["least"] == "50"


def test_view_that_refuses_before_there_are_parameters():
    class View(SampleViewSet):
        def get_params(self) -> Any:
            raise ValidationError({"season": ["There is none."]})

    page = shown(View, status=400)

    assert not page.has_form
    assert "There is none." in page.text


def test_report_without_anything_to_ask():
    class Bare(Sample):
        Params = None  # type: ignore[assignment]

        def get_context(self) -> dict[str, object]:
            return {"least": None, "labels": None}

    class View(ReportViewSet):
        report_class = Bare

    page = shown(View)

    assert not page.has_form
    assert len(table(page)) == 13


# Who may see it.


class Choosy(Figures):
    class Params(FigureParams):
        who = forms.ChoiceField(choices=[("x", "secret choice")], required=False)

    @classmethod
    def has_permission(cls, user: Any) -> bool:
        return bool(user.is_staff)


class ChoosyViewSet(SampleViewSet):
    report_class = Choosy


def test_choices_are_not_shown_without_permission():
    class View(SampleViewSet):
        report_class = type("Open", (Figures,), {"Params": Choosy.Params})
        permission_classes = [permissions.IsAdminUser]

    for view in (View, ChoosyViewSet):
        for method, status in (("get", 403), ("post", 403)):
            for query in ("", "who=y", "nothing=1"):
                response = ask(view, query, method=method)
                assert response.status_code == status
                assert b"secret choice" not in response.content
                assert not Page(response.content.decode()).has_form
        assert "secret choice" in shown(view, user=User(is_staff=True)).text


def test_choices_are_not_shown_where_nothing_was_checked():
    """A format that there is not is refused before the permissions are looked at."""
    response = ask(ChoosyViewSet, "format=nothing")

    assert response.status_code == 404
    assert b"secret choice" not in response.content


# Downloads.


def test_downloads_have_the_parameters_filters_and_ordering():
    page = shown(query="least=20&labels=a&labels=b&orders__gte=1&ordering=-revenue&page=2&page_size=2&format=api")

    found = {parse_qs(link.partition("?")[2])["format"][0]: link for link in page.links if link.startswith("?")}
    assert {"csv", "ndjson", "json-array", "xlsx", "parquet"} <= set(found)
    for name, link in found.items():
        assert parse_qs(link[1:]) == {
            "least": ["20"], "labels": ["a", "b"], "orders__gte": ["1"], "ordering": ["-revenue"], "format": [name],
        }  # fmt: skip
    response = ask(query=found["csv"][1:])
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["id", "10", "9", "7", "6", "3"]


def test_no_downloads_where_no_key_chooses_the_format(monkeypatch: pytest.MonkeyPatch):
    from rest_framework.settings import api_settings

    monkeypatch.setattr(api_settings, "URL_FORMAT_OVERRIDE", None)

    assert not [link for link in shown().links if link.startswith("?")]


# Paging.


@pytest.mark.parametrize("mode", ["exact", "estimate", "none"])
@pytest.mark.parametrize("paginator", [ReportPagination, ReportLimitOffsetPagination, ReportCursorPagination])
def test_controls_of_paging(paginator: type[Any], mode: str):
    class View(SampleViewSet):
        pagination_class = type("Five", (paginator,), {"page_size": 5, "default_limit": 5})
        count = mode  # type: ignore[assignment]

    def step(query: str) -> tuple[list[str], list[str]]:
        page = Page(ask(View, query).content.decode().partition('class="request-info"')[0])  # the JSON has links too
        ids = [row[0] for row in table(page)[1:]]
        return ids, [link.partition("?")[2] for link in page.links if link.startswith("http://testserver/rows/?")]

    ids, links = step("least=20&ordering=-revenue")
    assert ids == ["12", "11", "10", "9", "8"]
    ids, links = step(links[-1])
    assert ids == ["7", "6", "5", "4", "3"]
    ids, links = step(links[-1])
    assert ids == ["2"]
    ids, links = step(links[-1 if mode == "none" or paginator is ReportCursorPagination else -2])


# The table.


def test_table_has_labels_units_and_the_page_alone():
    page = shown(query="page_size=2&page=2")

    headings, *rows = table(page)
    assert headings == ["id", "store id", "month", "revenue EUR", "orders", "Its label", "seen at"]
    assert rows == [
        ["3", "1", "2026-01-03", "30.00", "3", "a", "–"],
        ["4", "1", "2026-01-04", "40.00", "–", "b", "–"],
    ]


def test_numbers_are_aligned_but_not_keys():
    page = shown(query="page_size=1")

    right = ["report-number" in str(attrs.get("class")) for tag, attrs in page.elements if tag == "td"]
    assert right == [False, False, False, True, True, False, False]


def test_table_of_a_report_with_a_model_and_of_a_serializer():
    class Own(serializers.ModelSerializer[FigureRow]):
        place = serializers.CharField(source="store.name")
        twice = serializers.SerializerMethodField()
        both = serializers.SerializerMethodField()
        sold = serializers.SerializerMethodField()

        class Meta:
            model = FigureRow
            fields = ["id", "place", "twice", "both", "sold"]

        def get_twice(self, row: Any) -> Any:
            return int(row.revenue) * 2 if row.pk > 1 else None

        def get_both(self, row: Any) -> Any:
            return {"ü": [row.month]}

        def get_sold(self, row: Any) -> bool:
            return True

    class View(ReportViewSet):
        report_class = FigureInstances

    assert table(shown(View, "page_size=1"))[1][:4] == ["1", "1", "2026-01-01", "10.00"]
    page = shown(View, "page_size=2", serializer_class=Own)
    assert table(page)[1:] == [
        ["1", "A", "–", '{"ü": ["2026-01-01"]}', "true"],
        ["2", "A", "40", '{"ü": ["2026-01-02"]}', "true"],
    ]
    right = ["report-number" in str(attrs.get("class")) for tag, attrs in page.elements if tag == "th"]
    assert right == [False, False, True, False, False]


def test_no_table_of_no_rows_and_of_what_are_no_objects():
    class Texts(SampleViewSet):
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response(["a", "b"])

    class Own(SampleViewSet):
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response({"mine": 1})

    assert not table(shown(query="label=nothing"))
    for view in (Texts, Own):
        page = shown(view)
        assert page.has_form
        assert not table(page)


def test_rows_without_pages():
    assert len(table(shown(pagination_class=None))) == 13


# What is not ours.


def test_page_of_one_row_has_its_table_and_no_form():
    page = shown(pk="3")

    assert not page.has_form
    assert table(page) == [
        ["id", "store id", "month", "revenue EUR", "orders", "Its label", "seen at"],
        ["3", "1", "2026-01-03", "30.00", "3", "a", "–"],
    ]
    assert "All rows as" not in page.text
    assert not table(shown(pk="99", status=404))
    assert not table(Page(ask(pk="3", method="options").content.decode()))
    assert '"month": "2026-01-03"' in page.text


def test_view_of_something_else():
    class Plain(viewsets.ViewSet):
        renderer_classes = [ReportBrowsableAPIRenderer, renderers.JSONRenderer]

        def list(self, request: Any) -> Response:
            return Response([{"a": 1}])

    page = shown(Plain)

    assert not page.has_form
    assert '"a": 1' in page.text


def test_filters_of_the_projects_own_are_used():
    class Own(BaseFilterBackend):
        def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
            return queryset.filter(pk=request.query_params.get("one", 1))

        def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
            return [{"name": "one"}]

    page = shown(query="one=3", filter_backends=[Own])

    assert [row[0] for row in table(page)[1:]] == ["3"]
    assert ("one", "3") in page.controls


def test_response_is_json_where_the_project_has_but_pages_for_people():
    class View(SampleViewSet):
        renderer_classes = [
            one for one in SampleViewSet.renderer_classes if not issubclass(one, renderers.JSONRenderer)
        ]

    assert '"revenue": "10.00"' in shown(View).text


def test_description_is_the_views_else_the_reports():
    class View(ReportViewSet):
        report_class = Sample

    assert "Figures that can be filtered." in shown().text
    assert f"<p>{description_of(Sample)}</p>".encode() in ask(View).content


def test_description_is_not_shown_where_nothing_was_checked():
    class View(ReportViewSet):
        report_class = type("Hidden", (Choosy,), {"__doc__": "A secret title."})

    description = description_of(View.report_class).encode()
    assert description in ask(View, user=User(is_staff=True)).content
    for query, status in (("", 403), ("format=nothing", 404)):
        response = ask(View, query)
        assert response.status_code == status
        assert description not in response.content
        assert b"A secret title." not in response.content


# Hostile values.


def dangers(page: Page) -> list[tuple[str, Any]]:
    """Return elements that no page of ours has: those of HOSTILE."""
    return [(tag, attrs) for tag, attrs in page.elements if is_danger(tag, attrs)]


def is_danger(tag: str, attrs: dict[str, str | None]) -> bool:
    addresses = [str(attrs.get(name)).lower() for name in ("href", "src", "action")]
    return (
        any(name.startswith("on") for name in attrs)
        or any(address.startswith("javascript:") for address in addresses)
        or (tag == "script" and not attrs)
        or (tag == "b" and bool(attrs))
        or tag == "img"
    )


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_escaped(value: str):
    keys = ["least", "labels", "token", "note", "orders__gte", "label", "search", "ordering", "page_size", value]
    for key in keys:
        response = ask(query=urlencode({key: value, "format": "api"}))
        page = Page(response.content.decode())
        assert response.status_code in (200, 400)
        assert not dangers(page)
        assert page.has_form
        if key in ("token", "note", "label", "search"):
            assert (key, value) in page.controls


@pytest.mark.parametrize("value", HOSTILE)
def test_data_are_escaped(value: str):
    Figure.objects.update(label=value)

    page = shown(query="page_size=1")

    assert not dangers(page)
    assert table(page)[1][5] == value


def test_our_part_needs_no_script_and_no_style():
    text = ask(query="least=20&orders__gte=1&page_size=2").content.decode()
    ours = text[text.index('<form method="get" class="report-form') : text.index('class="request-info"')]

    assert "</table>" in ours
    assert not re.search(r"<script|<style|style=|\son[a-z]+=|javascript:|data-toggle", ours)
