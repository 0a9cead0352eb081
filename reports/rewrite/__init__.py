"""Repeated ORM subqueries: found, written as one scan, proved equal on the data. Needs the extra ``rewrite``.

``consolidate(queryset)`` is a lazy queryset of the same rows, ``with consolidated():`` reaches every statement that
Django sends, ``find(queryset)`` only tells. The accepted shapes stand in ``reading``, what is refused in ``Reason``.
"""

from reports.rewrite.counts import Tally, tally
from reports.rewrite.finding import find
from reports.rewrite.installation import consolidated
from reports.rewrite.numbered import Unreadable
from reports.rewrite.querysets import Consolidated, consolidate
from reports.rewrite.rewriting import Finding, Kind, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.statements import rewrite
from reports.rewrite.verification import Verification

__all__ = [
    "Consolidated",
    "Finding",
    "Kind",
    "Reason",
    "Refusal",
    "Rewriting",
    "Strategy",
    "Tally",
    "Unreadable",
    "Verification",
    "consolidate",
    "consolidated",
    "find",
    "rewrite",
    "tally",
]
