"""System checks: what is wrong with a report is told before it runs, without a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.core import checks
from django.core.management import call_command

from reports import Report, loader, register, registry
from reports.checks import check_reports

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def reports_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test registers; begin with none."""
    monkeypatch.setattr(registry, "_reports", {})


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Write:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def one_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Write:
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


def report_of(template_name: str, **attributes: Any) -> type[Report]:
    return register(type("Checked", (Report,), {"__module__": "tests", "template": template_name, **attributes}))


def test_checks_of_this_project_find_nothing():
    assert [message for message in check_reports() if "tests/sql/tests" not in message.msg] == []


def test_checks_are_registered():
    registered_checks: set[object] = set(checks.registry.registry.registered_checks)

    assert check_reports in registered_checks
    call_command("check")


def test_missing_template(write: Write):
    write("shop/figures.sql", "SELECT 1")
    report = report_of("shop/figurs.sql")

    assert check_reports() == [
        checks.Error(
            "there is no template 'shop/figurs.sql'. Did you mean 'shop/figures.sql'?",
            hint="Templates stand in <app>/sql/<app_label>/ and are named from there: app_label/name.sql.",
            obj=report,
            id="reports.E001",
        )
    ]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("-- doc: d\n-- timeout: 5\nSELECT 1", 2, "'5' is not a timeout; write for example 500ms, 5s or 2min, at most"),
        ("-- doc: d\n-- colum: a text\nSELECT 1", 2, "unknown header key 'colum' (allowed: "),
        ("-- doc: d\n-- param: p number\nSELECT 1", 2, "parameter 'p' has the unknown type 'number' (allowed: "),
        ("-- doc: d\n-- column: p number\nSELECT 1", 2, "column 'p' has the unknown type 'number' (allowed: "),
        ("-- doc: d\n-- column: p bigint fk=a.B\nSELECT 1", 2, "column 'p': there is no model 'a.B'."),
        ("-- doc: d\n-- param: p date default=x\nSELECT 1", 2, "parameter 'p': the default 'x' is refused: Enter a"),
        ("-- doc: d\nSELECT\n{% if %}", 3, "Expected an expression, got 'end of statement block'"),
        ("SELECT\n{{ a | tojson }}", 2, "No filter named 'tojson'"),
    ],
)
def test_faulty_template(write: Write, text: str, line: int, problem: str):
    path = write("shop/figures.sql", text)
    report = report_of("shop/figures.sql")

    (message,) = check_reports()

    assert message.msg.startswith(f"{path}:{line}: {problem}")
    assert (message.level, message.id, message.obj, message.hint) == (checks.ERROR, "reports.E002", report, None)


def test_parameters_declared_twice(write: Write):
    path = write("shop/figures.sql", "-- param: least integer\nSELECT 1")
    report_of("shop/figures.sql", Params=type("Params", (forms.Form,), {}))

    (message,) = check_reports()

    assert message.msg == f"{path}: parameters are declared twice, here and in Checked.Params; keep one of them."


def test_template_of_an_app_without_a_report(one_app: Write):
    first = one_app("a.sql", "-- timeout: 5\nSELECT 1")
    second = one_app("b.sql", "SELECT\n\n{{ }")
    one_app("c.sql", "SELECT 1")

    messages = check_reports([apps.get_app_config("tests")])

    assert [(message.msg.partition(": ")[0], message.id) for message in messages] == [
        (f"{first}:1", "reports.E002"),
        (f"{second}:3", "reports.E002"),
    ]


def test_checks_of_other_apps_leave_an_app_alone(one_app: Write):
    one_app("a.sql", "-- timeout: 5\nSELECT 1")

    assert check_reports([apps.get_app_config("auth")]) == []


def test_fault_is_told_once(one_app: Write):
    one_app("a.sql", "-- timeout: 5\nSELECT 1")
    report = report_of("tests/a.sql")

    assert [(message.id, message.obj) for message in check_reports()] == [("reports.E002", report)]


def test_truth_test_of_a_number_is_an_error(write: Write):
    """0 would drop the clause in silence; a text has no such value, and 'is given' is meant."""
    path = write(
        "t/e.sql",
        "-- param: n integer\n-- param: b boolean\n-- param: word text\n"
        "SELECT 1 {% if word %} + 1 {% endif %}\n{% if n is given and word or not b %} + 2 {% endif %}\n"
        "+ {{ 3 if n else 4 }}\n",
    )
    report = report_of("t/e.sql")

    found = check_reports()

    assert {(message.id, message.msg, message.obj) for message in found} == {
        ("reports.E003", f"{path}:5: {{% if b %}} leaves out 0 and false.", report),
        ("reports.E003", f"{path}:6: {{% if n %}} leaves out 0 and false.", report),
    }
    assert found[0].hint == "Write {% if b is given %}, which is false for None and empty only."
