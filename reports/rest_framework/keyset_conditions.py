"""The condition that picks the rows after a position, in a form that an index can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import BooleanField, Func, Q, Value
from django.db.models.expressions import OrderBy
from django.db.models.lookups import BuiltinLookup, IsNull


class _WithText(BuiltinLookup):
    """A comparison with text that has no type, which PostgreSQL takes for one of what it is compared with."""

    prepare_rhs = False


class _Equal(_WithText):
    lookup_name = "exact"


class _Above(_WithText):
    lookup_name = "gt"


class _Below(_WithText):
    lookup_name = "lt"


class _NotBelow(_WithText):
    lookup_name = "gte"


class _NotAbove(_WithText):
    lookup_name = "lte"


@dataclass(frozen=True, slots=True)
class Part:
    """One item of an ordering: what rows are ordered by, which way, and where its NULLs stand.

    ``name`` tells it from the other parts. Where it is not ``nullable`` no condition and no order says a word of NULL.
    """

    expression: Any
    name: str
    descending: bool = False
    nulls_first: bool = False
    nullable: bool = True

    def turned(self) -> Part:
        """Return the part of the opposite order."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def order(self) -> OrderBy:
        """Return the item of ORDER BY."""
        first, last = (self.nulls_first, not self.nulls_first) if self.nullable else (False, False)
        return OrderBy(self.expression, descending=self.descending, nulls_first=first or None, nulls_last=last or None)

    def same(self, value: str | None) -> Q:
        """Return the condition of being equal to a value."""
        return Q(IsNull(self.expression, True) if value is None else _Equal(self.expression, value))

    def beyond(self, value: str | None) -> Q:
        """Return the condition of coming after a value, which is false for NULL where NULLs are last."""
        if value is None:
            return Q(IsNull(self.expression, False)) if self.nulls_first else Q(pk__in=[])
        found = Q((_Below if self.descending else _Above)(self.expression, value))
        return found | Q(IsNull(self.expression, True)) if self.nulls_after else found

    def not_before(self, value: str) -> Q:
        """Return the condition of being a value or coming after it, where no NULL does."""
        return Q((_NotAbove if self.descending else _NotBelow)(self.expression, value))

    @property
    def nulls_after(self) -> bool:
        """True when NULLs come after all values."""
        return self.nullable and not self.nulls_first


class _RowsCompared(Func):
    """``(a, b) > (x, y)``: one range of an index of these columns."""

    output_field = BooleanField()

    def __init__(self, *expressions: Any, operator: str) -> None:
        super().__init__(*expressions)
        self.operator = operator

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        compiled = [compiler.compile(expression) for expression in self.get_source_expressions()]
        texts, params = [sql for sql, _ in compiled], [value for _, values in compiled for value in values]
        half = len(texts) // 2
        return f"({', '.join(texts[:half])}) {self.operator} ({', '.join(texts[half:])})", tuple(params)


def condition(parts: Sequence[Part], values: Sequence[str | None], *, inclusive: bool = False) -> Q:
    """Return the condition of standing after a position.

    Args:
        parts: What rows are ordered by. The last one is not nullable.
        values: The position, a value of each part as PostgreSQL's text.
        inclusive: The row at the position too.
    """
    if len(parts) > 1 and not any(part.nullable for part in parts) and len({part.descending for part in parts}) == 1:
        operator = ("<" if parts[0].descending else ">") + ("=" if inclusive else "")
        sides = (*(part.expression for part in parts), *map(Value, values))
        return Q(_RowsCompared(*sides, operator=operator))
    return _nested(parts, values, inclusive=inclusive)


def _nested(parts: Sequence[Part], values: Sequence[str | None], *, inclusive: bool) -> Q:
    part, value = parts[0], values[0]
    if len(parts) == 1:
        return part.not_before(str(value)) if inclusive else part.beyond(value)
    rest = _nested(parts[1:], values[1:], inclusive=inclusive)
    if value is None:
        return part.beyond(value) | (part.same(value) & rest) if part.nulls_first else part.same(value) & rest
    if part.nulls_after:
        return part.beyond(value) | (part.same(value) & rest)
    # An index is read from the value on: the bound is a condition of its own, not a branch of the OR.
    return part.not_before(value) & (part.beyond(value) | rest)
