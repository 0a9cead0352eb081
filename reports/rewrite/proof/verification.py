"""What comparing a statement with its rewritten form on real data has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reports.errors import counted
from reports.rewrite.rewriting import Refusal, Strategy


@dataclass(frozen=True, slots=True)
class Verification:
    """Both statements' rows compared, on the data of one moment. Printed, it says what that proves.

    ``strategy`` is what was compared with the original; ORIGINAL where there was nothing to compare, and then
    ``refusals`` say why and all else is empty. ``differences`` are lines of text, which hold values of rows: for
    whoever asked, not for a log. ``is_sent`` says whether the compared form is the one that is sent, ``reason`` why
    not. Times are without the transfer of the rows, of a second run. Scans are by table, as ``Plan.scans`` counts.
    """

    strategy: Strategy
    is_equal: bool
    rows: int = 0
    ordered: bool = False
    differences: tuple[str, ...] = field(default=(), repr=False)
    scans_before: Mapping[str, int] = field(default_factory=dict)
    scans_after: Mapping[str, int] = field(default_factory=dict)
    milliseconds_before: float | None = None
    milliseconds_after: float | None = None
    cost_before: float | None = None
    cost_after: float | None = None
    taken_at: datetime | None = None
    is_snapshot: bool = True
    is_sent: bool = True
    reason: str | None = None
    refusals: tuple[Refusal, ...] = ()

    def __bool__(self) -> bool:
        return self.is_equal

    def __str__(self) -> str:
        if self.strategy == Strategy.ORIGINAL:
            return self._unsent()
        lines = [*self.lines(with_costs=True), self._moment()]
        if not self.is_sent:
            lines.append(f"It is sent as it was: {self.reason or 'the original was chosen'}.")
        return "\n".join(line for line in lines if line)

    def lines(self, *, with_costs: bool) -> list[str]:
        """Return the answer, the differences, and scans and times as far as they are known."""
        lines = [self._answer(), *self.differences, self._scans(), self._times(with_costs=with_costs)]
        return [line for line in lines if line]

    def _unsent(self) -> str:
        reasons = {str(refusal) for refusal in self.refusals}
        if self.reason and not any(reason.startswith(self.reason) for reason in reasons):
            reasons.add(self.reason)
        told = "; ".join(sorted(reasons)) or "no two of its subqueries can share a scan"
        return f"Nothing to compare, the statement is sent as it was: {told}."

    def _answer(self) -> str:
        if not self.is_equal:
            return f"{self.strategy}: not equal."
        if not self.rows:
            return f"{self.strategy}: no rows, so nothing is proved."
        order = "in the same order" if self.ordered else "in any order"
        found = f"{self.strategy}: equal, {counted(self.rows, 'row')} {order}."
        return f"{found} This proves it for the data of this moment, for no other."

    def _scans(self) -> str:
        tables = sorted({*self.scans_before, *self.scans_after})
        changes = [
            f"{table} {self.scans_before.get(table, 0):,} → {self.scans_after.get(table, 0):,}" for table in tables
        ]
        return f"Scans: {', '.join(changes)}." if changes else ""

    def _times(self, *, with_costs: bool) -> str:
        if self.milliseconds_before is None or self.milliseconds_after is None:
            return ""
        costs = f"; cost {self.cost_before or 0:,.2f} → {self.cost_after or 0:,.2f}" if with_costs else ""
        return f"Time: {self.milliseconds_before:,.1f} ms → {self.milliseconds_after:,.1f} ms{costs}."

    def _moment(self) -> str:
        if self.taken_at is None:
            return ""
        moment = self.taken_at.isoformat(sep=" ", timespec="seconds")
        if self.is_snapshot:
            return f"One snapshot, of {moment}."
        return (
            f"Read at {moment} in your transaction, which is no snapshot: what others committed between the two "
            "statements can differ."
        )
