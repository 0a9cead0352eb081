"""Indexes that would help a report, found in its plan and measured in a transaction that is rolled back."""

from reports.indexes.advice import MOST_ROWS, Advice, AdviceRefused, advise
from reports.indexes.series import Advised

__all__ = ["MOST_ROWS", "Advice", "AdviceRefused", "Advised", "advise"]
