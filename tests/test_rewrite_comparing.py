"""Rows before and after: what counts as equal, and what is told of a difference."""

from __future__ import annotations

import datetime
import math
import random
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.rewrite.proof.comparing import Difference, compare

NAN = float("nan")
INF = math.inf
SUM = 0.1 + 0.2  # 0.30000000000000004

EQUAL: list[tuple[Any, Any]] = [
    (None, None),
    (0.3, SUM),
    (-0.3, -SUM),
    (1e300, math.nextafter(1e300, INF)),
    (NAN, float("nan")),
    (INF, INF),
    (0.0, -0.0),
    (Decimal("1.0"), Decimal("1.00")),
    (Decimal("NaN"), Decimal("NaN")),
    ([1, [0.3, None]], [1, [SUM, None]]),
    ([NAN], [float("nan")]),
    ({"a": [0.3], "b": {}}, {"b": {}, "a": [SUM]}),
    (memoryview(b"ab"), memoryview(b"ab")),
    (
        datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC),
        datetime.datetime(2026, 1, 1, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
    ),
]
UNEQUAL: list[tuple[Any, Any]] = [
    (None, 0),
    (0.3, 0.3 * (1 + 3e-12)),
    (0.0, 1e-300),
    (NAN, 0.0),
    (NAN, None),
    (INF, -INF),
    (INF, 1.7e308),
    (Decimal("1.0"), Decimal("1.0000000000000000000000001")),
    (Decimal("NaN"), Decimal(0)),
    (1, True),
    (1, 1.0),
    (1, Decimal(1)),
    ("1", 1),
    ("a", "A"),
    ([1, 2], [2, 1]),
    ([1], [1, None]),
    ([1], [True]),
    ([], {}),
    ([None], [[]]),
    ({"a": 1}, {"a": 1, "b": None}),
    ({"a": 0.3}, {"a": 0.31}),
    (memoryview(b"ab"), memoryview(b"ac")),
]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("before", "after"), EQUAL)
def test_equal_values(before: Any, after: Any, ordered: bool):
    rows = [(1, before), (2, None), (1, before)], [(1, after), (2, None), (1, after)]

    assert compare(*rows, ordered=ordered) is None
    assert compare(*reversed(rows), ordered=ordered) is None
    assert compare(rows[0], [rows[1][1], rows[1][0], rows[1][2]], ordered=False) is None


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("before", "after"), UNEQUAL)
def test_unequal_values(before: Any, after: Any, ordered: bool):
    rows = [(1, before), (2, None)], [(1, after), (2, None)]

    for left, right in (rows, rows[::-1]):
        difference = compare(left, right, ordered=ordered)

        assert difference is not None
        assert not difference.is_order
        assert difference.count == 1


def test_difference_says_what_only_one_side_has():
    difference = compare([(1, "a"), (2, "b"), (2, "b")], [(2, "b"), (1, "a"), (3, "c")], ordered=False)

    assert difference == Difference(1, 3, 3, lost=((2, "b"),), gained=((3, "c"),))
    assert str(difference) == "1 of 3 rows differ (3 before, 3 after)\n- (2, 'b')\n+ (3, 'c')"


def test_difference_shows_a_few():
    difference = compare([(n,) for n in range(10)], [(n + 100,) for n in range(20)], ordered=True)

    assert difference is not None
    assert (difference.count, difference.before, difference.after) == (20, 10, 20)
    assert difference.lost == ((0,), (1,), (2,))
    assert difference.gained == ((100,), (101,), (102,))


def test_difference_without_values():
    """Neither the summary nor the repr, which reaches logs of errors."""
    difference = compare([("secret",)], [("other",)], ordered=False)

    assert difference is not None
    assert difference.summary == "1 of 1 rows differ (1 before, 1 after)"
    assert "secret" not in repr(difference)


@pytest.mark.parametrize(("before", "after"), [([], []), ([()], [()]), ([(), ()], [(), ()])])
def test_rows_without_values_are_equal(before: list[Any], after: list[Any]):
    assert compare(before, after, ordered=True) is None


def test_rows_that_are_missing():
    difference = compare([(1,)], [], ordered=True)

    assert difference == Difference(1, 1, 0, lost=((1,),))


def test_rows_that_come_twice():
    difference = compare([(0.3, NAN)] * 2, [(SUM, NAN)] * 3, ordered=False)

    assert difference is not None
    assert (difference.count, len(difference.lost), len(difference.gained)) == (1, 0, 1)


def test_columns_in_another_number():
    difference = compare([(1, 2)], [(1,)], ordered=False)

    assert str(difference) == "2 columns before, 1 after"


def test_types_of_one_column_count():
    """PostgreSQL gives a column one type: a bigint that became numeric reaches JSON as a string."""
    difference = compare([(1,), (None,)], [(Decimal(1),), (None,)], ordered=False)

    assert difference == Difference(1, 2, 2, lost=((1,),), gained=((Decimal(1),),))


def test_order_of_the_same_rows():
    difference = compare([(1,), (2,), (3,)], [(1,), (3,), (2,)], ordered=True)

    assert difference == Difference(2, 3, 3, is_order=True, lost=((2,),), gained=((3,),))
    assert str(difference).startswith("the same 3 rows in another order, 2 of them at another place\n- (2,)")


def test_order_with_floats_that_are_near():
    assert compare([(0.3,), (1.0,)], [(SUM,), (1.0,)], ordered=True) is None
    moved = compare([(0.3,), (1.0,)], [(1.0,), (SUM,)], ordered=True)
    assert moved is not None
    assert moved.is_order


def test_order_with_ties():
    before = [(1, "x"), (2, "x"), (3, "y")]
    tied = [(2, "x"), (1, "x"), (3, "y")]
    moved = [(3, "y"), (1, "x"), (2, "x")]

    assert compare(before, tied, ordered=True) is not None
    assert compare(before, tied, ordered=True, keys=[1]) is None
    assert compare(before, tied, ordered=True, keys=[1, 0]) is not None
    assert compare(before, moved, ordered=True, keys=[1]) is not None
    assert compare(before, moved, ordered=False, keys=[1]) is None


def test_many_rows_in_another_order():
    before = [(n, f"name {n % 1000}", n / 7, Decimal(n), [n % 3], None) for n in range(20_000)]
    after = [(*row[:2], row[2] * (1 + 1e-15), *row[3:]) for row in before]
    random.Random(1).shuffle(after)

    assert compare(before, after, ordered=False) is None
    after[7] = (-1, *after[7][1:])
    difference = compare(before, after, ordered=False)
    assert difference is not None
    assert difference.count == 1


def test_many_rows_of_nothing_but_floats():
    """Without a key to tell them by, each may be any other's pair."""
    before = [(n % 100 / 7, n % 3 / 11, NAN) for n in range(20_000)]
    after = [(one * (1 - 1e-15), other, float("nan")) for one, other, _ in reversed(before)]

    assert compare(before, after, ordered=False) is None


# Against trying every order.


def near(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-12)
    return type(one) is type(other) and bool(one == other)


numbers = st.sampled_from([0.0, 0.3, SUM, 0.30000001, 1e9, NAN, INF, -INF])
columns = st.tuples(
    st.sampled_from([None, 1, 2]), numbers, st.lists(numbers, max_size=2), st.sampled_from([Decimal(1), Decimal("1.0")])
)


@given(st.lists(columns, max_size=5), st.lists(columns, max_size=5), st.booleans(), st.randoms(use_true_random=False))
def test_every_order_was_tried(before: list[Any], after: list[Any], same: bool, chance: random.Random):
    if same:
        after = chance.sample(before, len(before))
    found = compare(before, after, ordered=False)
    sequence = compare(before, after, ordered=True)

    def equals(rows: Any) -> bool:
        return len(before) == len(rows) and all(
            all(map(near, one, other)) for one, other in zip(before, rows, strict=True)
        )

    assert (found is None) == any(map(equals, permutations(after)))
    assert (sequence is None) == equals(after)
