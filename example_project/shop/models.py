"""What is sold, to whom, and what has been paid; orders are seen by those who see their customers' region."""

from __future__ import annotations

from typing import Self

from django.contrib.auth.models import AnonymousUser, User
from django.db import models

from example_project.helpdesk.models import InRegionQuerySet, Region


class CustomerQuerySet(InRegionQuerySet["Customer"]):
    """Customers, limited to what a user may see."""


class OrderQuerySet(models.QuerySet["Order"]):
    """Orders, limited to what a user may see."""

    def visible_to(self, user: User | AnonymousUser | None) -> Self:
        """Keep the orders of the customers that the user may see."""
        if user is not None and user.is_staff:
            return self.all()
        return self.filter(customer__in=Customer.objects.visible_to(user))


class Category(models.Model):
    """A kind of product, perhaps below another kind; products may stand at any level."""

    name = models.TextField()
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")

    class Meta:
        verbose_name_plural = "categories"
        # A path of names, such as Home, Kitchen, Pans, leads to one category.
        constraints = [models.UniqueConstraint(fields=["parent", "name"], name="category_path", nulls_distinct=False)]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """Something that is sold; ``price`` is today's, in EUR."""

    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    name = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return self.name


class Customer(models.Model):
    """Someone who orders."""

    name = models.TextField()
    region = models.CharField(max_length=5, choices=Region.choices)

    objects = CustomerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """What a customer ordered at one time."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders")
    placed_at = models.DateTimeField(db_index=True)

    objects = OrderQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderLine(models.Model):
    """A product of an order; ``price`` is that of one piece when it was ordered."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="lines")
    quantity = models.PositiveSmallIntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class Payment(models.Model):
    """Money received for an order, which may be paid in several parts."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    received = models.DateField()

    def __str__(self) -> str:
        return f"Payment {self.pk}"
