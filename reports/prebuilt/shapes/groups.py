"""Reports with a row for each group of the source's rows."""

from __future__ import annotations

from reports.errors import DeclarationError
from reports.prebuilt.dates.ranged import Ranged


class Grouped(Ranged):
    """A report of metrics by dimensions: the rows in the range count where there is one, else all."""

    @classmethod
    def check_groups(cls) -> None:
        """Refuse a class that names no groups, nothing to say of them, or a range that bounds nothing.

        Raises:
            DeclarationError: Names what is missing.
        """
        cls.check_range()
        needed = {
            "dimensions": "dimensions must be set: there is a row for each group.",
            "metrics": "metrics must be set.",
        }
        if missing := [problem for name, problem in needed.items() if not getattr(cls, name)]:
            raise DeclarationError(*missing)
