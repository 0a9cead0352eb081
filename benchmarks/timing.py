"""Two things timed in turn, and their ratio."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two things, medians of the runs, and the median of their ratios run by run; ``unit`` is milliseconds or MiB."""

    name: str
    ours: float
    other: float
    ratio: float
    unit: str = "ms"


def compare(name: str, ours: Callable[[], object], other: Callable[[], object], *, runs: int = 9) -> Comparison:
    """Time two functions in turn, A B A B …, so that a change of the machine's speed meets both."""
    ours(), other()
    pairs = [(_milliseconds(ours), _milliseconds(other)) for _ in range(runs)]
    return Comparison(
        name,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def _milliseconds(function: Callable[[], object]) -> float:
    gc.collect()
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1000
