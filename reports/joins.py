"""Reports joined from real models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models
from django.db.models.sql import Query
from django.db.models.sql.datastructures import BaseTable, Join

from reports.errors import listed
from reports.rows import Rows
from reports.source import Key, ReportJoin, ReportQuery, ReportTable, RowsSource, Source, relation

_Model = TypeVar("_Model", bound=models.Model)


def join(queryset: models.QuerySet[_Model], *rows: Rows, **named: Rows) -> models.QuerySet[_Model]:
    """Return the queryset with reports in reach of its lookups: ``join(Store.objects.all(), sales.run(params))``.

    The reports need a ``model`` with a relation to the queryset's. Rows given by position are what every relation to
    their model now leads to (``filter(sales__revenue__gt=…)``). Rows given by name become a FilteredRelation of that
    name, so that one report can stand there several times: ``join(Store.objects.all(), current=a, previous=b)``, then
    ``values("name", "current__revenue", "previous__revenue")``. Filters and slices of the rows are kept. Join first:
    an ``exclude()`` over the relation that was made before cannot see the report.

    Raises:
        TypeError: Something given is not Rows of a report with a model, or the queryset's query is of a foreign class.
        ValueError: Names lead to no relation, or to several; then annotate the FilteredRelation yourself.
    """
    sources: dict[Key, Source] = {}
    for item in (*rows, *named.values()):
        if not isinstance(item, Rows) or item.gives_dicts:
            raise TypeError(
                f"join() takes rows of a report with a model, not {type(item).__name__!r} of dicts or others."
            )
    for item in rows:
        sources[item.model._meta.db_table] = _source(item)
    clone: Any = queryset.all()
    for name, item in named.items():
        if name not in clone.query._filtered_relations:
            clone = clone.annotate(**{name: models.FilteredRelation(_relation(clone.model, item, name))})
        sources[relation(name)] = _source(item)
    # Not clone.query, whose setter would make values() of values_list().
    clone._query = _report_query(clone.query, sources)
    return clone  # type: ignore[no-any-return]


def _source(rows: Rows) -> Source:
    """Return what stands in FROM for rows: the report itself, or a sub-select when they are filtered or sliced."""
    query: Any = rows.query
    if query.group_by is not None or query.has_select_fields or query.combinator:
        raise TypeError("join() takes rows with the columns of their model: no values(), aggregates or unions.")
    if query.is_whole:
        return query.sources[rows.model._meta.db_table]  # type: ignore[no-any-return]
    inner = query.chain()
    inner.clear_ordering(force=False)
    inner.clear_deferred_loading()
    inner.select_related = False
    return RowsSource(inner)


def _relation(model: type[models.Model], rows: Rows, name: str) -> str:
    found = [
        field.name for field in model._meta.get_fields() if field.is_relation and field.related_model is rows.model
    ]
    if len(found) != 1:
        raise ValueError(
            f"{name}: {model.__name__} has {len(found)} relations to {rows.model.__name__} ({listed(found)}); "
            f"annotate {name}=FilteredRelation(…) first."
        )
    return found[0]


def _report_query(query: Any, sources: Mapping[Key, Source]) -> ReportQuery:
    if not isinstance(query, ReportQuery):
        found: type[Any] = type(query)
        if found is not Query:
            raise TypeError(f"join() cannot extend a query of the class {found.__name__}.")
        query.__class__ = ReportQuery
        query.sources, query.report_ordering = {}, ()
        query.alias_map = {alias: _report_item(item) for alias, item in query.alias_map.items()}
    made: ReportQuery = query
    made.sources = {**made.sources, **sources}
    return made


def _report_item(item: BaseTable | Join) -> BaseTable | Join:
    """Return a FROM item that Django made before the queryset was joined, as one of ours."""
    made = item.relabeled_clone({})
    made.__class__ = ReportJoin if isinstance(item, Join) else ReportTable
    return made
