"""The shape of a plan: which nodes read which tables, by which indexes, joined how. No cost, no count, no value.

Two plans that differ only in what comes and goes by itself have one shape. Left out are parallel workers and what they
need; Hash, Materialize and Memoize, which keep the rows of one node for another; Subquery Scan and Result, which only
compute columns; the numbers of aliases and SubPlans; partitions of one table that are read alike.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from reports.plan import Plan
from reports.plan_nodes import Node

_LEFT_OUT = ("Gather", "Gather Merge", "Hash", "Materialize", "Memoize", "Subquery Scan")
_APPENDS = ("Append", "Merge Append")
_SORTS = ("Sort", "Incremental Sort")
_NUMBER = re.compile(r"_\d+$")
_INDENT = "  "
_NAME = r'"(?:[^"\\]|\\.)*"|[\w$.]+'
_LINE = re.compile(
    rf"(?P<indent>(?:  )*)(?:(?P<label>CTE (?:{_NAME})|(?:hashed )?[A-Z]\w*): )?(?P<title>[A-Z]\w*(?: [A-Z]\w*)*)"
    rf"(?: on (?P<relation>{_NAME}))?(?: as (?P<alias>{_NAME}))?(?: using (?P<index>{_NAME}))?"
)


@dataclass(frozen=True, slots=True)
class ShapeLine:
    """One node of a shape. Printed it is a line of text, which ``read`` takes back.

    ``label`` is "CTE stats", "SubPlan", "hashed SubPlan", "InitPlan" or empty; names that are not there are empty.
    """

    depth: int
    label: str
    title: str
    relation: str = ""
    alias: str = ""
    index: str = ""

    @classmethod
    def read(cls, text: str) -> ShapeLine:
        """Return the line of a text.

        Raises:
            ValueError: The text is none.
        """
        found = _LINE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text.strip()!r} is no line of a plan's shape.")
        parts = {key: part or "" for key, part in found.groupdict().items()}
        return cls(len(parts.pop("indent")) // len(_INDENT), **parts)

    def __str__(self) -> str:
        label = f"{self.label}: " if self.label else ""
        words = [label + self.title]
        words += [f"on {self.relation}"] if self.relation else []
        words += [f"as {self.alias}"] if self.alias else []
        words += [f"using {self.index}"] if self.index else []
        return _INDENT * self.depth + " ".join(words)


def shape(plan: Plan) -> tuple[ShapeLine, ...]:
    """Return the lines of a plan's shape, in EXPLAIN's order."""
    tables = _partitioned(plan.partitions)
    return tuple(_lines(_plain(plan.root, tables), 0))


def _lines(node: Node, depth: int) -> Iterator[ShapeLine]:
    # PostgreSQL numbers the aliases that occur twice, as it comes to them.
    alias = _NUMBER.sub("", node.alias or "")
    alias = alias if alias != _NUMBER.sub("", node.relation or "") else ""
    relation, alias, index = (_name(name) for name in (node.relation, alias, node.index))
    yield ShapeLine(depth, node.label or "", node.title, relation, alias, index)
    for child in node.children:
        yield from _lines(child, depth + 1)


def _name(name: str | None) -> str:
    """Return a name as one word: in double quotes, as JSON has it, where it is none."""
    if not name or re.fullmatch(r"[\w$.]+", name):
        return name or ""
    return json.dumps(name, ensure_ascii=False)


def _plain(node: Node, tables: Mapping[str, str]) -> Node:
    """Return the node with all below it, as if one process ran it and tables had no partitions."""
    children = [_plain(replace(child, label=_label(node, child)), tables) for child in node.children]
    asides = [child for child in children if child.role in ("InitPlan", "SubPlan")]
    inputs = [child for child in children if child.role not in ("InitPlan", "SubPlan")]
    if node.type in _APPENDS:
        inputs = _alike(inputs, set(tables.values()))
    is_passing = node.type in _LEFT_OUT or (node.type == "Result" and "One-Time Filter" not in node.conditions)
    is_passing |= len(inputs) < len(children) - len(asides)
    if is_passing and len(inputs) == 1:
        return _in_place_of(node, inputs[0], asides)
    if node.title.startswith("Finalize ") and (whole := _unsplit(inputs[0])):
        return _in_place_of(node, whole, asides)
    node = replace(node, title=node.title.replace("Parallel ", ""), children=(*asides, *inputs))
    return _whole_table(node, tables)


def _label(node: Node, child: Node) -> str | None:
    """Return what part of the statement a child is, without a number."""
    if not child.label:
        return None
    kind, _, name = child.label.partition(" ")
    if kind == "CTE":
        return f"CTE {_name(name)}"
    hashed = re.compile(rf"hashed {re.escape(child.label)}\b")
    return f"hashed {kind}" if any(map(hashed.search, (*node.conditions.values(), *node.output))) else kind


def _in_place_of(node: Node, below: Node, asides: list[Node]) -> Node:
    return replace(below, label=node.label, role=node.role, children=(*asides, *below.children))


def _unsplit(node: Node) -> Node | None:
    """Return an aggregation as if one process did it; None when this is not the workers' part of one.

    They sort what they have counted, so that it can be merged; without them that is seldom needed.
    """
    if node.type in _SORTS and len(node.children) == 1:
        node = node.children[0]
    return replace(node, title=node.title.removeprefix("Partial ")) if node.title.startswith("Partial ") else None


# Partitions.


def _partitioned(partitions: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return for each partition the table that is read: of those above it the one with the most partitions here."""
    counts = Counter(table for above in partitions.values() for table in above)
    return {
        name: min(above, key=lambda table: (-counts[table], len(table), table)).partition(".")[2]
        for name, above in partitions.items()
    }


def _alike(inputs: list[Node], tables: Collection[str]) -> list[Node]:
    """Return the parts of an Append, of those that read partitions in the same way the first.

    They are sorted: a Parallel Append begins with the most expensive.
    """
    found: dict[object, Node] = {}
    for place, node in enumerate(inputs):
        is_partition = any(part.relation in tables for part in node.walk())
        found.setdefault(tuple(_lines(node, 0)) if is_partition else place, node)
    return sorted(found.values(), key=lambda node: [str(line) for line in _lines(node, 0)])


def _whole_table(node: Node, tables: Mapping[str, str]) -> Node:
    """Return the scan of a partition as one of its table. PostgreSQL numbers the aliases of partitions."""
    table = tables.get(f"{node.schema}.{node.relation}")
    if node.relation is None or table is None:
        return node
    return replace(_renamed(node, node.relation, table), relation=table, alias=None)


def _renamed(node: Node, partition: str, table: str) -> Node:
    """Return a scan with its indexes under the names that PostgreSQL gives those of the table."""
    index = node.index
    if index and index.startswith(partition):
        index = table + index.removeprefix(partition)
    children = (
        _renamed(child, partition, table) if child.type.startswith("Bitmap") else child for child in node.children
    )
    return replace(node, index=index, children=tuple(children))
