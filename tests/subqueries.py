"""Subqueries that tests repeat: figures of the rows that belong to an outer one, and SQL that selects some."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery

from example_project.helpdesk.models import Ticket
from tests.models import Sale


def grouped(model: Any, by: str, aggregate: Any, *filters: Any, **named: Any) -> Subquery:
    """Return an aggregate of a model's rows, grouped by the foreign key that leads to the outer row."""
    rows = model.objects.filter(*filters, **{by: OuterRef("pk")}, **named).order_by()
    return Subquery(rows.values(by).annotate(value=aggregate).values("value"))


def of_tickets(aggregate: Any, *filters: Any, **named: Any) -> Subquery:
    """Return an aggregate of a department's tickets."""
    return grouped(Ticket, "department", aggregate, *filters, **named)


def of_sales(aggregate: Any, *filters: Any, **named: Any) -> Subquery:
    """Return an aggregate of a buyer's sales."""
    return grouped(Sale, "buyer", aggregate, *filters, **named)


def outer(*items: str, rows: str = "FROM d") -> str:
    """Return a statement over ``d`` that selects its key and these, as x1, x2…."""
    named = ", ".join(f"{item} AS x{number}" for number, item in enumerate(items, 1))
    return f"SELECT d.id, {named} {rows}"
