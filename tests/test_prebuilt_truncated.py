"""Truncated dates and times as dimensions: rows have what Django says they have."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Count, DateField
from django.db.models.functions import TruncDate, TruncMonth, TruncWeek
from django.utils import timezone

from reports.prebuilt import Pivot, Subtotals
from tests.models import Sale
from tests.sales import stored

FACTS = [{"kind": "a", "day": date(2025, 1, 31), "at": datetime(2025, 2, 1, 2, tzinfo=UTC)}]
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (TruncMonth("at"), datetime(2025, 1, 1, tzinfo=ZoneInfo("America/St_Johns"))),
        (TruncMonth("at", tzinfo=BERLIN), datetime(2025, 2, 1, tzinfo=BERLIN)),
        (TruncMonth("at", output_field=DateField()), date(2025, 1, 1)),
        (TruncDate("at"), date(2025, 1, 31)),
        (TruncMonth("day"), date(2025, 1, 1)),
        (TruncWeek("day"), date(2025, 1, 27)),
    ],
)
def test_a_truncated_dimension_is_of_its_declared_type(expression, value):
    class Truncated(Subtotals):
        name = "tests.truncated"
        source = Sale
        dimensions = {"begins": expression}
        metrics = {"sold": Count("pk")}

    with stored(FACTS):
        rows = Truncated().run()

        row, _ = rows
        assert row["begins"] == value
        assert type(row["begins"]) is type(value)
        assert rows.get(begins=value) == row


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("expression", "values", "heading"),
    [
        (TruncMonth("at"), None, ("sold_2025_02_01", "2025-02-01")),
        (TruncMonth("day"), None, ("sold_2025_01_01", "2025-01-01")),
        (TruncMonth("at"), [datetime(2025, 1, 31, 23, tzinfo=UTC)], ("sold_2025_02_01", "2025-02-01")),
        (TruncMonth("day"), [date(2025, 1, 1)], ("sold_2025_01_01", "2025-01-01")),
    ],
)
def test_months_are_columns_of_a_pivot_in_the_reader_s_zone(expression, values, heading):
    report = type(
        "Months",
        (Pivot,),
        {
            "name": "tests.months",
            "source": Sale,
            "dimensions": ["kind"],
            "columns": expression,
            "values": values,
            "other": False,
            "metrics": {"sold": Count("pk")},
        },
    )

    with stored(FACTS), timezone.override(BERLIN):
        rows = report().run()

        assert list(rows) == [{"kind": "a", heading[0]: 1}]
        assert rows.model._meta.fields[1].verbose_name == heading[1]
