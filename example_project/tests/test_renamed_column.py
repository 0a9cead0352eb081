"""A migration renames a column; ``manage.py check --database default`` says which template line has the old name."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from example_project import helpdesk
from example_project.helpdesk.models import Ticket
from example_project.helpdesk.reports import DepartmentTickets
from reports.checks import check_database

TEMPLATE = Path(helpdesk.__file__).parent / "sql" / "helpdesk" / "department_tickets.sql"
PROBLEM = (
    "report 'helpdesk.department_tickets': there is no column 'resolution_hours'."
    " Did you mean 'hours_to_resolve' of helpdesk_ticket?"
)
HINT = (
    "helpdesk_ticket has the columns assignee_id, closed_at, department_id, hours_to_resolve, id, opened_at, priority,"
    " status."
)
OURS = ("helpdesk", "flights", "shop")


@pytest.fixture
def renamed(db, monkeypatch):
    """What ``RenameField("ticket", "resolution_hours", "hours_to_resolve")`` does to the table and the model."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE helpdesk_ticket RENAME COLUMN resolution_hours TO hours_to_resolve")
    monkeypatch.setattr(Ticket._meta.get_field("resolution_hours"), "column", "hours_to_resolve")


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(TEMPLATE.read_text().splitlines(), 1) if text in line)


def test_every_report_passes(db):
    configs = [apps.get_app_config(label) for label in OURS if apps.is_installed(f"example_project.{label}")]

    assert check_database(configs, ["default"]) == []


def test_renamed_column(renamed):
    found = [m for m in check_database([apps.get_app_config("helpdesk")], ["default"]) if m.obj is DepartmentTickets]

    assert found == [
        checks.Error(
            f"{TEMPLATE}:{line_of('avg(resolution_hours)')}: {PROBLEM}",
            hint=HINT,
            obj=DepartmentTickets,
            id="reports.E021",
        )
    ]


def test_renamed_column_as_the_command_tells_it(renamed):
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", "helpdesk", databases=["default"])

    place = f"{TEMPLATE}:{line_of('avg(resolution_hours)')}"
    assert f"(reports.E021) {place}: {PROBLEM}\n\tHINT: {HINT}\n" in str(caught.value)


def test_a_check_without_a_database_cannot_know(renamed):
    call_command("check", "helpdesk")


def test_column_renamed_without_its_model(db):
    """The old name is in the sub-select that the model writes."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE helpdesk_ticket RENAME COLUMN resolution_hours TO hours_to_resolve")

    found = check_database([apps.get_app_config("helpdesk")], ["default"])

    assert [message.msg for message in found if message.obj is DepartmentTickets] == [
        f"{TEMPLATE}:{line_of('FROM {{ tickets }}')}: report 'helpdesk.department_tickets': there is no column"
        " 'helpdesk_ticket.resolution_hours'. It comes from {{ … }}."
        " Did you mean 'hours_to_resolve' of helpdesk_ticket?"
    ]


def test_declared_column_of_another_type(db):
    """The column stays, and is no number any more."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE helpdesk_department ALTER COLUMN name TYPE integer USING length(name)")

    found = [m for m in check_database([apps.get_app_config("helpdesk")], ["default"]) if m.obj is DepartmentTickets]

    assert [(message.id, message.msg, message.hint) for message in found] == [
        (
            "reports.E024",
            f"{TEMPLATE}:{line_of('column: name')}: column 'name' is declared as text, and PostgreSQL gives integer.",
            "Write the line: -- column: name integer",
        )
    ]
