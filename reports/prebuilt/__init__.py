"""Ready reports over a project's own models: say what, and get the SQL that a PostgreSQL expert would write."""

from __future__ import annotations

from reports.prebuilt.active_users import ActiveUsers
from reports.prebuilt.actors import FirstEvent
from reports.prebuilt.ageing import Ageing
from reports.prebuilt.box_plot import BoxPlot
from reports.prebuilt.cohorts import CohortRetention, Retention
from reports.prebuilt.comparison import PeriodComparison
from reports.prebuilt.customers import CustomerStates
from reports.prebuilt.distribution import Histogram, HistogramScale
from reports.prebuilt.freshness import Counting, Freshness
from reports.prebuilt.funnel import Funnel
from reports.prebuilt.grouped_metrics import GroupedMetrics
from reports.prebuilt.intervals import ActiveAsOf, At
from reports.prebuilt.joined import Variant
from reports.prebuilt.latest import LatestPerGroup
from reports.prebuilt.levels import Levels
from reports.prebuilt.lifetime import LifetimeValue
from reports.prebuilt.metrics import Ratio
from reports.prebuilt.movers import BiggestMovers, Direction
from reports.prebuilt.moving import MovingAverage
from reports.prebuilt.pareto import Pareto
from reports.prebuilt.percentiles import PercentileMethod, Percentiles
from reports.prebuilt.periods import Period
from reports.prebuilt.pivot import Pivot
from reports.prebuilt.profile import ProfileCells, WeekdayProfile
from reports.prebuilt.quality import Duplicates, MissingValues
from reports.prebuilt.ranking import TopN, TopPerGroup
from reports.prebuilt.rest import TopAndOther
from reports.prebuilt.rfm import RFM
from reports.prebuilt.running import RunningTotal
from reports.prebuilt.series import Fill
from reports.prebuilt.sessions import Sessions
from reports.prebuilt.shares import ShareOfTotal
from reports.prebuilt.shifts import Against
from reports.prebuilt.statuses import TimeInStatus
from reports.prebuilt.subtotals import Subtotals
from reports.prebuilt.tiles import Tiles
from reports.prebuilt.time_series import PeriodTotals
from reports.prebuilt.to_date import ToDate
from reports.prebuilt.trees import TreeRollup

__all__ = [
    "RFM",
    "ActiveAsOf",
    "ActiveUsers",
    "Against",
    "Ageing",
    "At",
    "BiggestMovers",
    "BoxPlot",
    "CohortRetention",
    "Counting",
    "CustomerStates",
    "Direction",
    "Duplicates",
    "Fill",
    "FirstEvent",
    "Freshness",
    "Funnel",
    "GroupedMetrics",
    "Histogram",
    "HistogramScale",
    "LatestPerGroup",
    "Levels",
    "LifetimeValue",
    "MissingValues",
    "MovingAverage",
    "Pareto",
    "PercentileMethod",
    "Percentiles",
    "Period",
    "PeriodComparison",
    "PeriodTotals",
    "Pivot",
    "ProfileCells",
    "Ratio",
    "Retention",
    "RunningTotal",
    "Sessions",
    "ShareOfTotal",
    "Subtotals",
    "Tiles",
    "TimeInStatus",
    "ToDate",
    "TopAndOther",
    "TopN",
    "TopPerGroup",
    "TreeRollup",
    "Variant",
    "WeekdayProfile",
]
