"""Template lines that no case renders.

A template is compiled with a call before each piece of its text: the pieces of a branch, a loop, a macro or a block
are written all or none, so the calls say which were written, also where several stand on one line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from reports.binding import SQL
from reports.checks.faults import Fault
from reports.environment import UNNAMED, environment
from reports.rendering import Query, render_compiled
from reports.statement import unmark

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SHOWN = 60

_Piece = list[tuple[int, str]]  # (line, text) of each line of a piece that holds SQL


class RenderedLines:
    """Renders templates and keeps which of their lines were written."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[_Piece]] = {}
        self._written: dict[str, set[int]] = {}
        self._environment = environment().overlay()
        generate = self._environment._generate  # Jinja's own hook, after parsing and before compiling

        def generate_marked(source: nodes.Template, name: str | None, file: str | None, **kwargs: Any) -> str:
            return generate(self._marked(source, file or UNNAMED), name, file, **kwargs)

        vars(self._environment).update(_generate=generate_marked, written=self._note)

    def render(self, name: str, context: Mapping[str, object], *, using: str) -> Query:
        """Return the query of a named template, as ``rendering.render`` does; the template is known to compile."""
        return render_compiled(self._environment.get_template(name), context, using)

    def faults(self, files: Collection[str] | None = None) -> Iterator[tuple[str, Fault]]:
        """Yield (file, fault) for the lines of each file that were never written; all of a file that none was are left.

        Args:
            files: Only these; None for all that were rendered, also in part by an include.
        """
        for file in sorted(file for file in self._written if files is None or file in files):
            missing: dict[int, str] = {}
            for number, piece in enumerate(self._pieces[file]):
                if number not in self._written[file]:
                    for line, text in piece:
                        missing.setdefault(line, text)
            for lines in _runs(sorted(missing)):
                place = f"{lines[0]}-{lines[-1]}" if len(lines) > 1 else str(lines[0])
                text = f"{file}:{place}: no example renders {_shortened(missing[lines[0]])!r}."
                hint = "Add one whose parameters lead there, in the header: -- example: {…}"
                yield file, Fault("W020", text, hint)

    def _note(self, file: str, number: int) -> SQL:
        self._written.setdefault(file, set()).add(number)
        return SQL("")

    def _marked(self, source: nodes.Template, file: str) -> nodes.Template:
        marking = _Marking(file)
        marking.visit(source)
        self._pieces[file] = marking.pieces
        return source


class _Marking(NodeTransformer):
    """Puts a call of ``environment.written`` before each output and include."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.pieces: list[_Piece] = []

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 - Jinja's visitors are named so
        lines: _Piece = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                lines += _sql_lines(child)
            else:
                lines.append((child.lineno, "{{ … }}"))
        node.nodes.insert(0, self._call(node, lines))
        return node

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802
        call = self._call(node, [(node.lineno, "{% include … %}")])
        return [nodes.Output([call], lineno=node.lineno), node]

    def _call(self, node: nodes.Node, lines: _Piece) -> nodes.Call:
        self.pieces.append(lines)
        number = len(self.pieces) - 1
        arguments = [nodes.Const(value, lineno=node.lineno) for value in (self.file, number)]
        function = nodes.EnvironmentAttribute("written", lineno=node.lineno)
        return nodes.Call(function, arguments, [], None, None, lineno=node.lineno)


def _sql_lines(data: nodes.TemplateData) -> _Piece:
    """Return the lines that hold SQL text: neither empty nor a comment."""
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), unmark(data.data)[0])
    rows = enumerate(text.split("\n"), start=data.lineno)
    return [(line, row.strip()) for line, row in rows if row.strip() and not row.lstrip().startswith("--")]


def _runs(lines: list[int]) -> Iterator[list[int]]:
    """Yield the lines in groups of those that follow one another."""
    for _, run in groupby(enumerate(lines), key=lambda item: item[1] - item[0]):
        yield [line for _, line in run]


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
