"""EXPLAIN's output as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models

from reports.errors import listed, near
from reports.plan_nodes import Node, read_nodes
from reports.plan_tree import cut, plan_tree

WIDTH = 120


@dataclass(frozen=True, slots=True)
class Plan:
    """How PostgreSQL runs, or would run, one statement. Printed, it is a tree.

    ``milliseconds`` is None unless the plan was analyzed. ``partitions`` has, for each partition in the plan, the
    partitioned tables above it, all as ``schema.name``.
    """

    root: Node
    planning_milliseconds: float | None = None
    milliseconds: float | None = None
    partitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> Plan:
        """Return the plan in the one item of the list that ``EXPLAIN (FORMAT JSON, VERBOSE)`` gives."""
        return cls(read_nodes(output["Plan"]), output.get("Planning Time"), output.get("Execution Time"))

    def __str__(self) -> str:
        return self.tree()

    # Totals.

    @property
    def is_analyzed(self) -> bool:
        """True when the statement was run and measured."""
        return self.root.rows is not None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, in EXPLAIN's order."""
        return tuple(self.root.walk())

    @property
    def rows(self) -> float:
        """Rows that came out, or that the planner expects."""
        return self.root.expected if self.root.rows is None else self.root.rows

    @property
    def cost(self) -> float:
        """The planner's figure for all of it, in units of one page read in sequence."""
        return self.root.cost

    @property
    def spills(self) -> tuple[Node, ...]:
        """The nodes whose rows did not fit into ``work_mem`` and went to disk."""
        return tuple(node for node in self.nodes if node.spilled)

    # Tables and indexes. What never ran does not count.

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that are read, sorted; partitions by their own names."""
        return tuple(sorted({str(node.relation) for node in self._scanned()}))

    @property
    def indexes(self) -> tuple[str, ...]:
        """The names of the indexes that are read, sorted."""
        return tuple(sorted({node.index for node in self.nodes if node.index and node.loops}))

    def uses_index(self, name: str) -> bool:
        """Return whether the index of that name is read."""
        return name in self.indexes

    def scans(self, table: str | type[models.Model]) -> int:
        """Return how often the plan goes to a table, by a scan of it or of its indexes.

        A scan under a nested loop or in a correlated SubPlan counts once per loop: measured in an analyzed plan, else
        as the planner's figures have it, and at least once. A scan that several processes share counts once, an
        index-only scan and a bitmap scan with all its indexes too. A partitioned table is scanned as often as that
        partition which is scanned most.

        Args:
            table: A model; or a table's name, with its schema or without; or else a model's name (``helpdesk.Ticket``,
                ``ticket``) or its plural (``tickets``). Aliases are not tables.

        Raises:
            LookupError: The plan does not read such a table and no model has it. A name with a schema is not looked up.
        """
        name = self._table(table)
        counts: Counter[str] = Counter()
        parts: Counter[str] = Counter()
        for node in self.readers(table):
            full = f"{node.schema}.{node.relation}"
            (counts if name in (node.relation, full) else parts)[full] += _runs(node)
        return counts.total() + max(parts.values(), default=0)

    def readers(self, table: str | type[models.Model]) -> tuple[Node, ...]:
        """Return the nodes that go to a table or to its partitions, in EXPLAIN's order; see ``scans`` for the names.

        Raises:
            LookupError: As for ``scans``.
        """
        name = self._table(table)
        return tuple(node for node in self._scanned() if name in self._tables_of(node))

    def _tables_of(self, node: Node) -> set[str | None]:
        """Return the names of the table that a node reads, and of those of which that is a partition."""
        full = f"{node.schema}.{node.relation}"
        return {node.relation, full, *(name for parent in self.partitions.get(full, ()) for name in _names(parent))}

    def _scanned(self) -> Iterable[Node]:
        return (node for node in self.nodes if node.relation and node.loops)

    def _table(self, table: str | type[models.Model]) -> str:
        """Return the table's name, as the plan has it."""
        if not isinstance(table, str):
            return _bare(table._meta.db_table)
        parents = {name for above in self.partitions.values() for parent in above for name in _names(parent)}
        known = {_bare(model._meta.db_table) for model in apps.get_models()}
        if "." in table and not _models(table):
            return table
        if table in {*self.tables, *parents, *known}:
            return table
        found = _models(table)
        if len(found) == 1:
            return _bare(found[0]._meta.db_table)
        if found:
            labels = listed(model._meta.label for model in found)
            raise LookupError(f"{table!r} may be each of these models: {labels}. Write which.")
        words = {*self.tables, *known, *(word for model in apps.get_models() for word in _words(model))}
        raise LookupError(
            f"no table is called {table!r}, and no model (the plan reads: {listed(self.tables)}).{near(table, words)}"
        )

    # Text.

    def tree(self, *, width: int = WIDTH, conditions: bool = False) -> str:
        """Return the plan as lines of text, one for each node.

        Args:
            width: The most characters in a line.
            conditions: With the conditions of each node. They hold values: those of the template, and those bound.
        """
        return "\n".join([*plan_tree(self.root, width=width, conditions=conditions), cut(self._totals(), width)])

    def _totals(self) -> str:
        count = f"{self.rows:,.0f} row{'' if round(self.rows) == 1 else 's'}"
        words = [count] if self.is_analyzed else [f"{count} expected", f"cost {self.cost:,.2f}"]
        if self.milliseconds is not None:
            words.append(f"{self.milliseconds:,.1f} ms")
        if self.planning_milliseconds is not None:
            words.append(f"planned in {self.planning_milliseconds:,.1f} ms")
        if self.root.hit is not None:
            words.append(f"{self.root.hit:,} blocks hit, {self.root.read:,} read")
        if self.spills:
            words.append(f"{sum(node.spilled or 0 for node in self.spills):,} kB spilled to disk")
        return "; ".join(words)


def _runs(node: Node) -> int:
    return max(round(node.runs), 1)


def _names(full: str) -> tuple[str, str]:
    return full, full.partition(".")[2]


def _bare(table: str) -> str:
    """Return a ``db_table`` as PostgreSQL names it: ``"stock"."item"``, Django's trick for a schema, is stock.item."""
    return table.replace('"', "")


def _words(model: type[models.Model]) -> tuple[str, ...]:
    plural = str(model._meta.verbose_name_plural).lower().replace(" ", "_")
    return model._meta.label_lower, str(model._meta.model_name), plural


def _models(word: str) -> list[type[models.Model]]:
    return [model for model in apps.get_models() if word.lower() in _words(model)]
