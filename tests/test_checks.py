"""System checks: what is wrong with a report is told before it runs, without a database, each fault once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.core import checks
from django.core.management import call_command

from reports import Report, loader, register
from reports.checks import check_database, check_reports
from reports.environment import ALLOWED_FILTERS
from reports.errors import listed
from tests.checking import Project

Write = Callable[[str, str], Path]

MISSING = "Templates stand in <app>/sql/<app_label>/ and are named from there: app_label/name.sql."


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


@pytest.fixture
def one_app(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Write:
    """Move the app ``tests`` into an empty folder."""
    settings.REPORTS = {}
    monkeypatch.setattr(apps.get_app_config("tests"), "path", str(tmp_path))
    monkeypatch.setattr(loader, "_found", {})  # an app does not move in real life

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / "sql" / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


def test_checks_of_this_project_find_nothing():
    """The reports of the tests leave their order open, most of one row; the example project's have no fault."""
    found = check_reports()

    assert {message.id for message in found} <= {"reports.W001"}
    assert [message for message in found if "tests/sql/tests" not in message.msg] == []


def test_checks_are_registered():
    found = checks.registry.registry.registered_checks

    assert {check_reports, check_database} <= set[object](found)
    assert vars(check_database)["tags"] == (checks.Tags.database,)
    call_command("check")


def test_checks_can_be_silenced(project: Project, settings: Any, capsys: pytest.CaptureFixture[str]):
    project.report("SELECT {{ n }}")
    settings.SILENCED_SYSTEM_CHECKS = ["reports.E004"]

    call_command("check")

    assert "(1 silenced)" in capsys.readouterr().out


# Templates that are not there.


def test_missing_template(project: Project):
    project.write("t/figures.sql", "SELECT 1")
    report = project.register("t/figurs.sql")

    assert project.messages() == [
        checks.Error(
            "there is no template 't/figurs.sql'. Did you mean 't/figures.sql'?",
            hint=MISSING,
            obj=report,
            id="reports.E001",
        )
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "{% include 't/figurs.sql' %}",
        "{% import 't/figurs.sql' as f %}",
        "{% from 't/figurs.sql' import f %}",
        "{% extends 't/figurs.sql' %}",
        "{% if false %}{% include ['t/figurs.sql'] %}{% endif %}",
    ],
)
def test_missing_template_that_is_named_in_one(project: Project, statement: str):
    project.write("t/figures.sql", "SELECT 1")
    report = project.report(f"SELECT 1\n{statement}")

    (message,) = project.messages()

    assert project.short(message.msg) == ("a.sql:4: there is no template 't/figurs.sql'. Did you mean 't/figures.sql'?")
    assert (message.id, message.hint, message.obj) == ("reports.E001", MISSING, report)


@pytest.mark.parametrize(
    "statement",
    [
        "{% include 't/no.sql' ignore missing %}",
        "{% include ['t/no.sql', 't/part.sql'] %}",
        "{% include 't/' ~ 'part.sql' %}",
    ],
)
def test_template_that_need_not_be_there(project: Project, statement: str):
    project.write("t/part.sql", "1")
    project.report(f"SELECT {statement}")

    assert project.found() == []


# Faulty templates.


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("-- doc: d\n-- timeout: 5\nSELECT 1", 2, "'5' is not a timeout; write for example 500ms, 5s or 2min, at most"),
        ("-- doc: d\n-- colum: a text\nSELECT 1", 2, "unknown header key 'colum' (allowed: "),
        ("-- doc: d\n-- param: p number\nSELECT 1", 2, "parameter 'p' has the unknown type 'number' (allowed: "),
        ("-- doc: d\n-- column: p number\nSELECT 1", 2, "column 'p' has the unknown type 'number' (allowed: "),
        ("-- doc: d\n-- column: p bigint fk=a.B\nSELECT 1", 2, "column 'p': there is no model 'a.B'"),
        ("-- doc: d\n-- param: p date default=x\nSELECT 1", 2, "parameter 'p': the default 'x' is refused: Enter a"),
        ("-- doc: d\nSELECT\n{% if %}", 3, "Expected an expression, got 'end of statement block'"),
        ("SELECT\n{{ a | tojson }}", 2, "No filter named 'tojson'"),
        ("SELECT\n{% block a %}{% endblock %}{% block a %}{% endblock %}", 2, "block 'a' defined twice"),
    ],
)
def test_faulty_template(project: Project, text: str, line: int, problem: str):
    path = project.write("t/a.sql", text)
    report = project.register("t/a.sql", ordering=["pk"], get_context=lambda self: {"a": 1})

    (message,) = project.messages()

    assert message.msg.startswith(f"{path}:{line}: {problem}")
    assert (message.level, message.id, message.obj, message.hint) == (checks.ERROR, "reports.E002", report, None)


def test_faults_of_template_parameters_and_columns_at_once(project: Project):
    project.write("t/a.sql", "-- param: p number\n-- column: c numbr\nSELECT {% if %}")
    project.register("t/a.sql")

    assert [line.partition(" (allowed")[0] for line in project.found()] == [
        "E002 a.sql:3: Expected an expression, got 'end of statement block'.",
        "E002 a.sql:1: parameter 'p' has the unknown type 'number'",
        "E002 a.sql:2: column 'c' has the unknown type 'numbr'",
    ]


def test_faulty_included_template(project: Project):
    path = project.write("t/part.sql", "1\n{% if %}")
    report = project.report("SELECT {% include 't/part.sql' %}\n{% include ['t/part.sql', 't/no.sql'] %}")

    (message,) = project.messages()

    assert message.msg == f"{path}:2: Expected an expression, got 'end of statement block'."
    assert (message.id, message.obj) == ("reports.E002", report)


def test_parameters_declared_twice(project: Project):
    path = project.write("t/a.sql", "-- param: least integer\nSELECT 1")
    project.register("t/a.sql", Params=type("Params", (forms.Form,), {}))

    (message,) = project.messages()

    assert message.msg == f"{path}: parameters are declared twice, here and in Checked.Params; keep one of them."


def test_unknown_filters_and_tests(project: Project):
    """Jinja finds those in a branch when it is taken, and of the others the first."""
    report = project.report(
        "-- param: n text\nSELECT {{ n | tojson }}\n{% if false %} {{ n | uper }} {% endif %}\n"
        "{% if n is gven %} 1 {% endif %} {{ n | zz }}"
    )

    messages = project.messages()

    filters = f"(allowed: {listed(ALLOWED_FILTERS)})"
    assert [re.sub(r"\(allowed: [^)]*given[^)]*\)", "(tests)", project.short(message.msg)) for message in messages] == [
        f"a.sql:4: No filter named 'tojson' {filters}. Did you mean 'join'?",
        f"a.sql:5: No filter named 'uper' {filters}. Did you mean 'upper'?",
        f"a.sql:6: No filter named 'zz' {filters}.",
        "a.sql:6: No test named 'gven' (tests). Did you mean 'given'?",
    ]
    assert {(message.id, message.obj) for message in messages} == {("reports.E002", report)}


def test_unknown_models_and_fields(project: Project):
    report = project.report(
        "SELECT {{ column('tests.Store.nme') }}\nFROM {% if false %} {{ table('tests.Shop') }} {% endif %}\n"
        "{{ table('tests.Store') }} WHERE {{ column('tests.Store.region_id') }} = {{ column('tests.Store.name') }}"
    )

    field, model = project.messages()

    assert project.short(field.msg) == (
        "a.sql:3: tests.Store has no column for a field 'nme' (it has: id, name, region). Did you mean 'name'?"
    )
    assert project.short(model.msg) == (
        "a.sql:4: there is no model 'tests.Shop'; write app_label.Model. Did you mean 'tests.Store'?"
    )
    assert (field.id, model.id, field.obj, model.obj) == ("reports.E005", "reports.E005", report, report)
    assert field.hint == "Templates name models as app_label.Model and fields as app_label.Model.field."


@pytest.mark.parametrize(
    "text",
    [
        "{% macro table(name) %}{{ name }}{% endmacro %}{{ table('no.Model') }}",
        "{% set name = 'tests.Store' %}{{ table(name) }}",
        "{{ table('tests.' ~ 'Store') }}",
    ],
)
def test_models_that_are_not_written(project: Project, text: str):
    project.report(f"SELECT {text}")

    assert project.found() == []


# Templates without a report.


def test_template_of_an_app_without_a_report(one_app: Write):
    first = one_app("a.sql", "-- timeout: 5\nSELECT 1")
    second = one_app("b.sql", "SELECT\n\n{{ }")
    third = one_app("c.sql", "SELECT {{ n }}\n{% if n %}{{ table('no.Model') }} {{ n | uper }}{% endif %}")

    messages = check_reports([apps.get_app_config("tests")])

    assert [(message.msg.partition(": ")[0], message.id, message.obj) for message in messages] == [
        (f"{first}:1", "reports.E002", None),
        (f"{second}:3", "reports.E002", None),
        (f"{third}:2", "reports.E002", None),
        (f"{third}:2", "reports.E005", None),
    ]


def test_checks_of_other_apps_leave_an_app_alone(one_app: Write):
    one_app("a.sql", "-- timeout: 5\nSELECT 1")
    register(type("Elsewhere", (Report,), {"__module__": "tests.elsewhere", "template": "tests/none.sql"}))

    assert check_reports([apps.get_app_config("auth")]) == []
    assert [message.id for message in check_reports([apps.get_app_config("tests")])] == ["reports.E001", "reports.E002"]


def test_fault_is_told_once(one_app: Write, project: Project):
    one_app("a.sql", "-- timeout: 5\nSELECT 1")
    report = project.register("tests/a.sql")
    project.register("tests/a.sql", name="second")

    assert [(message.id, message.obj) for message in check_reports()] == [("reports.E002", report)]


def test_faults_stand_in_the_same_order_always(project: Project):
    project.report("-- param: b integer\n-- param: a integer\nSELECT {{ z }}\n{% if b %}{{ y }}{% endif %} {{ x }}")
    project.write("t/b.sql", "SELECT {{ w }}")
    project.register("t/b.sql", name="before")

    found = project.found()

    assert [line.split(" is ")[0].split(" leaves ")[0] for line in found] == [
        "E004 b.sql:1: 'w'",
        "W001 b.sql: the rows have no fixed order, so that pages may repeat or lose rows.",
        "E004 a.sql:5: 'z'",
        "E004 a.sql:6: 'x'",
        "E004 a.sql:6: 'y'",
        "W002 a.sql:4: the parameter 'a'",
        "E003 a.sql:6: {% if b %}",
    ]
    assert found == project.found()


# Code of the project.


def fail(*args: Any, **kwargs: Any) -> Any:
    raise ValueError("with a value in it")


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"get_template": classmethod(fail)}, "get_template()"),
        ({"get_form_class": classmethod(fail)}, "get_form_class()"),
        ({"get_row_model": classmethod(fail)}, "get_row_model()"),
    ],
)
def test_code_of_the_project_that_fails(project: Project, attributes: dict[str, Any], what: str):
    project.report("SELECT {{ n }}", file="t/b.sql", name="zz")
    project.report("SELECT 1", **attributes)

    first, second = project.messages()

    line = fail.__code__.co_firstlineno + 1
    assert first.msg == f"Checked: {what} raised ValueError at {__file__}:{line}."
    assert (first.id, second.id) == ("reports.E002", "reports.E004")


def test_code_of_the_project_that_fails_in_one_check(project: Project):
    project.write("t/a.sql", "-- param: page text\nSELECT {{ n }} {{ page }}")
    project.register("t/a.sql", get_ordering=classmethod(fail))

    assert [message.id for message in project.messages()] == ["reports.E004", "reports.E002", "reports.W003"]
    assert project.messages()[1].msg.startswith("Checked: check_ordering raised ValueError at ")


def test_no_code_of_the_project_is_run(project: Project):
    methods: dict[str, Any] = dict.fromkeys(("__init__", "get_context", "get_form_kwargs"), fail)
    form_class = type("Params", (forms.Form,), {"n": forms.IntegerField(), "clean": fail, "clean_n": fail})
    project.report('-- example: {"n": 1}\nSELECT {{ n }}', Params=form_class, example_user=classmethod(fail), **methods)

    assert project.found() == []
