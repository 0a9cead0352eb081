"""A position in ordered rows, as the values of all that they are ordered by; the rows that come after it.

PostgreSQL writes the values as text, in the statement that reads the rows, and reads them as the type of what they are
compared with. So every type that has an order comes back exactly: microseconds, NaN, arrays, ranges, citext.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import OrderBy
from django.db.models.functions import Cast, Random
from django.db.models.lookups import IsNull
from django.db.models.sql.datastructures import MultiJoin

from reports.rest_framework.keyset_conditions import Part, condition
from reports.source import need_key, report_name

# None is NULL.
Values = tuple[str | None, ...]

_ALIAS = "_keyset_{}"


@dataclass(frozen=True, slots=True)
class Keyset:
    """What rows are ordered by. No two rows are equal in it, for it ends with the key."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any, Any], ordering: Sequence[Any] = ()) -> Keyset:
        """Return what rows are ordered by, in their own ordering where none is given.

        Args:
            rows: Of a report or of any other model.
            ordering: As for ``order_by``: names, with ``-`` for the largest first, and expressions.

        Raises:
            ImproperlyConfigured: The rows have no key, or an ordering that fixes no position.
        """
        _need_key(rows)
        query: Any = rows.query
        turned = False
        if not ordering:
            ordering = query.order_by or (query.default_ordering and query.get_meta().ordering) or ()
            turned = not query.standard_ordering
        parts = [part for item in ordering for part in _parts(query, item)]
        return cls(_with_key(query, [part.turned() for part in parts] if turned else parts))

    @property
    def fingerprint(self) -> str:
        """A few characters that are the same for the same ordering, in every process."""
        written = "\n".join(
            f"{part.name} {part.descending:d}{part.nulls_first:d}{part.nullable:d}" for part in self.parts
        )
        return blake2b(written.encode(), digest_size=6).hexdigest()

    def fits(self, values: Values) -> bool:
        """Return whether values can be a position: one for each part, NULL only where it may stand."""
        return len(values) == len(self.parts) and all(
            value is not None or part.nullable for part, value in zip(self.parts, values, strict=True)
        )

    def after(
        self, rows: QuerySet[Any, Any], values: Values | None, *, backwards: bool = False, inclusive: bool = False
    ) -> QuerySet[Any, Any]:
        """Return the rows after a position, in order. Each has its own position, for ``take``.

        Args:
            rows: As they were given to ``of``.
            values: The position; None for all rows.
            backwards: The rows before the position, the nearest first.
            inclusive: With the row that stands at the position.
        """
        parts = [part.turned() for part in self.parts] if backwards else self.parts
        texts = {_ALIAS.format(i): Cast(part.expression, TextField()) for i, part in enumerate(parts)}
        query: Any = rows.query
        found: QuerySet[Any, Any] = (rows if query.standard_ordering else rows.reverse()).annotate(**texts)
        if values is not None:
            found = found.filter(condition(parts, values, inclusive=inclusive) | _never(rows))
        return found.order_by(*[part.order() for part in parts])

    def take(self, row: Any) -> Values:
        """Return the position of a row that ``after`` gave, and take it out of the row: a dict or an instance.

        Raises:
            TypeError: The row is neither.
        """
        if not isinstance(row, dict) and not hasattr(row, _ALIAS.format(0)):
            raise TypeError(f"a position is taken out of dicts and instances, not out of {type(row).__name__}.")
        held = row if isinstance(row, dict) else vars(row)
        return tuple(held.pop(_ALIAS.format(i)) for i in range(len(self.parts)))


def _never(rows: QuerySet[Any, Any]) -> Q:
    """Return a condition that no row meets; with it Django picks rows after window functions have seen all of them."""
    query: Any = rows.query
    windows = [alias for alias, annotation in query.annotation_select.items() if annotation.contains_over_clause]
    return Q(IsNull(F(windows[0]), True), IsNull(F(windows[0]), False)) if windows else Q()


def _need_key(rows: QuerySet[Any, Any]) -> None:
    query: Any = rows.query
    try:
        need_key(rows.model, "The position of a row ends with it.")
    except FieldError as error:
        raise ImproperlyConfigured(str(error)) from None
    if isinstance(query.group_by, (list, tuple)) or (query.distinct and getattr(rows, "_fields", None)):
        raise ImproperlyConfigured(
            f"rows of {report_name(rows.model)!r} that values() groups or makes distinct have no key, so no position."
        )


def _with_key(query: Any, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts up to the one with which no two rows are equal, the key's columns added where they are not."""
    missing = [field.attname for field in query.get_meta().pk_fields]
    # In the direction of what is before it, so that one index serves both and one comparison of rows does.
    descending = bool(parts) and parts[-1].descending
    found: dict[str, Part] = {}
    for part in (*parts, *(Part(F(name), name, descending, descending, nullable=False) for name in missing)):
        if missing:
            found.setdefault(part.name, part)
            missing = [name for name in missing if name != part.name]
    return tuple(found.values())


def _parts(query: Any, item: Any) -> Iterator[Part]:
    if isinstance(item, str):
        yield from _named(query, item)
        return
    order: Any = item if isinstance(item, OrderBy) else item.asc()
    expression, descending = order.expression, bool(order.descending)
    if isinstance(expression, Random):
        _refuse_random()
    name = _described(expression)
    part = Part(expression, name, descending, nulls_first=bool(order.nulls_first))
    if not (order.nulls_first or order.nulls_last):
        part = replace(part, nulls_first=descending)
    yield from _plain(query, part) if isinstance(expression, F) else (part,)


def _named(query: Any, written: str, above: tuple[Any, ...] = ()) -> Iterator[Part]:
    """Give the parts of a name. A relation is ordered as its model says, unless the name is that of its column."""
    name, descending = written.removeprefix("-"), written.startswith("-")
    if name == "?":
        _refuse_random()
    field = None if name == "pk" or name in query.annotations else _relation(query, name)
    if field is None or not field.related_model._meta.ordering:
        yield from _plain(query, Part(F(name), name, descending, descending))
        return
    if field in above:
        raise FieldError(f"{written!r} orders by {field}, which is ordered by itself.")
    for item in field.related_model._meta.ordering:
        if isinstance(item, str):
            path = f"{name}{LOOKUP_SEP}{item.removeprefix('-')}"
            yield from _named(query, f"-{path}" if descending != item.startswith("-") else path, (*above, field))
        else:  # its direction stays, as in Django
            order = item if isinstance(item, OrderBy) else item.asc()
            yield from _parts(query, order.prefix_references(f"{name}{LOOKUP_SEP}"))


def _relation(query: Any, name: str) -> Any:
    """Return the relation that a name ends with, where it orders as the other model says; else None."""
    pieces = name.split(LOOKUP_SEP)
    try:
        _, field, _, transforms = query.names_to_path(pieces, query.get_meta(), allow_many=False)
    except MultiJoin:
        raise ImproperlyConfigured(
            f"{name!r} goes to many rows, and a row then stands at many positions; order by a column of the row."
        ) from None
    named = not transforms and pieces[-1] not in ("pk", getattr(field, "attname", None))
    return field if named and field.is_relation else None


def _plain(query: Any, part: Part) -> Iterator[Part]:
    """Give the part of a name, with what the model says of a column of its own; others may be NULL."""
    opts = query.get_meta()
    if part.name == "pk":
        for field in opts.pk_fields:
            yield replace(part, expression=F(field.attname), name=field.attname, nullable=False)
        return
    try:
        field = None if part.name in query.annotations else opts.get_field(part.name)
    except FieldDoesNotExist:  # a path, a relation of this queryset alone, or no name at all, which Django says
        _relation(query, part.name)
        field = None
    if field is None or not field.concrete:
        yield part
    else:
        yield replace(part, expression=F(field.attname), name=field.attname, nullable=field.null)


def _described(expression: Any) -> str:
    """Return an expression's class and the names in it: the same in every process, which ``repr`` need not be."""
    if not hasattr(expression, "get_source_expressions"):
        return str(getattr(expression, "name", type(expression).__name__))  # an F, above all
    sources = [_described(source) for source in expression.get_source_expressions() if source is not None]
    return f"{type(expression).__name__}({','.join(sources)})"


def _refuse_random() -> None:
    raise ImproperlyConfigured("rows in random order have no position; order them by columns.")
