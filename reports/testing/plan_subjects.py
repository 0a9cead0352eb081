"""What an assertion about a plan takes: rows, any queryset, or the plan itself."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from reports.explain import explain_queryset
from reports.plan import Plan

PlanSubject = models.QuerySet[Any, Any] | Plan


def plan_of(subject: PlanSubject, *, analyze: bool) -> Plan:
    """Return the plan of what is asserted about; ``analyze`` runs it, but for a plan, which stays as it was made.

    Raises:
        ValueError: The queryset reads from another engine than PostgreSQL.
    """
    if isinstance(subject, Plan):
        return subject
    vendor = connections[subject.db].vendor
    if vendor != "postgresql":
        raise ValueError(f"the queryset reads from the database {subject.db!r}, which is {vendor}, not PostgreSQL.")
    return explain_queryset(subject, analyze=analyze)


def alias_of(subject: PlanSubject) -> str:
    """Return the alias of the database that a plan is of. A plan does not say it: the default one's."""
    return DEFAULT_DB_ALIAS if isinstance(subject, Plan) else subject.db
