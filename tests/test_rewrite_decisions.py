"""Decisions by shape: which values count as equal, what is forgotten, and who decides."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import models
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from reports.rewrite.sending.decisions import Decision, Decisions, pattern

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
LIST = [1, 2]


class Status(models.TextChoices):
    OPEN = "open"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, None),
        ((), ()),
        (("open", "closed", "open"), (0, 1, 0)),
        ([1, 2, 2, 1], (0, 1, 1, 0)),
        ([None, None], (0, 0)),
        ([date(2025, 1, 1), date(2025, 1, 1)], (0, 0)),
        ([b"a", b"a"], (0, 0)),
        ([uuid.UUID(int=1), uuid.UUID(int=1)], (0, 0)),
        ([float("nan"), float("nan")], (0, 0)),
        ([Decimal("1.0"), Decimal("1.0")], (0, 0)),
        ([NOON, datetime(2025, 6, 1, 12, tzinfo=UTC)], (0, 0)),
        ([timedelta(1), timedelta(hours=24)], (0, 0)),
        ([LIST, LIST], (0, 0)),
        ([Status.OPEN, Status.OPEN], (0, 0)),
    ],
    ids=repr,
)
def test_pattern(params: Any, expected: Any):
    assert pattern(params) == expected


@pytest.mark.parametrize(
    "params",
    [
        [1, True],
        [1, 1.0],
        [1, Decimal(1)],
        [1, "1"],
        ["a", b"a"],
        [0.0, -0.0],
        [Decimal("1.0"), Decimal("1.00")],
        [NOON, NOON.astimezone(ZoneInfo("America/St_Johns"))],
        [date(2025, 1, 1), datetime(2025, 1, 1)],
        ["open", Status.OPEN],
        ["open", SafeString("open")],
        [[1, 2], [1, 2]],
        [Jsonb({}), Jsonb({})],
        [None, 0],
    ],
    ids=repr,
)
def test_pattern_values_that_are_not_sent_alike(params: Any):
    """Equal to Python, or not even hashable: PostgreSQL could see a difference."""
    assert pattern(params) == (0, 1)


@given(st.lists(st.sampled_from(["a", "b", 1, 2, 1.5, None, True, b"a", Decimal(1)]), max_size=12))
def test_pattern_is_the_first_equal_value(params: list[Any]):
    expected = [
        next(place for place, other in enumerate(params) if (type(other), other) == (type(value), value))
        for value in params
    ]

    assert pattern(params) == tuple(expected)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_decision_is_remembered_until_its_age():
    clock = Clock()
    decisions = Decisions(clock=clock)
    decision = Decision(reason="x")
    decisions.keep("shape", decision, 10)

    assert decisions.get("other") is None
    clock.now = 9.9
    assert decisions.get("shape") is decision
    clock.now = 10
    assert decisions.get("shape") is None


def test_replaced_decision_keeps_its_end():
    clock = Clock()
    decisions = Decisions(clock=clock)
    decisions.keep("shape", Decision(reason="x"), 10)
    clock.now = 5

    decisions.replace("shape", Decision(reason="y"))

    assert decisions.get("shape") == Decision(reason="y")
    clock.now = 10
    assert decisions.get("shape") is None


def test_replacing_what_was_forgotten():
    decisions = Decisions()

    decisions.replace("shape", Decision(reason="y"))

    assert (decisions.get("shape"), len(decisions)) == (None, 0)


def test_longest_unused_is_forgotten():
    decisions = Decisions(most=2)
    for shape in ("a", "b"):
        decisions.keep(shape, Decision(reason=shape), 10)
    decisions.get("a")

    decisions.keep("c", Decision(reason="c"), 10)

    assert len(decisions) == 2
    assert [decisions.get(shape) is not None for shape in "abc"] == [True, False, True]


def test_cleared():
    decisions = Decisions()
    decisions.keep("a", Decision(), 10)

    decisions.clear()

    assert decisions.get("a") is None


def test_one_thread_decides():
    decisions = Decisions()
    begun, told = threading.Barrier(8), []

    def decide() -> None:
        begun.wait()
        with decisions.claimed("shape") as is_ours:
            told.append(is_ours)
            begun.wait()

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [False] * 7 + [True]


def test_claim_ends_with_its_block():
    decisions = Decisions()

    with decisions.claimed("a") as first, decisions.claimed("b") as other, decisions.claimed("a") as second:
        assert (first, other, second) == (True, True, False)
    with suppress(KeyError), decisions.claimed("a") as again:
        assert again
        raise KeyError
    with decisions.claimed("a") as again:
        assert again


def test_another_claim_does_not_end_the_first():
    decisions = Decisions()

    with decisions.claimed("a"):
        with decisions.claimed("a"):
            pass
        with decisions.claimed("a") as again:
            assert not again
