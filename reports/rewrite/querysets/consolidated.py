"""A queryset that is sent rewritten: ``consolidate(queryset)`` has the same API and the same rows.

Its class and that of its query are subclasses of those of the queryset, made once for each, so that managers' own
methods stay, ``isinstance`` holds, and every method that Django has gives another such queryset.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from reports.rewrite.compiled import check_queryset
from reports.rewrite.finding import find, rewriting_of
from reports.rewrite.proof.verification import Verification
from reports.rewrite.querysets.derived import Derived, derive
from reports.rewrite.querysets.queries import ConsolidatedQuery
from reports.rewrite.querysets.verifying import verify_queryset
from reports.rewrite.rewriting import Finding, Rewriting, Strategy, check_strategy


class Consolidated(Derived, models.QuerySet[Any, Any]):
    """A queryset whose SELECTs are sent rewritten; UPDATE and DELETE are not looked at."""

    @property
    def strategy(self) -> Strategy | None:
        """What its statements are rewritten to; None where that is chosen for each."""
        return getattr(self.query, "strategy", None)

    def findings(self) -> tuple[Finding, ...]:
        """Return what its statement repeats, multiplies or could share. No database is asked."""
        return find(self)

    def rewriting(self) -> Rewriting:
        """Return its statement, the candidates and what is refused, with reasons. No database is asked."""
        return rewriting_of(self)[0]

    def verify(self) -> Verification:
        """Return what comparing its rows with those of the original statement shows; both are read whole.

        Compared is what would be sent. Where that is the original, the best of the candidates is compared all the
        same, and the result says why it is not sent.

        Raises:
            django.db.Error: PostgreSQL refused the original statement.
        """
        return verify_queryset(self, self.strategy)


def consolidate(queryset: models.QuerySet[Any, Any], *, strategy: Strategy | str | None = None) -> Consolidated:
    """Return a lazy queryset of the same rows, whose subqueries over one table share a scan where that is faster.

    A statement that is not rewritten is sent as it was: outside the accepted shapes, ``select_for_update()``, rows of
    reports. So is a rewritten one that PostgreSQL refuses.

    Args:
        queryset: Of a PostgreSQL database; it stays as it is.
        strategy: None chooses by cost and, where that does not tell, by one timing.

    Raises:
        TypeError: No queryset, ``raw()``, or one of another database.
        ValueError: No such strategy.
    """
    check_queryset(queryset)
    rows: Any = queryset._chain()  # type: ignore[attr-defined]
    if not isinstance(rows, Consolidated):
        rows.__class__ = derive(Consolidated, rows.__class__)
    if not isinstance(rows.query, ConsolidatedQuery):
        rows.query.__class__ = derive(ConsolidatedQuery, rows.query.__class__)
    rows.query.strategy = check_strategy(strategy)
    found: Consolidated = rows
    return found
