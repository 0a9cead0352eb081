"""Three figures of each department's tickets, and what is computed from them: by the ORM in three ways, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, ExpressionWrapper, F, FloatField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, NullIf
from django.db.models.sql.constants import LOUTER
from django_cte import CTE, with_cte

from benchmarks.reference import ReferenceDepartment, ReferenceTicket

BY_HAND = """
WITH t AS (
    SELECT department_id, count(*) FILTER (WHERE status = 'open') AS open,
           count(*) FILTER (WHERE status = 'closed') AS closed,
           avg(resolution_hours) FILTER (WHERE status = 'closed') AS hours
    FROM benchmark_reference_ticket GROUP BY department_id
), f AS (
    SELECT d.*, coalesce(t.open, 0) AS open, coalesce(t.closed, 0) AS closed, t.hours
    FROM benchmark_reference_department AS d LEFT JOIN t ON t.department_id = d.id
)
"""
_SHARE = "closed * 1.0 / nullif(open + closed, 0)"


def by_subqueries() -> Any:
    """Return the departments with a Subquery for each figure."""

    def of(status: str, figure: Any) -> Subquery:
        tickets: Any = ReferenceTicket._default_manager.filter(department=OuterRef("pk"), status=status)
        return Subquery(tickets.order_by().values("department").annotate(figure=figure).values("figure"))

    return ReferenceDepartment._default_manager.annotate(
        open=Coalesce(of("open", Count("pk")), 0),
        closed=Coalesce(of("closed", Count("pk")), 0),
        hours=of("closed", Avg("resolution_hours")),
    )


def by_condition() -> Any:
    """Return the departments by one join and conditional aggregation."""
    return ReferenceDepartment._default_manager.annotate(
        open=Count("tickets", filter=Q(tickets__status="open")),
        closed=Count("tickets", filter=Q(tickets__status="closed")),
        hours=Avg("tickets__resolution_hours", filter=Q(tickets__status="closed")),
    )


def by_django_cte() -> Any:
    """Return the departments with a CTE of django-cte's joined to them."""
    is_open, is_closed = Q(status="open"), Q(status="closed")
    tickets: Any = ReferenceTicket._default_manager.values("department_id").annotate(
        of_open=Count("pk", filter=is_open),
        of_closed=Count("pk", filter=is_closed),
        mean=Avg("resolution_hours", filter=is_closed),
    )
    cte = CTE(tickets)
    joined = cte.join(ReferenceDepartment, id=cte.col.department_id, _join_type=LOUTER)
    return with_cte(cte, select=joined).annotate(
        open=Coalesce(cte.col.of_open, 0), closed=Coalesce(cte.col.of_closed, 0), hours=cte.col.mean
    )


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What is asked of departments that have the three figures: by querysets, and by SQL."""

    name: str
    of: Callable[[Any], Any]
    by_hand: str


def _figures(departments: Any) -> Any:
    return departments.order_by("id")


def _with_share(departments: Any) -> Any:
    return departments.annotate(share=F("closed") * 1.0 / NullIf(F("open") + F("closed"), 0)).order_by("id")


def _with_load(departments: Any) -> Any:
    """Compute each figure from the one before, and filter and order by them."""
    return (
        departments.annotate(total=F("open") + F("closed"))
        .annotate(share=F("closed") * 1.0 / NullIf(F("total"), 0))
        .annotate(load=ExpressionWrapper(F("share") * F("hours"), FloatField()))
        .filter(total__gt=0, share__lt=0.9)
        .order_by("-load", "id")
    )


DASHBOARDS = (
    Dashboard("3 figures", _figures, f"{BY_HAND} SELECT * FROM f ORDER BY id"),
    Dashboard("with a ratio", _with_share, f"{BY_HAND} SELECT *, ({_SHARE})::float8 FROM f ORDER BY id"),
    Dashboard(
        "figures of figures",
        _with_load,
        f"{BY_HAND} SELECT *, open + closed, ({_SHARE})::float8, ({_SHARE} * hours)::float8 AS load FROM f"
        f" WHERE open + closed > 0 AND {_SHARE} < 0.9 ORDER BY load DESC, id",
    ),
)


def by_latest_tickets() -> Any:
    """Return the departments with three columns of their latest ticket, a Subquery for each."""
    latest: Any = ReferenceTicket._default_manager.filter(department=OuterRef("pk")).order_by("-opened_at", "-id")
    names = ("status", "resolution_hours", "opened_at")
    return ReferenceDepartment._default_manager.annotate(
        **{f"last_{name}": Subquery(latest.values(name)[:1]) for name in names}
    ).order_by("id")
