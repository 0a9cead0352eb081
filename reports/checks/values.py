"""What a check knows of a value in a template: the names of the context that its text may come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jinja2 import nodes


@dataclass(eq=False, slots=True)
class Value:
    """``origins`` are names of the context; ``members`` are the attributes or items that are known one by one.

    ``name`` is set for the very value of a name of the context, not for one made of it. SQL text has no origins: a
    value in it is bound, and what made text of a value was seen at that place.
    """

    origins: set[str] = field(default_factory=set)
    members: dict[str, Value] | None = None
    macro: Macro | None = None
    name: str | None = None

    @property
    def all(self) -> set[str]:
        """The origins, those of the members too."""
        return self.origins.union(*(member.all for member in (self.members or {}).values()))

    def member(self, name: object) -> Value:
        """Return an attribute or item; of one that is not known, a value that may be any of them."""
        found = (self.members or {}).get(name) if isinstance(name, str) else None
        return found or Value(self.all)


@dataclass(eq=False, slots=True)
class Macro:
    """A macro, or the body of a call block, with the scope in which it was defined."""

    node: nodes.Macro | nodes.CallBlock
    scope: Scope


@dataclass(eq=False, slots=True)
class Scope:
    """The names that template statements have set, innermost first; ``has_context`` is false below a plain import."""

    file: str
    parent: Scope | None = None
    has_context: bool = True
    names: dict[str, Value] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """Return the value of a name; None when no statement has set it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def child(self, file: str | None = None) -> Scope:
        """Return a scope inside this one, of another file if it is given."""
        return Scope(file or self.file, self, self.has_context)

    def branch(self) -> Scope:
        """Return a copy for one branch of a condition."""
        return Scope(self.file, self.parent, self.has_context, dict(self.names))

    def merge(self, branches: Iterable[Scope]) -> None:
        """Take over what any of the branches has set."""
        found = list(branches)
        for name in dict.fromkeys(name for branch in found for name in branch.names):
            self.names[name] = joined([branch.names[name] for branch in found if name in branch.names])


def joined(values: Iterable[Value]) -> Value:
    """Return a value that may be any of them."""
    found = list(dict.fromkeys(values))
    if len(found) == 1:
        return found[0]
    members: dict[str, list[Value]] = {}
    for value in found:
        for name, member in (value.members or {}).items():
            members.setdefault(name, []).append(member)
    return Value(
        set().union(*(value.origins for value in found)),
        {name: joined(several) for name, several in members.items()} or None,
        next((value.macro for value in found if value.macro), None),
    )
