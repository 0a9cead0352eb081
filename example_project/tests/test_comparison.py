"""The demo's table: what counts as the same, and that the command prints it."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from example_project import comparison
from example_project.comparison import Question, compare, first_difference


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [
        ([], [], None),
        ([(1, Decimal("0.1"))], [(1, 0.1)], None),
        ([(1, 0.1)], [(1, 0.1001)], ((1, 0.1), (1, 0.1001))),
        ([(1, None)], [(1, 0)], ((1, None), (1, 0))),
        ([(1,), (2,)], [(1,)], ((2,), None)),
        ([], [(1,)], (None, (1,))),
        ([(1, "a")], [(1, "a", "b")], ((1, "a"), (1, "a", "b"))),
    ],
)
def test_first_difference(left, right, difference):
    assert first_difference(left, right) == difference


def statement(sql: str):
    def ask():
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    return ask


def test_compare_counts_the_scans_of_what_ran(db):
    once = "SELECT count(*) FROM helpdesk_ticket"
    twice = f"SELECT ({once}) + ({once})"

    found = compare(Question("both", "helpdesk_ticket", statement(twice), statement(once)))

    assert (found.orm.scans, found.report.scans, found.difference) == (2, 1, None)


def test_what_is_too_slow_is_stopped_and_said(transactional_db, monkeypatch):
    monkeypatch.setattr(comparison, "LIMIT", 1)
    slow = Question("slow", "helpdesk_ticket", statement("SELECT 1, pg_sleep(9)"), statement("SELECT 1, ''"))

    found = compare(slow)

    assert found.orm.rows is None
    (line,) = comparison.table([found]).splitlines()[2:]
    assert line.startswith("1  slow ")
    assert "> 1,000" in line
    assert line.endswith("? -> 0  stopped")
    assert statement("SHOW statement_timeout")() == [("0",)]


def test_demo_prints_the_table(transactional_db, monkeypatch):
    monkeypatch.setattr("example_project.flights.loading.find_spec", lambda name: None)
    output = io.StringIO()

    call_command("demo", "--tickets=60000", "--no-serve", stdout=output)

    lines = [line for line in output.getvalue().splitlines() if line[:1].isdigit() and " -> " in line]
    assert [line.split()[-1] for line in lines] == ["yes", "yes", "no", "yes", "yes", "no", "yes", "yes"]
    assert {len(line.rpartition("  ")[0]) for line in lines} == {89}  # the columns stand one below the other
    assert "The first rows that differ: ORM (1, " in output.getvalue()
    assert "helpdesk: 60,000 tickets are loaded already." not in output.getvalue()
    assert "60,000 tickets, 8,571 invoices, 500 departments, 12,000 orders;" in output.getvalue()


def test_demo_again_is_quick(transactional_db, monkeypatch):
    monkeypatch.setattr("example_project.flights.loading.find_spec", lambda name: None)
    call_command("demo", "--tickets=700", "--no-serve", stdout=io.StringIO())
    output = io.StringIO()

    call_command("demo", "--tickets=700", "--no-serve", stdout=output)

    assert "helpdesk: 700 tickets are loaded already." in output.getvalue()
    assert "shop: 140 orders are loaded already." in output.getvalue()


def test_demo_refuses_a_size_below_one():
    with pytest.raises(CommandError, match=r"^--tickets is 0; it must be at least 1\.$"):
        call_command("demo", "--tickets=0", "--no-serve")
