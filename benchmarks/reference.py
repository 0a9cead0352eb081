"""The reference tables: departments with tickets and invoices, and stores with employees and products."""

from __future__ import annotations

from django.db import connection, models

DEPARTMENTS = """
DROP TABLE IF EXISTS benchmark_reference_invoice, benchmark_reference_ticket, benchmark_reference_department;
CREATE TABLE benchmark_reference_department (id int PRIMARY KEY, name text NOT NULL, region text NOT NULL);
INSERT INTO benchmark_reference_department
SELECT i, 'Department ' || i, (ARRAY['north', 'south', 'east', 'west'])[1 + i % 4] FROM generate_series(1, 500) AS i;
CREATE TABLE benchmark_reference_ticket (id bigint PRIMARY KEY, department_id int NOT NULL, status text NOT NULL,
    priority int NOT NULL, resolution_hours numeric(8, 2), opened_at timestamptz NOT NULL);
SELECT setseed(0.42);
INSERT INTO benchmark_reference_ticket
SELECT i, 1 + (random() * 499)::int, (ARRAY['open', 'closed', 'pending'])[CASE WHEN random() < 0.48 THEN 1
    WHEN random() < 0.87 THEN 2 ELSE 3 END], 1 + (random() * 4)::int, (random() * 200)::numeric(8, 2),
    timestamptz '2024-01-01' + random() * interval '730 days' FROM generate_series(1, {rows}) AS i;
CREATE INDEX ON benchmark_reference_ticket (department_id, status);
CREATE TABLE benchmark_reference_invoice (id bigint PRIMARY KEY, department_id int NOT NULL,
    amount numeric(10, 2) NOT NULL);
INSERT INTO benchmark_reference_invoice
SELECT i, 1 + (random() * 499)::int, (random() * 1000)::numeric(10, 2) FROM generate_series(1, {rows} / 7) AS i;
CREATE INDEX ON benchmark_reference_invoice (department_id);
VACUUM ANALYZE benchmark_reference_department;
VACUUM ANALYZE benchmark_reference_ticket;
VACUUM ANALYZE benchmark_reference_invoice
"""
# Of each store: 10 sections of 500 employees, and 2500 products.
STORES = """
DROP TABLE IF EXISTS benchmark_reference_product, benchmark_reference_employee, benchmark_reference_section,
    benchmark_reference_store;
CREATE TABLE benchmark_reference_store (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO benchmark_reference_store SELECT i, 'Store ' || i FROM generate_series(1, {stores}) AS i;
CREATE TABLE benchmark_reference_section (id int PRIMARY KEY, store_id int NOT NULL);
INSERT INTO benchmark_reference_section SELECT i, 1 + (i - 1) / 10 FROM generate_series(1, {stores} * 10) AS i;
CREATE TABLE benchmark_reference_employee (id int PRIMARY KEY, section_id int NOT NULL);
INSERT INTO benchmark_reference_employee SELECT i, 1 + (i - 1) / 500 FROM generate_series(1, {stores} * 5000) AS i;
CREATE TABLE benchmark_reference_product (id int PRIMARY KEY, store_id int NOT NULL);
INSERT INTO benchmark_reference_product SELECT i, 1 + (i - 1) / 2500 FROM generate_series(1, {stores} * 2500) AS i;
CREATE INDEX ON benchmark_reference_section (store_id);
CREATE INDEX ON benchmark_reference_employee (section_id);
CREATE INDEX ON benchmark_reference_product (store_id);
VACUUM ANALYZE benchmark_reference_store;
VACUUM ANALYZE benchmark_reference_section;
VACUUM ANALYZE benchmark_reference_employee;
VACUUM ANALYZE benchmark_reference_product
"""


class ReferenceDepartment(models.Model):
    """One of 500 departments."""

    name = models.TextField()
    region = models.TextField()

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_department"

    def __str__(self) -> str:
        return self.name


class ReferenceTicket(models.Model):
    """A ticket of a department."""

    department = models.ForeignKey(ReferenceDepartment, models.DO_NOTHING, related_name="tickets")
    status = models.TextField()
    priority = models.IntegerField()
    resolution_hours = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    opened_at = models.DateTimeField()

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_ticket"

    def __str__(self) -> str:
        return f"Ticket {self.pk}"


class ReferenceInvoice(models.Model):
    """An invoice of a department."""

    department = models.ForeignKey(ReferenceDepartment, models.DO_NOTHING, related_name="invoices")
    amount = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_invoice"

    def __str__(self) -> str:
        return f"Invoice {self.pk}"


class ReferenceStore(models.Model):
    """A store."""

    name = models.TextField()

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_store"

    def __str__(self) -> str:
        return self.name


class ReferenceSection(models.Model):
    """One of a store's ten sections."""

    store = models.ForeignKey(ReferenceStore, models.DO_NOTHING, related_name="sections")

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_section"

    def __str__(self) -> str:
        return f"Section {self.pk}"


class ReferenceEmployee(models.Model):
    """One of a section's 500 employees."""

    section = models.ForeignKey(ReferenceSection, models.DO_NOTHING, related_name="employees")

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_employee"

    def __str__(self) -> str:
        return f"Employee {self.pk}"


class ReferenceProduct(models.Model):
    """One of a store's 2500 products."""

    store = models.ForeignKey(ReferenceStore, models.DO_NOTHING, related_name="products")

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "benchmark_reference_product"

    def __str__(self) -> str:
        return f"Product {self.pk}"


def create_departments(tickets: int) -> None:
    """Make 500 departments, that many tickets and a seventh as many invoices."""
    _execute(DEPARTMENTS.format(rows=tickets))


def create_stores(stores: int) -> None:
    """Make that many stores."""
    _execute(STORES.format(stores=stores))


def _execute(statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements.split(";"):
            cursor.execute(statement)
