"""What the README shows is run here, on three departments."""

from __future__ import annotations

import doctest
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.core.paginator import Paginator
from django.db import connection, models, transaction
from django.db.models import F, Sum
from django.test import TestCase, override_settings
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

import reports
from example_project.helpdesk.models import Department, Ticket
from reports import Report, conf, errors, exports, prebuilt, rest_framework, rewrite, testing
from reports.header import KEYS
from reports.loader import find_template

CHECKOUT = Path(__file__).parent.parent
TEXT = (CHECKOUT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ python manage\.py (?P<command>.+)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
MONTH = """\
-- param: month date required
SELECT department_id, count(*) AS tickets
FROM {{ table("helpdesk.Ticket") }}
WHERE opened_at >= {{ month }} AND opened_at < {{ month }} + interval '1 month'
GROUP BY department_id
"""


def fences(language: str) -> list[str]:
    return [match["code"] for match in FENCE.finditer(TEXT) if match["language"] == language]


@pytest.fixture
def months() -> Iterator[None]:
    """Take the README's model out of the app registry again."""
    yield
    del apps.all_models["helpdesk"]["departmentmonth"]
    apps.clear_cache()


@pytest.fixture
def departments() -> None:
    names = [("Support", "north"), ("Billing", "south"), ("Legal", "east")]
    made = [
        Department.objects.create(id=i, name=name, region=region, created=datetime(2020, 1, 1, tzinfo=UTC).date())
        for i, (name, region) in enumerate(names, start=1)
    ]
    tickets = [
        (0, "2026-01-05", "open", None),
        (0, "2026-02-05", "open", None),
        (0, "2026-02-06", "closed", "3"),
        (0, "2026-02-07", "closed", "6"),
        (0, "2025-02-07", "open", None),
        (1, "2026-02-07", "open", None),
    ]
    for department, day, status, hours in tickets:
        opened = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
        Ticket.objects.create(
            department=made[department],
            status=status,
            priority=1,
            opened_at=opened,
            closed_at=opened if hours else None,
            resolution_hours=Decimal(hours) if hours else None,
        )


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch, settings: Any) -> ModuleType:
    """Give the module that the README's addresses go to."""
    module = ModuleType("readme_addresses")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_URLCONF = module.__name__
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    return module


@pytest.mark.django_db
def test_readme_examples(
    departments: None, months: None, addresses: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every Python block defines what it says, and every call prints what stands below it."""
    folder = tmp_path / "helpdesk"
    folder.mkdir()
    (folder / "department_month.sql").write_text(MONTH)
    user = User.objects.create(username="staff", is_staff=True)
    client = APIClient()
    client.force_authenticate(user)
    with connection.cursor() as cursor:  # for three departments the planner may well go to the tickets three times
        cursor.execute("SET LOCAL enable_nestloop = off")
    names: dict[str, Any] = {
        "__name__": "example_project.helpdesk.reports",
        "reports": reports,
        "Report": Report,
        "Paginator": Paginator,
        "Department": Department,
        "Ticket": Ticket,
        "F": F,
        "Sum": Sum,
        "forms": forms,
        "models": models,
        "TestCase": TestCase,
        "pytest": pytest,
        "call_command": call_command,
        "request": SimpleNamespace(user=user),
        "client": client,
        "override_settings": override_settings,
        "SchemaGenerator": SchemaGenerator,
    }
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(verbose=False)
    with override_settings(REPORTS={"TEMPLATE_DIRS": [tmp_path]}):
        for match in FENCE.finditer(TEXT):
            if match["language"] == "python" and re.search("^(class|def) ", match["code"], re.MULTILINE):
                code = match["code"].replace("from .models", "from example_project.helpdesk.models")
                exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - our own README
                addresses.urlpatterns = names.get("urlpatterns", [])  # type: ignore[attr-defined]
            elif match["language"] == "pycon":
                line = TEXT[: match.start()].count("\n") + 1
                test = doctest.DocTestParser().get_doctest(match["code"], names, "README", "README.md", line)
                runner.run(test, clear_globs=False)
                names.update(test.globs)

    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries >= 12


@pytest.mark.django_db
def test_readme_commands(departments: None, monkeypatch: pytest.MonkeyPatch):
    """Every command that has output below it prints that."""
    User.objects.create(username="staff", is_staff=True)
    monkeypatch.setenv("COLUMNS", "120")
    shown = [(found["command"], found["output"]) for block in fences("console") for found in COMMAND.finditer(block)]

    assert [(command, printed(command)) for command, output in shown if output] == [
        (command, output) for command, output in shown if output
    ]
    assert len(shown) >= 4


def printed(line: str) -> str:
    """Return what a command of the README prints; a check is of the README's report alone, after the renaming."""
    name, *arguments = shlex.split(line)
    out = StringIO()
    try:
        with renamed_column() if name == "check" else nullcontext():
            call_command(name, *arguments, stdout=out, stderr=out)
    except SystemCheckError as error:
        out.write(f"{error}\n")
    except CommandError as error:
        out.write(f"CommandError: {error}\n")
    text = out.getvalue().replace(f"{CHECKOUT}/example_project/", "").replace("example_project.", "")
    if name != "check":
        return text
    head, *messages = re.split(r"^(?=<class)", text, flags=re.MULTILINE)
    return head + "".join(message for message in messages if "DepartmentTickets" in message).rstrip() + "\n"


@contextmanager
def renamed_column() -> Iterator[None]:
    """Do what ``RenameField("ticket", "resolution_hours", "hours_to_resolve")`` does to the table and the model."""
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE helpdesk_ticket RENAME COLUMN resolution_hours TO hours_to_resolve")
        patch.setattr(Ticket._meta.get_field("resolution_hours"), "column", "hours_to_resolve")
        try:
            yield
        finally:
            transaction.set_rollback(True)


def test_readme_template_is_the_example_projects():
    assert fences("sql")[0].rstrip() == find_template("helpdesk/department_tickets.sql").path.read_text().rstrip()


@pytest.mark.parametrize(
    "name", [*reports.__all__, *exports.__all__, *rest_framework.__all__, *testing.__all__, *conf.NAMES, *KEYS]
)
def test_readme_names(name: str):
    """Every public name, setting and header key is in the README."""
    assert re.search(rf"\b{name}\b", TEXT)


def test_readme_errors():
    names = [
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == "reports.errors"
    ]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_prebuilt_names():
    """Every public name of the prebuilt reports is in the page about them, and every report in the README."""
    page = (CHECKOUT / "docs" / "prebuilt.md").read_text(encoding="utf-8")

    assert [name for name in prebuilt.__all__ if not re.search(rf"\b{name}\b", page)] == []
    assert [name for name in prebuilt.__all__ if issubclass(getattr(prebuilt, name), Report) and name not in TEXT] == []


def test_rewriting_names():
    """Every public name of the rewriting, every strategy and every reason of a refusal is in the page about it."""
    page = (CHECKOUT / "docs" / "rewriting.md").read_text(encoding="utf-8")

    names = {*rewrite.__all__} - {"Consolidated", "Finding", "Kind", "Rewriting", "Strategy", "Tally", "Unreadable"}
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []
    assert [reason for reason in rewrite.Reason if f"| `{reason.name}` | {reason} |" not in page] == []
    assert [strategy for strategy in rewrite.Strategy if f"`{strategy}`" not in page] == []


def test_readme_checks():
    checks = [*CHECKOUT.glob("reports/checks/*.py"), CHECKOUT / "reports" / "rest_framework" / "checks.py"]
    sources = [path.read_text(encoding="utf-8") for path in checks]
    ids = {f"reports.{number}" for number in re.findall(r"\b[EWI]\d{3}\b", "".join(sources))}
    assert ids == set(re.findall(r"`(reports\.[EWI]\d+)`", TEXT))
