"""A statement in lines: a clause, a join and an item of a list on a line each, sub-selects indented.

Only the white space between tokens changes, and never where it means something: within a token, between two strings
that are one, behind a ``--`` comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.rewrite.sql.nested import Node, flat, kept, read_nodes
from reports.rewrite.sql.numbered import Unreadable, read_tokens

WIDTH = 100
INDENT = 4
SHORT = 60  # a sub-select of fewer characters stays on its line

_CLAUSES = (
    "EXCEPT", "FETCH", "FROM", "GROUP BY", "HAVING", "INTERSECT", "LIMIT", "OFFSET", "ORDER BY", "SELECT", "UNION",
    "VALUES", "WHERE", "WINDOW",
)  # fmt: skip
_LOCKS = ("FOR KEY", "FOR NO", "FOR SHARE", "FOR UPDATE")
_JOINS = frozenset({"CROSS", "FULL", "INNER", "JOIN", "LEFT", "NATURAL", "OUTER", "RIGHT"})


def layout(text: str, *, width: int = WIDTH) -> str:
    """Return a statement in lines of about that width, token by token as it was; one that is not read as it is."""
    try:
        tokens = read_tokens(text)
        nodes, _ = read_nodes(text, tokens, 0, None)
    except (Unreadable, RecursionError):
        return text
    if not tokens:
        return text
    head, tail = text[: tokens[0].start].strip(), text[tokens[-1].end + 1 :].strip()
    lines = _Layout(width).query(nodes, 0)
    return "\n".join([*([head] if head else []), *lines]) + (f" {tail}" if tail else "")


class _Layout:
    def __init__(self, width: int) -> None:
        self.width = width

    def query(self, nodes: Sequence[Node], indent: int) -> list[str]:
        """Return the lines of a SELECT, a clause on each."""
        return [line for clause in _clauses(nodes) for line in self._clause(clause, indent)]

    def _clause(self, nodes: Sequence[Node], indent: int) -> list[str]:
        head, body = _head(nodes)
        items = _split(body, ",")
        is_list = len(items) > 1 and head[0].word in ("FROM", "GROUP BY", "ORDER BY", "SELECT", "VALUES")
        if head[0].word == "WITH":
            return self.items(nodes, indent)
        if self._fits(nodes, indent) and not (is_list and head[0].word == "SELECT"):
            return [_line(nodes, indent)]
        if is_list:
            return [_line(head, indent), *(line for item in items for line in self.items(item, indent + INDENT))]
        if head[0].word in _JOINS and not any(map(_must_open, nodes)):
            return self._parts(_joined(nodes), indent)
        parts = _conditions(body) if head[0].word in ("HAVING", "WHERE") else [body]
        return self._parts([[*head, *parts[0]], *parts[1:]], indent)

    def _parts(self, parts: Sequence[Sequence[Node]], indent: int) -> list[str]:
        """Return the lines of a clause whose parts, but the first, stand a little to the right."""
        first, *rest = parts
        return [*self.items(first, indent), *(line for part in rest for line in self.items(part, indent + 2))]

    def items(self, nodes: Sequence[Node], indent: int) -> list[str]:
        """Return the lines of an expression: parentheses that do not fit are opened onto lines of their own."""
        if self._fits(nodes, indent):
            return [_line(nodes, indent)]
        lines: list[str] = []
        current = ""
        for i, node in enumerate(nodes):
            gap = kept(node.gap, i if current else 0)
            whole = node.flat()
            is_opened = bool(node.children) and (
                _must_open(node) or indent + len(current) + len(gap) + len(whole) > self.width
            )
            if not is_opened:
                current += gap + whole
                continue
            lines += [" " * indent + current + gap + node.text, *self._inside(node, indent + INDENT)]
            current = node.end().lstrip(" ")
        return [*lines, " " * indent + current] if current else lines

    def _inside(self, node: Node, indent: int) -> list[str]:
        children = node.children or []
        if node.is_query:
            return self.query(children, indent)
        items = _split(children, ",")
        parts = items if len(items) > 1 else _conditions(children)
        return [line for part in parts for line in self.items(part, indent)]

    def _fits(self, nodes: Sequence[Node], indent: int) -> bool:
        return not any(map(_must_open, nodes)) and indent + len(flat(nodes)) <= self.width


def _line(nodes: Sequence[Node], indent: int) -> str:
    return " " * indent + flat(nodes)


def _must_open(node: Node) -> bool:
    if not node.children:
        return False
    return (node.is_query and len(node.flat()) > SHORT) or any(map(_must_open, node.children))


# The parts of a statement.


def _clauses(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    clause: list[Node] = []
    for place, node in enumerate(nodes):
        if clause and _begins(nodes, place):
            yield clause
            clause = []
        clause.append(node)
    yield clause


def _begins(nodes: Sequence[Node], place: int) -> bool:
    """Return whether a clause or a join begins at a token."""
    word = _word(nodes, place)
    both = f"{word} {_word(nodes, place + 1)}"
    if word in _JOINS:
        end = place
        while _word(nodes, end) in _JOINS - {"JOIN"}:
            end += 1
        return _word(nodes, end) == "JOIN" and _word(nodes, place - 1) not in _JOINS - {"JOIN"}
    if word == "FROM" and _word(nodes, place - 1) == "DISTINCT":
        return _word(nodes, place - 2) not in ("IS", "NOT")
    return word in _CLAUSES or both in _CLAUSES or both in _LOCKS


def _word(nodes: Sequence[Node], place: int) -> str:
    return nodes[place].word if 0 <= place < len(nodes) else ""


def _head(nodes: Sequence[Node]) -> tuple[Sequence[Node], Sequence[Node]]:
    """Return a clause's own words and what follows them."""
    end = 1
    if nodes[0].word == "SELECT" and _word(nodes, 1) in ("ALL", "DISTINCT"):
        end = 4 if _word(nodes, 2) == "ON" else 2
    return nodes[:end], nodes[end:]


def _joined(nodes: Sequence[Node]) -> list[Sequence[Node]]:
    """Return what a join joins, and its condition."""
    place = next((i for i, node in enumerate(nodes) if node.word in ("ON", "USING")), len(nodes))
    return [nodes[:place], *([nodes[place:]] if place < len(nodes) else [])]


def _split(nodes: Sequence[Node], separator: str) -> list[list[Node]]:
    """Return the items of a list, each with the comma behind it."""
    items: list[list[Node]] = [[]]
    for place, node in enumerate(nodes):
        items[-1].append(node)
        if node.text == separator and place + 1 < len(nodes):
            items.append([])
    return items


def _conditions(nodes: Sequence[Node]) -> list[list[Node]]:
    """Return what AND and OR join, each with that word before it; not the AND of BETWEEN, nor any within CASE."""
    parts: list[list[Node]] = [[]]
    cases = between = 0
    for node in nodes:
        cases += (node.word == "CASE") - (node.word == "END")
        if not cases and node.word == "AND" and between:
            between = 0
        elif not cases and node.word in ("AND", "OR"):
            parts.append([])
        between = 1 if not cases and node.word == "BETWEEN" else between
        parts[-1].append(node)
    return parts
