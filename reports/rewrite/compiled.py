"""The statement that a queryset would send, without sending it."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import isfunction
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models.base import ModelBase
from django.db.models.expressions import OrderBy, Ref
from django.db.models.query import RawQuerySet
from django.db.models.sql.compiler import PositionRef, SQLCompiler

from reports.rewrite.proof.verifying import Order
from reports.rewrite.sql.numbered import numbered


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as Django sends it, and how its rows are ordered."""

    sql: str
    params: tuple[Any, ...]
    order: Order

    @property
    def text(self) -> str:
        """The statement with ``$1``, ``$2``… for its parameters; raises Unreadable where that cannot be."""
        return numbered(self.sql, len(self.params))


def compile_queryset(queryset: models.QuerySet[Any, Any], using: str | None = None) -> Compiled | None:
    """Return the statement that reads all rows of a queryset; None where Django sends none, as for ``none()``."""
    alias = using or queryset.db
    try:
        sql, params = queryset.query.chain().get_compiler(alias).as_sql()
    except EmptyResultSet:
        return None
    return Compiled(sql, tuple(params), _order(queryset.query.chain().get_compiler(alias))) if sql else None


def check_queryset(queryset: object, using: str | None = None) -> None:
    """Raise TypeError for what is no queryset of PostgreSQL's, and for ``raw()``, whose SQL is its author's."""
    if isinstance(queryset, RawQuerySet):
        raise TypeError(
            "raw() is SQL of your own: rewrite(str) reads it; only querysets that Django compiles are sent."
        )
    if not isinstance(queryset, models.QuerySet):
        hint = " Write .all() behind a manager." if isinstance(queryset, models.Manager) else ""
        hint = " Call it." if isfunction(queryset) else hint
        hint = " Write .objects.all() behind a model." if isinstance(queryset, ModelBase) else hint
        raise TypeError(f"{type(queryset).__name__} is no queryset.{hint}")
    alias = using or queryset.db
    vendor = connections[alias].vendor
    if vendor != "postgresql":
        raise TypeError(f"the database {alias!r} is {vendor}: only statements for PostgreSQL are rewritten.")


def _order(compiler: SQLCompiler) -> Order:
    _, order_by, _ = compiler.pre_sql_setup()
    places = [_place(compiler, expression) for expression, _ in order_by]
    known = tuple([place for place in places if place is not None])
    return Order(bool(places), known if places and len(known) == len(places) else None, compiler.query.is_sliced)


def _place(compiler: SQLCompiler, ordering: Any) -> int | None:
    """Return the place of the output column that an item of ORDER BY sorts by; None where it is none."""
    source: Any = ordering.expression if isinstance(ordering, OrderBy) else ordering
    if isinstance(source, PositionRef):
        return int(source.ordinal) - 1  # type: ignore[attr-defined]  # the stubs have no attributes of it
    selected: Any = compiler.select or ()
    if isinstance(source, Ref):
        name = source.refs  # type: ignore[attr-defined]  # as above
        return next((place for place, (_, _, alias) in enumerate(selected) if alias == name), None)
    sql, params = compiler.compile(source)
    texts = [(text, tuple(values)) for _, (text, values), _ in selected]
    return texts.index((sql, tuple(params))) if (sql, tuple(params)) in texts else None
