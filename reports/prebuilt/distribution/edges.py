"""Buckets between edges: in which one a value is, as SQL for facts."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db.models import BooleanField, Func, IntegerField, Value

from reports.prebuilt.vocabulary.attributes import Check, is_list

MOST_BUCKETS = 1000


def ascending(of: Check, least: int, what: str) -> Check:
    """A list of values in ascending order, each of which another check allows."""

    def check(value: Any) -> str | None:
        fits = is_list(value) and least <= len(value) <= MOST_BUCKETS + 1 and all(of(each) is None for each in value)
        is_ascending = fits and all(low < high for low, high in pairwise(value))
        return None if is_ascending else f"a list of {least} to {MOST_BUCKETS + 1} {what} in ascending order"

    return check


def bucket_of(value: Any, thresholds: Any) -> Func:
    """Return the number of the bucket that holds a value: how many thresholds are at or below it."""
    return Func(value, thresholds, function="width_bucket", output_field=IntegerField())


def is_at(value: Any, edge: Any) -> Func:
    """Return 1 where a value is an edge, else 0."""
    return Func(value, edge, template="(%(expressions)s)::integer", arg_joiner=" = ", output_field=IntegerField())


def is_finite(value: Any) -> Func:
    """Return whether a number is neither NULL nor NaN nor infinite."""
    template = "%(expressions)s NOT IN ('NaN', 'Infinity', '-Infinity')"
    return Func(value, template=template, output_field=BooleanField())


def cast(expression: Any, kind: str) -> Func:
    """Return an expression as a type of PostgreSQL, which must be a word of this package's own."""
    return Func(expression, template=f"(%(expressions)s)::{kind}")


def array(values: Iterable[Any], kind: str) -> Func:
    """Return values as one bound array of a type; see ``cast``."""
    return Func(Value(list(values)), template=f"%(expressions)s::{kind}[]")


def exact(number: Any) -> Decimal:
    """Return a number as it is written: of a float its shortest text, 0.1 for 0.1."""
    return number if isinstance(number, Decimal) else Decimal(str(number))
