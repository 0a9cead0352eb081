"""How many statements were looked at, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

_lock = Lock()
_counts: Counter[str] = Counter()
_refused: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of statements since the process began, or since ``Tally.reset()``.

    ``refused`` has those that were sent as they were, by reason; the others of ``seen`` hold nothing that is repeated.
    ``failed`` are rewritten ones that PostgreSQL refused when they were sent. ``shapes`` counts decisions, not
    statements. ``compared`` and ``differing`` count the rewritings that shadow mode ran.
    """

    seen: int
    rewritten: int
    refused: Mapping[str, int]
    failed: int
    shapes: int
    compared: int
    differing: int

    def __str__(self) -> str:
        lines = [f"{self.seen:,} statements seen, {self.rewritten:,} rewritten, {self.failed:,} failed"]
        lines += [f"{count:,} sent as they were: {reason}" for reason, count in self.refused.items()]
        if self.compared:
            lines += [f"{self.compared:,} rewritings compared, {self.differing:,} differ"]
        return "\n".join([*lines, f"{self.shapes:,} shapes decided"])

    @staticmethod
    def reset() -> None:
        """Begin at 0 again."""
        with _lock:
            _counts.clear()
            _refused.clear()


def tally() -> Tally:
    """Return the counts of this process, the commonest refusals first."""
    with _lock:
        return Tally(
            refused=dict(_refused.most_common()),
            **{name: _counts[name] for name in ("seen", "rewritten", "failed", "shapes", "compared", "differing")},
        )


def count(name: str) -> None:
    """Add 1 to one of the counts."""
    with _lock:
        _counts[name] += 1


def refuse(reason: str) -> None:
    """Count a statement that is sent as it was."""
    with _lock:
        _refused[str(reason)] += 1
