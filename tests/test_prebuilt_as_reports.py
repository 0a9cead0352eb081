"""A prebuilt report is a report like any other: filters, pages, exports, endpoints, pickles, plans, copies."""

from __future__ import annotations

import json
import pickle
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django import forms
from django.apps.registry import Apps
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Count, F, Func, Sum, TextField, Value
from drf_spectacular.generators import SchemaGenerator
from rest_framework.filters import OrderingFilter
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIRequestFactory, force_authenticate

from reports import QueryTimeout, get_report, register, registry, report_executed
from reports.errors import TemplateError
from reports.exports.csv import stream_csv
from reports.exports.json import stream_json
from reports.exports.xlsx import stream_xlsx
from reports.loader import package_folder
from reports.prebuilt import Period, PeriodTotals, Ratio
from reports.rest_framework import ReportCursorPagination, ReportViewSet
from reports.rest_framework.descriptions import describe
from reports.testing import assert_scans
from tests.models import Buyer, Sale


class Joined(PeriodTotals):
    """How many buyers join?"""

    name = "tests.prebuilt_joined"
    source = Buyer
    date_field = "joined"
    period = [Period.MONTH, Period.DAY]
    dimensions = ["name"]
    metrics = {"n": Count("pk"), "ids": Sum("pk"), "rate": Ratio("ids", "n")}

    class Params(forms.Form):
        period = forms.ChoiceField(choices=[(each, each) for each in ("month", "day")], required=False)
        end = forms.DateField(required=False)
        metrics = forms.MultipleChoiceField(choices=[("n", "n"), ("ids", "ids")], required=False)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no report behind: pickles and routes find theirs by name."""
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))
    register(Joined)


@pytest.fixture
def buyers(db: None) -> None:
    for number in range(1, 13):
        Buyer.objects.create(id=number, name="abc"[number % 3], joined=date(2025, 1 + number % 4, number))


pytestmark = pytest.mark.usefixtures("buyers")

FIRST = {"period": date(2025, 1, 1), "name": "a", "n": 1, "ids": 12, "rate": Decimal(12)}


def rows(params: Any = None, **kwargs: Any) -> Any:
    return Joined(**kwargs).run(params)


def test_rows_are_a_queryset():
    assert rows().count() == 12
    assert rows()[0] == FIRST
    assert [row["ids"] for row in rows().filter(name="b", ids__gt=3).order_by("-ids")] == [10, 7, 4]
    assert rows().exclude(period=date(2025, 1, 1)).count() == 9
    assert rows().aggregate(total=Sum("n"), most=Count("name", distinct=True)) == {"total": 12, "most": 3}
    assert sorted(rows().values_list("name").annotate(s=Sum("ids"))) == [("a", 30), ("b", 22), ("c", 26)]
    assert rows().annotate(twice=F("n") * 2).filter(twice=2).exists()
    assert rows().get(pk=(date(2025, 1, 1), "a")) == FIRST
    assert rows().instances().first().ids == 12
    assert rows().filter(period__year=2024).first() is None


def test_rows_are_paged():
    pages = Paginator(rows(), 5)

    assert (pages.count, pages.num_pages) == (12, 3)
    assert [row["ids"] for row in pages.page(3)] == [7, 11]


def test_rows_stand_beside_others():
    sold = Sale.objects.create(buyer_id=1, kind="a")

    assert list(Sale.objects.filter(kind__in=rows().values("name"))) == [sold]
    assert rows().union(rows({"period": "day"}), all=True).count() == 24


def test_rows_are_pickled():
    found = rows({"end": "2025-02-01"})

    for copy in (pickle.loads(pickle.dumps(found)), pickle.loads(pickle.dumps(found.filter(n=1)[:3]))):
        assert list(copy) == list(found)
    assert pickle.loads(pickle.dumps(found.instances().first())).ids == 12


def test_rows_are_read_asynchronously():
    async def read() -> list[Any]:
        return [row async for row in rows({"end": "2025-02-01"})]

    assert [row["ids"] for row in async_to_sync(read)()] == [12, 4, 8]


def test_plan_is_told():
    assert "Aggregate" in rows().explain()
    assert rows().plan().scans("tests_buyer") == 1
    assert_scans(rows(), {Buyer: 1})
    assert set(rows().pushdown()) == {"period", "name", "n", "ids", "rate"}


def test_statement_has_a_name_and_a_timeout():
    class Slow(Joined):
        name = "tests.prebuilt_slow"
        timeout = 0.2
        metrics = {"n": Count(Func(Value(9), function="pg_sleep", output_field=TextField()))}
        Params: ClassVar[Any] = None

    told: list[Any] = []

    def listen(**kwargs: Any) -> None:
        told.append(kwargs["report"])

    report_executed.connect(listen)
    try:
        list(rows())
        with pytest.raises(QueryTimeout, match=r"tests\.prebuilt_slow"):
            list(Slow().run())
    finally:
        report_executed.disconnect(listen)
    assert told == ["tests.prebuilt_joined", "tests.prebuilt_slow"]


def test_rows_are_exported():
    found = rows({"end": "2025-01-05"})
    lines = b"".join(stream_csv(found)).decode().removeprefix("\ufeff").splitlines()
    sheet = openpyxl.load_workbook(BytesIO(b"".join(stream_xlsx(found)))).active
    (item,) = json.loads(b"".join(stream_json(found)))

    assert lines[0].lower() == "period,name,n,ids,rate"
    assert lines[1].startswith("2025-01-01,b,1,4,4.0")
    assert [cell.value for cell in sheet[2]][1:4] == ["b", 1, 4]
    assert item == {"period": "2025-01-01", "name": "b", "n": 1, "ids": 4, "rate": "4.0000000000000000"}


# Endpoints.


class JoinedViewSet(ReportViewSet):
    report_class = Joined
    filter_backends = [OrderingFilter]


def called(path: str, viewset: Any = JoinedViewSet, **kwargs: Any) -> Any:
    request = APIRequestFactory().get(path)
    force_authenticate(request, User.objects.get_or_create(username="someone")[0])
    response = viewset.as_view({"get": "retrieve" if kwargs else "list"})(request, **kwargs)
    response.render()
    return response


def test_endpoint_gives_pages():
    response = called("/?page_size=2&page=2&ordering=-ids&metrics=ids")

    assert response.status_code == 200
    assert (response.data["count"], [row["ids"] for row in response.data["results"]]) == (12, [10, 9])
    assert response.data["results"][0]["n"] is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("period=week", "Select a valid choice"),
        ("end=9999-12-31", "The range is too near to the first or the last day"),
        ("perod=day", "perod"),
    ],
)
def test_endpoint_refuses_what_does_not_fit(query, problem):
    response = called(f"/?{query}")

    assert response.status_code == 400
    assert problem in json.dumps(response.data)


def test_endpoint_gives_pages_by_cursor():
    class Pages(ReportCursorPagination):
        page_size = 5

    class Cursors(JoinedViewSet):
        pagination_class = Pages

    seen, address = [], "/"
    while address:
        data = called(address, Cursors).data
        seen += [row["ids"] for row in data["results"]]
        address = data["next"]

    assert seen == [row["ids"] for row in rows()]


def test_schema_has_the_parameters_and_columns(settings):
    router = SimpleRouter()
    router.register("joined", JoinedViewSet, basename="joined")
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    schema = SchemaGenerator(patterns=router.urls).get_schema(public=True)
    operation = schema["paths"]["/joined/"]["get"]
    parameters = {each["name"]: each["schema"] for each in operation["parameters"]}
    row = next(each for each in schema["components"]["schemas"].values() if "rate" in each.get("properties", {}))

    assert set(parameters["period"]["enum"]) - {""} == {"month", "day"}
    assert parameters["end"]["format"] == "date"
    assert list(row["properties"]) == ["period", "name", "n", "ids", "rate"]
    assert row["properties"]["n"]["type"] == ["integer", "null"] or row["properties"]["n"]["nullable"]


def test_catalogue_tells_of_it():
    found = describe(Joined, "/joined/")

    assert found["title"] == "How many buyers join?"
    assert [each["name"] for each in found["parameters"]] == ["period", "end", "metrics"]
    assert [each["name"] for each in found["columns"]] == ["period", "name", "n", "ids", "rate"]


# Classes.


def test_report_is_found_by_its_name():
    assert get_report("tests.prebuilt_joined") is Joined
    assert Joined.get_title() == "How many buyers join?"


class JoinedRow(models.Model):
    """A model of a project's own, that is related to its tables."""

    period = models.DateField()
    buyer = models.OneToOneField(Buyer, models.DO_NOTHING, primary_key=True, related_name="joined_row")
    n = models.IntegerField()

    class Meta:
        apps = Apps()
        app_label = "tests"
        managed = False


def test_rows_may_be_of_a_model():
    class Related(PeriodTotals):
        name = "tests.prebuilt_related"
        source = Buyer
        date_field = "joined"
        dimensions = {"buyer_id": "pk"}
        model = JoinedRow
        metrics = {"n": Count("pk")}

    found = Related().run().select_related("buyer").order_by("-buyer__name", "-pk")

    assert [(row.pk, row.buyer.name, row.n) for row in found[:2]] == [(11, "c", 1), (8, "c", 1)]
    assert_scans(Related().run(), {Buyer: 1})


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    return tmp_path


def copied(folder: Path, *changes: tuple[str, str], name: str = "mine.sql") -> str:
    """Copy a template to where the project has its own, edit it, and return its name."""
    text = Path(package_folder(), "prebuilt", "period_totals.sql").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path(folder, name).write_text(text)
    return name


def test_copied_template_gives_the_same(folder):
    class Own(Joined):
        name = "tests.prebuilt_own"
        template = copied(folder)

    assert Own().query() == Joined().query()
    assert list(Own().run()) == list(rows())


def test_copied_template_is_edited(folder):
    class Own(Joined):
        name = "tests.prebuilt_own"
        template = copied(folder, ("AS r", "AS r\nWHERE {{ least }} <= r.of_ids"))
        metrics = {"ids": Sum("pk"), "n": Count("pk")}

        class Params(forms.Form):
            least = forms.IntegerField()

    assert [row["ids"] for row in Own().run({"least": 9}).order_by("ids")] == [9, 10, 11, 12]


COLUMNS = "-- column: period date pk\n-- column: name text pk\n-- column: odd boolean\n"


def test_copied_template_may_declare_columns_of_its_own(folder):
    class Own(Joined):
        name = "tests.prebuilt_own"
        template = copied(
            folder,
            (
                "-- doc:",
                "-- column: period date pk\n-- column: name text pk\n-- column: odd boolean\n-- example: {}\n-- doc:",
            ),
            ("\nFROM {{ rows", ", r.of_n % 2 = 1 AS odd\nFROM {{ rows"),
        )
        examples = [{"period": "day"}]

    assert [column.name for column in Own.get_columns()] == ["period", "name", "odd"]
    assert [(each.params, each.line) for each in Own.get_examples()] == [({"period": "day"}, None), ({}, 4)]
    assert Own().run().filter(odd=True).count() == 12


def test_fault_in_a_copied_template_has_its_place(folder):
    class Own(Joined):
        name = "tests.prebuilt_own"
        template = copied(folder, ("{{ calendar.column", "{{ calender.column"))

    with pytest.raises(TemplateError, match=r"mine\.sql:\d+: 'calender' is undefined"):
        Own().query()


def test_context_of_a_project_reaches_its_template(folder):
    class Own(Joined):
        name = "tests.prebuilt_own"
        template = copied(folder, ("AS r", "AS r\nWHERE r.by_name = {{ only }}"))

        def get_context(self) -> dict[str, object]:
            return {"only": self.user}

    assert {row["name"] for row in Own(user="b").run()} == {"b"}
