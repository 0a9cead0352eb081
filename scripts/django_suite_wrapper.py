"""The wrapper on every connection that Django's tests open, in whatever thread, and counts of what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from reports.rewrite.sending.counts import tally
from reports.rewrite.sending.instrument import Rewriter

COUNTS = ("statements", "selects", "seen", "shapes", "rewritten", "refused", "failed", "compared", "differing")


class Wrapped:
    """Puts the wrapper on connections, and counts what they send: all statements, and the distinct texts of SELECTs."""

    def __init__(self, rewriter: Rewriter) -> None:
        self.rewriter = rewriter
        self.statements = 0
        self.selects: set[str] = set()

    def add(self, connection: BaseDatabaseWrapper, **signal: Any) -> None:
        """Receive ``connection_created``, which is sent at each new start of a connection too."""
        if self.rewriter not in connection.execute_wrappers:
            connection.execute_wrappers += [self.count, self.rewriter]

    def count(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Look at a statement before the wrapper does."""
        self.statements += 1
        if str(sql).lstrip("( ").startswith("SELECT"):
            self.selects.add(str(sql))
        return execute(sql, params, many, context)

    def counts(self) -> dict[str, Any]:
        """Return the number for each of ``COUNTS``, and ``by reason`` those of refused statements."""
        done = asdict(tally())
        by_reason = {str(reason): count for reason, count in done["refused"].items()}
        own = {"statements": self.statements, "selects": len(self.selects), "refused": sum(by_reason.values())}
        return {**done, **own, "by reason": by_reason}
