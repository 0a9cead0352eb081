"""Rows before and after: as multisets and, where they are ordered, as sequences.

Both sides are what the driver gives, so a column has one type; another type is a difference, even where Python finds
1, 1.0 and True equal. A float may be off by 1e-12 of its value, because sums add up in another order; NaN equals NaN.
Decimals are equal by value: 1.0 is 1.00. All else is compared exactly, JSON that Django reads as text too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any
from uuid import UUID

TOLERANCE = 1e-12
SHOWN = 3
Row = tuple[Any, ...]
# Types whose values are compared by == and hash as they stand, but for NaN.
_PLAIN = {
    *(bool, int, float, Decimal, str, bytes, type(None)),
    *(date, datetime, time, timedelta, UUID),
}  # fmt: skip
_NAN = "not a number", None


@dataclass(frozen=True, slots=True)
class Difference:
    """How rows differ. ``lost`` and ``gained`` are a few rows that one side alone has: they hold values.

    ``count`` is how many rows differ: of the side that has more of them; for an order, how many places. ``is_order``
    says that both sides have the same rows.
    """

    count: int
    before: int
    after: int
    is_order: bool = False
    lost: tuple[Row, ...] = field(default=(), repr=False)
    gained: tuple[Row, ...] = field(default=(), repr=False)
    columns: tuple[int, int] | None = None

    @property
    def summary(self) -> str:
        """The difference without any value, for a log."""
        if self.columns is not None:
            return f"{self.columns[0]} columns before, {self.columns[1]} after"
        if self.is_order:
            return f"the same {self.before:,} rows in another order, {self.count:,} of them at another place"
        most = max(self.before, self.after)
        return f"{self.count:,} of {most:,} rows differ ({self.before:,} before, {self.after:,} after)"

    def __str__(self) -> str:
        marked = [("-", self.lost), ("+", self.gained)]
        return "\n".join([self.summary, *(f"{mark} {row!r}" for mark, rows in marked for row in rows)])


def compare(
    before: Sequence[Row], after: Sequence[Row], *, ordered: bool, keys: Sequence[int] | None = None
) -> Difference | None:
    """Return how two lists of rows differ, None when they do not.

    Args:
        before: Tuples as the driver gives them.
        after: The same.
        ordered: Compare their order too.
        keys: The places of the columns that order the rows, where they are all known: rows that are equal in them may
            change places. None compares each place.
    """
    widths = {len(row) for row in before}, {len(row) for row in after}
    if widths[0] and widths[1] and widths[0] != widths[1]:
        most = max(len(before), len(after))
        return Difference(most, len(before), len(after), columns=(max(widths[0]), max(widths[1])))
    left, right = _hashable(before, after)
    if len(left) == len(right) and all(_is_close(one, other) for one, other in zip(left, right, strict=True)):
        return None
    lost, gained = _unmatched(left, right)
    if lost or gained:
        return Difference(
            max(len(lost), len(gained)),
            len(before),
            len(after),
            lost=tuple(before[place] for place in lost[:SHOWN]),
            gained=tuple(after[place] for place in gained[:SHOWN]),
        )
    if not ordered:
        return None
    return _moved(before, after, left, right, keys)


def _moved(
    before: Sequence[Row], after: Sequence[Row], left: Sequence[Row], right: Sequence[Row], keys: Sequence[int] | None
) -> Difference | None:
    """Return how the order of the same rows differs."""
    if keys is not None:
        left, right = ([tuple([row[key] for key in keys]) for row in rows] for rows in (left, right))
    pairs = zip(left, right, strict=True)
    places = [place for place, (one, other) in enumerate(pairs) if not _is_close(one, other)]
    if not places:
        return None
    first, *_ = places
    return Difference(len(places), len(before), len(after), True, (before[first],), (after[first],))


def _hashable(before: Sequence[Row], after: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return the rows with each value hashable, and with its type where the two sides have different ones."""
    columns: dict[int, Any] = {}
    for place in range(len(next(chain(before, after), ()))):
        value = itemgetter(place)
        left, right = ({type(value(row)) for row in rows} - {type(None)} for rows in (before, after))
        if left and right and left != right:
            columns[place] = _typed
        elif not left | right <= _PLAIN:
            columns[place] = _frozen
    if not columns:
        return before, after
    frozen = [columns.get(place, _same) for place in range(len(next(chain(before, after))))]
    return _mapped(before, frozen), _mapped(after, frozen)


def _mapped(rows: Sequence[Row], functions: Sequence[Any]) -> list[Row]:
    return [tuple([function(value) for function, value in zip(functions, row, strict=True)]) for row in rows]


def _same(value: Any) -> Any:
    return value


def _typed(value: Any) -> Any:
    return None if value is None else (type(value).__qualname__, _frozen(value))


def _frozen(value: Any) -> Any:
    """Return a value that can be hashed and equals only what is equal. Within arrays and JSON a type counts."""
    if isinstance(value, Mapping):
        return "mapping", frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "sequence", *map(_frozen, value)
    if isinstance(value, bool | int | Decimal):
        return type(value).__qualname__, value
    return value


def _unmatched(left: Sequence[Row], right: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Return the places of the rows that the other side lacks, each as often as it lacks them."""
    places = _alone(left, right, range(len(left)), range(len(right)))
    rows = [[side[place] for place in found] for side, found in zip((left, right), places, strict=True)]
    if not all(rows):
        return places
    # Only what is left over is looked at value by value: the rows with floats that differ a little, or with NaN.
    near = _representatives(_floats(chain(*rows)))
    one, other = ([_rounded(row, near) for row in found] for found in rows)
    return _alone(one, other, *places)


def _alone(
    left: Sequence[Any], right: Sequence[Any], lefts: Iterable[int], rights: Iterable[int]
) -> tuple[list[int], list[int]]:
    counts = Counter(left)
    counts.subtract(right)
    found: tuple[list[int], list[int]] = ([], [])
    if not any(counts.values()):
        return found
    for sign, rows, places, alone in ((1, left, lefts, found[0]), (-1, right, rights, found[1])):
        over = {row: count * sign for row, count in counts.items() if count * sign > 0}
        for row, place in zip(rows, places, strict=True):
            if over.get(row):
                over[row] -= 1
                alone.append(place)
    return found


def _floats(value: Iterable[Any]) -> Iterable[float]:
    for item in value:
        if isinstance(item, float):
            yield item
        elif isinstance(item, tuple | frozenset):
            yield from _floats(item)


def _representatives(values: Iterable[float]) -> dict[float, float]:
    """Return for each float the least of those that lie beside it, each within the tolerance of the next."""
    found: dict[float, float] = {}
    first = last = math.nan
    for value in sorted({value for value in values if not math.isnan(value)}):
        if not math.isclose(last, value, rel_tol=TOLERANCE):
            first = value
        found[value] = first
        last = value
    return found


def _rounded(value: Any, near: Mapping[float, float]) -> Any:
    if isinstance(value, float | Decimal) and math.isnan(value):
        return _NAN
    if isinstance(value, float):
        return near[value]
    if isinstance(value, tuple):
        return tuple([_rounded(item, near) for item in value])
    return frozenset(_rounded(item, near) for item in value) if isinstance(value, frozenset) else value


def _is_close(one: Any, other: Any) -> bool:
    """Return whether two hashable values are equal, but for the tolerance."""
    if one == other:
        return True
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_is_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one.is_nan() and other.is_nan()
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        near = _representatives(_floats(chain(one, other)))
        return Counter(_rounded(item, near) for item in one) == Counter(_rounded(item, near) for item in other)
    return False
