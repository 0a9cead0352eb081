"""What a template does with the names that it reads from its context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import nodes

from reports.checks.reading import Reading
from reports.statement import unmark

_BEFORE_TABLE = re.compile(r"\b(?:from|join)\s+(?:only\s+|lateral\s+)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Variable:
    """A name of the context, at the place where it is first read.

    ``is_optional``: a condition asks for it. ``is_list``: for ``inclause`` or a loop. ``is_table``: it stands after
    FROM or JOIN. ``is_text``: it becomes text of the statement, by ``identifier`` or ``sqlsafe``.
    """

    name: str
    file: str
    line: int
    is_optional: bool
    is_list: bool
    is_table: bool
    is_text: bool


def find_variables(template_name: str) -> dict[str, Variable]:
    """Return the names that a template and its includes read, in the order in which they are read.

    Raises:
        TemplateError: The template is not valid; names file and line.
    """
    reading = Reading(template_name)
    trees = [tree.root for tree in reading.trees.values()]
    optional = {read.name for read in reading.conditions} | reading.optional
    optional |= {name for root in trees for name in _asked_for(root)}
    lists = {name for root in trees for name in _lists(root)}
    tables = {name for root in trees for name in _tables(root)}
    texts = {reach.name for reach in reading.reaches}
    found: dict[str, Variable] = {}
    for read in sorted(reading.reads):
        name = read.name
        if read.has_context and name not in found:
            found[name] = Variable(
                name, read.file, read.line, name in optional, name in lists, name in tables, name in texts
            )
    return found


def _asked_for(root: nodes.Template) -> Iterator[str]:
    for test in root.find_all(nodes.Test):
        if test.name == "given" and isinstance(test.node, nodes.Name):
            yield test.node.name


def _lists(root: nodes.Template) -> Iterator[str]:
    for found in root.find_all(nodes.Filter):
        if found.name == "inclause" and isinstance(found.node, nodes.Name):
            yield found.node.name
    for loop in root.find_all(nodes.For):
        if isinstance(loop.iter, nodes.Name):
            yield loop.iter.name


def _tables(root: nodes.Template) -> Iterator[str]:
    for output in root.find_all(nodes.Output):
        for before, after in zip(output.nodes, output.nodes[1:], strict=False):
            if isinstance(before, nodes.TemplateData) and isinstance(after, nodes.Name):
                text, _ = unmark(before.data)
                if _BEFORE_TABLE.search(text):
                    yield after.name
