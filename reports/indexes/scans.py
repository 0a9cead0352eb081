"""What each scan of an analyzed plan asks of its table: conditions, an order, joins, the columns that are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.indexes.comparisons import Comparison, Key, Kind, comparisons, mentioned, plain_column, sort_key, words
from reports.plan import Plan
from reports.plan_nodes import Node

TYPES = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")
# A join's column is worth an index when the other side asks for so small a part of the rows.
FEW = 0.1
_OF_INDEX = ("Index Cond", "Recheck Cond")
_OF_JOINS = ("Hash Cond", "Merge Cond", "Join Filter")
_SORTS = ("Sort", "Incremental Sort")
# What is above one of these has no order to gain from an index below it.
_BARRIERS = (*_SORTS, "Aggregate", "Append", "CTE Scan", "Merge Append", "SetOp", "Unique", "WindowAgg")


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that ran.

    ``tests`` are its comparisons, those of its index first, which ``indexed`` has alone. ``order`` is what a node above
    sorts or, with ``is_grouped``, groups by, and ``order_milliseconds`` what that takes. ``joined`` are columns for few
    of whose values rows are wanted. ``needed`` are the columns that are read at all.
    """

    node: Node
    tests: tuple[Comparison, ...]
    indexed: tuple[Comparison, ...]
    order: tuple[Key, ...]
    is_grouped: bool
    order_milliseconds: float
    joined: tuple[str, ...]
    needed: tuple[str, ...]

    @property
    def examined(self) -> float:
        """Rows that it looked at, in all its loops."""
        return (self.node.rows or 0) + (self.node.removed or 0)

    @property
    def kept(self) -> float:
        """The part of them that it gave."""
        return (self.node.rows or 0) / self.examined if self.examined else 1.0

    @property
    def milliseconds(self) -> float:
        """What it took without the nodes below, but with the bitmaps of its indexes."""
        return (self.node.own_milliseconds or 0) + sum(child.own_milliseconds or 0 for child in self.node.children)


def scans(plan: Plan) -> tuple[Scan, ...]:
    """Return the scans of tables that ran, in the plan's order."""
    return tuple(_scan(path, plan) for path in _paths(plan.root, ()) if path[-1].type in TYPES and path[-1].loops)


def _paths(node: Node, above: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Yield each node with those above it, the root first."""
    path = (*above, node)
    yield path
    for child in node.children:
        yield from _paths(child, path)


def _scan(path: tuple[Node, ...], plan: Plan) -> Scan:
    node = path[-1]
    alias = node.alias or ""
    indexed = _tests(node, _OF_INDEX)
    joined: list[str] = []
    order: tuple[Key, ...] = ()
    barrier = None
    below = node
    for parent in reversed(path[:-1]):
        if below.role in ("SubPlan", "InitPlan") or below.label:
            break
        if parent.type in _BARRIERS:
            barrier = parent
            break
        joined += _joined(parent, below, node)
        below = parent
    if barrier is not None:
        order = _order(barrier, alias)
    return Scan(
        node=node,
        tests=tuple(dict.fromkeys([*indexed, *_tests(node, ("Filter",))])),
        indexed=tuple(dict.fromkeys(indexed)),
        order=order,
        is_grouped=barrier is not None and barrier.type == "Aggregate",
        order_milliseconds=(barrier.own_milliseconds or 0) if barrier and order else 0.0,
        joined=tuple(dict.fromkeys(joined)),
        needed=tuple(_needed(node, plan)),
    )


def _tests(node: Node, keys: Sequence[str]) -> list[Comparison]:
    texts = [node.conditions[key] for key in keys if key in node.conditions]
    return [test for text in texts for test in comparisons(text) if test.alias == node.alias]


def _joined(join: Node, below: Node, scan: Node) -> Iterator[str]:
    """Yield the columns of a scan that a join asks for, when the join's other side has few rows."""
    others = [child for child in join.children if child is not below and child.role in ("Outer", "Inner")]
    examined = ((scan.rows or 0) + (scan.removed or 0)) / max(scan.loops, 1)
    if not others or sum(other.rows or 0 for other in others) > examined * FEW:
        return
    for key in _OF_JOINS:
        for test in comparisons(join.conditions.get(key, "")):
            if test.alias == scan.alias and test.kind is Kind.EQUAL and test.others:
                yield test.column


def _order(node: Node, alias: str) -> tuple[Key, ...]:
    """Return the first keys of a node that are an alias's columns; of a grouping all of them or none."""
    found: list[Key] = []
    for text in node.keys:
        key = sort_key(text)
        if key is None or key[0] != alias:
            return () if node.type == "Aggregate" else tuple(found)
        found.append(key[1])
    return tuple(found)


def _needed(scan: Node, plan: Plan) -> Iterator[str]:
    """Yield the columns that are used, in the order of the scan's output.

    A scan may give whole rows although few columns are wanted, so what counts is where other nodes name them. In a plan
    of one table they have no alias there.
    """
    alias = scan.alias or ""
    used = set().union(*(mentioned(text, alias) for text in scan.conditions.values()))
    is_alone = len({node.alias for node in plan.nodes if node.alias}) == 1
    for node in plan.nodes:
        if node is scan:
            continue
        for text in (*node.output, *node.keys, *node.conditions.values()):
            used |= mentioned(text, alias) | (words(text) if is_alone else set())
    given = [column for column in map(plain_column, scan.output) if column]
    wanted = given if scan is plan.root else [column for column in given if column in used]
    yield from dict.fromkeys([*wanted, *sorted(used - set(given) if not is_alone else ())])
