"""What attributes may be: None is returned for what they may, and a text that says it for what they may not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Count, F, QuerySet, Sum
from django.utils import timezone

from reports.prebuilt import Period, Ratio
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import member, one_or_more, optional, whole
from tests.models import Sale


class Never(QuerySet[Any]):
    def __iter__(self) -> Any:
        raise AssertionError("a check runs no query")

    __len__ = __bool__ = __contains__ = __iter__  # type: ignore[assignment]


NEVER = Never(Sale)

FITS: dict[str, tuple[Any, list[Any]]] = {
    "whole": (whole(1, 7), [1, 7]),
    "number": (attributes.number, [1, -0.5, Decimal("1e50")]),
    "finite": (attributes.finite, [0, -0.5, Decimal("1e50")]),
    "member": (member(Period), ["hour", Period.HOUR]),
    "optional": (optional(whole(1, 7)), [None, 3]),
    "one_or_more": (one_or_more(member(Period)), ["hour", Period.DAY, ["day", "hour"], (Period.DAY,), list(Period)]),
    "flag": (attributes.flag, [True, False]),
    "text": (attributes.text, ["", "a"]),
    "source": (attributes.source, [None, Sale, NEVER, Sale.objects.none()]),
    "metrics": (attributes.metrics, [{}, {"a": Count("pk"), "b": Sum("x") / 2, "c": Ratio("a", "b")}]),
    "dimensions": (attributes.dimensions, [(), [], ["a", "b__c"], {"a": "b", "c": F("d")}]),
    "moment": (attributes.moment, [None, date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC), timezone.now, date.today]),
    "time_zone": (attributes.time_zone, [None, "Asia/Kathmandu", ZoneInfo("Asia/Kathmandu"), UTC]),
    "expression": (attributes.expression, ["a", F("a")]),
    "nothing": (attributes.nothing, [None, "", (), {}]),
}

REFUSED: list[tuple[str, list[Any], str]] = [
    ("whole", [0, 8, "3", 3.0, True, None, Decimal(3), NEVER], "a whole number from 1 to 7"),
    ("number", ["1", True, None, 1j, NEVER], "a number"),
    ("finite", [float("inf"), float("nan"), Decimal("nan"), "1", True, None], "a finite number"),
    (
        "member",
        ["", "HOUR", "decade", None, 1, ["hour"], NEVER],
        "one of hour, day, week, iso_week, month, quarter, year, fiscal_quarter, fiscal_year",
    ),
    ("optional", [0, ""], "a whole number from 1 to 7, or None"),
    ("one_or_more", [[]], "a list that is not empty"),
    ("flag", [1, 0, None, "true", NEVER], "True or False"),
    ("text", [None, 1, b"a", NEVER], "a text"),
    ("source", ["app.Sale", Sale(), Sale.objects, object], "a model or a QuerySet"),
    ("metrics", [[], "pk", None, {1: Count("pk")}, NEVER], "a dict of aggregates by name"),
    (
        "metrics",
        [{"a": Count("pk"), "b": "amount", "c": F("a") / 2}, {"b": Sum, "c": NEVER}],
        "a dict of Django's aggregates and of Ratio, and 'b', 'c' is none",
    ),
    ("dimensions", ["kind", None, [1], {1: "kind"}, NEVER], "a list of field names, or a dict of them by name"),
    (
        "moment",
        ["2025-01-01", datetime(2025, 1, 1), 20250101, NEVER],
        "a date, a date and time with a zone, a function of no argument that gives one, or None",
    ),
    ("time_zone", ["", "Mars", 1, "utc+1", NEVER], "a time zone such as 'Europe/Berlin', or None"),
    ("expression", [1, None, b"a"], "a field's name or an expression"),
    ("nothing", ["a", 1, [None]], "left out: the report has none"),
]


@pytest.mark.parametrize("name", FITS)
def test_value_that_fits(name):
    check, values = FITS[name]

    assert [check(value) for value in values] == [None] * len(values)


@pytest.mark.parametrize(("name", "values", "allowed"), REFUSED)
def test_value_that_does_not_fit(name, values, allowed):
    check = FITS[name][0]

    assert [check(value) for value in values] == [allowed] * len(values)


def test_list_with_a_value_that_does_not_fit():
    assert (one_or_more(member(Period))(["day", "decade"]) or "").endswith("fiscal_year, or a list of those")
