"""How many statements were looked at, and what became of them."""

from __future__ import annotations

import threading

import pytest

from reports.rewrite.rewriting import Reason
from reports.rewrite.sending import counts
from reports.rewrite.sending.counts import Tally, tally

pytestmark = pytest.mark.usefixtures("forget")


def test_nothing_counted():
    assert tally() == Tally(0, 0, {}, 0, 0, 0, 0)
    assert str(tally()) == "0 statements seen, 0 rewritten, 0 failed\n0 shapes decided"


def test_counts_and_reset():
    for name, number in [("seen", 1200), ("rewritten", 3), ("failed", 1), ("shapes", 2)]:
        for _ in range(number):
            counts.count(name)
    for reason in (Reason.WINDOW, Reason.LOCKS, Reason.WINDOW):
        counts.refuse(reason)

    assert tally() == Tally(1200, 3, {Reason.WINDOW: 2, Reason.LOCKS: 1}, 1, 2, 0, 0)
    assert str(tally()).splitlines() == [
        "1,200 statements seen, 3 rewritten, 1 failed",
        "2 sent as they were: the subquery has a window function",
        "1 sent as they were: it locks rows",
        "2 shapes decided",
    ]
    Tally.reset()
    assert tally() == Tally(0, 0, {}, 0, 0, 0, 0)


def test_compared_ones_are_told():
    counts.count("compared")
    counts.count("compared")
    counts.count("differing")

    assert "2 rewritings compared, 1 differ" in str(tally()).splitlines()


def test_threads_lose_no_count():
    def count() -> None:
        for _ in range(2000):
            counts.count("seen")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally().seen == 16000
