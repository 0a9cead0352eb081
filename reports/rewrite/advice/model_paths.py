"""A statement's tables and columns, as Django's models and lookups name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from django.apps import apps
from django.db import models
from sqlglot import exp

# Their values, and what compares them, are what the column holds: other fields may turn a value into another one.
_PLAIN = ("django.db.models.fields", "django.db.models.fields.related")

Field: TypeAlias = "models.Field[Any, Any]"


class Untold(Exception):
    """A part of a statement that no line of the ORM says, or not surely the same."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A table of a statement: its model, and the lookup that leads there, empty for the first one.

    ``branch`` is the lookup of the first relation to many on the way. ``back`` is for the hidden table of a relation of
    many to many: its field that leads back. The other one already means the other side.
    """

    model: type[models.Model]
    path: str = ""
    branch: str = ""
    back: str = ""

    def field(self, column: str) -> Field:
        """Return the field of a column of this table."""
        found = [field for field in self.model._meta.local_concrete_fields if field.column == column]
        if len(found) != 1 or type(found[0]).__module__ not in _PLAIN:
            raise Untold(f"{self.model._meta.label} has no plain field for {column}")
        return found[0]

    def lookup(self, field: Field) -> str:
        """Return the words that lead to a field: ``tickets__status``."""
        if self.back:
            if not field.is_relation or field.name == self.back:
                raise Untold(f"{field} belongs to a hidden table")
            return self.path
        return f"{self.path}__{field.name}" if self.path else field.name

    def counted(self, field: Field) -> str:
        """Return what is counted where a column is: the key of a relation's rows is the relation itself."""
        return self.path if field.primary_key and self.path and not self.back else self.lookup(field)


def model_of(table: exp.Expr | None) -> type[models.Model]:
    """Return the one model of a table."""
    if not isinstance(table, exp.Table) or table.db or not table.name:
        raise Untold("it is no table without a schema")
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.db_table == table.name and not model._meta.proxy
    ]
    if len(found) != 1:
        raise Untold(f"{table.name} is the table of {len(found)} models")
    return found[0]


def reached_from(outer: Reached, outer_column: str, model: type[models.Model], column: str) -> Reached:
    """Return the table that a join, or a correlation, of two equal columns leads to."""
    if outer.back:
        return _other_side(outer, outer_column, model, column)
    for field in model._meta.local_concrete_fields:
        if field.column == column and _leads_to(field, outer, outer_column):
            return _back(outer, field)
    own = next((field for field in outer.model._meta.local_concrete_fields if field.column == outer_column), None)
    if own is not None and _leads_to(own, Reached(model), column):
        return Reached(model, outer.lookup(own), outer.branch)
    raise Untold(f"no relation leads from {outer.model._meta.label} to {model._meta.label}")


def _leads_to(field: Any, target: Reached, column: str) -> bool:
    """Return whether a field is a foreign key to that column."""
    if not isinstance(field, models.ForeignKey):
        return False
    related, end = field.remote_field.model, field.target_field
    same = related._meta.concrete_model is target.model._meta.concrete_model
    return bool(same and end.column == column and end.model is target.model)


def _back(outer: Reached, field: Any) -> Reached:
    """Return what a foreign key leads to from its other end."""
    if field.model._meta.auto_created:
        return _hidden(outer, field)
    name = field.related_query_name()
    _check(outer.model, name, field.remote_field)
    path = f"{outer.path}__{name}" if outer.path else name
    return Reached(field.model, path, outer.branch or ("" if field.unique else path))


def _hidden(outer: Reached, field: Any) -> Reached:
    """Return the hidden table of a relation of many to many, as it is reached from one side."""
    table: type[models.Model] = field.model
    for end in (*outer.model._meta.many_to_many, *outer.model._meta.related_objects):
        relation: Any = end if isinstance(end, models.ManyToManyField) else getattr(end, "field", None)
        if not isinstance(relation, models.ManyToManyField) or relation.remote_field.through is not table:
            continue
        is_own = end is relation
        if field.name != (relation.m2m_field_name() if is_own else relation.m2m_reverse_field_name()):
            continue
        name: str = relation.name if is_own else relation.related_query_name()
        _check(outer.model, name, relation if is_own else relation.remote_field)
        path = f"{outer.path}__{name}" if outer.path else name
        return Reached(table, path, outer.branch or path, field.name)
    raise Untold(f"{table._meta.label} belongs to no relation of {outer.model._meta.label}")


def _other_side(hidden: Reached, column: str, model: type[models.Model], other: str) -> Reached:
    """Return the table behind a hidden one, which has the same lookup."""
    field = next((field for field in hidden.model._meta.local_concrete_fields if field.column == column), None)
    if field is None or field.name == hidden.back or not _leads_to(field, Reached(model), other):
        raise Untold(f"{column} leads back, or nowhere")
    return Reached(model, hidden.path, hidden.branch)


def _check(model: type[models.Model], name: str, relation: Any) -> None:
    """Refuse a name that is hidden, or that means something else."""
    named = {end.name: end for end in model._meta.get_fields()}
    if named.get(name) is not relation:
        raise Untold(f"{model._meta.label} has no lookup {name}")
