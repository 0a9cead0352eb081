"""The way back from the rows of a branch to the source, and the names that metrics have there."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, ForeignKey, ForeignObjectRel, ManyToManyField, Q, Subquery
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import BaseExpression, RawSQL
from django.db.models.sql import Query

from reports.prebuilt.vocabulary.paths import Branch


class Immovable(Exception):
    """An expression cannot be written over other rows than those it was declared on. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Back:
    """A branch turned round: ``departments__employees`` of a store is ``department__store`` of an employee.

    ``passed`` are the models on the branch, the source's first; ``names`` lead from the last one's rows to the first's.
    ``is_single`` is False when one row leads to several of the source, ``is_sound`` when one may lead to a row that is
    not there, for want of a constraint.
    """

    branch: Branch
    passed: tuple[type[models.Model], ...]
    names: tuple[str, ...]
    is_single: bool
    is_sound: bool

    def rename(self, name: str) -> str:
        """Return what a name of the source is called by the branch's rows: ``tickets__status`` is ``status``.

        Raises:
            Immovable: It is no field's: one that the source's queryset was annotated with.
        """
        parts = name.split(LOOKUP_SEP)
        shared = 0
        while shared < min(len(parts), len(self.branch)) and parts[shared] == self.branch[shared]:
            shared += 1
        rest = parts[shared:]
        is_field = bool(rest) and _is_field(self.passed[shared], rest[0])
        if not shared and not is_field:
            raise Immovable
        if not is_field:
            rest = ["pk", *rest]  # of the relation itself, which the way back may lead to by another field than its key
        return LOOKUP_SEP.join((*self.names[: len(self.branch) - shared], *rest))


def way_back(model: type[models.Model], branch: Branch) -> Back | None:
    """Return the way back to a model; None where Django has no name for it.

    None also for a relation that is more than foreign keys, or of a model that is inherited from.
    """
    passed: list[Any] = [model]
    names: list[str] = []
    for name in branch:
        field: Any = passed[-1]._meta.get_field(name)
        if isinstance(field, ForeignObjectRel):
            opposite: Any = field.field
            back = opposite.name
        elif isinstance(field, (ForeignKey, ManyToManyField)):
            opposite, back = field.remote_field, field.related_query_name()
        else:
            return None
        is_inherited = field.model._meta.concrete_model is not passed[-1]._meta.concrete_model
        if is_inherited or not _has(field.related_model, back, opposite):
            return None
        passed.append(field.related_model)
        names.insert(0, back)
    steps = Query(passed[-1]).names_to_path(names, passed[-1]._meta)[0]
    is_single = not any(step.m2m for step in steps)
    return Back(branch, tuple(passed), tuple(names), is_single, all(map(_is_constrained, steps)))


def moved(expression: Any, rename: Callable[[str], str]) -> Any:
    """Return an expression that is not resolved yet with other names in it, those of its filter and ordering too.

    Raises:
        Immovable: It holds what cannot be looked into: a sub-select, SQL text, an object that stands for its key.
    """
    if isinstance(expression, Q):
        made: Any = copy(expression)
        made.children = [
            (rename(child[0]), _moved_value(child[1], rename)) if isinstance(child, tuple) else moved(child, rename)
            for child in expression.children
        ]
        return made
    if type(expression) is F:
        return F(rename(expression.name))  # type: ignore[attr-defined]
    if not isinstance(expression, BaseExpression) or isinstance(expression, (RawSQL, Subquery)):
        raise Immovable
    made = expression.copy()
    sources: list[Any] = expression.get_source_expressions()
    made.set_source_expressions([each if each is None else moved(each, rename) for each in sources])
    return made


def _moved_value(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_moved_value(item, rename) for item in value)
    if isinstance(value, models.Model):
        raise Immovable
    return moved(value, rename) if hasattr(value, "resolve_expression") else value


def _is_field(model: type[models.Model], name: str) -> bool:
    try:
        return name == "pk" or model._meta.get_field(name) is not None
    except FieldDoesNotExist:
        return False


def _has(model: type[models.Model], name: str, field: Any) -> bool:
    """Return whether a model knows this field alone by a name: several relations may be hidden under "+"."""
    found = [each for each in model._meta.get_fields(include_hidden=True) if each.name == name]
    return len(found) == 1 and found[0] is field


def _is_constrained(step: Any) -> bool:
    field = step.join_field
    return bool(getattr(getattr(field, "field", field), "db_constraint", False))
