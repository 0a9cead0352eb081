"""What was found when a queryset's rows were compared with its report's, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from reports.rewrite.proof.verification import Verification


class _Verified(Protocol):
    @property
    def verification(self) -> Verification: ...

    @property
    def notes(self) -> tuple[str, ...]: ...


def report_text(found: _Verified) -> str:
    """Return the lines: whether the rows are equal, scans and times of both, and the notes."""
    return "\n".join([*_lines(found.verification), *(f"Note: {note}" for note in found.notes)])


def _lines(found: Verification) -> Iterator[str]:
    if found.is_equal:
        count = f"{found.rows:,} row{'' if found.rows == 1 else 's'}"
        order = "in the same order" if found.ordered else "in any order"
        yield f"{found.strategy}: equal, {count} {order}. This proves it for the data of this moment, for no other."
    else:
        yield f"{found.strategy}: not equal."
        yield from found.differences
    tables = sorted({*found.scans_before, *found.scans_after})
    if tables:
        changes = [
            f"{name} {found.scans_before.get(name, 0):,} → {found.scans_after.get(name, 0):,}" for name in tables
        ]
        yield f"Scans: {', '.join(changes)}."
    if found.milliseconds_before is not None and found.milliseconds_after is not None:
        yield f"Time: {found.milliseconds_before:,.1f} ms → {found.milliseconds_after:,.1f} ms."
