"""From which size on a report pays: three metrics per department, in three ways, at growing numbers of tickets."""

from __future__ import annotations

import io
from collections.abc import Iterator

from django.contrib.auth.models import User

from benchmarks.timing import Comparison, compare
from example_project.helpdesk.loading import load
from example_project.helpdesk.questions import METRICS, metrics_by_condition, metrics_by_subqueries
from example_project.helpdesk.reports import DepartmentTickets

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def measure() -> Iterator[Comparison]:
    """Yield, for each size, the report against chained subqueries and against conditional aggregation."""
    for tickets in SIZES:
        load(tickets, io.StringIO())
        user = User.objects.get(username="staff")
        for name, orm in (("subqueries", metrics_by_subqueries), ("Count(filter=)", metrics_by_condition)):
            yield compare(
                f"{tickets:>9,} tickets: report / the ORM's {name}",
                lambda user=user: list(DepartmentTickets(user=user).run().values_list(*METRICS)),  # type: ignore[misc]
                lambda orm=orm: list(orm()),  # type: ignore[misc]
                runs=5,
            )
