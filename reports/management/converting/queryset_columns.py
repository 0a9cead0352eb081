"""The columns of a queryset's statement, as a template declares them: names, keys, NULL, foreign keys, order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections, models
from django.db.models.expressions import Col, Exists, Value
from django.db.models.functions import Coalesce
from django.db.models.sql.constants import LOUTER

from reports.describe import describe_columns, describe_query
from reports.header import Column
from reports.rendering import Query
from reports.rewrite.compiled import Compiled
from reports.source import TemplateSource

_NO_NAME = re.compile(r"\W|_{2,}")
_TAKEN = ("pk", "Meta", "from_db")


@dataclass(frozen=True, slots=True)
class Output:
    """The columns in their order, the default ordering of the rows, and the types of the parameters.

    ``is_ordered`` says that the ordering is the queryset's own. ``renamed`` has the places of the columns whose names
    are not those of the statement.
    """

    columns: tuple[Column, ...]
    ordering: tuple[str, ...]
    is_ordered: bool
    param_types: tuple[str | None, ...]
    renamed: tuple[int, ...]


def output_of(queryset: Any, inner: Any, compiled: Compiled) -> Output:
    """Return what PostgreSQL and the queryset's fields tell of its columns. The statement is not run.

    Args:
        queryset: With its ordering.
        inner: Without the ordering that a header can have.
        compiled: The statement of ``inner``, with the order of the queryset.

    Raises:
        QueryError: PostgreSQL refuses the statement.
        TemplateError: Columns are of types that a report cannot return.
    """
    query = Query(compiled.sql, compiled.params)
    # With the values, for a type may hang on them: * 1.0 is numeric. What they are compared with says theirs.
    columns = describe_columns(TemplateSource("convertqueryset", query, None), using=queryset.db)
    types = describe_query(query, using=queryset.db).params
    compiler = inner.query.get_compiler(connection=connections[inner.db])
    compiler.as_sql()
    selected = [expression for expression, _, _ in compiler.select or ()]
    names = list(_names([column.name for column in columns]))
    renamed = [place for place, column in enumerate(columns) if column.name != names[place]]
    columns = tuple(replace(column, name=name) for column, name in zip(columns, names, strict=True))
    if len(selected) == len(columns) and not inner.query.combinator:
        known = zip(columns, selected, strict=True)
        columns = tuple(_declared(inner.query, column, expression) for column, expression in known)
        columns = _keyed(inner.query, columns, selected)
    ordering, is_ordered = _ordering(queryset, compiled, columns)
    return Output(columns, ordering, is_ordered, types, tuple(renamed))


def _names(names: Sequence[str]) -> Iterator[str]:
    """Yield names that fields of a model may have: ``tickets_count`` for ``tickets__count``, each once."""
    taken: set[str] = set()
    for name in names:
        free = base = _NO_NAME.sub("_", name).rstrip("_").lstrip("_") or "column"
        free = base = f"c_{base}" if base[0].isdigit() else f"{base}_value" if base in _TAKEN else base
        number = 2
        while free in taken:
            free, number = f"{base}_{number}", number + 1
        taken.add(free)
        yield free


def _declared(query: Any, column: Column, expression: Any) -> Column:
    """Return a column with what its field or expression says of NULL and of another model."""
    if not isinstance(expression, Col):
        return replace(column, null=not _is_known(expression))
    field: Any = expression.target
    join = query.alias_map.get(expression.alias)
    null = field.null or getattr(join, "join_type", None) == LOUTER
    label = None
    if field.remote_field and (field.many_to_one or field.one_to_one) and field.target_field.primary_key:
        related = field.related_model._meta
        label = related.label if related.managed and not related.proxy else None
    return replace(column, null=null, fk=label)


def _is_known(expression: Any) -> bool:
    """Return whether an expression is never NULL, where that is plain."""
    if isinstance(expression, models.Count | Exists):
        return True
    if isinstance(expression, Coalesce):
        return any(map(_is_known, expression.get_source_expressions()))
    return isinstance(expression, Value) and expression.value is not None


def _keyed(query: Any, columns: tuple[Column, ...], selected: Sequence[Any]) -> tuple[Column, ...]:
    """Return the columns with those marked that tell the rows apart."""
    if isinstance(query.group_by, tuple):
        places = [place for place, expression in enumerate(selected) if not expression.contains_aggregate]
        if len(places) != len(query.group_by):
            return columns
    else:
        meta = query.model._meta
        keys = list(getattr(meta, "pk_fields", [meta.pk]))
        base = query.get_initial_alias()
        found = {
            expression.target: place
            for place, expression in enumerate(selected)
            if isinstance(expression, Col) and expression.alias == base
        }
        places = [found[key] for key in keys if key in found]
        is_single = query.group_by is True or query.distinct or not _is_multiplied(query)
        if len(places) != len(keys) or not is_single:
            return columns
    if any(columns[place].null for place in places):
        return columns
    return tuple(replace(column, pk=place in places) for place, column in enumerate(columns))


def _is_multiplied(query: Any) -> bool:
    """Return whether a join may give several rows for one."""
    joins = [join for alias, join in query.alias_map.items() if query.alias_refcount[alias] and join.parent_alias]
    return any(join.join_field.one_to_many or join.join_field.many_to_many for join in joins)


def _ordering(queryset: Any, compiled: Compiled, columns: Sequence[Column]) -> tuple[tuple[str, ...], bool]:
    """Return the queryset's ordering by the names of columns, the key behind it; else the key alone."""
    keys = [column.name for column in columns if column.pk]
    order = compiled.order
    if not order.is_ordered or order.keys is None:
        return tuple(keys), False
    words: dict[str, str] = {}
    compiler = queryset.query.get_compiler(connection=connections[queryset.db])
    _, order_by, _ = compiler.pre_sql_setup()
    for place, (expression, _) in zip(order.keys, order_by, strict=True):
        column = columns[place]
        is_first = expression.nulls_first or (expression.descending and not expression.nulls_last)
        if column.null and bool(is_first) != expression.descending:
            return tuple(keys), False  # PostgreSQL's own order of NULL is what a header can say
        words.setdefault(column.name, f"{'-' if expression.descending else ''}{column.name}")
    return (*words.values(), *(key for key in keys if key not in words)), True
