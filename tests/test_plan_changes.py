"""The words for what is different between two shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.plan_changes import changes
from reports.plan_shapes import ShapeLine
from tests.test_plan_shapes import LINES


def lines(*texts: str) -> list[ShapeLine]:
    return [ShapeLine.read(text) for text in texts]


SEQ, OTHER, INDEX = "  Seq Scan on t", "  Seq Scan on u", "  Index Scan on t using t_pkey"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([SEQ], [SEQ], []),
        (["CTE Scan as s"], ["CTE Scan as s", "  CTE stats: Sort"], ["the CTE stats is materialized", "new: Sort"]),
        (["  CTE stats: Sort", "Sort"], ["Sort", "Sort"], ["the CTE stats is no longer materialized"]),
        ([INDEX], [SEQ], ["a Seq Scan of t appeared", "the index t_pkey is no longer used"]),
        ([SEQ], [INDEX], ["t is read by Index Scan, no longer by Seq Scan", "the index t_pkey is used"]),
        ([SEQ], [SEQ] * 3, ["a Seq Scan of t appeared", "scans of t: 1 → 3"]),
        (["Sort", SEQ], ["Sort"], ["scans of t: 1 → 0"]),
        (
            ["Hash Join", SEQ, OTHER],
            ["Nested Loop", SEQ, OTHER],
            ["joins: Hash Join → Nested Loop"],
        ),
        (
            ["Hash Join", "Hash Join"],
            ["Hash Join", "Merge Left Join"],
            ["joins: 2 × Hash Join → Hash Join, Merge Left Join"],
        ),
        (["Hash Join", SEQ, OTHER], ["Hash Join", OTHER, SEQ], ["tables are read in another order"]),
        (["  hashed SubPlan: Sort"], ["  SubPlan: Sort"], ["SubPlan: 0 → 1", "hashed SubPlan: 1 → 0"]),
        (["HashAggregate"], ["GroupAggregate", "  Sort"], ["new: GroupAggregate, Sort", "gone: HashAggregate"]),
        (["Sort", "  Limit"], ["Limit", "  Sort"], ["the same nodes stand in another order, or under other names"]),
        ([SEQ], [f"{SEQ} as x"], ["the same nodes stand in another order, or under other names"]),
    ],
)
def test_changes(before: list[str], after: list[str], words: list[str]) -> None:
    assert changes(lines(*before), lines(*after)) == words


SHAPES = st.lists(LINES, max_size=5)


@given(SHAPES, SHAPES)
def test_there_are_words_for_every_change_and_for_nothing_else(before: list[ShapeLine], after: list[ShapeLine]) -> None:
    assert bool(changes(before, after)) == (before != after)
