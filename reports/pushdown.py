"""Which filters on a report's columns reach the tables, and which only pick from the finished result.

Asked by EXPLAIN, with a value that the planner does not know: PostgreSQL moves a condition towards the tables by rules
that do not look at the value, and shows where it stands in the end. No row is read, so an empty report has an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db.models import BooleanField, F, Field, ForeignKey, Func, Value
from django.db.models.functions import Cast

from reports.plan import Plan
from reports.plan_nodes import Node

LOOKUPS = ("exact", "in", "range")
# A filter counts when the scans that it does not reach give at most this part of the rows: a table of four regions may
# be read whole.
REST = 0.1

_SETTING = "sql_reports.pushdown"
# What a scan is told to read. Filter also holds what it must look up elsewhere for each row: a SubPlan.
_OF_SCANS = ("Index Cond", "Recheck Cond", "TID Cond", "Filter")
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\sAND\s""")


def condition(field: Field, lookup: str) -> Func:  # type: ignore[type-arg]  # generic in the stubs only
    """Return a condition for ``filter()``: the column against values of its type.

    The value is a setting that nobody makes. PostgreSQL takes it for a constant, but reads it only when a plan runs.
    """
    typed = field.target_field if isinstance(field, ForeignKey) else field
    value = Cast(Func(Value(_SETTING), Value(True), function="current_setting"), typed)
    right: Func = {
        "exact": value,
        "in": Func(value, value, template="(%(expressions)s)"),
        "range": Func(value, value, template="%(expressions)s", arg_joiner=" AND "),
    }[lookup]
    joiner = {"exact": " = ", "in": " IN ", "range": " BETWEEN "}[lookup]
    return Func(F(field.attname), right, template="(%(expressions)s)", arg_joiner=joiner, output_field=BooleanField())


def is_pushed(whole: Plan, filtered: Plan) -> bool:
    """Return whether the tables give fewer rows to the filtered report than to the whole one."""
    all_rows = sum(node.expected for node in whole.nodes if node.relation)
    return all_rows > 0 and sum(node.expected for node in _not_reached(filtered.root)) <= all_rows * REST


def _not_reached(node: Node, driving: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield the scans that read as much as without the filter.

    ``driving`` are the aliases for whose rows this part of the plan runs, and of which the filter leaves fewer.
    """
    # A branch that is read or left out, as in UNION ALL; what the filter itself has to look up is read all the same.
    is_switched = _SETTING in node.conditions.get("One-Time Filter", "")
    if node.relation and not is_switched and not _is_reached(node, driving):
        yield node
    for child in node.children:
        if is_switched and child.role != "InitPlan":
            continue
        below = driving
        for driver in _drivers(node, child):
            parts = list(_unasked(driver))
            if any(_is_reached(part, driving) for part in parts):
                below |= {part.alias for part in parts if part.alias}
        yield from _not_reached(child, below)


def _drivers(node: Node, child: Node) -> tuple[Node, ...]:
    """Return the nodes for each of whose rows a child runs anew."""
    if child.role == "Inner" and node.type == "Nested Loop":
        return tuple(other for other in node.children if other.role == "Outer")
    return (node,) if child.role == "SubPlan" else ()


def _unasked(node: Node) -> Iterator[Node]:
    """Yield the node and those below that give it its rows."""
    yield node
    for child in node.children:
        if child.role not in ("SubPlan", "InitPlan"):
            yield from _unasked(child)


def _is_reached(node: Node, driving: frozenset[str]) -> bool:
    """Return whether a node has the filter among its conditions, or a condition on rows of which there are fewer."""
    names = "|".join(map(re.escape, driving))
    column = re.compile(rf'(?<![\w."])"?(?:{names})"?\.') if driving else None
    return any(
        (_SETTING in part and "SubPlan" not in part) or (column is not None and column.search(part) is not None)
        for text in _conditions(node)
        for part in _conjuncts(text)
    )


def _conditions(node: Node) -> list[str]:
    return [text for key, text in node.conditions.items() if key in _OF_SCANS]


def _conjuncts(text: str) -> Iterator[str]:
    """Yield the parts of ``((a) AND (b))``; a text without AND is one part."""
    depth, start = 0, 0
    for piece in _PIECE.finditer(text):
        depth += (piece[0] == "(") - (piece[0] == ")")
        if depth == 1 and piece[0].strip() == "AND":
            yield text[start : piece.start()]
            start = piece.end()
    yield text[start:]
