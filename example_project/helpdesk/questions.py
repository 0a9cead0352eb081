"""The questions that the helpdesk's reports answer, beside the ways in which they are asked with the ORM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.contrib.auth.models import User
from django.db.models import Aggregate, Avg, Count, DecimalField, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from example_project.comparison import Question, Row
from example_project.helpdesk.models import Department, Invoice, Ticket
from example_project.helpdesk.reports import DepartmentTickets, DepartmentTotals, LatestTickets

FACTS = Ticket._meta.db_table
METRICS = ("department_id", "open_tickets", "closed_tickets", "avg_resolution")
TOTALS = ("department_id", "tickets", "resolution_hours", "invoices", "amount")
LATEST = ("ticket_id", "department_id", "department_name", "opened_at", "status", "priority", "assignee")


def questions(user: User) -> list[Question]:
    """Return the helpdesk's questions; the reports are asked as that user."""

    def metrics() -> Iterable[Row]:
        return DepartmentTickets(user=user).run({}).values_list(*METRICS)

    def totals() -> Iterable[Row]:
        return DepartmentTotals(user=user).run({}).values_list(*TOTALS)

    def latest() -> Iterable[Row]:
        return LatestTickets(user=user).run({}).values_list(*LATEST)

    multiplied = "Wrong: each ticket of a department meets each of its invoices, and the sums count every meeting."
    entries = "Each of the report's scans reads three entries of an index; the ORM's one numbers every ticket."
    return [
        Question("3 metrics per department: 3 Subquery", FACTS, metrics_by_subqueries, metrics),
        Question("  the same: Count(filter=)", FACTS, metrics_by_condition, metrics),
        Question("tickets and invoices: Sum over both joins", FACTS, totals_by_joins, totals, multiplied),
        Question("  the same: 4 Subquery", FACTS, totals_by_subqueries, totals),
        Question("latest 3 per department: a sliced Prefetch", FACTS, latest_by_prefetch, latest, entries),
    ]


def metrics_by_subqueries() -> Iterable[Row]:
    """Ask for each metric by a subquery of its own."""
    opened, closed = Ticket.objects.filter(status="open"), Ticket.objects.filter(status="closed")
    return Department.objects.annotate(
        open_tickets=Coalesce(_per_department(opened, Count("pk")), 0),
        closed_tickets=Coalesce(_per_department(closed, Count("pk")), 0),
        avg_resolution=_per_department(closed, Avg("resolution_hours")),
    ).values_list("id", "open_tickets", "closed_tickets", "avg_resolution")


def metrics_by_condition() -> Iterable[Row]:
    """Ask for the metrics by one join and FILTER, which the ORM can write for one branch."""
    closed = Q(tickets__status="closed")
    return Department.objects.annotate(
        open_tickets=Count("tickets", filter=Q(tickets__status="open")),
        closed_tickets=Count("tickets", filter=closed),
        avg_resolution=Avg("tickets__resolution_hours", filter=closed),
    ).values_list("id", "open_tickets", "closed_tickets", "avg_resolution")


def totals_by_joins() -> Iterable[Row]:
    """Ask for both branches at once. Wrong: a sum meets each row once per row of the other branch."""
    return Department.objects.annotate(
        ticket_count=Count("tickets", distinct=True),
        hours=Sum("tickets__resolution_hours"),
        invoice_count=Count("invoices", distinct=True),
        amount=Coalesce(Sum("invoices__amount"), 0, output_field=DecimalField()),
    ).values_list("id", "ticket_count", "hours", "invoice_count", "amount")


def totals_by_subqueries() -> Iterable[Row]:
    """Ask for both branches by subqueries, which is right."""
    tickets, invoices = Ticket.objects.all(), Invoice.objects.all()
    return Department.objects.annotate(
        ticket_count=Coalesce(_per_department(tickets, Count("pk")), 0),
        hours=_per_department(tickets, Sum("resolution_hours")),
        invoice_count=Coalesce(_per_department(invoices, Count("pk")), 0),
        amount=Coalesce(_per_department(invoices, Sum("amount")), 0, output_field=DecimalField()),
    ).values_list("id", "ticket_count", "hours", "invoice_count", "amount")


def latest_by_prefetch() -> Iterator[Row]:
    """Ask for the newest three by a sliced Prefetch; Django writes it with a window over all tickets."""
    newest = Ticket.objects.select_related("assignee").order_by("-opened_at", "-id")[:3]
    for department in Department.objects.prefetch_related(Prefetch("tickets", newest, to_attr="newest")):
        tickets: list[Ticket] = department.newest  # type: ignore[attr-defined]
        for ticket in tickets:
            assignee = ticket.assignee.name if ticket.assignee else None
            yield ticket.pk, department.pk, department.name, ticket.opened_at, ticket.status, ticket.priority, assignee


def _per_department(rows: QuerySet[Ticket] | QuerySet[Invoice], metric: Aggregate) -> Subquery:
    """Return a subquery of one aggregate over the rows of the outer department."""
    grouped = rows.filter(department=OuterRef("pk")).order_by().values("department")
    return Subquery(grouped.annotate(metric=metric).values("metric"))
