"""The names that an expression reads, and where they leave a model: ``tickets__status`` leaves it by ``tickets``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.models import Lookup, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import F, OuterRef, Subquery
from django.db.models.sql import Query

from reports.errors import DeclarationError, near

# The relations by which a name leaves a model, up to the last one that leads to many rows; none for a field of its own.
Branch = tuple[str, ...]

_UNKNOWN = re.compile(r"Cannot resolve keyword '(?P<name>\w*)' into field\. Choices are: (?P<names>.+)")


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression reads. ``is_whole`` is False when it holds a sub-select, which may read others."""

    names: frozenset[str]
    is_whole: bool = True


def names_in(expression: Any) -> Names:
    """Return the names that an expression reads before it is resolved, those of its ``filter`` and ordering too."""
    found = list(_walk(expression))
    return Names(frozenset(name for name in found if name), None not in found)


def _walk(expression: Any) -> Iterator[str | None]:
    """Yield each name; None for what cannot be looked into."""
    if isinstance(expression, Q):
        for child in expression.children:
            if isinstance(child, tuple):
                yield child[0]
                yield from _walk(child[1])
            else:
                yield from _walk(child)
    elif isinstance(expression, (Subquery, Query, models.QuerySet, OuterRef)):
        yield None
    elif isinstance(expression, F):
        yield expression.name  # type: ignore[attr-defined]
    elif isinstance(expression, (list, tuple, Lookup)):
        # Not yet resolved, a lookup does not tell of a name on its right.
        for item in (expression.lhs, expression.rhs) if isinstance(expression, Lookup) else expression:
            yield from _walk(item)
    elif hasattr(expression, "get_source_expressions"):
        for part in expression.get_source_expressions():
            yield from _walk(part)


def branch_of(query: Query, name: str) -> Branch:
    """Return the branch of a query's model that a name belongs to.

    Raises:
        DeclarationError: The name leads nowhere; names the fields there are. Without the class's name.
    """
    parts = name.split(LOOKUP_SEP)
    if parts[0] in query.annotations:  # a value of each row
        return ()
    options: Any = query.get_meta()
    branch: Branch = ()
    known = 0
    for end in range(1, len(parts) + 1):
        try:
            path, field, _, rest = query.names_to_path(parts[:end], options)
            if rest and field.is_relation and not field.get_lookup(rest[0]):
                query.names_to_path(rest, path[-1].to_opts)  # says that there is none, and which there are
        except FieldError as error:
            raise DeclarationError(explained(error, name)) from None
        if rest:  # a transform or a lookup of the field before it
            break
        if any(step.m2m for step in path[known:]):
            branch = tuple(parts[:end])
        known = len(path)
    return branch


def branches_of(query: Query, expression: Any) -> frozenset[Branch]:
    """Return the branches that an expression reads, those on the way to another one left out.

    Raises:
        DeclarationError: A name leads nowhere.
    """
    found = {branch_of(query, name) for name in names_in(expression).names}
    return frozenset(branch for branch in found if not any(is_before(branch, other) for other in found))


def is_before(branch: Branch, other: Branch) -> bool:
    """Return whether a branch is on the way to another one."""
    return len(branch) < len(other) and other[: len(branch)] == branch


def explained(error: FieldError, name: str) -> str:
    """Return Django's message on an unknown name, with the nearest known one."""
    if found := _UNKNOWN.match(str(error)):
        there = found["names"].split(", ")
        where = f" as in {name!r}" if found["name"] != name and found["name"] in name.split(LOOKUP_SEP) else ""
        return f"there is no field {found['name']!r}{where} (there are: {found['names']}).{near(found['name'], there)}"
    return f"{name!r}: {error}"
