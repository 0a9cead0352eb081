"""How often the plan of a report, or of any queryset, goes to its tables."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models

from reports.testing.plan_subjects import PlanSubject, plan_of

Table = str | type[models.Model]


def assert_scans(
    rows: PlanSubject, expected: Mapping[Table, int] | None = None, /, *, analyze: bool = True, **tables: int
) -> None:
    """Assert how often tables are scanned: ``assert_scans(rows, tickets=1)``, ``assert_scans(rows, {Ticket: 1})``.

    Args:
        rows: Of a report; any queryset; or a plan that was made already, such as ``rows.plan(count=True)``.
        expected: Scans by model or name of a table; see ``Plan.scans`` for the names and for what counts.
        analyze: Run the statement and count; else the planner's figures say how often a loop comes round.
        tables: The same as ``expected``, by names.

    Raises:
        AssertionError: Another number; its text ends with the plan, which holds no values.
        LookupError: A name is that of no table.
        ValueError: The queryset reads from another engine than PostgreSQL.
    """
    __tracebackhide__ = True
    wanted: dict[Table, int] = dict(expected or {})
    wanted.update(tables)
    if not wanted:
        raise TypeError("assert_scans() needs the number of scans of at least one table: tickets=1.")
    plan = plan_of(rows, analyze=analyze)
    wrong = [
        f"{_name(table)}: {found} {'scan' if found == 1 else 'scans'}, expected {number}."
        for table, number in wanted.items()
        if (found := plan.scans(table)) != number
    ]
    if wrong:
        raise AssertionError("\n".join([*wrong, "", plan.tree()]))


def _name(table: Table) -> str:
    return table if isinstance(table, str) else table._meta.label
