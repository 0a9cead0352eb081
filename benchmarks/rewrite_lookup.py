"""What the rewriting wrapper costs a statement that it has seen before, and one that it passes over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, Subquery

from benchmarks.timing import Comparison, compare
from example_project.helpdesk.models import Department, Ticket
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.instrument import Rewriter

TIMES = 2000


def measure() -> Iterator[Comparison]:
    """Yield what the wrapper adds to one statement, in microseconds: at most 20, or 2 where it is passed over."""
    tickets = Ticket.objects.filter(department=OuterRef("pk")).order_by().values("department")
    counted = {
        f"{status}_tickets": Subquery(tickets.filter(status=status).annotate(number=Count("*")).values("number"))
        for status in ("open", "pending", "solved", "closed")
    }
    cases = [
        ("seen before, 4 subqueries", Department.objects.annotate(**counted), 20),
        ("passed over", Department.objects.filter(name="Support"), 2),
    ]
    for name, rows, most in cases:
        sql, params = rows.query.sql_with_params()
        with connection.cursor() as cursor:
            context = {"connection": cursor.db, "cursor": cursor}
            ours, other = (partial(function, sql, params, context) for function in (_wrapped, _bare))
            found = compare(name, ours, other, runs=15)
        more = (found.ours - found.other) * 1000 / TIMES
        yield Comparison(
            f"rewriting, a statement {name}: more than sending it / {most} µs", more, most, more / most, "µs"
        )


def _wrapped(sql: str, params: Any, context: dict[str, Any]) -> None:
    rewriter = Rewriter(Strategy.LATERAL)
    for _ in range(TIMES):
        rewriter(_execute, sql, params, False, context)


def _bare(sql: str, params: Any, context: dict[str, Any]) -> None:
    for _ in range(TIMES):
        _execute(sql, params, False, context)


def _execute(sql: str, params: Any, many: bool, context: dict[str, Any]) -> None:
    """Stand in for the database."""
