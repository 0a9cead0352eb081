"""The one line in a project's own tests, in a project of its own, as its users run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from reports.testing import ExampleCase
from tests.reports import Figures, Sets

CHECKOUT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.once

SETTINGS = """\
import dj_database_url
DATABASES = {"default": {**dj_database_url.config(), "NAME": NAME, "TEST": {"NAME": NAME}}}
INSTALLED_APPS = ["django.contrib.contenttypes", "reports", "shop"]
USE_TZ = True
"""
REPORTS = """\
from reports import Report

class Sales(Report):
    template = "shop/sales.sql"

    @classmethod
    def example_user(cls):
        return "an example's user"

    def get_context(self):
        assert self.user == "an example's user"
        return {}
"""
TEMPLATES = {
    "sales": "-- column: n integer pk\n-- example: {}\n-- example: {\"least\": 2}\n-- param: least integer\n"
    "SELECT n FROM generate_series(1, 3) AS n {% if least is given %} WHERE n >= {{ least }} {% endif %}",
    "plain": "-- name: plain\nSELECT 1 AS one",
    "nulls": "-- name: nulls\n-- column: n integer\n-- example: {}\nSELECT NULL::integer AS n",
    "needy": "-- name: needy\n-- param: day date required\nSELECT {{ day }}::date AS day",
    "gone": "-- name: gone\n-- example: {}\n-- column: n integer\nSELECT m AS n FROM generate_series(1, 3) AS n",
    "misnamed": "-- name: misnamed\n-- example: {\"leest\": 1}\n-- param: least integer\nSELECT 1 AS one",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, db: None) -> Path:
    """A project with one app, on the database of this run."""
    folder = tmp_path / "shop" / "sql" / "shop"
    folder.mkdir(parents=True)
    for name, text in TEMPLATES.items():
        (folder / f"{name}.sql").write_text(text)
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "reports.py").write_text(REPORTS)
    (tmp_path / "project_settings.py").write_text(f"NAME = {connection.settings_dict['NAME']!r}\n{SETTINGS}")
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = project_settings\npythonpath = .\n")
    (tmp_path / "test_reports.py").write_text("from reports.testing.plugin import test_every_report\n")
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "COV_"))
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--reuse-db",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-rA",
            *arguments,
        ],
        cwd=project,
        env=environment | {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_report_of_a_project(project: Path) -> None:
    code, output = run(project, "-W", "error")

    outcomes = {name: word for word, name in re.findall(r"^(PASSED|FAILED) .*?\[(.*?)\]", output, re.MULTILINE)}
    assert outcomes == {
        "shop.gone-example on line 2": "FAILED",
        "shop.misnamed-example on line 2": "FAILED",
        "shop.needy-no example": "FAILED",
        "shop.nulls-example on line 3": "FAILED",
        "shop.plain-no example": "PASSED",
        "shop.sales-example on line 2": "PASSED",
        "shop.sales-example on line 3": "PASSED",
    }, output
    assert code == 1
    assert "reports.errors.QueryError: report 'shop.gone': PostgreSQL's error 42703 (UndefinedColumn) at " in output
    assert "reports.errors.ParamsError: report 'shop.misnamed': leest: No such parameter" in output
    assert "NULL in columns that are not declared null: n." in output
    assert "needy.sql has no example, and these parameters are required: day." in output


def test_a_conftest_may_configure_django(project: Path) -> None:
    """And import the test too early, when no app is loaded."""
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (project / "conftest.py").write_text(
        "import project_settings\nfrom django.conf import settings\nfrom reports.testing import plugin\n"
        "def pytest_configure():\n"
        "    names = [name for name in dir(project_settings) if name.isupper()]\n"
        "    settings.configure(**{name: getattr(project_settings, name) for name in names})\n"
    )

    _, output = run(project, "-k", "sales")

    assert "2 passed" in output


def test_a_project_without_reports_is_told(project: Path) -> None:
    settings = (project / "project_settings.py").read_text()
    (project / "project_settings.py").write_text(settings.replace(', "shop"', ""))

    code, output = run(project)

    assert code != 0
    assert "test_every_report: no report is registered. Is 'reports' in INSTALLED_APPS?" in output


def test_every_report_of_the_tests_is_a_case() -> None:
    from reports.testing.plugin import test_every_report as imported

    marks: dict[str, Any] = {mark.name: mark for mark in imported.pytestmark}  # type: ignore[attr-defined]
    cases = marks["parametrize"].args[1]

    assert len(cases) == len(list(cases)) > 10
    assert all(case in cases for case in cases)
    assert marks["django_db"].kwargs == {"databases": "__all__"}


def test_the_test_checks_its_case(db: None) -> None:
    from reports.testing.plugin import test_every_report as imported

    imported(ExampleCase(Figures, {"least": 1}, 11))
    with pytest.raises(AssertionError, match=r"sets\.sql has no example"):
        imported(ExampleCase(Sets, {}))


def test_no_case_is_no_skipped_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without parameters would be one."""
    from reports.testing.plugin import test_every_report as imported

    monkeypatch.setattr("reports.testing.plugin.every_example", lambda: iter(()))
    cases = next(mark.args[1] for mark in imported.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]

    with pytest.raises(pytest.UsageError, match="no report is registered"):
        list(cases)
