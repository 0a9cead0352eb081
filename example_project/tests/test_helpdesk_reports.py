"""Each report against a slow and obvious way of getting the same rows in Python."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import mean

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_project.helpdesk import questions
from example_project.helpdesk.models import Department, Employee, Invoice, Ticket
from example_project.helpdesk.reports import DepartmentTickets, DepartmentTotals, EmployeeLoads, LatestTickets
from reports import ParamsError

START = datetime(2026, 1, 1, tzinfo=UTC)

tickets_drawn = st.lists(
    st.tuples(
        st.integers(0, 2),  # department
        st.sampled_from(["open", "closed", "pending"]),
        st.integers(1, 5),  # priority
        st.integers(-72, 72),  # hours after START
        st.decimals(0, 500, places=2),
        st.one_of(st.none(), st.integers(0, 1)),  # assignee
    ),
    max_size=25,
)
invoices_drawn = st.lists(st.tuples(st.integers(0, 2), st.decimals(0, 999, places=2), st.integers(-3, 3)), max_size=12)
database_examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def drawn(departments, tickets, invoices=()):
    """The drawn rows, until the end of the block."""
    with transaction.atomic():
        for place, status, priority, hours, resolution, assignee in tickets:
            staff = Employee.objects.filter(department=departments[place]).order_by("pk")
            opened, closed = START + timedelta(hours=hours), status == "closed"
            Ticket.objects.create(
                department=departments[place],
                assignee=None if assignee is None else staff[assignee],
                status=status,
                priority=priority,
                opened_at=opened,
                closed_at=opened + timedelta(hours=float(resolution)) if closed else None,
                resolution_hours=resolution if closed else None,
            )
        for place, amount, days in invoices:
            issued = START.date() + timedelta(days=days)
            Invoice.objects.create(department=departments[place], amount=amount, issued=issued)
        yield
        transaction.set_rollback(True)


@database_examples
@given(tickets=tickets_drawn, opened_from=st.none() | st.just(START.date()), priorities=st.sets(st.integers(1, 5)))
def test_department_tickets(departments, staff, tickets, opened_from, priorities):
    params = {"opened_from": opened_from, "priorities": sorted(priorities)}
    with drawn(departments, tickets):
        want = {}
        for department in departments:
            counted = [
                ticket
                for ticket in department.tickets.all()
                if (opened_from is None or ticket.opened_at >= START)
                and (not priorities or ticket.priority in priorities)
            ]
            closed = [ticket.resolution_hours for ticket in counted if ticket.status == "closed"]
            opened = sum(ticket.status == "open" for ticket in counted)
            want[department.pk] = (department.name, opened, len(closed), mean(closed) if closed else None)

        rows = DepartmentTickets(user=staff).run({key: value for key, value in params.items() if value})
        got = {
            row["department_id"]: (row["name"], row["open_tickets"], row["closed_tickets"], row["avg_resolution"])
            for row in rows
        }

    assert rounded(got) == rounded(want)


@database_examples
@given(tickets=tickets_drawn, n=st.integers(1, 4), status=st.none() | st.sampled_from(["open", "closed"]))
def test_latest_tickets(departments, staff, tickets, n, status):
    with drawn(departments, tickets):
        want = [
            (ticket.pk, department.pk, ticket.assignee and ticket.assignee.name)
            for department in departments
            for ticket in sorted(
                (ticket for ticket in department.tickets.all() if status in (None, ticket.status)),
                key=lambda ticket: (ticket.opened_at, ticket.pk),
                reverse=True,
            )[:n]
        ]

        rows = LatestTickets(user=staff).run({"n": n} | ({"status": status} if status else {}))
        got = [(row["ticket_id"], row["department_id"], row["assignee"]) for row in rows]

    assert got == want


@database_examples
@given(tickets=tickets_drawn, invoices=invoices_drawn, since=st.none() | st.just(START.date()))
def test_department_totals(departments, staff, tickets, invoices, since):
    """No row of one branch meets a row of the other."""
    with drawn(departments, tickets, invoices):
        want = {}
        for department in departments:
            of_tickets = [t for t in department.tickets.all() if since is None or t.opened_at >= START]
            of_invoices = [i for i in department.invoices.all() if since is None or i.issued >= since]
            hours = [ticket.resolution_hours for ticket in of_tickets if ticket.resolution_hours is not None]
            amount = sum((invoice.amount for invoice in of_invoices), Decimal(0))
            want[department.pk] = (len(of_tickets), sum(hours) if hours else None, len(of_invoices), amount)

        rows = DepartmentTotals(user=staff).run({"since": since} if since else {})
        got = {
            row["department_id"]: (row["tickets"], row["resolution_hours"], row["invoices"], row["amount"])
            for row in rows
        }

    assert got == want


@database_examples
@given(tickets=tickets_drawn, at_least=st.none() | st.integers(1, 3))
def test_employee_loads(departments, staff, tickets, at_least):
    with drawn(departments, tickets):
        want = []
        for employee in Employee.objects.all():
            opened = [ticket for ticket in employee.tickets.all() if ticket.status == "open"]
            urgent = sum(ticket.priority == 1 for ticket in opened)
            oldest = min((ticket.opened_at for ticket in opened), default=None)
            if len(opened) >= (at_least or 0):
                want.append((employee, employee.department, len(opened), urgent, oldest))
        want.sort(key=lambda row: (-row[2], row[0].pk))

        loads = EmployeeLoads(user=staff).run({"at_least": at_least} if at_least else {})
        got = [
            (load.employee, load.department, load.open_tickets, load.urgent_tickets, load.oldest_open)
            for load in loads.select_related("employee", "department")
        ]

    assert got == want


def rounded(rows):
    """PostgreSQL's average has 16 digits behind the point, Python's mean 28 in all."""
    return {key: (*row[:-1], row[-1] if row[-1] is None else round(row[-1], 9)) for key, row in rows.items()}


def test_departments_with_nothing_are_present(departments, staff):
    assert [dict(row) for row in DepartmentTotals(user=staff).run({})] == [
        {
            "department_id": department.pk,
            "name": department.name,
            "region": department.region,
            "tickets": 0,
            "resolution_hours": None,
            "invoices": 0,
            "amount": Decimal(0),
        }
        for department in departments
    ]


def test_rows_are_those_of_the_orm_on_generated_data(loaded, django_user_model):
    staff = django_user_model.objects.get(username="staff")

    for question in questions.questions(staff):
        if question.orm is not questions.totals_by_joins:
            assert len(list(question.orm())) == len(list(question.report())) > 0, question.label


def test_employee_loads_are_model_instances(loaded, django_user_model, django_assert_num_queries):
    north = django_user_model.objects.get(username="north")

    with django_assert_num_queries(1):
        loads = list(EmployeeLoads(user=north).run({}).select_related("employee", "department")[:10])
        regions = {load.department.region for load in loads}

    assert regions == {"north"}
    assert loads[0].open_tickets >= loads[-1].open_tickets


# -- permissions


ALL = [DepartmentTickets, LatestTickets, DepartmentTotals, EmployeeLoads]


@pytest.mark.parametrize("report_class", ALL)
def test_permissions_reach_the_sql(departments, north, report_class):
    query = report_class(user=north).query({})

    assert '"helpdesk_membership"' in query.sql
    assert north.pk in query.params


@pytest.mark.parametrize("report_class", ALL)
def test_a_user_sees_the_own_regions_only(loaded, django_user_model, report_class):
    north = django_user_model.objects.get(username="north")
    want = set(Department.objects.filter(region="north").values_list("pk", flat=True))

    seen = set(report_class(user=north).run({}).values_list("department_id", flat=True))

    assert seen
    assert seen <= want


@pytest.mark.parametrize("report_class", ALL)
def test_examples_run_as_the_example_user_on_empty_tables(db, report_class):
    report = report_class(user=report_class.example_user())

    assert '"helpdesk_membership"' not in report.query({}).sql
    for example in report.get_header().examples:
        assert list(report.run(example.params)) == []


@pytest.mark.parametrize("user", [None, AnonymousUser()])
@pytest.mark.parametrize("report_class", ALL)
def test_nobody_sees_nothing(loaded, report_class, user):
    assert list(report_class(user=user).run({})) == []


def test_a_user_of_two_regions_sees_both(departments, north):
    north.memberships.create(region="south")

    assert DepartmentTickets(user=north).run({}).count() == 3


# -- bad values


@pytest.mark.parametrize(
    ("report_class", "params", "name"),
    [
        (DepartmentTickets, {"opened_from": "yesterday"}, "opened_from"),
        (DepartmentTickets, {"priorities": [6]}, "priorities"),
        (LatestTickets, {"n": 0}, "n"),
        (LatestTickets, {"n": 21}, "n"),
        (LatestTickets, {"status": "lost"}, "status"),
        (DepartmentTotals, {"until": date(2026, 1, 1), "from": "2026-01-01"}, "from"),
    ],
)
def test_a_bad_value_is_named(staff, report_class, params, name):
    with pytest.raises(ParamsError) as caught:
        report_class(user=staff).run(params)

    assert list(caught.value.message_dict) == [name]
