"""A dashboard as the ORM writes it: each annotation is a scan of its own, and those that use others repeat them."""

from __future__ import annotations

from typing import Any

from django.db.models import Avg, Count, F, FloatField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce, NullIf

from example_project.helpdesk.models import Department, Ticket


def departments() -> QuerySet[Department, Any]:
    """Open and closed tickets of each department, how long they took, and what share is open."""
    tickets = Ticket.objects.filter(department=OuterRef("pk")).values("department")
    open_tickets = tickets.filter(status=Ticket.Status.OPEN).annotate(number=Count("*")).values("number")
    closed_tickets = tickets.filter(status=Ticket.Status.CLOSED).annotate(number=Count("*")).values("number")
    resolution = tickets.filter(status=Ticket.Status.CLOSED).annotate(hours=Avg("resolution_hours")).values("hours")
    return Department.objects.annotate(
        open_tickets=Coalesce(Subquery(open_tickets), 0),
        closed_tickets=Coalesce(Subquery(closed_tickets), 0),
        avg_resolution=Subquery(resolution),
        open_share=Cast(F("open_tickets"), FloatField()) / NullIf(F("open_tickets") + F("closed_tickets"), 0),
    ).order_by("-open_tickets", "pk")
