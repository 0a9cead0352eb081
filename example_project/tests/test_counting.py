"""What counting costs: PostgreSQL leaves out what the number of rows does not depend on."""

from __future__ import annotations

import pytest

from example_project.helpdesk.models import Department, Ticket
from example_project.helpdesk.reports import DepartmentTickets
from reports.testing import assert_scans

NORTH = {"opened_from": "2026-01-01", "priorities": [1, 2]}


@pytest.mark.parametrize("params", [{}, NORTH])
def test_counting_department_tickets_never_reads_tickets(loaded, django_user_model, params):
    """The count drops the LEFT JOIN of the tickets' figures, which has one row per department at most."""
    staff = django_user_model.objects.get(username="staff")
    rows = DepartmentTickets(user=staff).run(params)

    for analyze in (False, True):
        assert_scans(rows.plan(count=True, analyze=analyze), tickets=0, departments=1)
    assert rows.plan(count=True).tables == ("helpdesk_department",)
    assert rows.count() == Department.objects.count() > 0


def test_a_filter_on_a_figure_of_tickets_must_read_them(loaded, django_user_model):
    staff = django_user_model.objects.get(username="staff")
    rows = DepartmentTickets(user=staff).run().filter(open_tickets__gt=0)

    assert_scans(rows.plan(count=True, analyze=True), {Ticket: 1, Department: 1})
    assert rows.count() > 0


def test_a_page_reads_tickets_once(loaded, django_user_model):
    staff = django_user_model.objects.get(username="staff")

    assert_scans(DepartmentTickets(user=staff).run()[:20], tickets=1, departments=1)
