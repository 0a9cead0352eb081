"""Values inside quotes and second statements, where the text of a template tells without being rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from django.core import checks
from jinja2 import nodes

from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.checks.trees import Tree
from reports.lexer import BOUND, Malformed, tokens, with_gaps
from reports.statement import unmark

# What an output expression writes: a bound value; SQL text of its own, balanced; or text of which nothing is known.
_VALUE, _TEXT, _UNKNOWN = "value", "text", "unknown"
_QUOTED = "a bound value may not stand inside a string, quoted name, comment or dollar quote"
_NO_OUTPUT = (nodes.Assign, nodes.AssignBlock, nodes.ExprStmt, nodes.FromImport, nodes.Import, nodes.Macro)


def check_quoting(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E002: a parameter inside a string, quoted name, comment or dollar quote; text behind a semicolon."""
    for name in (subject.template.name, subject.template.count):
        tree = subject.reading.trees.get(name or "")
        for file, line, problem in faults_of(tree, set(subject.parameters)) if tree else ():
            yield checks.Error(placed(file, line, problem), obj=subject.report, id="reports.E002")


def faults_of(tree: Tree, parameters: set[str]) -> list[tuple[str, int, str]]:
    """Return (file, line, problem) of a template that extends no other: where a block stands, its parent knows."""
    return [] if tree.root.find(nodes.Extends) else _Reader(tree, parameters).faults


class _Reader:
    """Reads literal text as PostgreSQL would. It stops, in silence, where the text depends on what is rendered.

    A branch that begins outside of quotes and leaves none open can be read by itself, and leaves no reading in the text
    around it.
    """

    def __init__(self, tree: Tree, parameters: set[str]) -> None:
        self.faults: list[tuple[str, int, str]] = []
        self._set = {node.name for node in tree.root.find_all(nodes.Name) if node.ctx != "load"}
        self._parameters = parameters - self._set
        self._read(tree.root.body)

    def _read(self, body: Iterable[nodes.Node]) -> bool:
        """Read statements; return whether their text was read to its end and leaves nothing open."""
        text, is_known = "", True
        for node in body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    kind = _TEXT if isinstance(part, nodes.TemplateData) else self._kind(part)
                    is_known = is_known and kind != _UNKNOWN
                    text += self._written(part, kind) if is_known else ""
            elif not isinstance(node, _NO_OUTPUT):
                is_known = is_known and self._is_outside(text) and self._read_branches(node)
                text += "\n" if is_known else ""
            if not is_known:
                break
        return self._examine(text) and is_known

    def _read_branches(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.If):
            bodies = [node.body, *(part.body for part in node.elif_), node.else_]
        elif isinstance(node, nodes.For):
            bodies = [node.body, node.else_]
        elif isinstance(node, (nodes.Block, nodes.With)):
            bodies = [node.body]
        else:
            return False
        are_whole = [self._read(body) for body in bodies]  # each is read, for its faults
        return all(are_whole)

    def _written(self, part: nodes.Node, kind: str) -> str:
        if isinstance(part, nodes.TemplateData):
            return part.data
        return BOUND if kind == _VALUE else "x"

    def _kind(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Const):
            return _VALUE
        if isinstance(node, nodes.Name):
            return _VALUE if node.name in self._parameters else _UNKNOWN if node.name in self._set else _TEXT
        if isinstance(node, nodes.Filter):
            if node.name == "identifier":
                return _TEXT
            return _UNKNOWN if node.name == "sqlsafe" or node.node is None else self._kind(node.node)
        if isinstance(node, nodes.Call):
            return _TEXT if getattr(node.node, "name", None) in {"column", "table"} - self._set else _UNKNOWN
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            return self._kind(node.node)
        kinds = {self._kind(part) for part in node.iter_child_nodes()}
        return _UNKNOWN if _UNKNOWN in kinds else _TEXT if _TEXT in kinds else _VALUE

    def _is_outside(self, text: str) -> bool:
        text = unmark(text)[0]
        found, is_whole = _tokens(text)
        ends_in_comment = found and found[-1][2] == len(text) and text.startswith("--", found[-1][1])
        return is_whole and not ends_in_comment

    def _examine(self, marked: str) -> bool:
        """Put what is wrong in a text to the faults; return whether it leaves nothing open."""
        text, lines = unmark(marked)
        found, is_whole = _tokens(text)
        faults = [
            (
                start + text[start:end].index(BOUND),
                f"{_QUOTED}: {_shown(text[start:end])!r}. Write it alone and join with ||.",
            )
            for kind, start, end in found
            if kind in ("comment", "name", "string") and BOUND in text[start:end]
        ]
        end = len(text) if is_whole else found[-1][2] if found else 0
        second = _second(text, found, end)
        if second is not None:
            faults.append((second, "a template is one statement; here a second one begins."))
        for offset, problem in sorted(faults):
            file, line = lines.at(offset) or ("", 1)
            self.faults.append((file, line, problem))
        return is_whole


def _shown(text: str) -> str:
    return text.replace(BOUND, "{{ … }}")[:60]


def _tokens(text: str) -> tuple[list[tuple[str, int, int]], bool]:
    """Return the tokens, and whether the text leaves nothing open."""
    found = []
    try:
        for token in tokens(text):
            found.append(token)
    except Malformed:
        return found, False
    return found, True


def _second(text: str, found: list[tuple[str, int, int]], end: int) -> int | None:
    """Return the offset of what stands behind a semicolon, if anything does."""
    parts = [
        (kind, end - len(text[start:end].lstrip()))  # where a gap's text begins, after the white space
        for kind, start, end in with_gaps(found, end)
        if kind != "comment" and text[start:end].strip()
    ]
    return next((after for (kind, _), (_, after) in pairwise(parts) if kind == "semicolon"), None)
