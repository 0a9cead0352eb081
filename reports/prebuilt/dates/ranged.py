"""Reports whose rows may have a date: with ``date_field`` those of a range count, without it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from reports.errors import DeclarationError, listed
from reports.prebuilt.dates.dated import Dated


class Ranged(Dated):
    """A report over rows that may be bounded by a date.

    Without ``start``, ``end`` and ``last`` all rows count, also those without a date. ``period`` is the unit of
    ``last``.
    """

    def rows_in_range(self, given: Mapping[str, Any]) -> models.QuerySet[Any]:
        """Return the rows of the source that count.

        Raises:
            ParamsError: The request's bounds do not fit.
        """
        rows = self.rows_of_source()
        if not self.date_field:
            return rows
        dates = self.dates(given)
        is_open = dates.range.start is None and dates.range.end is None
        return rows if is_open else dates.within(rows)

    @classmethod
    def check_range(cls) -> None:
        """Refuse a class that has bounds and no date, or a date that does not fit.

        Raises:
            DeclarationError: Names the attributes.
        """
        if cls.date_field:
            cls.has_hours()
            return
        fields = cls.get_form_class().base_fields
        if bounds := [name for name in ("start", "end", "last") if getattr(cls, name) is not None or name in fields]:
            raise DeclarationError(f"{listed(bounds)} bound a date, and date_field is not set.")
