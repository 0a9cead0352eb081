"""Conditions of SQL as arguments of ``Q``: only where both let the same rows through, NULL among them."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import models
from sqlglot import exp

from reports.rewrite.advice.model_paths import Field, Reached, Untold

_LOOKUPS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "",
    exp.GT: "__gt",
    exp.GTE: "__gte",
    exp.LT: "__lt",
    exp.LTE: "__lte",
}
Column: TypeAlias = "tuple[Reached, Field]"


@dataclass(frozen=True, slots=True)
class Said:
    """A condition in Python: keyword arguments of one ``Q``, or an expression of several.

    ``is_negated`` is for one that begins with ``~``.
    """

    keywords: tuple[tuple[str, str], ...] = ()
    expression: str = ""

    def __str__(self) -> str:
        if self.keywords:
            return f"Q({', '.join(f'{name}={value}' for name, value in self.keywords)})"
        return self.expression


@dataclass(frozen=True, slots=True)
class Conditions:
    """Reads the conditions of one statement. ``column`` finds a column; ``params`` are the values of ``$1``, ``$2``….

    Without values each stands as ``...``, those written in the text too.
    """

    column: Callable[[exp.Column], Column]
    params: Sequence[Any] | None = None

    def all(self, parts: Sequence[exp.Expr]) -> Said | None:
        """Return what says that all of these are true; None when there are none.

        Raises:
            Untold: One of them has no equal in Django.
        """
        return _joined([self._said(part) for part in parts]) if parts else None

    def value(self, node: exp.Expr) -> str:
        """Return a value as Python writes it.

        Raises:
            Untold: It is computed, or NULL.
        """
        node = node.unnest()
        if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Literal):
            return "..." if self.params is None else written(self.params[int(node.this.name) - 1])
        if isinstance(node, (exp.Literal, exp.Boolean)):
            return "..." if self.params is None else written(node.to_py())
        raise Untold(f"{node.key} is no value")

    def _said(self, node: exp.Expr, *, negated: bool = False) -> Said:
        node = node.unnest()
        if isinstance(node, exp.And):
            parts = list(node.flatten())
            return _joined([self._said(part, negated=negated) for part in self._needed(parts, negated=negated)])
        if isinstance(node, exp.Or):
            return Said(
                expression=" | ".join(_grouped(self._said(part, negated=negated), " & ") for part in node.flatten())
            )
        if isinstance(node, exp.Not):
            return self._not(node.this.unnest(), negated=negated)
        return self._leaf(node, negated=negated)

    def _not(self, node: exp.Expr, *, negated: bool) -> Said:
        if isinstance(node, exp.Is):
            return self._null(node, is_null=bool(node.args.get("negate")))
        if isinstance(node, exp.Column):
            return self._switch(node, "False", negated=negated)
        # Django's ~Q is true where the condition is NULL, SQL's NOT is not: only conditions that cannot be NULL.
        self._check_known(node)
        return Said(expression=f"~{_grouped(self._said(node, negated=True), ' & ', ' | ', '~')}")

    def _leaf(self, node: exp.Expr, *, negated: bool) -> Said:
        if isinstance(node, exp.Is):
            return self._null(node, is_null=not node.args.get("negate"))
        if isinstance(node, exp.Column):
            return self._switch(node, "True", negated=negated)
        reached, field = self._compared(node)
        name = reached.lookup(field)
        if isinstance(node, exp.NEQ):
            if field.null or negated:
                raise Untold("<> of a column that may be NULL, or within NOT")
            return Said(expression=f"~Q({name}={self.value(node.expression)})")
        if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
            values = [self.value(value) for value in node.expressions]
            return Said(((f"{name}__in", f"[{', '.join(values) if self.params is not None else '...'}]"),))
        if isinstance(node, exp.Between) and not field.is_relation and not node.args.get("symmetric"):
            return Said(((f"{name}__range", f"({self.value(node.args['low'])}, {self.value(node.args['high'])})"),))
        if type(node) in _LOOKUPS:
            return Said(((f"{name}{_LOOKUPS[type(node)]}", self.value(node.expression)),))
        raise Untold(f"{node.key} has no lookup")

    def _null(self, node: exp.Is, *, is_null: bool) -> Said:
        if not isinstance(node.expression, exp.Null):
            raise Untold("IS something other than NULL")
        reached, field = self._compared(node)
        return Said(((f"{reached.lookup(field)}__isnull", str(is_null)),))

    def _switch(self, node: exp.Column, value: str, *, negated: bool) -> Said:
        reached, field = self.column(node)
        if not isinstance(field, models.BooleanField) or (negated and field.null):
            raise Untold(f"{field.name} alone is no condition")
        return Said(((reached.lookup(field), value),))

    def _compared(self, node: exp.Expr) -> Column:
        if not isinstance(node.this, exp.Column):
            raise Untold("it compares something other than a column")
        return self.column(node.this)

    def _needed(self, parts: Sequence[exp.Expr], *, negated: bool) -> list[exp.Expr]:
        """Return the parts without the ``IS NOT NULL`` that Django itself adds within a ``~Q``."""
        if not negated:
            return list(parts)
        compared = [part.unnest() for part in parts if _tells_not_null(part) is None]
        others = {part.this for part in compared if not isinstance(part, exp.Is)}  # to IS NULL it adds nothing
        return [part for part in parts if _tells_not_null(part) not in others]

    def _check_known(self, node: exp.Expr) -> None:
        """Refuse a condition that can be NULL: each column in it is never NULL, or said to be not, beside it.

        NOT within NOT is refused too: there Django's ~Q is like SQL's.
        """
        node = node.unnest()
        if isinstance(node, exp.Not) and isinstance(node.this.unnest(), (exp.Is, exp.Column)):
            node = node.this.unnest()
        if isinstance(node, exp.And):
            parts = list(node.flatten())
            told = {_tells_not_null(part) for part in parts}
            for part in parts:
                inner = part.unnest()
                if not (isinstance(inner, exp.Predicate) and isinstance(inner.this, exp.Column) and inner.this in told):
                    self._check_known(inner)
        elif isinstance(node, exp.Or):
            for part in node.flatten():
                self._check_known(part)
        elif not isinstance(node, exp.Is):
            column = node if isinstance(node, exp.Column) else node.this
            if not isinstance(column, exp.Column) or self.column(column)[1].null:
                raise Untold("NOT of what may be NULL")


def parts_of(node: exp.Expr | None) -> list[exp.Expr]:
    """Return the conditions that AND joins in a WHERE; none without one."""
    if node is None:
        return []
    node = (node.this if isinstance(node, exp.Where) else node).unnest()
    return [part for each in node.flatten() for part in parts_of(each)] if isinstance(node, exp.And) else [node]


def written(value: Any) -> str:
    """Return a value as Python writes it, or the text that Django reads as it; ``...`` for any other.

    Raises:
        Untold: It is None, which an equality of SQL never finds and one of Django's does.
    """
    if value is None:
        raise Untold("a value is NULL")
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else "..."
    if isinstance(value, str):
        text = str.__repr__(value)  # not that of a member of TextChoices
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text and "\\" not in text else text
    if isinstance(value, (datetime.date, datetime.time)):
        return f'"{value.isoformat()}"'
    if isinstance(value, uuid.UUID):
        return f'"{value}"'
    return f'Decimal("{value}")' if type(value) is decimal.Decimal and value.is_finite() else "..."


def _tells_not_null(node: exp.Expr) -> exp.Expr | None:
    """Return the column that a part says to be not NULL; None for any other part."""
    node, is_not = node.unnest(), False
    if isinstance(node, exp.Not):
        node, is_not = node.this.unnest(), True
    if not isinstance(node, exp.Is) or not isinstance(node.expression, exp.Null):
        return None
    found: exp.Expr = node.this
    return found if is_not or node.args.get("negate") else None


def _joined(parts: Sequence[Said]) -> Said:
    """Return what says all the parts: one ``Q`` of the keywords, as far as no name comes twice."""
    if len(parts) == 1:
        return parts[0]
    keywords: dict[str, str] = {}
    rest: list[str] = []
    for part in parts:
        if part.keywords and not keywords.keys() & dict(part.keywords).keys():
            keywords.update(part.keywords)
        elif str(part) not in rest:
            rest.append(_grouped(part, " | "))
    first = Said(tuple(keywords.items()))
    if not rest:
        return first
    return Said(expression=" & ".join([str(first), *rest] if keywords else rest))


def _grouped(part: Said, *marks: str) -> str:
    """Return a part, in parentheses where it is an expression with one of these in it."""
    text = str(part)
    return f"({text})" if not part.keywords and any(mark in text for mark in marks) else text
