"""Structures and processes: what is below a node of a tree, how long things take, and what was active when."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from django.db.models import Count, F, Q, QuerySet, Sum

from example_project.dashboards.models import StatusChange, Visit
from example_project.helpdesk.models import Ticket
from example_project.shop.models import Category, Customer
from example_project.staff import SeenByStaff
from reports.prebuilt import ActiveAsOf, ActiveUsers, Period, TimeInStatus, TreeRollup


class CategoriesSold(SeenByStaff, TreeRollup):
    """How many pieces were sold, and for how much, in each category of products and in all below it?"""

    source = Category
    label = "name"
    metrics: ClassVar[Any] = {
        "pieces": Sum("products__lines__quantity"),
        "revenue": Sum(F("products__lines__quantity") * F("products__lines__price")),
    }


class TimeToClose(SeenByStaff, TimeInStatus):
    """How long were tickets open or pending in 2025, and which share of them within three or five days?"""

    source = StatusChange
    subject = "ticket"
    status = "status"
    date_field = "at"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)
    as_of = date(2026, 1, 1)
    sla: ClassVar[Any] = {"open": timedelta(days=3), "pending": timedelta(days=5)}

    def get_source(self) -> QuerySet[StatusChange]:
        return StatusChange.objects.filter(ticket__in=Ticket.objects.visible_to(self.user))


class TicketsOpen(SeenByStaff, ActiveAsOf):
    """How many tickets were not closed at the end of each month of 2025, and how many of them were urgent?"""

    source = Ticket
    start_field = "opened_at"
    end_field = "closed_at"
    period = Period.MONTH
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)
    metrics: ClassVar[Any] = {"tickets": Count("pk"), "urgent": Count("pk", filter=Q(priority=5))}

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class CustomersActive(SeenByStaff, ActiveUsers):
    """How many customers came to the shop on each day of the last two weeks of 2025, in its week and in its month?"""

    source = Visit
    actor = "customer"
    date_field = "at"
    start = date(2025, 12, 18)
    end = date(2026, 1, 1)

    def get_source(self) -> QuerySet[Visit]:
        return Visit.objects.filter(customer__in=Customer.objects.visible_to(self.user))
