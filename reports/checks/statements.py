"""Statements of a template, read in their order with every branch taken."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from reports.checks.expressions import Expressions
from reports.checks.values import Macro, Scope, Value, joined


class Statements(Expressions):
    """Collects what statements read, and keeps what they set. A macro is read with the arguments of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.macros: list[Macro] = []
        self.called: set[nodes.Node] = set()
        self._running: list[nodes.Node] = []

    def read(self, statements: Iterable[nodes.Node], scope: Scope) -> None:
        """Read statements one after the other."""
        for statement in statements:
            self.value(statement, scope)

    def call_macro(self, macro: Macro, args: list[Value], kwargs: dict[str, Value], rest: Value) -> None:
        node = macro.node
        self.called.add(node)
        if self._running.count(node) > 1:  # it calls itself: twice shows what it does
            return
        scope = macro.scope.child()
        first_default = len(node.args) - len(node.defaults)
        for position, argument in enumerate(node.args):
            given = [args[position]] if position < len(args) else []
            given += [kwargs[argument.name]] if argument.name in kwargs else []
            if not given and position >= first_default:
                given.append(self.value(node.defaults[position - first_default], scope))
            scope.names[argument.name] = joined([*given, rest]) if rest.all or not given else joined(given)
        others = [*args[len(node.args) :], *kwargs.values(), rest]
        everything = Value(set().union(*(value.all for value in others)))
        scope.names |= {"varargs": everything, "kwargs": everything}
        scope.names["caller"] = kwargs.get("caller", Value())
        self._running.append(node)
        self.read(node.body, scope)
        self._running.pop()

    # One method per kind of statement. What is only a list of expressions is read as such.

    def visit_macro(self, node: nodes.Macro, scope: Scope) -> Value:
        macro = Macro(node, scope)
        scope.names[node.name] = Value(macro=macro)
        self.macros.append(macro)
        return Value()

    def visit_callblock(self, node: nodes.CallBlock, scope: Scope) -> Value:
        args, kwargs, rest = self._arguments(node.call, scope)
        caller = Macro(node, scope)
        self.macros.append(caller)
        called = self.value(node.call.node, scope)
        if called.macro:
            self.call_macro(called.macro, args, {**kwargs, "caller": Value(macro=caller)}, rest)
        return Value()

    def visit_if(self, node: nodes.If, scope: Scope) -> Value:
        branches = []
        for part in (node, *node.elif_):
            self.condition(part.test, scope)
            branches.append((part.body, scope.branch()))
        branches.append((node.else_, scope.branch()))
        for body, branch in branches:
            self.read(body, branch)
        scope.merge(branch for _, branch in branches)
        return Value()

    def visit_for(self, node: nodes.For, scope: Scope) -> Value:
        items = self.value(node.iter, scope).all
        for _ in range(2):  # what the first round leaves in a namespace is there in the second
            inner = scope.child()
            inner.names["loop"] = Value()
            self._set(node.target, Value(set(items)), inner)
            self.condition(node.test, inner)
            self.read(node.body, inner)
        self.read(node.else_, scope.child())
        return Value()

    def visit_with(self, node: nodes.With, scope: Scope) -> Value:
        inner = scope.child()
        for target, value in zip(node.targets, node.values, strict=True):
            self._set(target, self.value(value, scope), inner)
        self.read(node.body, inner)
        return Value()

    def visit_assign(self, node: nodes.Assign, scope: Scope) -> Value:
        targets, values = getattr(node.target, "items", None), getattr(node.node, "items", None)
        if isinstance(node.node, nodes.Tuple) and targets and values and len(targets) == len(values):
            for target, value in [(t, self.value(v, scope)) for t, v in zip(targets, values, strict=True)]:
                self._set(target, value, scope)
        else:
            self._set(node.target, self.value(node.node, scope), scope)
        return Value()

    def visit_assignblock(self, node: nodes.AssignBlock, scope: Scope) -> Value:
        self.read(node.body, scope.child())
        if node.filter is not None:
            self.value(node.filter, scope)
        self._set(node.target, Value(), scope)  # SQL text
        return Value()

    def _set(self, target: nodes.Node, value: Value, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope.names[target.name] = value
        elif isinstance(target, nodes.NSRef):
            namespace = scope.find(target.name)
            if namespace is not None:
                namespace.members = namespace.members or {}
                old = namespace.members.get(target.attr)
                namespace.members[target.attr] = joined([old, value]) if old else value
        else:
            for part in target.iter_child_nodes():
                self._set(part, Value(value.all), scope)
