"""Customers and events: who came, who stayed, how far they came, and what they brought in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from django.db.models import Count, F, Q, QuerySet, Sum

from example_project.dashboards.models import Visit
from example_project.shop.models import Customer, Order
from example_project.staff import SeenByStaff
from reports.prebuilt import RFM, CohortRetention, CustomerStates, Funnel, LifetimeValue, Period, Retention, Sessions

REVENUE = Sum(F("lines__quantity") * F("lines__price"))


class OfOrders(SeenByStaff):
    """The orders of 2025 that the user may see."""

    source: ClassVar[Any] = Order
    actor = "customer"
    date_field = "placed_at"
    period: ClassVar[Any] = Period.QUARTER
    start: ClassVar[Any] = date(2025, 1, 1)
    end: ClassVar[Any] = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[Order]:
        return Order.objects.visible_to(self.user)


class OfVisits(SeenByStaff):
    """The steps in the shop that the user may see."""

    source: ClassVar[Any] = Visit
    actor = "customer"
    date_field = "at"

    user: Any

    def get_source(self) -> QuerySet[Visit]:
        return Visit.objects.filter(customer__in=Customer.objects.visible_to(self.user))


class CustomersKept(OfOrders, CohortRetention):
    """Of those who first ordered in a quarter, how many ordered again in each quarter after it, or later?"""

    kind = Retention.ROLLING


class CustomersWorth(OfOrders, LifetimeValue):
    """What does a new customer of each quarter of 2025 bring in over the quarters that follow?"""

    monetary = REVENUE


class CustomersComingAndGoing(OfOrders, CustomerStates):
    """How many customers ordered in each month of 2025, were new, came back, or had not come for three months?"""

    period = Period.MONTH
    lapse = 3


class BestCustomers(OfOrders, RFM):
    """Which customers bought lately, often and for much money in 2025?"""

    monetary = REVENUE
    ordering = ["-monetary_score", "-frequency_score", "recency", "customer_id"]


class FromLookToOrder(OfVisits, Funnel):
    """How many customers get from a look at the shop to an order, where do others stop, and how long does it take?"""

    steps = {
        "look": Q(step=Visit.Step.LOOK),
        "basket": Q(step=Visit.Step.BASKET),
        "address": Q(step=Visit.Step.ADDRESS),
        "order": Q(step=Visit.Step.ORDER),
    }
    within = timedelta(hours=1)
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)


class ShopVisits(OfVisits, Sessions):
    """When was each customer in the shop in the last week of 2025, for how long, and did they order?"""

    metrics = {"steps": Count("pk"), "orders": Count("pk", filter=Q(step=Visit.Step.ORDER))}
    start = date(2025, 12, 25)
    end = date(2026, 1, 1)
