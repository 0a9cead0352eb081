"""The reports as resources of an API.

Every report is in the catalogue at ``/api/reports/``. Those here have addresses of their own, since they say more: what
can be filtered, searched and ordered, and how their pages are cut and counted.
"""

from __future__ import annotations

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import DefaultRouter

from example_project.helpdesk.reports import DepartmentTickets, EmployeeLoads, LatestTickets
from example_project.shop.reports import CustomerBalances
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.viewsets import ReportViewSet


class ForUsersViewSet(ReportViewSet):
    """What only those who are logged in may read."""

    permission_classes = (IsAuthenticated,)


class DepartmentTicketsViewSet(ForUsersViewSet):
    """Open and closed tickets per department: filtered, searched, ordered."""

    report_class = DepartmentTickets
    filter_backends = (DjangoFilterBackend, SearchFilter, OrderingFilter)
    filterset_fields = {"open_tickets": ["gte", "lt"], "closed_tickets": ["gte", "lt"]}
    search_fields = ("name",)
    ordering_fields = ("name", "open_tickets", "closed_tickets", "avg_resolution")


class LatestTicketsViewSet(ForUsersViewSet):
    """The newest tickets of each department: pages that follow one another, each as cheap as the first."""

    report_class = LatestTickets
    pagination_class = ReportCursorPagination
    filter_backends = (DjangoFilterBackend, OrderingFilter)
    filterset_fields = ("priority",)
    ordering_fields = ("opened_at", "priority", "assignee")


class EmployeeLoadsViewSet(ForUsersViewSet):
    """Open tickets per employee: the planner says about how many rows there are."""

    report_class = EmployeeLoads
    count = "estimate"
    filter_backends = (OrderingFilter,)
    ordering_fields = ("open_tickets", "urgent_tickets", "oldest_open")


class CustomerBalancesViewSet(ForUsersViewSet):
    """What each customer ordered, paid and owes: pages without a count."""

    report_class = CustomerBalances
    count = "none"


router = DefaultRouter()
router.register("department-tickets", DepartmentTicketsViewSet, basename="department-tickets")
router.register("latest-tickets", LatestTicketsViewSet, basename="latest-tickets")
router.register("employee-loads", EmployeeLoadsViewSet, basename="employee-loads")
router.register("customer-balances", CustomerBalancesViewSet, basename="customer-balances")
