"""Tables of the tests: stores with tags and monthly figures, and the same figures as a report's rows."""

from __future__ import annotations

from django.db import models


class Region(models.Model):
    name = models.CharField(max_length=40)


class Tag(models.Model):
    name = models.CharField(max_length=40)


class Store(models.Model):
    name = models.CharField(max_length=40)
    region = models.ForeignKey(Region, models.CASCADE, null=True, related_name="stores")
    tags = models.ManyToManyField(Tag, related_name="stores")

    class Meta:
        ordering = ["id"]


class Figure(models.Model):
    """One row per store and month: a real table."""

    store = models.ForeignKey(Store, models.CASCADE, related_name="figures", db_constraint=False)
    month = models.DateField()
    revenue = models.DecimalField(max_digits=12, decimal_places=2)
    orders = models.IntegerField(null=True)
    label = models.CharField(max_length=40, null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]


class FigureRow(models.Model):
    """The rows of the report ``tests.figures``."""

    store = models.ForeignKey(Store, models.DO_NOTHING, related_name="figure_rows", db_constraint=False)
    month = models.DateField()
    revenue = models.DecimalField(max_digits=12, decimal_places=2)
    orders = models.IntegerField(null=True)
    label = models.CharField(max_length=40, null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "report_tests_figures"
        ordering = ["id"]


class KeptFigure(models.Model):
    """What a report's rows are compared with: a real table that holds the same rows."""

    store = models.ForeignKey(Store, models.CASCADE, related_name="kept_figures", db_constraint=False)
    month = models.DateField()
    revenue = models.DecimalField(max_digits=12, decimal_places=2)
    orders = models.IntegerField(null=True)
    label = models.CharField(max_length=40, null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]


class TransferRow(models.Model):
    """The rows of the report ``tests.transfers``, with two relations to one model."""

    source = models.ForeignKey(Store, models.DO_NOTHING, related_name="transfers_out", db_constraint=False)
    target = models.ForeignKey(Store, models.DO_NOTHING, related_name="transfers_in", db_constraint=False)
    amount = models.IntegerField()

    class Meta:
        managed = False
        db_table = "report_tests_transfers"
        ordering = ["id"]


class Shelf(models.Model):
    """A tree, in which a fault may have made a circle."""

    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    name = models.CharField(max_length=40)


class Buyer(models.Model):
    name = models.CharField(max_length=40)
    region = models.CharField(max_length=40, null=True)
    joined = models.DateField(null=True)


class Sale(models.Model):
    """What prebuilt reports count: NULL may stand everywhere."""

    buyer = models.ForeignKey(Buyer, models.CASCADE, null=True, related_name="sales")
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="sales")
    kind = models.CharField(max_length=40, null=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2, null=True)
    quantity = models.IntegerField(null=True)
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)


class Visit(models.Model):
    """A second branch of a buyer, and what happened in it."""

    buyer = models.ForeignKey(Buyer, models.CASCADE, null=True, related_name="visits")
    step = models.CharField(max_length=40, null=True)
    at = models.DateTimeField(null=True)


class Depot(models.Model):
    """The outer rows of generated chains of annotations; what hangs on it follows."""

    partner = models.ForeignKey("self", models.CASCADE, null=True, related_name="partners")
    name = models.CharField(max_length=40)
    zone = models.CharField(max_length=40, null=True)
    kind = models.CharField(max_length=40, null=True)
    size = models.IntegerField(null=True)


class Label(models.Model):
    kind = models.CharField(max_length=40, null=True)


class Parcel(models.Model):
    """Two relations to one parent, columns of its parent's for keys of several columns, labels in many-to-many."""

    depot = models.ForeignKey(Depot, models.CASCADE, null=True, related_name="parcels")
    origin = models.ForeignKey(Depot, models.CASCADE, null=True, related_name="sent")
    labels = models.ManyToManyField(Label, related_name="parcels")
    zone = models.CharField(max_length=40, null=True)
    status = models.CharField(max_length=40, null=True)
    weight = models.IntegerField(null=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2, null=True)
    rate = models.FloatField(null=True)
    is_urgent = models.BooleanField(null=True)
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)


class Scan(models.Model):
    """A second level below a parcel, and a second branch of a depot."""

    parcel = models.ForeignKey(Parcel, models.CASCADE, null=True, related_name="scans")
    depot = models.ForeignKey(Depot, models.CASCADE, null=True, related_name="scans")
    status = models.CharField(max_length=40, null=True)
    weight = models.IntegerField(null=True)
    at = models.DateTimeField(null=True)
