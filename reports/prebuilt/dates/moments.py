"""Attributes of reports that say when: a date, an instant, or a function that gives one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.errors import DeclarationError
from reports.prebuilt.dates.ranges import Bound
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.declared import Prebuilt

TOO_FAR = "The range is too near to the first or the last day that a date can be."
# The day of a bound in each of them is a date in every zone, as is the beginning of its period.
_YEARS = range(2, 9999)


def moment_of(report: Prebuilt, given: Mapping[str, Any], name: str) -> Bound:
    """Return what an attribute of a report says, or the function that stands in it: a date, an instant, or None.

    Raises:
        DeclarationError: The function gave something else; names the class.
        ParamsError: It is further than calendars go.
    """
    found: Any = report.asked(given, name)
    if callable(found):
        found = found()
        if callable(found) or attributes.moment(found):
            allowed = "a date, or a date and time with a zone"
            what = f"the function {name} gave a {type(found).__name__}"
            raise DeclarationError(f"{type(report).__qualname__}: {what}; it must give {allowed}.")
    if found is not None and found.year not in _YEARS:
        raise report.refused(name, TOO_FAR)
    bound: Bound = found
    return bound
