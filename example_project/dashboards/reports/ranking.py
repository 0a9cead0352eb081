"""Ranking: the first and the last, the latest, shares, and what changed most."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db.models import Avg, Count, F, QuerySet, Sum

from example_project.helpdesk.models import Department, Ticket
from example_project.shop.models import Order, OrderLine
from example_project.staff import SeenByStaff
from reports.prebuilt import (
    BiggestMovers,
    LatestPerGroup,
    Pareto,
    Period,
    Ratio,
    ShareOfTotal,
    TopAndOther,
    TopN,
    TopPerGroup,
)

REVENUE = Sum(F("quantity") * F("price"))


class OfSales(SeenByStaff):
    """The lines of the orders of 2025 that the user may see."""

    source: ClassVar[Any] = OrderLine
    date_field = "order__placed_at"
    start: ClassVar[Any] = date(2025, 1, 1)
    end: ClassVar[Any] = date(2026, 1, 1)

    user: Any

    def get_source(self) -> QuerySet[OrderLine]:
        return OrderLine.objects.filter(order__in=Order.objects.visible_to(self.user))


class BestProducts(OfSales, TopN):
    """Which ten products brought in most in 2025?"""

    dimensions = {"product_id": "product", "product_name": "product__name"}
    metrics = {"revenue": REVENUE, "pieces": Sum("quantity"), "mean_price": Ratio("revenue", "pieces")}


class BestProductsByRegion(OfSales, TopPerGroup):
    """Which three products sold best in each region in 2025?"""

    partition = {"region": "order__customer__region"}
    dimensions = {"product_id": "product", "product_name": "product__name"}
    metrics = {"pieces": Sum("quantity")}


class LatestTicketsOfReceptions(SeenByStaff, LatestPerGroup):
    """Which two tickets did each reception get last?"""

    source = Ticket
    group = "department"
    outer = Department
    dimensions = {"department_name": "name"}
    date_field = "opened_at"
    fields = {"ticket": "id", "opened_at": "opened_at", "status": "status"}
    limit = 2

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)

    def get_outer(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.user).filter(parent=None)


class CategoriesAndOther(OfSales, TopAndOther):
    """What are the five categories that sold most in 2025, and what came of all the others together?"""

    dimensions = {"category": "product__category__name"}
    metrics = {"revenue": REVENUE, "lines": Count("pk"), "mean_quantity": Avg("quantity")}
    limit = 5
    label = "all others"


class SharesByRegion(SeenByStaff, ShareOfTotal):
    """What part of all tickets of 2025 is of each priority, in all and within each region?"""

    source = Ticket
    dimensions = {"region": "department__region", "priority": "priority"}
    share_within = ["region"]
    metrics = {"tickets": Count("pk")}
    date_field = "opened_at"
    start = date(2025, 1, 1)
    end = date(2026, 1, 1)

    def get_source(self) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(self.user)


class CategoryClasses(OfSales, Pareto):
    """Which categories make up 80 % of the revenue of 2025, which the next 15 %?"""

    dimensions = {"category_id": "product__category", "category_name": "product__category__name"}
    metrics = {"revenue": REVENUE}


class ChangedCategories(OfSales, BiggestMovers):
    """In which eight categories did revenue change most from the third quarter of 2025 to the fourth?"""

    dimensions = {"category_id": "product__category", "category_name": "product__category__name"}
    metrics = {"revenue": REVENUE}
    period = Period.QUARTER
    start = date(2025, 10, 1)
    limit = 8
