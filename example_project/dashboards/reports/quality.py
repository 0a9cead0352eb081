"""Quality: what is missing, what is there twice, and what has not come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Lower, Trim

from example_project.dashboards.models import Visit
from example_project.helpdesk.models import Employee, Ticket
from example_project.shop.models import Customer, Order, Payment
from example_project.staff import SeenByStaff
from reports.prebuilt import Duplicates, Freshness, MissingValues
from reports.prebuilt.quality.freshness import Source


class MissingOfTickets(SeenByStaff, MissingValues):
    """How many tickets of 2025 have no assignee, no end and no hours?"""

    source = Ticket
    fields = ("assignee", "closed_at", "resolution_hours")
    date_field = "opened_at"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class EmployeesOfOneName(SeenByStaff, Duplicates):
    """Which names do several employees of a department have, however they are written?"""

    source = Employee
    fields = {"department_id": F("department_id"), "name": Lower(Trim("name"))}
    limit = 10


class LatestOfEach(SeenByStaff, Freshness):
    """When did the last ticket, order, payment and visit come, and is any late, in the first minute of July 2026?"""

    sources = {
        "orders": (Order, "placed_at"),
        "payments": (Payment, "received"),
        "tickets": (Ticket, "opened_at"),
        "visits": (Visit, "at"),
    }
    within = timedelta(minutes=3)
    as_of = date(2026, 7, 1)

    user: Any

    def get_sources(self) -> Mapping[str, Source]:
        orders, customers = Order.objects.visible_to(self.user), Customer.objects.visible_to(self.user)
        return {
            "orders": (orders, "placed_at"),
            "payments": (Payment.objects.filter(order__in=orders), "received"),
            "tickets": (Ticket.objects.visible_to(self.user), "opened_at"),
            "visits": (Visit.objects.filter(customer__in=customers), "at"),
        }
