"""Departments and what happens in them, and who may see it."""

from __future__ import annotations

from typing import Self, TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Q

_Model = TypeVar("_Model", bound=models.Model)


class InRegionQuerySet(models.QuerySet[_Model]):
    """Rows that belong to a region, limited to what a user may see."""

    def visible_to(self, user: User | AnonymousUser | None) -> Self:
        """Keep all for staff, the rows of their regions for other users, none without a user."""
        if user is None:
            return self.none()
        if user.is_staff:
            return self.all()
        return self.filter(region__in=Membership.objects.filter(user=user.pk).values("region"))


class DepartmentQuerySet(InRegionQuerySet["Department"]):
    """Departments, limited to what a user may see."""


class InDepartmentQuerySet(models.QuerySet[_Model]):
    """Rows that belong to a department, limited to what a user may see."""

    def visible_to(self, user: User | AnonymousUser | None) -> Self:
        """Keep the rows of the departments that the user may see."""
        if user is not None and user.is_staff:
            return self.all()
        return self.filter(department__in=Department.objects.visible_to(user))


class Region(models.TextChoices):
    """The four regions, by which users are limited."""

    NORTH = "north"
    SOUTH = "south"
    EAST = "east"
    WEST = "west"


class Department(models.Model):
    """A department in one of four regions, perhaps below another one."""

    name = models.TextField()
    region = models.CharField(max_length=5, choices=Region.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    created = models.DateField()

    objects = DepartmentQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user may see what belongs to a region."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    region = models.CharField(max_length=5, choices=Region.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "region"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.region}"


class Employee(models.Model):
    """Someone who works on tickets."""

    department = models.ForeignKey(Department, models.PROTECT, related_name="employees")
    name = models.TextField()
    hired = models.DateField()

    def __str__(self) -> str:
        return self.name


class Ticket(models.Model):
    """A request to a department; ``resolution_hours`` and ``closed_at`` are known once it is closed."""

    class Status(models.TextChoices):
        """Where a ticket stands."""

        OPEN = "open"
        CLOSED = "closed"
        PENDING = "pending"

    PRIORITIES = [(number, str(number)) for number in range(1, 6)]

    # Both indexes below begin with the department: one of its own would only cost writes.
    department = models.ForeignKey(Department, models.PROTECT, related_name="tickets", db_index=False)
    assignee = models.ForeignKey(Employee, models.SET_NULL, null=True, blank=True, related_name="tickets")
    status = models.CharField(max_length=7, choices=Status.choices)
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    resolution_hours = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)

    objects = InDepartmentQuerySet["Ticket"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["department", "status"], name="ticket_department_status"),
            # The order of "latest first", to the last tie: a LATERAL ... LIMIT n reads n entries of it.
            models.Index(fields=["department", "-opened_at", "-id"], name="ticket_department_latest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False, resolution_hours__isnull=False)
                | Q(~Q(status="closed"), closed_at__isnull=True, resolution_hours__isnull=True),
                name="ticket_resolved_when_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"Ticket {self.pk}"


class Invoice(models.Model):
    """A bill of a department."""

    department = models.ForeignKey(Department, models.PROTECT, related_name="invoices")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    issued = models.DateField()

    objects = InDepartmentQuerySet["Invoice"].as_manager()

    def __str__(self) -> str:
        return f"Invoice {self.pk}"


class EmployeeLoad(models.Model):
    """One row of the report ``helpdesk.employee_loads``; it has no table, only its relations are real."""

    employee = models.OneToOneField(
        Employee, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="load"
    )
    department = models.ForeignKey(Department, models.DO_NOTHING, db_constraint=False, related_name="employee_loads")
    open_tickets = models.BigIntegerField()
    urgent_tickets = models.BigIntegerField()
    oldest_open = models.DateTimeField(null=True)

    class Meta:
        managed = False

    def __str__(self) -> str:
        return f"{self.employee}: {self.open_tickets}"
