"""The Django app: its label leaves ``reports`` to the project, and what it does at the start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.db import connection
from django.db.backends.signals import connection_created

from reports import get_report, guard, registry
from reports.apps import ReportsConfig
from reports.checks import check_reports
from tests.reports import Figures

MODELS = "from django.db import models\n\n\nclass Sale(models.Model):\n    name = models.TextField()\n"
SALES = "-- column: one integer pk\n-- ordering: one\nSELECT 1 AS one FROM {{ table('reports.Sale') }}\n"
REPORTS = "from reports import Report\n\n\nclass Sales(Report):\n    template = 'reports/sales.sql'\n"


@pytest.fixture
def project_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """Install a project's own app with the label ``reports``, before this package."""
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))
    folder = tmp_path / "project" / "reports"
    (folder / "sql" / "reports").mkdir(parents=True)
    (tmp_path / "project" / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(MODELS)
    (folder / "reports.py").write_text(REPORTS)
    (folder / "sql" / "reports" / "sales.sql").write_text(SALES)
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = ["project.reports", *settings.INSTALLED_APPS]
    yield
    del apps.all_models["reports"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "project"]:
        del sys.modules[name]


@pytest.mark.usefixtures("project_app")
def test_project_may_have_an_app_labelled_reports():
    assert apps.get_app_config("reports").name == "project.reports"
    assert apps.get_app_config("sql_reports").name == "reports"
    assert get_report("reports.sales")().query().sql.strip() == 'SELECT 1 AS one FROM "reports_sale"'
    assert [message for message in check_reports() if "project" in message.msg] == []


def test_label_and_name():
    config = apps.get_app_config("sql_reports")

    assert (type(config), config.name, config.verbose_name) == (ReportsConfig, "reports", "SQL reports")
    assert list(config.get_models()) == []


@pytest.mark.django_db
def test_no_migrations_are_wanted(capsys: pytest.CaptureFixture[str]):
    call_command("makemigrations", "sql_reports", dry_run=True, verbosity=1)

    assert capsys.readouterr().out == "No changes detected in app 'sql_reports'\n"


def test_ready_a_second_time_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))
    before = dict(registry.registered())
    receivers = len(connection_created.receivers)
    installed = len(checks.registry.registry.registered_checks)

    apps.get_app_config("sql_reports").ready()

    assert [(name, report.template) for name, report in registry.registered().items()] == [
        (name, report.template) for name, report in before.items()
    ]
    assert len(connection_created.receivers) == receivers
    assert len(checks.registry.registry.registered_checks) == installed
    assert connection.execute_wrappers.count(guard.guard) <= 1


def test_models_are_found_by_name():
    config = apps.get_app_config("sql_reports")

    assert config.get_model("tests__figures") is Figures.get_row_model()
    with pytest.raises(LookupError, match="'sql_reports' doesn't have a 'Nothing' model"):
        config.get_model("Nothing")
