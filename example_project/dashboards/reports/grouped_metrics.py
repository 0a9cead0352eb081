"""Metrics side by side: several relations of one thing, each counted by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Avg, Count, F, Max, Q, QuerySet, Sum

from example_project.helpdesk.models import Department, Invoice, Ticket
from example_project.shop.models import Category, Customer
from example_project.staff import SeenByStaff
from reports.prebuilt import GroupedMetrics, Ratio


class ReceptionOverview(SeenByStaff, GroupedMetrics):
    """How do the receptions stand: open tickets, hours to resolve one, people, and what was invoiced in 2025?"""

    source = Department
    fields = ["name", "region"]
    metrics = {
        "open": Count("tickets", filter=Q(tickets__status="open")),
        "closed": Count("tickets", filter=Q(tickets__status="closed")),
        "mean_hours": Avg("tickets__resolution_hours"),
        "employees": Count("employees"),
        "invoiced": Sum("invoices__amount"),
        "per_employee": Ratio("invoiced", "employees"),
    }
    branches = {"invoices": Q(issued__gte=date(2025, 1, 1), issued__lt=date(2026, 1, 1))}

    def get_source(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.user).filter(parent=None)


class RegionOverview(SeenByStaff, GroupedMetrics):
    """How many departments, people and tickets has each region, and what did it invoice?"""

    source = Department
    dimensions = ["region"]
    metrics = {
        "departments": Count("pk"),
        "employees": Count("employees"),
        "tickets": Count("tickets"),
        "latest": Max("tickets__opened_at"),
        "invoiced": Sum("invoices__amount"),
        "tickets_each": Ratio("tickets", "employees"),
    }

    def get_source(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.user)

    def get_branches(self) -> Mapping[str, Any]:
        return {"tickets": Ticket.objects.visible_to(self.user), "invoices": Invoice.objects.visible_to(self.user)}


class CategoryOverview(SeenByStaff, GroupedMetrics):
    """What does each category offer, and what of it was sold?"""

    source = Category.objects.filter(children=None)
    fields = ["name", "parent__name"]
    metrics = {
        "products": Count("products"),
        "mean_price": Avg("products__price"),
        "pieces": Sum("products__lines__quantity"),
        "revenue": Sum(F("products__lines__quantity") * F("products__lines__price")),
        "revenue_each": Ratio("revenue", "products"),
    }
    ordering = ["-products", "id"]


class AccountsByRegion(SeenByStaff, GroupedMetrics):
    """What did the customers of each region order, and what did they pay?"""

    source = Customer
    dimensions = ["region"]
    metrics = {
        "customers": Count("pk"),
        "orders": Count("orders"),
        "ordered": Sum(F("orders__lines__quantity") * F("orders__lines__price")),
        "paid": Sum("orders__payments__amount"),
        "paid_part": Ratio("paid", "ordered"),
    }

    def get_source(self) -> QuerySet[Customer]:
        return Customer.objects.visible_to(self.user)
