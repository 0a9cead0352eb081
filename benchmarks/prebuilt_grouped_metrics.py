"""Metrics over several relations against SQL by hand and the ORM; ``PREBUILT_ROWS`` is the number of tickets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Avg, Count, F, OuterRef, Q, Subquery, Sum

from benchmarks.reference import (
    ReferenceDepartment,
    ReferenceStore,
    ReferenceTicket,
    create_departments,
    create_stores,
)
from benchmarks.statements import execute, run
from benchmarks.timing import Comparison, compare
from reports.prebuilt import GroupedMetrics, Variant

ROWS = int(os.environ.get("PREBUILT_ROWS", "100000"))

TICKETS = """
SELECT * FROM (
    WITH t AS (
        SELECT department_id, count(*) FILTER (WHERE status = 'open') AS open,
               count(*) FILTER (WHERE status = 'closed') AS closed,
               avg(resolution_hours) FILTER (WHERE status = 'closed') AS mean_hours
        FROM benchmark_reference_ticket GROUP BY department_id
    )
    SELECT d.id, d.name, coalesce(t.open, 0), coalesce(t.closed, 0), t.mean_hours
    FROM benchmark_reference_department AS d LEFT JOIN t ON t.department_id = d.id
) AS r ORDER BY id
"""
STORES = """
SELECT s.id, s.name, coalesce(max(u.employees), 0), coalesce(max(u.products), 0)
FROM benchmark_reference_store AS s
LEFT JOIN (
    SELECT d.store_id, count(*) AS employees, NULL::bigint AS products
    FROM benchmark_reference_employee AS e JOIN benchmark_reference_section AS d ON d.id = e.section_id
    GROUP BY d.store_id
    UNION ALL
    SELECT store_id, NULL, count(*) FROM benchmark_reference_product GROUP BY store_id
) AS u ON u.store_id = s.id
GROUP BY s.id, s.name ORDER BY s.id
"""


class OfTickets(GroupedMetrics):
    """Three metrics of the tickets of each department."""

    source = ReferenceDepartment
    fields = ["name"]
    metrics = {
        "open": Count("tickets", filter=Q(tickets__status="open")),
        "closed": Count("tickets", filter=Q(tickets__status="closed")),
        "mean_hours": Avg("tickets__resolution_hours", filter=Q(tickets__status="closed")),
    }


class OfBoth(OfTickets):
    """The same, and the invoices."""

    metrics = {**OfTickets.metrics, "invoiced": Sum("invoices__amount")}


class OfRegions(OfBoth):
    """The metrics of departments with their region."""

    fields = ["name", "region"]


class OfBothByUnion(OfBoth):
    """The same as one UNION ALL."""

    variant = Variant.UNION


class OfBothByLateral(OfBoth):
    """The same by a look-up for each department."""

    variant = Variant.LATERAL


class OfStores(GroupedMetrics):
    """The employees and products of each store."""

    source = ReferenceStore
    fields = ["name"]
    metrics = {"employees": Count("sections__employees"), "products": Count("products")}


def measure() -> Iterator[Comparison]:
    """Yield all departments, pages of them, the variants, and the stores."""
    create_departments(ROWS)
    size = f"{ROWS:,} tickets"
    yield compare(f"3 metrics, {size} / by hand", run(OfTickets), lambda: execute(TICKETS))
    yield compare(f"3 metrics, {size} / 3 chained Subquery", run(OfTickets), _subqueries, runs=5)
    yield compare(f"2 relations, {size} / UNION ALL of them", run(OfBoth), run(OfBothByUnion))
    yield compare(f"2 relations, {size}: page of 20 / all", _page(OfBoth), run(OfBoth))
    yield compare(f"2 relations, {size}: page of 20 / by LATERAL", _page(OfBoth), _page(OfBothByLateral))
    yield compare(f"page of 20 by name, {size} / 3 chained Subquery", _page(OfTickets), _subqueries_of_page)
    yield compare(
        f"one of four regions, {size} / all",
        lambda: list(OfRegions().run().filter(region="north").values_list()),
        run(OfRegions),
    )
    create_stores(32)
    yield compare("32 stores, 160,000 employees / UNION ALL by hand", run(OfStores), lambda: execute(STORES))
    create_stores(2)
    yield compare("2 stores / Count(distinct=True) twice", run(OfStores), _distinct, runs=1)


def _page(report: type[Any]) -> Callable[[], object]:
    return lambda: list(report().run().order_by("name", "id")[:20].values_list())


def _chained() -> Any:
    def of(status: str, metric: Any) -> Subquery:
        tickets: Any = ReferenceTicket._default_manager.filter(department=OuterRef("pk"), status=status)
        return Subquery(tickets.order_by().values("department").annotate(metric=metric).values("metric"))

    return ReferenceDepartment._default_manager.annotate(
        open=of("open", Count("pk")), closed=of("closed", Count("pk")), hours=of("closed", Avg(F("resolution_hours")))
    )


def _subqueries() -> object:
    return list(_chained().order_by("id").values_list())


def _subqueries_of_page() -> object:
    return list(_chained().order_by("name", "id")[:20].values_list())


def _distinct() -> object:
    both = ReferenceStore._default_manager.annotate(
        of_employees=Count("sections__employees", distinct=True), of_products=Count("products", distinct=True)
    )
    return list(both.values_list())
