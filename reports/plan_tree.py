"""A plan as text for a terminal: a line for each node, its figures in columns."""

from __future__ import annotations

from collections.abc import Iterator

from reports.plan_nodes import Node

OFF = 10  # an estimate is marked from this factor on
_GAP = "  "
# In characters: what the column of nodes has at least, and what is kept of the notes.
_SHORTEST = 24
_NOTED = 26
# Nodes that read all of what is below them before they give a row: a LIMIT above does not stop that short.
_READ_ALL = ("Aggregate", "Hash", "Materialize", "Sort")

_Line = tuple[str, tuple[str, ...], str]


def plan_tree(root: Node, *, width: int, conditions: bool) -> list[str]:
    """Return a heading and the lines of a tree, none longer than the width.

    The share is that of the node alone in the time of all. Notes are what one looks for: estimates that are off by a
    factor of 10, rows that a filter dropped, blocks of a scan, what did not fit into memory.
    """
    is_timed, is_analyzed = root.milliseconds is not None, root.rows is not None
    heads = ("expected", "rows", "loops", "ms", "share") if is_timed else ("expected", "rows", "loops")
    lines: list[_Line] = [("", heads if is_analyzed else ("expected rows", "cost"), "")]
    for node, branch, below, is_limited in _branches(root):
        figures = _figures(node, root) if is_analyzed else (_number(node.expected), f"{node.cost:,.2f}")
        lines.append((branch + _name(node), figures, "; ".join(_notes(node, is_limited))))
        if conditions:
            lines += [(f"{below}{key}: {text}", (), "") for key, text in node.conditions.items()]
    return [cut(line, width) for line in _aligned(lines, width)]


def cut(text: str, width: int) -> str:
    """Return the text, its end replaced by … where it is longer than the width."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _branches(
    node: Node, front: str = "", below: str = "", is_limited: bool = False
) -> Iterator[tuple[Node, str, str, bool]]:
    """Yield each node, what stands before it and before the lines that belong to it, and whether a LIMIT stops it."""
    yield node, front, f"{below}{'│  ' if node.children else '   '}", is_limited
    is_limited = node.type == "Limit" or (is_limited and node.type not in _READ_ALL)
    for child in node.children:
        is_last = child is node.children[-1]
        front = f"{below}{'└─ ' if is_last else '├─ '}"
        yield from _branches(child, front, below + ("   " if is_last else "│  "), is_limited)


def _name(node: Node) -> str:
    name = f"{node.label}: {node.title}" if node.label else node.title
    if node.relation:
        name += f" on {node.relation}"
    # What the conditions call the table; alone, it names what is no table.
    if node.alias and node.alias != node.relation:
        name += f" {node.alias}"
    # Last, so that it is cut before the table.
    return f"{name} using {node.index}" if node.index else name


def _figures(node: Node, root: Node) -> tuple[str, ...]:
    counts = (_number(node.expected), _number(node.rows), _number(node.loops)) if node.loops else ("", "", "0")
    if root.milliseconds is None:
        return counts
    share = (node.own_milliseconds or 0) / root.milliseconds if root.milliseconds else 0
    return (*counts, f"{node.milliseconds:,.1f}", f"{share:.0%}") if node.loops else (*counts, "", "")


def _notes(node: Node, is_limited: bool) -> Iterator[str]:
    if node.rows is None:
        return
    if not node.loops:
        yield "never ran"
        return
    few, many = sorted((max(node.expected, 1), max(node.rows, 1)))
    is_fewer = node.rows < node.expected
    if many >= OFF * few and not (is_limited and is_fewer):
        yield f"{many / few:,.0f}× {'fewer' if is_fewer else 'more'} than expected"
    if node.removed and node.removed >= 1:
        yield f"{_number(node.removed)} rows filtered out"
    if node.relation and node.hit is not None:
        read = f", {_number(node.read)} read" if node.read else ""
        yield f"{_number(node.hit)} blocks hit{read}"
    if node.spilled:
        yield f"{_number(node.spilled)} kB spilled to disk"


def _aligned(lines: list[_Line], width: int) -> Iterator[str]:
    """Yield the lines with their figures in columns. Names are cut for the figures, notes go to the line's end."""
    columns = [max(map(len, column)) for column in zip(*(figures for _, figures, _ in lines if figures), strict=True)]
    taken = sum(len(_GAP) + column for column in columns)
    noted = min(max(len(_GAP) + len(notes) for *_, notes in lines), _NOTED)
    room = max(width - taken - noted, _SHORTEST)
    longest = min(max(len(name) for name, figures, _ in lines if figures), room)
    for name, figures, notes in lines:
        if not figures:
            yield name
            continue
        texts = [cut(name, longest).ljust(longest)]
        texts += [figure.rjust(column) for figure, column in zip(figures, columns, strict=True)]
        yield _GAP.join([*texts, notes]).rstrip()


def _number(value: float | None) -> str:
    return f"{value or 0:,.0f}"
