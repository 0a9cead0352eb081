"""What happened to tickets and customers, one row per event: logs that dashboards read."""

from __future__ import annotations

from django.db import models

from example_project.helpdesk.models import Ticket
from example_project.shop.models import Customer


class StatusChange(models.Model):
    """A ticket came to a status. The first one is its opening."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="status_changes")
    status = models.CharField(max_length=7, choices=Ticket.Status.choices)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.ticket}: {self.status}"


class Visit(models.Model):
    """A step that a customer took in the shop."""

    class Step(models.TextChoices):
        """How far towards an order."""

        LOOK = "look"
        BASKET = "basket"
        ADDRESS = "address"
        ORDER = "order"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="visits")
    step = models.CharField(max_length=7, choices=Step.choices)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.customer}: {self.step}"
