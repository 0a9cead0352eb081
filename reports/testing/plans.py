"""What a plan must have, and what it must not: ``assert_plan(rows).uses_index("…").no_seq_scan("tickets")``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connections

from reports.errors import listed, near
from reports.plan import Plan
from reports.plan_nodes import Node
from reports.testing.plan_subjects import PlanSubject, alias_of, plan_of
from reports.testing.scans import Table, assert_scans

# Each index by name, with those of the partitions below it.
_INDEXES = """
SELECT index.relname, array_agg(part.relname)
FROM pg_class AS index
JOIN pg_namespace AS schema ON schema.oid = index.relnamespace
LEFT JOIN pg_partition_tree(index.oid) AS below ON true
JOIN pg_class AS part ON part.oid = coalesce(below.relid, index.oid)
WHERE index.relkind IN ('i', 'I') AND schema.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
GROUP BY index.relname
"""


@dataclass(frozen=True, slots=True)
class PlanAssertion:
    """Assertions about one plan. Each method returns this object, or raises an AssertionError that ends with the plan.

    The text of that error holds no values. ``using`` is the alias of the database whose indexes count.
    """

    plan: Plan
    using: str

    def uses_index(self, name: str) -> PlanAssertion:
        """Assert that an index is read; a partitioned one, that the index of a partition is.

        Raises:
            LookupError: The database has no index of that name.
        """
        __tracebackhide__ = True
        if self.plan.uses_index(name):
            return self
        found, read = _indexes(self.using), listed(self.plan.indexes)
        if name not in found:
            raise LookupError(
                f"the database {self.using!r} has no index {name!r} (the plan reads: {read}).{near(name, found)}"
            )
        if not any(map(self.plan.uses_index, found[name])):
            self._refuse([f"the index {name} is not read; the plan reads: {read}."])
        return self

    def scans(self, expected: Mapping[Table, int] | None = None, /, **tables: int) -> PlanAssertion:
        """Assert how often tables are scanned, as ``assert_scans`` does: exactly, when the plan is analyzed."""
        __tracebackhide__ = True
        wanted: dict[Table, int] = dict(expected or {})
        wanted.update(tables)
        assert_scans(self.plan, wanted)
        return self

    def no_seq_scan(self, *tables: Table) -> PlanAssertion:
        """Assert that these tables are not read from one end to the other; without tables, that none is.

        Raises:
            LookupError: A name is that of no table; see ``Plan.scans``.
        """
        __tracebackhide__ = True
        nodes: Iterable[Node] = self.plan.nodes
        if tables:
            nodes = (node for table in tables for node in self.plan.readers(table))
        read = {f"{node.schema}.{node.relation}" for node in nodes if node.type == "Seq Scan" and node.loops}
        self._refuse(f"{name} is read by a Seq Scan." for name in sorted(read))
        return self

    def never_materializes(self) -> PlanAssertion:
        """Assert that no CTE is stored: each is merged into what reads it, but recursive ones, which cannot be."""
        __tracebackhide__ = True
        nodes = (node for node in self.plan.nodes if node.type != "Recursive Union")
        names = [node.label for node in nodes if node.label and node.label.startswith("CTE ")]
        self._refuse(f"the {name} is materialized." for name in names)
        return self

    def max_cost(self, most: float) -> PlanAssertion:
        """Assert that the planner's figure is at most this: in units of one page read in sequence."""
        __tracebackhide__ = True
        if self.plan.cost > most:
            self._refuse([f"the plan costs {self.plan.cost:,.2f}, more than {most:,.2f}."])
        return self

    def _refuse(self, problems: Iterable[str]) -> None:
        __tracebackhide__ = True
        if lines := list(problems):
            raise AssertionError("\n".join([*lines, "", self.plan.tree()]))


def assert_plan(rows: PlanSubject, *, analyze: bool = False) -> PlanAssertion:
    """Return an object whose methods assert something of a plan, one after the other.

    Args:
        rows: Of a report; any queryset; or a plan that was made already, such as ``rows.plan(count=True)``.
        analyze: Run the statement and measure; what never ran is not read then.

    Raises:
        ValueError: The queryset reads from another engine than PostgreSQL.
    """
    return PlanAssertion(plan_of(rows, analyze=analyze), alias_of(rows))


def assert_max_cost(rows: PlanSubject, most: float) -> None:
    """Assert that the planner's figure for all of it is at most this: in units of one page read in sequence.

    Raises:
        AssertionError: It is more; its text ends with the plan, which holds no values.
    """
    __tracebackhide__ = True
    assert_plan(rows).max_cost(most)


def _indexes(using: str) -> dict[str, list[str]]:
    with connections[using].cursor() as cursor:
        cursor.execute(_INDEXES)
        return dict(cursor.fetchall())
