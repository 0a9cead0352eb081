"""Rows of a report against the same rows from elsewhere, such as the ORM's slow way of asking."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import models

from reports.errors import listed

TOLERANCE = 1e-12  # relative: averages are floats in the ORM where PostgreSQL gives exact numbers
SHOWN = 5  # rows of each side in a failure

_Row = tuple[Any, ...]


def assert_matches(
    rows: Iterable[Any],
    expected: Iterable[Any],
    *,
    columns: Sequence[str] | None = None,
    ordered: bool | None = None,
) -> None:
    """Assert that two sets of rows are the same, each as often: dicts, instances, tuples or single values.

    Numbers are the same within 1e-12 of their size, NULL equals NULL. Named columns are compared where both sides have
    them; against tuples, which have no names, all in their order.

    Args:
        rows: Of a report.
        expected: A queryset, or rows made by hand.
        columns: The names to compare, when those that both sides have are too many or too few.
        ordered: Whether the order counts; by default when both sides are lists or querysets that say an order.

    Raises:
        AssertionError: The rows differ; its text has the first that do, with their values.
        ValueError: The sides have no column in common, or not those asked for.
    """
    __tracebackhide__ = True
    in_order = _is_ordered(rows) and _is_ordered(expected) if ordered is None else ordered
    found, wanted, names = _tables(list(rows), list(expected), columns)
    surplus, missing = _unmatched(found, wanted)
    about = f"{len(found)} found, {len(wanted)} expected" + (f"; compared by {', '.join(names)}" if names else "")
    if surplus or missing:
        lines = [f"the rows differ: {about}.", *_listed("only found", surplus), *_listed("only expected", missing)]
        raise AssertionError("\n".join(lines))
    if in_order:
        for number, (one, other) in enumerate(zip(found, wanted, strict=True), start=1):
            if not _same(one, other):
                raise AssertionError(
                    f"the rows are the same in another order: {about}.\nrow {number} is {one!r}, expected {other!r}.\n"
                    "With ordered=False the order does not count."
                )


def _is_ordered(rows: Iterable[Any]) -> bool:
    return rows.ordered if isinstance(rows, models.QuerySet) else isinstance(rows, list | tuple)


def _tables(
    rows: list[Any], expected: list[Any], columns: Sequence[str] | None
) -> tuple[list[_Row], list[_Row], Sequence[str]]:
    """Return both sides as tuples of the columns compared, and the names of these columns."""
    left, right = [_parsed(row) for row in rows], [_parsed(row) for row in expected]
    named = [row for row in (*left, *right) if isinstance(row, Mapping)]
    if len(named) < len(left) + len(right):
        if columns is not None:
            raise ValueError("columns have no meaning against rows that are tuples, which have no names.")
        return [_values(row) for row in left], [_values(row) for row in right], ()
    names = columns
    if names is None:
        names = [name for name in (named[0] if named else ()) if all(name in row for row in named)]
    lacking = sorted({name for name in names for row in named if name not in row})
    if lacking or (named and not names):
        sides = " and ".join(listed(side[0]) if side else "no rows" for side in (left, right))
        problem = f"columns {listed(lacking)} are not in all rows" if lacking else "the rows have no column in common"
        raise ValueError(f"{problem}: {sides}.")
    return [_picked(row, names) for row in left], [_picked(row, names) for row in right], names


def _parsed(row: Any) -> Mapping[str, Any] | _Row:
    """Return a row with names as a mapping, any other as a tuple."""
    if isinstance(row, Mapping):
        return row
    if isinstance(row, models.Model):
        columns: dict[str, Any] = {field.attname: field.column for field in row._meta.concrete_fields}
        return {columns.get(name, name): value for name, value in vars(row).items() if not name.startswith("_")}
    if hasattr(row, "_asdict"):
        return dict(row._asdict())
    return tuple(row) if isinstance(row, list | tuple) else (row,)


def _picked(row: Mapping[str, Any] | _Row, names: Sequence[str]) -> _Row:
    return tuple(row[name] for name in names) if isinstance(row, Mapping) else row


def _values(row: Mapping[str, Any] | _Row) -> _Row:
    return tuple(row.values()) if isinstance(row, Mapping) else row


def _unmatched(found: list[_Row], wanted: list[_Row]) -> tuple[list[_Row], list[_Row]]:
    """Return the rows of either side that have no partner on the other."""
    loose = {i for row in (*found, *wanted) for i, value in enumerate(row) if _is_loose(value)}
    # Rows are partners when their exact values are equal and the others about so: few are compared with few.
    groups: dict[_Row, list[_Row]] = defaultdict(list)
    for row in sorted(wanted, key=_sort_key):
        groups[_exact(row, loose)].append(row)
    surplus = []
    for row in sorted(found, key=_sort_key):
        group = groups.get(_exact(row, loose), [])
        place = next((i for i, other in enumerate(group) if _same(row, other)), None)
        if place is None:
            surplus.append(row)
        else:
            del group[place]
    return surplus, [row for group in groups.values() for row in group]


def _is_loose(value: Any) -> bool:
    return isinstance(value, float | Decimal | list | tuple | dict | set)


def _exact(row: _Row, loose: set[int]) -> _Row:
    return (len(row), *(value for i, value in enumerate(row) if i not in loose))


def _sort_key(row: _Row) -> list[tuple[int, float, str]]:
    return [
        (0, float(value), "") if _is_number(value) and not math.isnan(value) else (1, 0.0, repr(value)) for value in row
    ]


def _same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        both_nan = math.isnan(one) and math.isnan(other)
        exact = isinstance(one, int) and isinstance(other, int)
        return both_nan or one == other or (not exact and math.isclose(one, other, rel_tol=TOLERANCE))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _listed(head: str, rows: list[_Row]) -> list[str]:
    if not rows:
        return []
    more = f", the first {SHOWN} of them" if len(rows) > SHOWN else ""
    return [f"{len(rows)} {head}{more}:", *(f"    {row!r}" for row in rows[:SHOWN])]
