"""How the statements of one shape are sent, remembered: a statement seen before costs a look-up.

A shape is the database, the text, and which of the values equal one another: subqueries that differ only in values are
the same when their values are. The values themselves do not count, nor do they stay in memory.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from enum import StrEnum
from itertools import count
from threading import Lock
from typing import Any
from uuid import UUID

from reports.rewrite.rewriting import Strategy
from reports.rewrite.sql.numbered import Sendable

# Of some ten kilobytes each.
MOST = 1000
# Equal values of one of these types are sent as the same bytes, …
_EXACT = frozenset({bool, bytes, date, int, str, type(None), UUID})
# … and of these when they are written the same: 1.0 and 1.00 are equal, 0.0 and -0.0, noon here and its hour in UTC.
_WRITTEN = frozenset({datetime, Decimal, float, time_of_day, timedelta})


class Kept(StrEnum):
    """Why a statement that was looked at is sent as it was, where it is not for its own SQL."""

    NOTHING = "nothing in it can share a scan"
    FASTER = "the original is as fast, or nearly"
    UNMEASURED = "it ends after some rows, and none of its rewritings could be measured in time"
    REFUSED = "PostgreSQL refuses its rewritings"
    ASKED = "the original was asked for"
    ABSENT = "it has no rewriting of the strategy asked for"
    FAILED = "its rewriting failed when it was sent"
    BROKEN = "it could not be decided"
    PENDING = "another thread is deciding"
    OTHER_DRIVER = "it does not go to PostgreSQL by psycopg 3"
    PARAMS = "its parameters are no list, or more than can be looked through in time"
    TRANSACTION = "its transaction is broken"
    SERVER_CURSOR = "it is read by a server-side cursor"
    SHADOW = "shadow mode sends every statement as it was"


@dataclass(frozen=True, slots=True)
class Decision:
    """How a statement is sent: ``sent``, or as it was written when that is None, for ``reason``.

    ``may_raise`` says that ``sent`` can fail where the original does not. ``candidates`` are for comparing only;
    ``numbers`` count the statements that might be.
    """

    sent: Sendable | None = None
    reason: str = ""
    may_raise: bool = False
    strategy: Strategy = Strategy.ORIGINAL
    candidates: Mapping[Strategy, Sendable] = field(default_factory=dict)
    is_limited: bool = False
    numbers: Iterator[int] = field(default_factory=lambda: count(1), compare=False, repr=False)


def pattern(params: Sequence[Any] | None) -> tuple[int, ...] | None:
    """Return for each value the place of the first one that is sent as the same bytes; None for no values."""
    if params is None:
        return None
    first: dict[Hashable, int] = {}
    return tuple([first.setdefault(_identity(value), place) for place, value in enumerate(params)])


def _identity(value: Any) -> Hashable:
    kind = type(value)
    if kind in _EXACT:
        return kind, value
    return (kind, repr(value)) if kind in _WRITTEN else id(value)


class Decisions:
    """The decisions by shape, those longest unused forgotten first. Threads may share it.

    Args:
        most: How many are remembered.
        clock: Gives seconds.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._lock = Lock()
        self._found: OrderedDict[Hashable, tuple[Decision, float]] = OrderedDict()
        self._pending: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, shape: Hashable) -> Decision | None:
        """Return the decision, None when there is none or it is too old."""
        with self._lock:
            entry = self._found.get(shape)
            if entry is None or entry[1] <= self._clock():
                return None
            self._found.move_to_end(shape)
            return entry[0]

    def keep(self, shape: Hashable, decision: Decision, seconds: float) -> None:
        """Remember a decision for some seconds."""
        with self._lock:
            self._found[shape] = decision, self._clock() + seconds
            self._found.move_to_end(shape)
            if len(self._found) > self._most:
                self._found.popitem(last=False)

    def replace(self, shape: Hashable, decision: Decision) -> None:
        """Remember another decision, for as long as the one before would have been."""
        with self._lock:
            if entry := self._found.get(shape):
                self._found[shape] = decision, entry[1]

    @contextmanager
    def claimed(self, shape: Hashable) -> Iterator[bool]:
        """Give True in the one thread that is to decide, until the block's end; the others need not wait."""
        with self._lock:
            is_ours = shape not in self._pending
            self._pending.add(shape)
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    self._pending.discard(shape)

    def clear(self) -> None:
        """Forget every decision."""
        with self._lock:
            self._found.clear()
