"""What the checks tell of prebuilt reports, without a database and with one."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core import checks
from django.core.management import CommandError, call_command
from django.db.models import Avg, Count, Max, Sum

from reports import Report
from reports.checks.database import check_database
from reports.checks.prebuilt import bound_by_name
from reports.errors import DeclarationError
from reports.header import Column
from reports.loader import package_folder
from reports.prebuilt import Period, PeriodTotals, Ratio
from reports.registry import register
from reports.testing.examples import ExampleCase, every_example
from tests.checking import Project
from tests.models import Sale

GOOD: dict[str, Any] = {
    "source": Sale,
    "date_field": "at",
    "metrics": {"n": Count("pk"), "total": Sum("amount"), "mean": Avg("amount"), "share": Ratio("total", "n")},
    "dimensions": ["kind"],
}


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


def made(*bases: type, name: str = "Checked", **attributes: Any) -> Any:
    return register(type(name, bases or (PeriodTotals,), {"__module__": "tests", **GOOD, **attributes}))


def form_of(**fields: forms.Field) -> type[forms.Form]:
    return type("Params", (forms.Form,), fields)


def copied(project: Project, edit: Any = None) -> str:
    """Copy a template into the project's folder; return its name there."""
    text = Path(package_folder(), "prebuilt", "period_totals.sql").read_text()
    project.write("t/copy.sql", edit(text) if edit else text)
    return "t/copy.sql"


# Without a database.


def test_good_report_has_no_message(project):
    made()

    assert project.messages() == []


def test_every_fault_of_a_declaration_is_an_error(project):
    report = made(metrics={"n": Count("pk"), "x": Sum("amuont")}, dimensions=["kindd"], date_field="kind")
    known = "(there are: amount, at, buyer, buyer_id, day, id, kind, quantity, shelf, shelf_id, until)"

    assert project.messages() == [
        checks.Error(
            f"Checked: {problem}",
            hint="The class's docstring says what each attribute may be.",
            obj=report,
            id="reports.E013",
        )
        for problem in (
            f"there is no field 'kindd' {known}. Did you mean 'kind'?",
            f"metric 'x': there is no field 'amuont' {known}. Did you mean 'amount'?",
            "date_field 'kind' is a CharField, and no date.",
        )
    ]


def test_faults_of_one_report_do_not_hide_those_of_others(project):
    made(date_field="")
    made(name="Other", date_field="kind")

    assert [message.msg.partition(":")[0] for message in project.messages()] == ["Checked", "Other"]


def test_parameter_that_sets_nothing_is_told(project):
    field = forms.CharField(required=False)
    made(Params=form_of(perod=field, date_field=field, most_periods=field, period=field, other=field))
    file = Path(package_folder(), "prebuilt", "period_totals.sql")

    assert [(message.id, message.msg, message.hint) for message in project.messages()] == [
        (
            "reports.W002",
            f"{file}: the parameter {name!r} of Params is read nowhere.",
            f"A parameter that is called like an attribute sets it.{hint}",
        )
        for name, hint in (
            ("date_field", " 'date_field' is the class's only."),
            ("most_periods", " 'most_periods' is the class's only."),
            ("other", ""),
            ("perod", " Did you mean 'period'?"),
        )
    ]


def test_parameter_that_a_method_reads_is_not_told(project):
    def get_source(self: Any) -> Any:
        return Sale.objects.filter(kind=self.form()["chosen"].value())

    made(Params=form_of(chosen=forms.CharField(required=False)), get_source=get_source)

    assert project.messages() == []


def test_attributes_that_a_parameter_sets():
    assert bound_by_name(PeriodTotals) == {
        "dimensions", "end", "fill", "fiscal_start", "last", "materialized", "metrics", "period", "start", "time_zone",
        "week_start",
    }  # fmt: skip
    assert bound_by_name(Report) == set()


def test_example_is_checked_against_the_form(project):
    made(examples=[{"perod": "day"}], Params=form_of(period=forms.ChoiceField(choices=Period.choices)))

    messages = [message.msg.partition(".sql: ")[2] for message in project.messages() if message.id == "reports.E008"]

    assert messages == [
        "the example is refused: perod: there is no such parameter (there are: period). Did you mean 'period'?",
        "the example is refused: period: This field is required. Allowed: hour, day, week, iso_week, month, quarter,"
        " year, fiscal_quarter, fiscal_year.",
    ]


@pytest.mark.parametrize(
    ("ordering", "is_fixed"), [([], True), (["kind", "-period"], True), (["-n"], False), (["-n", "period"], False)]
)
def test_ordering_by_all_groups_is_fixed(ordering, is_fixed, project):
    """They are no key where a dimension may be NULL."""
    made(ordering=ordering)

    assert [message.id for message in project.messages()] == ([] if is_fixed else ["reports.W001"])


def test_ordering_is_checked_against_the_columns(project):
    made(ordering=["-tota", "period", "kind"])

    (message,) = project.messages()

    assert "'tota'" in message.msg


def test_report_that_is_not_prebuilt_has_no_use_for_our_template(project):
    register(type("Plain", (Report,), {"__module__": "tests", "template": "prebuilt/period_totals.sql"}))

    assert "reports.E004" in {message.id for message in project.messages()}


# A project's own copy of a template.


def test_copy_of_a_template_is_a_template_like_any_other(project):
    made(template=copied(project))

    assert project.messages() == []


def test_fault_in_a_copy_is_told(project):
    made(
        template=copied(project, lambda text: text.replace("FROM {{ rows | identifier }} AS r", "FROM {{ facts AS r")),
    )

    assert [message.id for message in project.messages()] == ["reports.E002"]


def test_parameter_that_a_copy_reads_is_not_told(project):
    field = forms.CharField(required=False)
    made(
        template=copied(project, lambda text: text + "{% if kinds is given %}WHERE true{% endif %}"),
        Params=form_of(kinds=field, perod=field, period=field, date_field=field),
    )

    assert [message.msg.partition(".sql: ")[2] for message in project.messages()] == [
        "the parameter 'perod' of Params is read nowhere.",
        "the parameter 'date_field' of Params is read nowhere.",
    ]


# With a database.

ASKED = form_of(
    period=forms.ChoiceField(choices=Period.choices, required=False),
    metrics=forms.MultipleChoiceField(choices=[(name, name) for name in GOOD["metrics"]], required=False),
    dimensions=forms.MultipleChoiceField(choices=[("kind", "kind")], required=False),
    start=forms.DateField(required=False),
    end=forms.DateTimeField(required=False),
    last=forms.IntegerField(required=False),
    time_zone=forms.CharField(required=False),
    week_start=forms.IntegerField(required=False, min_value=1, max_value=7),
    fill=forms.ChoiceField(required=False, choices=[("", ""), ("zero", "zero"), ("last", "last")]),
    materialized=forms.NullBooleanField(required=False),
)


def found() -> list[str]:
    return [message.msg for message in check_database(databases=["default"])]


@pytest.mark.django_db
@pytest.mark.parametrize("attributes", [{}, {"period": list(Period)}, {"last": 7, "fill": "zero"}])
def test_declared_columns_are_those_that_postgresql_gives(attributes, project):
    made(**attributes)

    assert found() == []


@pytest.mark.django_db
def test_cases_of_a_form_are_tried(project):
    """Its time zone is a text as any other to the check, which says that it found none."""
    made(period=list(Period), Params=ASKED, examples=[{"time_zone": "Asia/Kathmandu", "start": "2025-01-01"}])

    assert found() == []


@pytest.mark.django_db
def test_example_that_the_report_refuses_is_told(project):
    """Its form takes it."""
    made(period=["month", "day"], Params=ASKED, examples=[{"period": "day"}, {"period": "year", "time_zone": "UTC"}])

    (message,) = check_database(databases=["default"])

    assert message.id == "reports.E022"
    assert message.msg.endswith(
        ".sql: the example is refused: report 'tests.checked': period: It must be one of month, day. With: example 2."
    )


@pytest.mark.django_db
def test_type_that_postgresql_does_not_give_is_told(project):
    class Wrong(PeriodTotals):
        @classmethod
        def read_columns(cls) -> Any:
            yield from [Column("period", "text"), *cls.metric_columns(), Column("kind", "text"), Column("more", "text")]

    made(Wrong)

    assert [message.partition(".sql: ")[2] for message in found()] == [
        "column 'period' is declared as text, and PostgreSQL gives date.",
        "the query gives no column 'more' (it gives: kind, mean, n, period, share, total).",
    ]


@pytest.mark.django_db
def test_aggregate_that_postgresql_does_not_have_is_told(project):
    made(metrics={"n": Sum("kind")})

    assert [message.id for message in check_database(databases=["default"])] == ["reports.E020"]


@pytest.mark.django_db
def test_wrong_declaration_is_left_to_the_check_without_a_database(project):
    made(date_field="kind")

    assert found() == []


@pytest.mark.django_db
def test_lines_of_a_copy_that_no_example_renders_are_told(project):
    made(template=copied(project))

    messages = check_database(databases=["default"])

    assert {message.id for message in messages} == {"reports.W020"}
    assert all("copy.sql" in message.msg for message in messages)


# Commands and tests of a project.


@pytest.mark.django_db
def test_report_is_run_by_the_command(project, capsys):
    Sale.objects.create(at="2025-01-01T12:00Z", kind="a", amount=3)
    made(period="month", time_zone="UTC")

    call_command("report", "tests.checked", format="csv")

    mean = "3.0000000000000000"
    assert capsys.readouterr().out.split() == ["period,kind,n,total,mean,share", f"2025-01-01,a,1,3.00,{mean},{mean}"]


def test_sql_is_printed_by_the_command(project, capsys):
    made(start=date(2025, 1, 1), time_zone="UTC")

    call_command("report", "tests.checked", format="sql")

    out = capsys.readouterr().out
    assert "WITH facts AS" in out
    assert "2025-01-01" in out
    assert "%s" not in out


@pytest.mark.django_db
def test_inspecting_a_prebuilt_report_says_where_its_columns_come_from(project, capsys):
    made()

    call_command("inspectreport", "tests.checked")

    assert capsys.readouterr().out.splitlines() == [
        "-- column: period date",
        "-- column: kind character varying null",
        "-- column: n bigint",
        "-- column: total numeric null",
        "-- column: mean numeric null",
        "-- column: share numeric null",
    ]
    with pytest.raises(CommandError, match=r"^the columns of tests\.checked come of its class's attributes: there is"):
        call_command("inspectreport", "tests.checked", write=True)


@pytest.mark.django_db
def test_examples_are_cases_of_a_projects_tests(project):
    report = made(Params=ASKED, examples=[{}, {"dimensions": ["kind"], "start": "2025-01-01"}])
    Sale.objects.create(at="2025-01-01T12:00Z", kind="a", amount=3)
    Sale.objects.create(at="2025-01-02T12:00Z")

    cases = list(every_example())

    assert [(case.report, case.params) for case in cases] == [(report, each.params) for each in report.get_examples()]
    assert [str(case).partition("-")[2] for case in cases] == ["no example", "example of dimensions, start"]
    for case in cases:
        case.check()


def test_report_without_an_example_that_it_needs_fails_a_projects_test(project):
    made(Params=form_of(period=forms.ChoiceField(choices=Period.choices)))

    (case,) = every_example()

    with pytest.raises(AssertionError, match=r"are required: period\. Write in the class: examples = \[{…}\]$"):
        case.check()


def test_wrong_declaration_fails_a_projects_test(project):
    made(metrics={"n": Max("amuont")})

    (case,) = every_example()

    with pytest.raises(DeclarationError, match="amuont"):
        case.check()
    assert isinstance(case, ExampleCase)
