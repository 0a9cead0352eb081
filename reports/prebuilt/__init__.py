"""Ready reports over a project's own models: say what, and get the SQL that a PostgreSQL expert would write."""

from __future__ import annotations

from reports.prebuilt.customers.cohorts import CohortRetention, Retention
from reports.prebuilt.customers.funnel import Funnel
from reports.prebuilt.customers.lifetime import LifetimeValue
from reports.prebuilt.customers.rfm import RFM
from reports.prebuilt.customers.sessions import Sessions
from reports.prebuilt.customers.states import CustomerStates
from reports.prebuilt.dates.periods import Period
from reports.prebuilt.dates.shifts import Against
from reports.prebuilt.distribution.ageing import Ageing
from reports.prebuilt.distribution.box_plot import BoxPlot
from reports.prebuilt.distribution.histogram import Histogram, HistogramScale
from reports.prebuilt.distribution.percentiles import PercentileMethod, Percentiles
from reports.prebuilt.grouped.grouped_metrics import GroupedMetrics
from reports.prebuilt.grouped.joined import Variant
from reports.prebuilt.quality.freshness import Counting, Freshness
from reports.prebuilt.quality.values import Duplicates, MissingValues
from reports.prebuilt.ranking.latest import LatestPerGroup
from reports.prebuilt.ranking.movers import BiggestMovers, Direction
from reports.prebuilt.ranking.pareto import Pareto
from reports.prebuilt.ranking.shares import ShareOfTotal
from reports.prebuilt.ranking.top import TopN, TopPerGroup
from reports.prebuilt.ranking.top_and_other import TopAndOther
from reports.prebuilt.shapes.actors import FirstEvent
from reports.prebuilt.shapes.series import Fill
from reports.prebuilt.structures.active_users import ActiveUsers
from reports.prebuilt.structures.intervals import ActiveAsOf, At
from reports.prebuilt.structures.statuses import TimeInStatus
from reports.prebuilt.structures.trees import TreeRollup
from reports.prebuilt.tables.levels import Levels
from reports.prebuilt.tables.pivot import Pivot
from reports.prebuilt.tables.subtotals import Subtotals
from reports.prebuilt.tables.tiles import Tiles
from reports.prebuilt.time_series.comparison import PeriodComparison
from reports.prebuilt.time_series.moving import MovingAverage
from reports.prebuilt.time_series.period_totals import PeriodTotals
from reports.prebuilt.time_series.running import RunningTotal
from reports.prebuilt.time_series.to_date import ToDate
from reports.prebuilt.time_series.weekday_profile import ProfileCells, WeekdayProfile
from reports.prebuilt.vocabulary.metrics import Ratio

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
