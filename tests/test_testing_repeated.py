"""The assertion that no statement repeats subqueries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Max, OuterRef, Subquery
from django.test.utils import CaptureQueriesContext

from example_project.helpdesk.models import Department, Ticket
from reports.testing import assert_no_repeated_subqueries
from tests.models import Store
from tests.reports import Figures


def tickets(aggregate: Any, **named: Any) -> Subquery:
    rows = Ticket.objects.filter(department=OuterRef("pk"), **named).order_by()
    return Subquery(rows.values("department").annotate(value=aggregate).values("value"))


def line_of(comment: str) -> int:
    """Return the number of the line of this file that ends with a comment."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {comment}"))


REPEATING = Department.objects.annotate(open=tickets(Count("*"), status="open"), last=tickets(Max("priority")))
SINGLE = Department.objects.annotate(open=tickets(Count("*"), status="open"))
MULTIPLIED = Store.objects.annotate(tagged=Count("tags"), figured=Count("figures"))


def test_queryset_passes():
    assert_no_repeated_subqueries(SINGLE)
    assert_no_repeated_subqueries(Department.objects.none())
    assert_no_repeated_subqueries(Figures().run())


def test_queryset_fails_with_the_line_to_paste():
    with pytest.raises(AssertionError) as caught:
        assert_no_repeated_subqueries(REPEATING)

    text = str(caught.value)
    assert text.startswith("one finding:\n\n")
    assert "helpdesk_ticket" in text
    assert 'open=Count("tickets", filter=Q(tickets__status="open"))' in text


@pytest.mark.django_db
def test_block_passes():
    with assert_no_repeated_subqueries():
        list(SINGLE)
        list(Store.objects.annotate(tagged=Count("tags")))
        Store.objects.create(name="one")


@pytest.mark.django_db
def test_block_fails_with_each_finding_once_and_its_line():
    with pytest.raises(AssertionError) as caught, assert_no_repeated_subqueries():  # noqa: PT012 - the block raises
        for _ in range(3):
            list(REPEATING.all())  # first
        list(MULTIPLIED.all())  # second

    text = str(caught.value)
    assert text.startswith("2 findings:\n\n")
    for word in ("first", "second"):
        assert f"tests/test_testing_repeated.py:{line_of(word)} in test_block_fails" in text
    assert "StoreMetrics" in text


@pytest.mark.django_db
def test_block_leaves_nothing_behind_and_hides_no_error():
    before = list(connection.execute_wrappers)

    with pytest.raises(ZeroDivisionError), assert_no_repeated_subqueries():  # noqa: PT012 - as above
        list(REPEATING.all())
        raise ZeroDivisionError

    assert connection.execute_wrappers == before


@pytest.mark.django_db
def test_captured_queries():
    with CaptureQueriesContext(connection) as captured:
        list(SINGLE)
        list(Store.objects.filter(name="100%s"))
    assert_no_repeated_subqueries(captured)

    with CaptureQueriesContext(connection) as captured:
        list(REPEATING.all())
    with pytest.raises(AssertionError, match="helpdesk_ticket"):
        assert_no_repeated_subqueries(captured)


def test_without_sqlglot(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("reports.rewrite")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    monkeypatch.delattr("reports.rewrite", raising=False)

    with pytest.raises(ImportError) as caught:
        assert_no_repeated_subqueries(SINGLE)

    assert caught.value.args == (
        "assert_no_repeated_subqueries() reads SQL with sqlglot: pip install 'django-sql-reports[rewrite]'.",
    )
