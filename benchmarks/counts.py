"""Counting a report's rows against reading its first page: a list view does both."""

from __future__ import annotations

import io
from collections.abc import Iterator

from django.contrib.auth.models import User

from benchmarks.timing import Comparison, compare
from example_project.helpdesk.loading import load
from example_project.helpdesk.reports import DepartmentTickets

TICKETS = 200_000
PAGE = 25


def measure() -> Iterator[Comparison]:
    """Yield the count against the page, of all rows and behind a filter that PostgreSQL must aggregate for."""
    load(TICKETS, io.StringIO())
    rows = DepartmentTickets(user=User.objects.get(username="staff")).run()
    for name, counted in (("all rows", rows), ("rows filtered by a metric", rows.filter(open_tickets__gt=0))):
        yield compare(
            f"count() of {name} / the first page",
            lambda counted=counted: counted.count(),  # type: ignore[misc]
            lambda counted=counted: list(counted[:PAGE]),  # type: ignore[misc]
        )
