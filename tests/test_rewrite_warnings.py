"""What the log says of a statement that repeats subqueries, while a project is developed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection
from django.db.backends.signals import connection_created
from django.db.models import Count, Max

from example_project.helpdesk.models import Department
from reports.rewrite.advice import warnings
from reports.rewrite.rewriting import Rewriting
from reports.rewrite.statements import rewrite
from tests.lines import line_of
from tests.models import Store
from tests.subqueries import of_tickets

SECRET = "it's a secret"


def repeating() -> Any:
    return Department.objects.annotate(open=of_tickets(Count("*"), status=SECRET), last=of_tickets(Max("priority")))


@pytest.fixture
def log(settings: Any, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    settings.DEBUG = True
    caplog.set_level(logging.DEBUG, logger="reports.repeated")
    warnings.told.forget()
    with connection.execute_wrapper(warnings.warn):
        yield caplog


@pytest.mark.django_db
def test_warning_says_tables_count_line_and_advice_without_values(log: pytest.LogCaptureFixture):
    list(repeating())  # here

    ((name, level, text),) = log.record_tuples
    line = line_of(__file__, "here")
    assert (name, level) == ("reports.repeated", logging.WARNING)
    for part in (
        "helpdesk_ticket",
        "2",
        f"tests/test_rewrite_warnings.py:{line} in test_warning_says",
        "Q(tickets__status=...)",
    ):
        assert part in text
    assert "secret" not in text


@pytest.mark.django_db
def test_warning_comes_once_for_a_shape_and_a_place(log: pytest.LogCaptureFixture):
    for number in (1, 2, 3):
        list(repeating().filter(pk__in=range(number, 9)))
    assert len(log.records) == 1

    list(repeating().filter(pk__in=range(4)))
    assert len(log.records) == 2

    list(repeating().order_by("name"))
    assert len(log.records) == 3


@pytest.mark.django_db
def test_warning_of_multiplied_aggregates(log: pytest.LogCaptureFixture):
    list(Store.objects.annotate(tagged=Count("tags"), figured=Count("figures")))

    assert "class StoreMetrics(GroupedMetrics):" in log.text


@pytest.mark.django_db
def test_no_warning_without_findings(log: pytest.LogCaptureFixture):
    list(Department.objects.annotate(open=of_tickets(Count("*"))))
    list(Department.objects.annotate(open=Count("tickets")))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 WHERE 'a' LIKE '%%' AND (SELECT 1) = (SELECT %(one)s)", {"one": 1})
        cursor.executemany("SELECT %s", [[1], [2]])

    assert log.record_tuples == []


@pytest.mark.django_db
def test_no_warning_without_debug(log: pytest.LogCaptureFixture, settings: Any):
    settings.DEBUG = False

    list(repeating())

    assert log.record_tuples == []


@pytest.mark.django_db
def test_fault_of_the_finder_reaches_nobody(log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def broken(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(warnings, "_tell", broken)

    assert list(repeating()) == []
    assert [(record.levelname, record.message) for record in log.records] == [
        ("DEBUG", "a statement could not be looked through")
    ]


@pytest.mark.django_db
def test_error_of_the_statement_is_the_callers(log: pytest.LogCaptureFixture):
    with connection.cursor() as cursor, pytest.raises(ProgrammingError):
        cursor.execute("SELECT (SELECT nothing), (SELECT nothing)")

    assert log.record_tuples == []


def test_statement_is_read_once_for_a_shape(monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []

    def counting(text: str, **named: Any) -> Rewriting:
        calls.append(text)
        return rewrite(text, **named)

    monkeypatch.setattr(warnings, "rewrite", counting)
    warnings._read.cache_clear()
    sql, params = repeating().query.sql_with_params()

    found = [warnings.findings_in(sql, params) for _ in range(3)]
    other = warnings.findings_in(sql, ("another",))

    assert [len(findings) for findings in found] == [1, 1, 1]
    assert other is found[0]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        (None, None),
        ("SELECT 1", None),
        ("SELECT (SELECT 1), (SELECT %s)", {"one": 1}),
        ("SELECT (SELECT 1), (SELECT %s)", (1, 2)),
        ("SELECT (SELECT 1), (SELECT", ()),
        ("/* report=tests.figures */ SELECT (SELECT 1), (SELECT 1)", ()),
        ("SELECT (SELECT 1), (SELECT 1)" + " " * 50_000, ()),
    ],
)
def test_no_findings(sql: Any, params: Any):
    assert warnings.findings_in(sql, params) == ()


def test_shape_has_lists_of_one_length():
    assert warnings.shape("a IN (%s, %s, %s) AND b = %s AND c IN (%s)") == "a IN (%s) AND b = %s AND c IN (%s)"


def test_what_was_told_is_forgotten_at_last(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warnings, "_MOST", 2)
    told = warnings._Told()

    assert [told.is_first(sql, None) for sql in ("a", "b", "a", "c", "b", "a")] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


# Installed.


@pytest.fixture
def receivers() -> Iterator[None]:
    before = list(connection.execute_wrappers)
    yield
    connection_created.disconnect(dispatch_uid="reports.repeated")
    connection.execute_wrappers[:] = before


@pytest.mark.usefixtures("db", "receivers")
@pytest.mark.parametrize(
    ("debug", "wanted", "is_there"),
    [(True, None, True), (False, None, False), (True, False, False), (True, "x", False)],
)
def test_installed_under_debug(settings: Any, debug: bool, wanted: Any, is_there: bool):
    settings.DEBUG = debug
    settings.REPORTS = {} if wanted is None else {"WARN_REPEATED": wanted}

    for _ in range(2):
        apps.get_app_config("sql_reports").ready()

    assert connection.execute_wrappers.count(warnings.warn) == int(is_there)
    assert (connection.execute_wrappers[0] is warnings.warn) == is_there


@pytest.mark.usefixtures("db", "receivers")
def test_not_installed_without_sqlglot(settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.DEBUG = True
    monkeypatch.setattr("reports.apps.find_spec", lambda name: None)

    apps.get_app_config("sql_reports").ready()

    assert warnings.warn not in connection.execute_wrappers


def test_other_engines_are_left_alone():
    class Connection:
        vendor = "sqlite"
        execute_wrappers: list[Any] = []

    warnings.install(Connection())  # type: ignore[arg-type]  # what it asks of a connection

    assert Connection.execute_wrappers == []


def test_production_does_not_import_the_parser():
    code = (
        "import sys, django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['django.contrib.contenttypes', 'reports']); django.setup();"
        "print([name for name in sys.modules if name.startswith(('sqlglot', 'reports.rewrite'))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
