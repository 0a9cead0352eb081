"""Distribution: how values spread, where most of them lie, and how old things are."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db.models import Count, F, Q, QuerySet, Sum

from example_project.helpdesk.models import Ticket
from example_project.shop.models import Order, OrderLine
from example_project.staff import SeenByStaff
from reports.prebuilt import Ageing, BoxPlot, Histogram, HistogramScale, Percentiles


class OfTickets(SeenByStaff):
    """The tickets opened in 2025 that the user may see, by the hours that they took."""

    source: ClassVar[Any] = Ticket
    value: ClassVar[Any] = "resolution_hours"
    date_field = "opened_at"
    start: ClassVar[Any] = date(2025, 1, 1)
    end: ClassVar[Any] = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class HoursToResolve(OfTickets, Histogram):
    """How many tickets took less than an hour, a day, a week, and how many of them were urgent?"""

    edges = (0, 1, 8, 24, 72, 168)
    metrics = {"urgent": Count("pk", filter=Q(priority=1))}


class SizesOfOrderLines(SeenByStaff, Histogram):
    """Of which amounts are the lines of orders of 2025, from the smallest to the largest, and what do they bring in?"""

    source = OrderLine
    value = F("quantity") * F("price")
    metrics = {"revenue": Sum(F("quantity") * F("price"))}
    scale = HistogramScale.LOG
    buckets = 8
    outside = False
    date_field = "order__placed_at"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[OrderLine]:
        return OrderLine.objects.filter(order__in=Order.objects.visible_to(self.user))


class HoursPromised(OfTickets, Percentiles):
    """Within how many hours were half, nine of ten and 99 of 100 tickets of each priority resolved?"""

    dimensions = ["priority"]
    percentiles = (50, 90, 99)


class HoursByRegion(OfTickets, BoxPlot):
    """How do the hours that tickets take differ from region to region, and which are far off?"""

    dimensions = {"region": "department__region"}


class OldTickets(SeenByStaff, Ageing):
    """How long have the tickets that are open in July 2026 been waiting, by priority?"""

    source = Ticket.objects.exclude(status=Ticket.Status.CLOSED)
    dimensions = ["priority"]
    date_field = "opened_at"
    as_of = date(2026, 7, 1)
    future = False

    user: Any

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user).exclude(status=Ticket.Status.CLOSED)
