"""The range that another one is compared with: the one right before it, or that of the year before."""

from __future__ import annotations

from typing import Any

from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.ranges import Range, make_range
from reports.prebuilt.dates.shifts import Against, Shift


def range_before(dates: Dates, against: Against) -> Range:
    """Return the range with which the one of a run is compared; that one has both ends.

    The previous one ends where it begins. It has as many periods where the range is of whole ones, so that March is
    compared with February; else as many days; and is as long where the range begins or ends within a day. That of the
    year before has the same days, or of whole weeks those 52 weeks before.

    Raises:
        OverflowError, ValueError: It would begin before the year 1.
    """
    bounds: Any = dates.range
    first, end, calendar = bounds.first_day, bounds.end_day, dates.calendar
    is_of_days = make_range(first, end, dates.zone, of_dates=dates.of_dates) == bounds
    is_of_periods = is_of_days and not calendar.is_hour and (calendar.floor(first), calendar.floor(end)) == (first, end)
    if against is Against.YEAR:
        shift = Shift.of(calendar, against) if is_of_periods else Shift(months=12)
        found = shift.range(bounds, dates.zone, of_dates=dates.of_dates)
        return found if bounds.start < bounds.end else make_range(found.start, found.start, dates.zone)
    if not is_of_days:
        return make_range(bounds.start - (bounds.end - bounds.start), bounds.start, dates.zone)
    before = calendar.step_from(first, -calendar.count(first, end)) if is_of_periods else first - (end - first)
    return make_range(before, first, dates.zone, of_dates=dates.of_dates)
