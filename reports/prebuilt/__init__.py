"""Ready reports over a project's own models: say what, and get the SQL that a PostgreSQL expert would write."""

from __future__ import annotations

from reports.prebuilt.metrics import Ratio
from reports.prebuilt.periods import Period
from reports.prebuilt.time_series import Fill, PeriodTotals

__all__ = ["Fill", "Period", "PeriodTotals", "Ratio"]
