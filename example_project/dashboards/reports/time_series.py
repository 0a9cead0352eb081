"""Time series: totals per period, running totals, moving averages, comparisons, to date, by weekday and hour."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django import forms
from django.db.models import Avg, Count, F, Q, QuerySet, Sum

from example_project.helpdesk.models import Invoice, Ticket
from example_project.shop.models import Order, OrderLine, Payment
from example_project.staff import SeenByStaff
from reports.prebuilt import (
    Against,
    Fill,
    MovingAverage,
    Period,
    PeriodComparison,
    PeriodTotals,
    ProfileCells,
    Ratio,
    RunningTotal,
    ToDate,
    WeekdayProfile,
)

PERIODS = [Period.MONTH, Period.QUARTER, Period.WEEK, Period.DAY]
REVENUE = Sum(F("quantity") * F("price"))


class OfTickets(SeenByStaff):
    """The tickets of 2025 that the user may see."""

    source: ClassVar[Any] = Ticket
    date_field = "opened_at"
    start: ClassVar[Any] = date(2025, 1, 1)
    end: ClassVar[Any] = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class TicketsByMonth(OfTickets, PeriodTotals):
    """How many tickets were opened in each month of 2025, and how many of these are closed?"""

    period = PERIODS
    fill = Fill.ZERO
    metrics = {
        "tickets": Count("pk"),
        "closed": Count("pk", filter=Q(status="closed")),
        "hours": Avg("resolution_hours"),
        "part_closed": Ratio("closed", "tickets"),
    }

    class Params(forms.Form):
        """How long a period is."""

        period = forms.ChoiceField(choices=[(each, each) for each in PERIODS], required=False)


class UrgentTicketsByRegion(OfTickets, PeriodTotals):
    """How many urgent tickets came from each region in each week of the first quarter, also in weeks without any?"""

    end = date(2025, 4, 1)
    period = Period.ISO_WEEK
    fill = Fill.ZERO
    dimensions = {"region": "department__region"}
    metrics = {"urgent": Count("pk", filter=Q(priority=5))}


class InvoicedSoFar(SeenByStaff, RunningTotal):
    """What has each region been invoiced in 2025 so far, from month to month, with what was before?"""

    source = Invoice
    date_field = "issued"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)
    period = Period.MONTH
    opening = True
    dimensions = {"region": "department__region"}
    metrics = {"invoiced": Sum("amount"), "invoices": Count("pk")}

    user: Any

    def get_source(self) -> QuerySet[Invoice]:
        return Invoice.objects.visible_to(self.user)


class OrdersOfTheWeek(SeenByStaff, MovingAverage):
    """How many orders came on each day of December, and on average over a week?"""

    source = Order
    date_field = "placed_at"
    start = date(2025, 12, 1)
    end = date(2026, 1, 1)
    window = 7
    metrics = {"orders": Count("pk")}

    user: Any

    def get_source(self) -> QuerySet[Order]:
        return Order.objects.visible_to(self.user)


class RevenueAgainstLastYear(SeenByStaff, PeriodComparison):
    """How does the revenue of each month from July 2025 on compare with that of the year before?"""

    source = OrderLine
    date_field = "order__placed_at"
    start = date(2025, 7, 1)
    end = date(2026, 1, 1)
    period = Period.MONTH
    against = Against.YEAR
    metrics = {"revenue": REVENUE, "pieces": Sum("quantity"), "price": Ratio("revenue", "pieces")}

    user: Any

    def get_source(self) -> QuerySet[OrderLine]:
        return OrderLine.objects.filter(order__in=Order.objects.visible_to(self.user))


class PaidToDate(SeenByStaff, ToDate):
    """What was paid this month, quarter and fiscal year until 15 November, and until that day of those before?"""

    source = Payment
    date_field = "received"
    through = date(2025, 11, 15)
    spans = [Period.MONTH, Period.QUARTER, Period.FISCAL_YEAR]
    fiscal_start = 4
    metrics = {"paid": Sum("amount"), "payments": Count("pk")}

    user: Any

    def get_source(self) -> QuerySet[Payment]:
        return Payment.objects.filter(order__in=Order.objects.visible_to(self.user))


class TicketsByWeekdayAndHour(OfTickets, WeekdayProfile):
    """On which days of the week and at which hours do tickets come?"""

    metrics = {"tickets": Count("pk")}
    average = True


class TicketsByWeekday(OfTickets, WeekdayProfile):
    """How many tickets of each region come on a Monday, a Tuesday, … on average?"""

    cells = ProfileCells.WEEKDAY
    average = True
    dimensions = {"region": "department__region"}
    metrics = {"tickets": Count("pk"), "urgent": Count("pk", filter=Q(priority=5))}
