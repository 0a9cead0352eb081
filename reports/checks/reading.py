"""The templates of a report read as Jinja runs them, with every branch taken and no value known.

Includes, imports and parents are followed. What is found errs on the side of silence: a name that any branch has set
counts as set.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from reports.checks.expressions import Read
from reports.checks.statements import Statements
from reports.checks.trees import Tree, named_templates, read_tree
from reports.checks.values import Scope, Value
from reports.errors import TemplateError, TemplateNotFound

_Blocks = dict[str, list[tuple[nodes.Block, str]]]


class Reading(Statements):
    """What the templates of these names read, and all that they include, import and extend.

    ``missing`` has the names of templates that do not exist, at the place that names them. ``is_dynamic`` is true when
    a name is computed or a template is faulty, so that not everything is read.

    Raises:
        TemplateError: One of the named templates is not valid; names file and line.
    """

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.trees: dict[str, Tree] = {}
        self.faults: dict[str, TemplateError] = {}
        self.missing: set[Read] = set()
        self.is_dynamic = False
        self._open: list[str] = []
        self._blocks: _Blocks = {}
        self._rendering: list[tuple[str, int]] = []
        self._top = Scope("")
        self._is_child = False
        for name in names:
            self.trees[name] = tree = read_tree(name)
            self._read_template(tree, Scope(tree.file), {})
        own = {self.trees[name].file for name in names}
        for macro in self.macros:
            if macro.node not in self.called:
                self.is_sure = macro.scope.file in own
                self.call_macro(macro, [], {}, Value())

    def _read_template(self, tree: Tree, scope: Scope, blocks: _Blocks) -> None:
        """Read a template; ``blocks`` has those of the templates that extend it, the innermost first."""
        for block in tree.root.find_all(nodes.Block):
            blocks.setdefault(block.name, []).append((block, tree.file))
        parents = list(tree.root.find_all(nodes.Extends))
        outside = self._blocks, self._top, self._is_child
        self._blocks, self._top, self._is_child = blocks, scope, bool(parents)
        self._open.append(tree.name)
        self.read(tree.root.body, scope)
        for parent in [found for node in parents for found in self._found(node, scope)]:
            self._read_template(parent, scope.child(parent.file), blocks)
        self._open.pop()
        self._blocks, self._top, self._is_child = outside

    def _found(self, node: Any, scope: Scope) -> list[Tree]:
        """Return the templates that an include, import or extends may mean."""
        self.value(node.template, scope)
        names = named_templates(node.template)
        if names is None:
            self.is_dynamic = True
            return []
        found = [name for name in names if self._has_tree(name)]
        if not found and not getattr(node, "ignore_missing", False) and not self.faults.keys() & set(names):
            self.missing |= {Read(scope.file, node.lineno, name) for name in names}
        return [self.trees[name] for name in found if name not in self._open]

    def _has_tree(self, name: str) -> bool:
        try:
            self.trees[name] = self.trees.get(name) or read_tree(name)
        except TemplateNotFound:
            return False
        except TemplateError as error:
            self.faults[name] = error
            self.is_dynamic = True
            return False
        return True

    def _read_module(self, node: Any, scope: Scope) -> dict[str, Value]:
        """Read included or imported templates; return what they set."""
        names: dict[str, Value] = {}
        for tree in self._found(node, scope):
            inner = scope.child(tree.file) if node.with_context else Scope(tree.file, has_context=False)
            self._read_template(tree, inner, {})
            names |= inner.names
        return names

    def visit_include(self, node: nodes.Include, scope: Scope) -> Value:
        self._read_module(node, scope)
        return Value()

    def visit_import(self, node: nodes.Import, scope: Scope) -> Value:
        scope.names[node.target] = Value(members=self._read_module(node, scope))
        return Value()

    def visit_fromimport(self, node: nodes.FromImport, scope: Scope) -> Value:
        names = self._read_module(node, scope)
        for name in node.names:
            wanted, target = name if isinstance(name, tuple) else (name, name)
            scope.names[target] = names.get(wanted, Value())
        return Value()

    def visit_extends(self, node: nodes.Extends, scope: Scope) -> Value:
        return Value()  # the parent is read after this template's own statements

    def visit_block(self, node: nodes.Block, scope: Scope) -> Value:
        if not self._is_child:  # else the parent says where it stands
            self._read_block(node.name, 0, scope if node.scoped else self._top)
        return Value()

    def call_block(self, name: str | None, scope: Scope) -> None:
        if name is not None:
            self._read_block(name, 0, self._top)
        elif self._rendering:
            above, level = self._rendering[-1]
            self._read_block(above, level + 1, scope)

    def _read_block(self, name: str, level: int, scope: Scope) -> None:
        entries = self._blocks.get(name, [])
        if level >= len(entries) or (name, level) in self._rendering:
            return
        block, file = entries[level]
        self._rendering.append((name, level))
        self.read(block.body, scope.child(file))
        self._rendering.pop()
