"""Expressions of a template, read without a value: which names they read, and what reaches SQL text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from reports.checks.values import Macro, Scope, Value, joined
from reports.environment import environment

SINKS = ("identifier", "sqlsafe")
# Their result is bound, SQL text, or a number.
_ENDS = ("bind", "count", "float", "inclause", "int", "length")
# Their arguments choose among the items, and are none of them.
_CHOOSE = ("dictsort", "groupby", "reject", "rejectattr", "round", "select", "selectattr", "sort", "unique")
_CHANGE = ("add", "append", "extend", "insert", "setdefault", "update")


@dataclass(frozen=True, order=True, slots=True)
class Read:
    """A name of the context that a template reads. ``is_sure`` is false in a library's macro that nothing calls."""

    file: str
    line: int
    name: str
    has_context: bool = True
    is_sure: bool = True


@dataclass(frozen=True, order=True, slots=True)
class Reach:
    """A name of the context whose value reaches a filter that makes SQL text of it."""

    file: str
    line: int
    name: str
    filter: str


@dataclass(frozen=True, order=True, slots=True)
class Condition:
    """A name of the context whose value is taken for true or false; ``written`` is what it is called there."""

    file: str
    line: int
    name: str
    written: str


class Expressions:
    """Collects what expressions read."""

    def __init__(self) -> None:
        self.reads: set[Read] = set()
        self.reaches: set[Reach] = set()
        self.conditions: set[Condition] = set()
        self.optional: set[str] = set()
        self.is_sure = True

    def call_macro(self, macro: Macro, args: list[Value], kwargs: dict[str, Value], rest: Value) -> None:
        """Read the body of a macro with these arguments; ``rest`` is what ``*`` and ``**`` may bring."""
        raise NotImplementedError

    def call_block(self, name: str | None, scope: Scope) -> None:
        """Read the block that ``self.name()`` or, without a name, ``super()`` means."""
        raise NotImplementedError

    def value(self, node: nodes.Node | None, scope: Scope) -> Value:
        """Return what is known of an expression's value."""
        if node is None:
            return Value()
        method = getattr(self, f"visit_{type(node).__name__.lower()}", None)
        return method(node, scope) if method else self._parts(node, scope)

    def condition(self, node: nodes.Node | None, scope: Scope) -> None:
        """Read an expression that is taken for true or false."""
        self.value(node, scope)
        while isinstance(node, nodes.Not):
            node = node.node
        if isinstance(node, (nodes.And, nodes.Or)):
            self.condition(node.left, scope)
            self.condition(node.right, scope)
        elif isinstance(node, nodes.Name) and (name := self.value(node, scope).name):
            self.conditions.add(Condition(scope.file, node.lineno, name, node.name))

    # One method per kind of node.

    def _parts(self, node: nodes.Node, scope: Scope) -> Value:
        return Value(set().union(*(self.value(part, scope).all for part in node.iter_child_nodes())))

    def visit_name(self, node: nodes.Name, scope: Scope) -> Value:
        found = scope.find(node.name)
        if found is not None:
            return found
        if node.name in environment().globals or node.name in ("self", "super"):
            return Value()
        self.reads.add(Read(scope.file, node.lineno, node.name, scope.has_context, self.is_sure))
        return Value({node.name}, name=node.name) if scope.has_context else Value()

    def visit_const(self, node: nodes.Const, scope: Scope) -> Value:
        return Value()

    def visit_templatedata(self, node: nodes.TemplateData, scope: Scope) -> Value:
        return Value()

    def visit_compare(self, node: nodes.Compare, scope: Scope) -> Value:
        self._parts(node, scope)
        return Value()

    def visit_not(self, node: nodes.Not, scope: Scope) -> Value:
        self._parts(node, scope)
        return Value()

    def visit_test(self, node: nodes.Test, scope: Scope) -> Value:
        if node.name in ("defined", "undefined") and isinstance(node.node, nodes.Name):
            self.optional.add(node.node.name)
        self._parts(node, scope)
        return Value()

    def visit_condexpr(self, node: nodes.CondExpr, scope: Scope) -> Value:
        self.condition(node.test, scope)
        return joined([self.value(node.expr1, scope), self.value(node.expr2, scope)])

    def visit_and(self, node: nodes.And, scope: Scope) -> Value:
        return joined([self.value(node.left, scope), self.value(node.right, scope)])

    visit_or = visit_and

    def visit_dict(self, node: nodes.Dict, scope: Scope) -> Value:
        found = Value(members={})
        for pair in node.items:
            value = self.value(pair.value, scope)
            found.origins |= self.value(pair.key, scope).all
            if found.members is not None and isinstance(pair.key, nodes.Const) and isinstance(pair.key.value, str):
                found.members[pair.key.value] = value
            else:
                found.origins |= value.all
        return found

    def visit_getattr(self, node: nodes.Getattr, scope: Scope) -> Value:
        return self.value(node.node, scope).member(node.attr)

    def visit_getitem(self, node: nodes.Getitem, scope: Scope) -> Value:
        self.value(node.arg, scope)  # a key chooses among the items, and is none of them
        return self.value(node.node, scope).member(getattr(node.arg, "value", None))

    def visit_filter(self, node: nodes.Filter, scope: Scope) -> Value:
        value = self.value(node.node, scope)
        args, kwargs, rest = self._arguments(node, scope)
        if node.name in ("d", "default") and isinstance(node.node, nodes.Name):
            self.optional.add(node.node.name)
        named = node.args[0] if node.name == "map" and node.args else None  # xs | map("sqlsafe")
        sink = named.value if isinstance(named, nodes.Const) else node.name
        if sink in SINKS:
            self.reaches |= {Reach(scope.file, node.lineno, name, sink) for name in value.all}
        if sink in (*SINKS, *_ENDS):
            return Value()
        return value if node.name in _CHOOSE else joined([value, *args, *kwargs.values(), rest])

    def visit_call(self, node: nodes.Call, scope: Scope) -> Value:
        args, kwargs, rest = self._arguments(node, scope)
        given = Value(set().union(rest.all, *(value.all for value in (*args, *kwargs.values()))))
        target = node.node
        if isinstance(target, nodes.Name) and scope.find(target.name) is None:
            if target.name == "super":
                self.call_block(None, scope)
            elif target.name in ("dict", "namespace"):
                return Value(set().union(rest.all, *(value.all for value in args)), kwargs)
            if target.name in (*environment().globals, "super"):
                return Value()  # SQL text, numbers
        called = self.value(target, scope)
        if called.macro:
            self.call_macro(called.macro, args, kwargs, rest)
            return Value()
        return self._call_attribute(target, args, given, scope) or Value(called.all | given.all)

    def _call_attribute(self, target: nodes.Node, args: list[Value], given: Value, scope: Scope) -> Value | None:
        if not isinstance(target, nodes.Getattr):
            return None
        if isinstance(target.node, nodes.Name) and target.node.name == "self":
            self.call_block(target.attr, scope)
            return Value()
        receiver = self.value(target.node, scope)
        if target.attr == "get":  # a key chooses among the items
            return joined([Value(receiver.all), *args[1:]])
        if target.attr in _CHANGE:
            receiver.origins |= given.all
        return None

    def _arguments(self, node: Any, scope: Scope) -> tuple[list[Value], dict[str, Value], Value]:
        """Return the positional and the named arguments, and one value for what ``*`` and ``**`` bring."""
        args = [self.value(arg, scope) for arg in node.args]
        kwargs = {pair.key: self.value(pair.value, scope) for pair in node.kwargs}
        rest = Value(self.value(node.dyn_args, scope).all | self.value(node.dyn_kwargs, scope).all)
        return args, kwargs, rest
