"""Querysets as Django sends them, and rewritten; ``REWRITE_TICKETS`` is the number of tickets.

Before anything is timed, all ways to ask are compared row by row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from math import isclose
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, Subquery
from django.test.utils import CaptureQueriesContext

from benchmarks.prebuilt_grouped_metrics import STORES as STORES_BY_UNION
from benchmarks.reference import (
    ReferenceEmployee,
    ReferenceProduct,
    ReferenceStore,
    create_departments,
    create_stores,
)
from benchmarks.rewriting_dashboards import (
    DASHBOARDS,
    by_condition,
    by_django_cte,
    by_latest_tickets,
    by_subqueries,
)
from benchmarks.statements import execute
from benchmarks.timing import Comparison, compare
from reports.rewrite import Strategy, consolidate
from reports.rewrite.sending.instrument import decisions

TICKETS = int(os.environ.get("REWRITE_TICKETS", "200000"))

LATEST_BY_HAND = """
SELECT d.id, d.name, d.region, t.status, t.resolution_hours, t.opened_at
FROM benchmark_reference_department AS d
LEFT JOIN (
    SELECT DISTINCT ON (department_id) department_id, status, resolution_hours, opened_at
    FROM benchmark_reference_ticket ORDER BY department_id, opened_at DESC, id DESC
) AS t ON t.department_id = d.id
ORDER BY d.id
"""
INDEX = "CREATE INDEX latest_ticket ON benchmark_reference_ticket (department_id, opened_at DESC, id DESC)"
STORES_BY_HAND = """
WITH e AS (
    SELECT c.store_id, count(*) AS employees
    FROM benchmark_reference_employee AS e JOIN benchmark_reference_section AS c ON c.id = e.section_id
    GROUP BY c.store_id
), p AS (SELECT store_id, count(*) AS products FROM benchmark_reference_product GROUP BY store_id)
SELECT s.id, s.name, coalesce(e.employees, 0), coalesce(p.products, 0)
FROM benchmark_reference_store AS s LEFT JOIN e ON e.store_id = s.id LEFT JOIN p ON p.store_id = s.id
ORDER BY s.id
"""

Rows = Callable[[], list[Any]]


def measure() -> Iterator[Comparison]:
    """Yield dashboards, a page, the latest ticket of each department, and stores whose joins multiply."""
    create_departments(TICKETS)
    size = f"{TICKETS:,} tickets"
    for dashboard in DASHBOARDS:
        others = {
            "Subquery": _rows(dashboard.of(by_subqueries())),
            "Count(filter=)": _rows(dashboard.of(by_condition())),
            "django-cte": _rows(dashboard.of(by_django_cte())),
            "by hand": _by_hand(dashboard.by_hand),
        }
        yield from _compared(f"{size}, {dashboard.name}", dashboard.of(by_subqueries()), others)
    page = by_subqueries().order_by("name")[:20]
    yield from _compared(f"{size}, page of 20", page, {"Subquery": _rows(page)})
    latest = {"Subquery": _rows(by_latest_tickets()), "by hand": _by_hand(LATEST_BY_HAND)}
    yield from _compared(f"{size}, latest of each", by_latest_tickets(), latest)
    execute(INDEX)
    yield from _compared(f"{size}, latest, indexed", by_latest_tickets(), latest)
    yield from _stores()


def _stores() -> Iterator[Comparison]:
    """Yield two COUNT(DISTINCT) over joins that multiply: of two stores 25 million rows, of 32 not to be waited for."""
    create_stores(2)
    others = {"by hand": _by_hand(STORES_BY_HAND), "Count(distinct=True)": _rows(_distinct())}
    yield from _compared("2 stores", _distinct(), others, runs=1)
    create_stores(32)
    others = {
        "Subquery": _rows(_counted()),
        "UNION ALL by hand": _by_hand(STORES_BY_UNION),
        "by hand": _by_hand(STORES_BY_HAND),
    }
    yield from _compared("32 stores", _distinct(), others)


def _distinct() -> Any:
    return ReferenceStore._default_manager.annotate(
        of_employees=Count("sections__employees", distinct=True), of_products=Count("products", distinct=True)
    ).order_by("id")


def _counted() -> Any:
    def of(model: Any, path: str) -> Subquery:
        rows = model._default_manager.filter(**{path: OuterRef("pk")}).order_by().values(path)
        return Subquery(rows.annotate(figure=Count("pk")).values("figure"))

    return ReferenceStore._default_manager.annotate(
        of_employees=of(ReferenceEmployee, "section__store"), of_products=of(ReferenceProduct, "store")
    ).order_by("id")


def _compared(name: str, queryset: Any, others: Mapping[str, Rows], *, runs: int = 5) -> Iterator[Comparison]:
    """Yield what ``consolidate()`` sends against the others, and against each way that it could have chosen."""
    decisions.clear()  # what was chosen for the same text over other data
    ours = _rows(consolidate(queryset))
    candidates = consolidate(queryset).rewriting().candidates
    wanted, sent = ours(), _sent(ours, candidates)
    ways = {str(way): _rows(consolidate(queryset, strategy=way)) for way in candidates if way != sent}
    others = {**others, **ways}
    for other, rows in others.items():
        _check(wanted, rows(), f"{name}: {other}")
    for other, rows in others.items():
        yield compare(f"{name}: {sent} / {other}", ours, rows, runs=runs)


def _rows(queryset: Any) -> Rows:
    """Return what builds, compiles and sends a queryset; one that is kept would keep its rows."""
    return lambda: list(queryset.all().values_list())


def _by_hand(sql: str) -> Rows:
    return lambda: execute(sql)


def _sent(rows: Rows, candidates: Mapping[Strategy, str]) -> Strategy:
    """Return how a consolidated queryset is sent: which candidate the text is, but for its values."""
    with CaptureQueriesContext(connection) as queries:
        rows()
    sql = queries[-1]["sql"]
    patterns = {way: re.sub(r"\\\$\d+", ".*?", re.escape(text)) for way, text in candidates.items()}
    return next((way for way, each in patterns.items() if re.fullmatch(each, sql, re.DOTALL)), Strategy.ORIGINAL)


def _check(wanted: list[Any], rows: list[Any], name: str) -> None:
    for one, other in zip_longest(wanted, rows):
        if one is None or other is None or len(one) != len(other) or not all(map(_is_same, one, other)):
            raise AssertionError(f"{name} gives {other}, ours {one}")


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12)
    return type(one) is type(other) and bool(one == other)
