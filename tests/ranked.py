"""Slow figures of groups and their order, for the oracles of the rankings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Max, Q, Sum

from reports.prebuilt import Ratio
from tests.sales import near

Fact = Mapping[str, Any]
Key = tuple[Any, ...]

METRICS = {
    "count": Count("pk"),
    "priced": Count("pk", filter=Q(amount__isnull=False)),
    "total": Sum("amount"),
    "mean": Avg("amount"),
    "most": Max("quantity"),
    "rate": Ratio("priced", "count"),
}


def figures(facts: Sequence[Fact]) -> dict[str, Any]:
    """Return the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    quantities = [fact["quantity"] for fact in facts if fact["quantity"] is not None]
    return {
        "count": len(facts),
        "priced": len(amounts),
        "total": sum(amounts, Decimal()) if amounts else None,
        "mean": near(sum(amounts, Decimal()) / len(amounts)) if amounts else None,
        "most": max(quantities, default=None),
        "rate": near(Decimal(len(amounts)) / len(facts)) if facts else None,
    }


def grouped(facts: Iterable[Fact], names: Sequence[str]) -> dict[Key, list[Fact]]:
    """Return rows by their values of some fields."""
    groups: dict[Key, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[tuple(fact[name] for name in names)].append(fact)
    return dict(groups)


def place(value: Any, *, ascending: bool = False) -> Key:
    """Return what sorts values, the largest first or the smallest, None last."""
    return (True,) if value is None else (False, value if ascending else -value)


def dimensions_place(key: Key) -> Key:
    """Return what sorts keys by their values, None last."""
    return tuple((True,) if value is None else (False, value) for value in key)


def ranks(values: Mapping[Key, Any], *, ascending: bool = False) -> list[tuple[int, Key]]:
    """Return the rank and the key of each group, in the order of their values and then of the keys."""
    places = {key: place(value, ascending=ascending) for key, value in values.items()}
    ordered = sorted(places, key=lambda key: (places[key], dimensions_place(key)))
    return [(1 + sum(other < places[key] for other in places.values()), key) for key in ordered]
