"""What the tests of comparisons share: how far back an earlier period is, and what the columns of a row come to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reports.prebuilt import Against, Period

WEEKS = (Period.WEEK, Period.ISO_WEEK)
MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_quarter": 3, "fiscal_year": 12}


def how_far(period: Period, against: str | int) -> tuple[int, int]:
    """Return months and days back."""
    if against == Against.YEAR:
        return (0, 364) if period in WEEKS else (12, 0)
    number = against if isinstance(against, int) else 1
    if period in MONTHS:
        return number * MONTHS[period], 0
    return 0, number * (7 if period in WEEKS else 1)


def compared(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of one row."""
    row: dict[str, Any] = {}
    for name, value in now.items():
        row |= {name: value, f"{name}_before": before[name]}
        is_known = not (value is None or before[name] is None)
        delta = exact(value) - exact(before[name]) if is_known else None
        prior = exact(before[name]) if is_known else None
        row[f"{name}_delta"] = delta
        row[f"{name}_change"] = delta / abs(prior) if delta is not None and prior else None
    return row


def exact(value: Any) -> Decimal:
    """Return the number that an approximation was made of."""
    return Decimal(getattr(value, "expected", value))


def same(found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> None:
    """Compare rows; a difference of quotients is as exact as they are large."""
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        for name, value in row.items():
            other = found[key][name]
            if value is None or other is None:
                assert other is value, (key, name)
                continue
            size = abs(exact(value))
            if name.endswith(("_delta", "_change")):
                metric, _, _ = name.rpartition("_")
                size = max(size, *(abs(exact(row[part])) for part in (metric, f"{metric}_before")))
            if name.endswith("_change"):
                size /= min(Decimal(1), abs(exact(row[f"{metric}_before"])))
            assert abs(exact(other) - exact(value)) <= size * Decimal("1e-14"), (key, name, other, value)
