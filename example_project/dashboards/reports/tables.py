"""Tables: pivots, subtotals, key figures."""

from __future__ import annotations

from datetime import date

from django.db.models import Avg, Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncQuarter

from example_project.helpdesk.models import Ticket
from example_project.shop.models import Order, OrderLine
from example_project.staff import SeenByStaff
from reports.prebuilt import Against, Period, Pivot, Ratio, Subtotals, Tiles


class PrioritiesByStatus(SeenByStaff, Pivot):
    """How many tickets of each priority are open, closed and pending, as a table?"""

    source = Ticket
    dimensions = ["priority"]
    columns = "status"
    other = False
    total = True
    metrics = {"tickets": Count("pk")}

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class QuartersByRegion(SeenByStaff, Pivot):
    """What did each region order in each quarter, with the quarters as columns?"""

    source = OrderLine
    dimensions = {"region": "order__customer__region"}
    columns = TruncQuarter("order__placed_at")
    date_field = "order__placed_at"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)
    total = True
    metrics = {"revenue": Sum(F("quantity") * F("price"))}

    def get_source(self) -> QuerySet[OrderLine]:
        return OrderLine.objects.filter(order__in=Order.objects.visible_to(self.user))


class RegionsAndStatuses(SeenByStaff, Subtotals):
    """How many tickets are there by region and status, with subtotals and a grand total?"""

    source = Ticket
    dimensions = {"region": "department__region", "status": "status"}
    metrics = {
        "tickets": Count("pk"),
        "urgent": Count("pk", filter=Q(priority=1)),
        "urgent_share": Ratio("urgent", "tickets"),
    }

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class YearInFigures(SeenByStaff, Tiles):
    """What are the year's key figures, beside those of the year before and the targets, month by month?"""

    source = Ticket
    date_field = "opened_at"
    period = Period.MONTH
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)
    against = Against.YEAR
    metrics = {
        "opened": Count("pk"),
        "closed": Count("pk", filter=Q(status=Ticket.Status.CLOSED)),
        "closed_share": Ratio("closed", "opened"),
        "hours": Avg("resolution_hours"),
    }
    labels = {"hours": "Hours to resolve"}
    targets = {"closed_share": 0.5, "hours": 36}

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)
