"""What a report groups by: fields of its source, also across relations to one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col, F

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.metrics import type_words
from reports.prebuilt.paths import branches_of, explained


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column to group by. ``expression`` is Django's, over the source; ``type`` PostgreSQL's."""

    name: str
    expression: Any
    type: str
    null: bool
    fk: str | None = None

    def column(self, *, pk: bool = False) -> Column:
        """Return the column of the report."""
        return Column(self.name, self.type, pk=pk, null=self.null, fk=self.fk)


def named(dimensions: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Return dimensions by name: ``customer__region`` is called ``customer_region`` where no name is given."""
    if isinstance(dimensions, Mapping):
        return dict(dimensions)
    return {name.replace(LOOKUP_SEP, "_"): name for name in dimensions}


def read_dimension(queryset: models.QuerySet[Any], name: str, value: Any) -> Dimension:
    """Return a dimension of a queryset's rows: a path of fields, or an expression.

    A ForeignKey's column is called after its own: ``department`` gives ``department_id``.

    Raises:
        DeclarationError: It leads nowhere, to many rows, or its type is no column's. Without the class's name.
    """
    expression = F(value) if isinstance(value, str) else value
    if getattr(expression, "contains_aggregate", False) or not hasattr(expression, "resolve_expression"):
        raise DeclarationError(f"dimension {name!r} is {value!r}; it must be a field's name or an expression.")
    many = branches_of(queryset.query, expression) - {()}
    if many:
        path = LOOKUP_SEP.join(sorted(many)[0])
        raise DeclarationError(f"dimension {name!r} leads to many rows by {path!r}; take that model as the source.")
    try:
        query = queryset.model._base_manager.values(_dimension=expression).query
    except FieldError as error:
        raise DeclarationError(f"dimension {name!r}: {explained(error, str(value))}") from None
    resolved = query.annotations["_dimension"]
    field = resolved.output_field
    kind = type_words(field)
    if kind is None:
        raise DeclarationError(f"dimension {name!r} is a {type(field).__name__}, which is no column's type.")
    is_column = isinstance(resolved, Col)
    null = not is_column or field.null or any(join.join_type != "INNER JOIN" for join in _joins(query))
    related = resolved.target.related_model if is_column and resolved.target.is_relation else None
    if related is not None and isinstance(value, str) and name == value.replace(LOOKUP_SEP, "_"):
        name = f"{name}_id" if not name.endswith("_id") else name
    return Dimension(name, expression, str(replace(kind, sizes=())), null, related._meta.label if related else None)


def _joins(query: Any) -> list[Any]:
    return [item for item in query.alias_map.values() if getattr(item, "join_type", None)]
