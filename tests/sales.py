"""Random rows for the oracles of the prebuilt reports: dicts, that are put into the tables for a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import strategies as st

from tests.models import Buyer, Sale, Shelf, Visit

# Half hours off, an hour that comes twice at midnight (Havana), days without midnight (Sao Paulo until 2019), a summer
# time of half an hour (Lord Howe), a day that never was (Apia, 2011-12-30), both hemispheres.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/New_York",
)
# Around changes of clocks, a leap day, the turn of an ISO year of 53 weeks (2020), the day that Samoa left out.
_DAYS = (
    date(2025, 10, 26),
    date(2026, 3, 29),
    date(2025, 11, 2),
    date(2026, 3, 8),
    date(2018, 11, 4),
    date(2018, 2, 18),
    date(2024, 2, 29),
    date(2020, 12, 31),
    date(2021, 1, 3),
    date(2011, 12, 30),
    date(2026, 4, 5),
)

zones = st.sampled_from(ZONES).map(ZoneInfo)
# Few different values, so that there are ties and duplicates; NULL among them.
kinds = st.sampled_from(["a", "b", "c", "", None])
amounts = st.one_of(
    st.none(),
    st.sampled_from([Decimal(0), Decimal("1.00"), Decimal("-1.00"), Decimal("999999999999999999.99")]),
    st.decimals(min_value=-(10**6), max_value=10**6, places=2),
)
quantities = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([2**31 - 1, -(2**31)]))
days = st.builds(lambda day, shift: day + timedelta(days=shift), st.sampled_from(_DAYS), st.integers(-3, 3))
instants = st.builds(
    lambda day, minutes: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes),
    days,
    st.integers(-24 * 4, 24 * 4).map(lambda quarters: quarters * 15),
)


def near(value: Decimal) -> Any:
    """Return what equals a quotient of PostgreSQL: numeric keeps 16 significant digits at least."""
    return pytest.approx(value, rel=Decimal("1e-15"), abs=Decimal("1e-15"))


def near_instants(day: date) -> st.SearchStrategy[datetime]:
    """Return instants within two days of a day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return st.integers(-8 * 24, 8 * 24).map(lambda quarters: noon + timedelta(minutes=15 * quarters))


def sales(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return lists of the values of sales; those of a field given here are drawn from its strategy."""
    known: dict[str, st.SearchStrategy[Any]] = {
        "kind": kinds,
        "amount": amounts,
        "quantity": quantities,
        "day": st.one_of(st.none(), days),
        "at": st.one_of(st.none(), instants),
    }
    return st.lists(st.fixed_dictionaries({**known, **fields}), max_size=12)


@contextmanager
def stored(
    sales: Sequence[Mapping[str, Any]] = (),
    *,
    visits: Sequence[Mapping[str, Any]] = (),
    buyers: Sequence[Mapping[str, Any]] = (),
    shelves: Sequence[Mapping[str, Any]] = (),
) -> Iterator[None]:
    """Put rows into the tables within the block. Buyers and shelves need an ``id``, that the others name."""
    with transaction.atomic():
        Buyer.objects.bulk_create(Buyer(**values) for values in buyers)
        Shelf.objects.bulk_create(Shelf(**values) for values in shelves)
        Sale.objects.bulk_create(Sale(**values) for values in sales)
        Visit.objects.bulk_create(Visit(**values) for values in visits)
        yield
        transaction.set_rollback(True)
