"""What a report groups by: fields of its source, also across relations to one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col, F, Func, Value

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.vocabulary.metrics import type_words
from reports.prebuilt.vocabulary.names import check_given
from reports.prebuilt.vocabulary.paths import branches_of, explained
from reports.prebuilt.vocabulary.problems import read_all
from reports.prebuilt.vocabulary.truncated import as_declared

# Of what there would be a value for each group, or for each row beside others.
_REFUSED = ("aggregate", "over_clause")
_NUMBERS = ("smallint", "integer", "bigint", "double precision")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column to group by. ``expression`` is Django's, over the source; ``type`` PostgreSQL's."""

    name: str
    expression: Any
    type: str
    null: bool
    fk: str | None = None

    @property
    def is_array(self) -> bool:
        """True when a value is a list."""
        return self.type.endswith("[]")

    def column(self, *, pk: bool = False) -> Column:
        """Return the column of the report."""
        return Column(self.name, self.type, pk=pk, null=self.null, fk=self.fk)


def named(dimensions: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Return dimensions by name: ``customer__region`` is called ``customer_region`` where no name is given.

    Raises:
        DeclarationError: Two have one name. Without the class's name.
    """
    if isinstance(dimensions, Mapping):
        return dict(dimensions)
    found = [(name.replace(LOOKUP_SEP, "_"), name) for name in dimensions]
    if twice := {name for name, count in Counter(name for name, _ in found).items() if count > 1}:
        raise DeclarationError(f"several dimensions would be called {listed(twice)}; give a dict of them by name.")
    return dict(found)


def read_dimensions(
    queryset: models.QuerySet[Any], given: Iterable[str] | Mapping[str, Any], *, what: str = "dimension"
) -> tuple[Dimension, ...]:
    """Return the dimensions of a queryset's rows that an attribute names, in their order; see ``read_dimension``.

    Args:
        queryset: The rows.
        given: The names, or expressions by name.
        what: What they are called in a message.
    """
    check_given(what, named(given))
    try:
        return tuple(read_all([partial(read_dimension, queryset, name, value) for name, value in named(given).items()]))
    except DeclarationError as error:
        raise DeclarationError(*[problem.replace("dimension", what, 1) for problem in error.problems]) from None


def read_dimension(queryset: models.QuerySet[Any], name: str, value: Any) -> Dimension:
    """Return a dimension of a queryset's rows: a path of fields, or an expression.

    A ForeignKey's column is called after its own: ``department`` gives ``department_id``.

    Raises:
        DeclarationError: It leads nowhere, to many rows, or its type is no column's. Without the class's name.
    """
    expression = F(value) if isinstance(value, str) else value
    is_expression = hasattr(expression, "resolve_expression") and not isinstance(expression, models.QuerySet)
    if not is_expression or any(getattr(expression, f"contains_{each}", False) for each in _REFUSED):
        what = expression if is_expression else f"a {type(expression).__name__}"
        allowed = "a field's name or an expression without aggregates and windows"
        raise DeclarationError(f"dimension {name!r} is {what}; it must be {allowed}.")
    many = branches_of(queryset.query, expression) - {()}
    if many:
        path = LOOKUP_SEP.join(sorted(many)[0])
        raise DeclarationError(f"dimension {name!r} leads to many rows by {path!r}; take that model as the source.")
    given: Any = queryset.query
    # Joins of the class's own conditions say nothing of NULL: get_source() may have others.
    rows = queryset if given.annotations or given._filtered_relations else queryset.model._base_manager.all()
    try:
        query = rows.order_by().values(_dimension=expression).query
        resolved: Any = query.annotations["_dimension"]
        field = resolved.output_field
    except FieldError as error:
        raise DeclarationError(f"dimension {name!r}: {explained(error, str(value))}") from None
    kind = type_words(field)
    if kind is None:
        raise DeclarationError(f"dimension {name!r} is a {type(field).__name__}, which is no column's type.")
    if isinstance(resolved, Value):  # Django leaves it out of GROUP BY: one group, also of no row
        raise DeclarationError(f"dimension {name!r} is the same for every row.")
    is_column = isinstance(resolved, Col)
    null = not is_column or field.null or any(join.join_type != "INNER JOIN" for join in _joins(query))
    related = resolved.target.related_model if is_column and resolved.target.is_relation else None
    if related is not None and isinstance(value, str) and name == value.replace(LOOKUP_SEP, "_"):
        name = f"{name}_id" if not name.endswith("_id") else name
    if not is_column and kind.name in _NUMBERS:  # an ExtractHour is an integer to Django, and a numeric
        expression = Func(expression, template=f"(%(expressions)s)::{kind}", output_field=field)
    expression = as_declared(expression, field)
    # A row's ForeignKey finds its object by the primary key.
    fk = related._meta.label if related and resolved.target.target_field.primary_key else None
    return Dimension(name, expression, str(replace(kind, sizes=())), null, fk)


def read_path(queryset: models.QuerySet[Any], attribute: str, path: str) -> Dimension:
    """Return the field that an attribute of a report names, called as a dimension of it would be.

    Raises:
        DeclarationError: The path is empty, leads nowhere or to many rows; names the attribute.
    """
    if not path:
        raise DeclarationError(f"{attribute} is not set; name a field of the source.")
    (name,) = named([path])
    try:
        return read_dimension(queryset, name, path)
    except DeclarationError as error:
        problem = str(error).removeprefix(f"dimension {name!r}").removeprefix(":").strip()
        raise DeclarationError(f"{attribute} {path!r}: {problem}") from None


def _joins(query: Any) -> list[Any]:
    return [item for item in query.alias_map.values() if getattr(item, "join_type", None)]
