"""Repeated ORM subqueries: found, written as one scan, proved equal on the data. Needs the extra ``rewrite``.

``consolidate(queryset)`` is a lazy queryset of the same rows, ``with consolidated():`` reaches every statement that
Django sends, ``find(queryset)`` only tells. The accepted shapes stand in ``folding.reading``, what is refused in
``Reason``.
"""

try:
    import sqlglot  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "reports.rewrite needs sqlglot: pip install 'django-sql-reports[rewrite]'.", name=error.name
    ) from error

from reports.rewrite.finding import find
from reports.rewrite.proof.verification import Verification
from reports.rewrite.querysets.consolidated import Consolidated, consolidate
from reports.rewrite.rewriting import Finding, Kind, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.sending.counts import Tally, tally
from reports.rewrite.sending.installation import consolidated
from reports.rewrite.sql.numbered import Unreadable
from reports.rewrite.statements import rewrite

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
