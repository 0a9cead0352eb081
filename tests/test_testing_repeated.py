"""The assertion that no statement repeats subqueries."""

from __future__ import annotations

import sys

import pytest
from django.db import connection
from django.db.models import Count, Max
from django.test.utils import CaptureQueriesContext

from example_project.helpdesk.models import Department
from reports.testing import assert_no_repeated_subqueries
from tests.lines import line_of
from tests.models import Store
from tests.reports import Figures
from tests.subqueries import of_tickets

REPEATING = Department.objects.annotate(open=of_tickets(Count("*"), status="open"), last=of_tickets(Max("priority")))
SINGLE = Department.objects.annotate(open=of_tickets(Count("*"), status="open"))
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
        assert f"tests/test_testing_repeated.py:{line_of(__file__, word)} in test_block_fails" in text
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


def test_another_module_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "reports.rewrite.finding", None)

    with pytest.raises(ModuleNotFoundError, match=r"reports\.rewrite\.finding"):
        assert_no_repeated_subqueries(SINGLE)
