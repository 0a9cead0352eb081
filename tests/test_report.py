"""A report: what it is called, what it declares, and how it comes to a query and to rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.sql import Query as DjangoQuery
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from reports import ParamsError, Query, Report, Rows, TemplateError, TemplateNotFound
from reports.header import Column
from tests.models import Figure, FigureRow, Store
from tests.reports import FigureInstances, Figures, RankedFigureInstances, Undeclared

ReportOf = Callable[..., type[Report]]


@pytest.fixture
def report_of(tmp_path: Path, settings: Any) -> ReportOf:
    """Make a report of a template's text. It is not registered."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def make(text: str, **attributes: Any) -> type[Report]:
        (tmp_path / "made.sql").write_text(text)
        return type("Made", (Report,), {"__module__": "tests.reports", "template": "made.sql", **attributes})

    return make


# Names and titles.


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Figures", "tests.figures"),
        ("DepartmentTickets", "tests.department_tickets"),
        ("HTTPStatus2Report", "tests.http_status2_report"),
        ("SLAReport", "tests.sla_report"),
        ("ReportOfSLA", "tests.report_of_sla"),
        ("Top10", "tests.top10"),
        ("Top10ByHTTP", "tests.top10_by_http"),
        ("A", "tests.a"),
        ("already_snake", "tests.already_snake"),
        ("_Private", "tests._private"),
    ],
)
def test_name_is_the_class_in_snake_case(class_name: str, name: str):
    report: Any = type(class_name, (Report,), {"__module__": "tests.reports"})

    assert report.get_name() == name


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("example_project.helpdesk.reports", "helpdesk.sales"),
        ("example_project.helpdesk.deep.er", "helpdesk.sales"),
        ("elsewhere.reports", "elsewhere.sales"),
        ("__main__", "__main__.sales"),
    ],
)
def test_name_begins_with_the_app_or_the_outermost_package(module: str, name: str):
    report: Any = type("Sales", (Report,), {"__module__": module})

    assert report.get_name() == name


def test_name_that_is_set_is_not_inherited():
    class Named(Report):
        name = "shop.sales"

    class Child(Named):
        pass

    assert (Named.get_name(), Child.get_name()) == ("shop.sales", "tests.child")
    assert repr(Child()) == "<Child: tests.child>"


@pytest.mark.parametrize("name", ["two words", "a.b.c", "a*/", "1a", "a.", "a\n"])
def test_name_that_would_not_fit_its_tag(name: str):
    with pytest.raises(TypeError) as caught:
        type("Sales", (Report,), {"name": name})

    assert caught.value.args == (f"Sales.name is {name!r}; it must be name or app_label.name.",)


@pytest.mark.parametrize(
    ("doc", "header", "title"),
    [
        ("Monthly sales.\n\n    More text.", "", "Monthly sales."),
        ("\n    Monthly sales.\n", "-- doc: Other.\n", "Monthly sales."),
        (None, "-- doc: Monthly sales.\n--   Per store.\n", "Monthly sales. Per store."),
        (None, "", "tests.made"),
        ("  ", "", "tests.made"),
    ],
)
def test_title(report_of: ReportOf, doc: str | None, header: str, title: str):
    assert report_of(f"{header}SELECT 1", __doc__=doc).get_title() == title


def test_title_is_not_inherited(report_of: ReportOf):
    report = report_of("-- doc: Of the header.\nSELECT 1", __doc__="Of the parent.")

    child: Any = type("Child", (report,), {"__module__": "tests"})

    assert child.get_title() == "Of the header."


# What a class may declare.


def test_ordering_as_text_is_refused():
    with pytest.raises(TypeError) as caught:
        type("Sales", (Report,), {"ordering": "revenue"})

    assert caught.value.args == ("Sales.ordering is 'revenue'; it must be a list of names.",)


def test_managed_model_is_refused():
    with pytest.raises(TypeError) as caught:
        type("Sales", (Report,), {"model": Figure})

    assert caught.value.args == ("Sales.model is Figure, whose Meta must say managed = False.",)


@pytest.mark.parametrize("timeout", [0, -1, "5s", True, float("nan"), float("inf")])
def test_timeout_that_is_no_number_of_seconds(timeout: object):
    with pytest.raises(TypeError) as caught:
        type("Sales", (Report,), {"timeout": timeout})

    assert caught.value.args == (
        f"Sales.timeout is {timeout!r}; it must be a number of seconds above 0, at most 2147483.",
    )


@pytest.mark.parametrize(
    ("own", "header", "seconds"), [(2.5, "-- timeout: 5s\n", 2.5), (None, "-- timeout: 5s\n", 5.0), (None, "", None)]
)
def test_timeout_of_the_class_wins(report_of: ReportOf, own: float | None, header: str, seconds: float | None):
    report = report_of(f"{header}-- column: one integer\nSELECT 1 AS one", timeout=own)
    rows: Any = report().run()

    (source,) = rows.query.sources.values()
    assert source.timeout == seconds


@pytest.mark.parametrize(
    ("own", "header", "ordering"),
    [((), "-- ordering: -a, b\n", ("-a", "b")), (["b"], "-- ordering: -a, b\n", ("b",)), ((), "", ())],
)
def test_ordering_of_the_class_wins(report_of: ReportOf, own: Any, header: str, ordering: tuple[str, ...]):
    assert report_of(f"{header}SELECT 1", ordering=own).get_ordering() == ordering


@pytest.mark.django_db
def test_model_is_read_only():
    with pytest.raises(TypeError, match=r"^save\(\) is not possible: FigureRow is a row of a report, read only\.$"):
        FigureRow().save()
    with pytest.raises(TypeError, match=r"^delete\(\) is not possible: FigureRow is a row of a report, read only\.$"):
        FigureRow(pk=1).delete()


def test_declared_is_read(report_of: ReportOf):
    report = report_of("-- column: id bigint pk\n-- column: name text\nSELECT 1")

    assert report.get_template().name == "made.sql"
    assert report.get_header() is report.get_template().header
    assert report.get_columns() == (Column("id", "bigint", pk=True), Column("name", "text"))
    assert FigureInstances.get_row_model() is FigureRow


def test_missing_template():
    class Missing(Report):
        template = "tests/figurs.sql"

    for use in (Missing().run, Missing().query, Missing.get_header, Missing.get_form_class, Missing.get_row_model):
        with pytest.raises(
            TemplateNotFound, match=r"^there is no template 'tests/figurs.sql'\. Did you mean 'tests/fig"
        ):
            use()


# Parameters.


def test_parameters_of_the_header(report_of: ReportOf):
    report = report_of(
        "-- param: n integer required\n-- param: names text list\nSELECT {{ n }}, {{ names | inclause }}"
    )

    query = report().query(QueryDict("n=7&names=a&names=b&page=3"))

    assert (query.sql, query.params) == ("SELECT %s, (%s, %s)", (7, "a", "b"))
    with pytest.raises(ParamsError) as caught:
        report().query({"names": [["a"]]})
    assert caught.value.message_dict == {"n": ["This field is required."], "names": ["Enter a list of values."]}
    assert caught.value.report == "tests.made"


def test_parameters_of_both_are_refused(report_of: ReportOf, tmp_path: Path):
    report = report_of("-- param: n integer\nSELECT 1", Params=type("Params", (forms.Form,), {}))

    for use in (report.get_form_class, report().query, report().run, report().form):
        with pytest.raises(TemplateError) as caught:
            use()
        assert caught.value.args == (
            f"{tmp_path}/made.sql: parameters are declared twice, here and in Made.Params; keep one of them.",
        )


def test_parameters_with_the_names_of_functions_are_refused(report_of: ReportOf, tmp_path: Path):
    report = report_of("-- param: table text\n-- param: range text\nSELECT 1")

    with pytest.raises(TemplateError) as caught:
        report.get_form_class()

    assert caught.value.args == (f"{tmp_path}/made.sql: parameters may not have the names of functions: range, table.",)


def test_parameters_absent_take_their_initial(report_of: ReportOf):
    report = report_of("-- param: n integer default=3\nSELECT {{ n }}")

    assert report().query().params == report().query({}).params == report().query(QueryDict("")).params == (3,)


def test_form_for_a_page(report_of: ReportOf):
    report = report_of("-- param: n integer default=3\nSELECT {{ n }}")()

    assert not report.form().is_bound
    assert 'value="3"' in str(report.form()["n"])
    assert report.form(QueryDict("n=x")).errors == {"n": ["Enter a whole number."]}
    assert report.form({}).is_valid()


# The context.


class OfUser(Report):
    template = "made.sql"

    def get_context(self) -> Mapping[str, object]:
        return {"owner": self.user, "stores": Store.objects.filter(name=self.user)}


def test_user_comes_from_code_only(report_of: ReportOf):
    """A parameter called user in a query string is not even seen; from code it is an error."""
    report_of("SELECT 1 WHERE {{ owner }} = 'x' AND 1 IN {{ stores | inclause }}")

    query = OfUser(user="me").query(QueryDict("user=somebody&owner=somebody&stores=1"))

    assert query.params == ("me", "me")
    with pytest.raises(ParamsError, match=r"owner: No such parameter .*user: No such parameter "):
        OfUser(user="me").query({"user": "somebody", "owner": "somebody"})


def test_user_that_the_context_does_not_give_is_unknown_to_the_template(report_of: ReportOf):
    report = report_of("SELECT {{ user }}")

    with pytest.raises(TemplateError, match=r"made\.sql:1: 'user' is undefined"):
        report(user="me").query(QueryDict("user=somebody"))


def test_declared_user_is_a_parameter_like_any(report_of: ReportOf):
    report = report_of("-- param: user text\nSELECT {{ user }}", get_context=lambda self: {"owner": self.user})

    assert report(user="me").query(QueryDict("user=somebody")).params == ("somebody",)


def test_context_with_the_name_of_a_parameter_is_refused(report_of: ReportOf, tmp_path: Path):
    report = report_of(
        "-- param: b text\n-- param: a text\nSELECT 1", get_context=lambda self: {"a": 1, "b": 2, "c": 3}
    )

    with pytest.raises(TemplateError) as caught:
        report().query()

    assert caught.value.args == (f"{tmp_path}/made.sql: get_context() of Made gives names of parameters: a, b.",)


# Queries and rows.


def test_query_needs_no_database():
    """This test has no access to one; pytest-django raises at the first connection."""
    query = Figures().query({"least": "10", "labels": ["a"]})

    assert isinstance(query, Query)
    assert query.params == (10, "a")
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connection.ensure_connection()


def test_run_needs_no_database_when_columns_are_declared():
    rows = Figures().run({"least": "10"}).filter(orders__gt=1).order_by("-revenue")[:5]

    assert isinstance(rows, Rows)
    assert "10" in str(rows.query)


@pytest.mark.django_db
def test_run_is_lazy():
    with CaptureQueriesContext(connection) as queries:
        rows = Figures().run({"least": "10"})
        assert len(queries) == 0
        list(rows)
        list(rows)

    assert len(queries) == 1


@pytest.mark.django_db
def test_run_describes_once_what_declares_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Undeclared, "_made", None)
    monkeypatch.setattr(Undeclared, "_described", None)
    assert Undeclared.get_row_model() is None

    with CaptureQueriesContext(connection) as queries:
        first = Undeclared().run()
        described = len(queries)
        second = Undeclared().run()

    assert described > 0
    assert len(queries) == described
    assert first.model is second.model is Undeclared.get_row_model()
    assert [field.name for field in first.model._meta.fields] == ["label", "figures", "revenue"]


def test_run_orders_as_the_class_says():
    assert Figures().run().query.get_meta().ordering == ("id",)
    assert str(RankedFigureInstances().run().query).endswith(
        'ORDER BY "report_tests_figures"."revenue" DESC, "report_tests_figures"."id" DESC'
    )


def test_row_model_is_made_anew_for_a_changed_header(report_of: ReportOf, tmp_path: Path):
    report = report_of("-- column: one integer\nSELECT 1 AS one")
    first = report.get_row_model()
    assert report.get_row_model() is first

    (tmp_path / "made.sql").write_text("-- column: two integer\nSELECT 2 AS two")
    os.utime(tmp_path / "made.sql", ns=(2**60, 2**60))

    second = report.get_row_model()
    assert first is not None
    assert second is not None
    assert [model._meta.fields[0].name for model in (first, second)] == ["one", "two"]


def test_row_model_is_not_inherited(report_of: ReportOf):
    report = report_of("-- column: one integer\nSELECT 1 AS one")
    child: Any = type("Child", (report,), {"__module__": "tests.reports"})

    assert report.get_row_model() is not child.get_row_model()


# Databases.


class ToReplica:
    """A router that sends one app's models elsewhere."""

    asked: list[tuple[type[models.Model], dict[str, Any]]]

    def __init__(self, app_labels: set[str]) -> None:
        self.app_labels, self.asked = app_labels, []

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        self.asked.append((model, hints))
        return "replica" if model._meta.app_label in self.app_labels else None


@pytest.fixture
def compiled_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the alias that each sub-select is compiled for."""
    seen: list[str] = []
    original = DjangoQuery.get_compiler

    def get_compiler(self: Any, using: Any = None, *args: Any, **kwargs: Any) -> Any:
        seen.append(str(using))
        return original(self, DEFAULT_DB_ALIAS if using == "replica" else using, *args, **kwargs)

    monkeypatch.setattr(DjangoQuery, "get_compiler", get_compiler)
    return seen


COLUMN = "-- column: one integer\n"


def of_stores(report_of: ReportOf) -> type[Report]:
    return report_of(
        f"{COLUMN}SELECT 1 AS one WHERE 1 IN {{{{ stores | inclause }}}}",
        get_context=lambda self: {"stores": Store.objects.all()},
    )


def test_using_reaches_rows_and_sub_selects(report_of: ReportOf, compiled_for: list[str]):
    rows = of_stores(report_of)(using="replica").run()

    assert (rows.db, compiled_for) == ("replica", ["replica"])


def test_routers_are_asked(report_of: ReportOf, compiled_for: list[str], settings: Any):
    router = ToReplica({"sql_reports"})
    settings.DATABASE_ROUTERS = [router]
    report = of_stores(report_of)

    rows = report().run()

    assert (rows.db, compiled_for) == ("replica", ["replica"])
    assert {model for model, _ in router.asked} == {report.get_row_model()}


def test_routers_are_not_asked_for_what_using_says(report_of: ReportOf, compiled_for: list[str], settings: Any):
    settings.DATABASE_ROUTERS = [ToReplica({"sql_reports"})]

    rows = of_stores(report_of)(using=DEFAULT_DB_ALIAS).run()

    assert (rows.db, compiled_for) == (DEFAULT_DB_ALIAS, [DEFAULT_DB_ALIAS])


def test_using_nothing_is_the_default(report_of: ReportOf, compiled_for: list[str]):
    rows = of_stores(report_of)().run()

    assert (rows.db, compiled_for) == (DEFAULT_DB_ALIAS, [DEFAULT_DB_ALIAS])


@pytest.mark.django_db
def test_using_an_alias_that_there_is_not():
    rows = Figures(using="nowhere").run()

    with pytest.raises(connections.exception_class, match="'nowhere' doesn't exist"):
        list(rows)


# Who may run it.


class Holder:
    """A user as Django's authentication gives one."""

    def __init__(self, *held: str, is_authenticated: bool = True, is_active: bool = True) -> None:
        self.held, self.is_authenticated, self.is_active = held, is_authenticated, is_active

    def has_perms(self, names: Any) -> bool:
        return set(names) <= set(self.held)


@pytest.mark.parametrize(
    ("required", "user", "may"),
    [
        ((), None, False),
        ((), AnonymousUser(), False),
        ((), Holder(), True),
        ((), Holder(is_active=False), False),
        ("tests.view_figure", Holder(), False),
        ("tests.view_figure", Holder("tests.view_figure"), True),
        (["a.b", "c.d"], Holder("a.b"), False),
        (["a.b", "c.d"], Holder("a.b", "c.d", "e.f"), True),
        (["a.b"], Holder("a.b", is_authenticated=False), False),
    ],
)
def test_permission(report_of: ReportOf, required: Any, user: Any, may: bool):
    assert report_of("SELECT 1 AS id", permission_required=required).has_permission(user) is may
