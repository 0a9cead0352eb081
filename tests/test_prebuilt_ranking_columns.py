"""What the rankings declare of their columns against what PostgreSQL says of their SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from django import forms
from django.db.models import Avg, Count, FloatField, Max, Sum
from django.db.models.functions import Cast

from reports.checks.declared import compared
from reports.describe import describe_columns
from reports.prebuilt import (
    BiggestMovers,
    LatestPerGroup,
    Pareto,
    Ratio,
    ShareOfTotal,
    TopAndOther,
    TopN,
    TopPerGroup,
)
from reports.source import TemplateSource
from tests.models import Sale

METRICS = {
    "count": Count("pk"),
    "total": Sum("amount"),
    "pieces": Sum("quantity"),
    "binary": Sum(Cast("amount", FloatField())),
    "mean": Avg("quantity"),
    "most": Max("amount"),
    "rate": Ratio("total", "pieces"),
}
MARCH = {"date_field": "at", "start": date(2026, 3, 1), "end": date(2026, 4, 1)}
LATEST = {"group": "buyer", "date_field": "at", "dimensions": ["region"], "fields": ["kind", "day", "shelf"]}


class Asked(forms.Form):
    """What a request may ask of any."""

    metrics = forms.CharField(required=False)
    dimensions = forms.CharField(required=False)


class AskedBy(Asked):
    """What a request may ask of a ranking."""

    by = forms.CharField(required=False)


def faults(parent: type[Any], params: Mapping[str, Any], **attributes: Any) -> list[Any]:
    """Return what differs, of the columns and of their order."""
    report: Any = type("Made", (parent,), {"name": "tests.made", "source": Sale, **attributes})
    given = describe_columns(TemplateSource("tests.made", report().query(params), None), using="default")
    found: list[Any] = list(compared(report, report.get_template(), given, using="default"))
    names = [column.name for column in report.get_columns()]
    return found or [column.name for column, name in zip(given, names, strict=True) if column.name != name]


@pytest.mark.parametrize("params", [{}, {"metrics": "rate", "dimensions": "day", "by": "total"}, {"by": "binary"}])
@pytest.mark.parametrize(
    ("parent", "attributes"),
    [(TopN, {}), (TopPerGroup, {"partition": ["shelf"]}), (TopAndOther, {}), (Pareto, {}), (BiggestMovers, MARCH)],
)
@pytest.mark.django_db
def test_columns_of_rankings(parent, attributes, params):
    dimensions = ["kind", "buyer", "day"]

    assert faults(parent, params, Params=AskedBy, dimensions=dimensions, metrics=METRICS, **attributes) == []
    assert faults(parent, {}, by="count", dimensions=dimensions, metrics=METRICS, **attributes) == []


@pytest.mark.parametrize("params", [{}, {"metrics": "mean", "dimensions": "day"}])
@pytest.mark.django_db
def test_columns_of_shares(params):
    attributes = {"dimensions": ["buyer", "day"], "share_within": ["buyer"], "metrics": METRICS}

    assert faults(ShareOfTotal, params, Params=Asked, **attributes) == []


@pytest.mark.parametrize("attributes", [{"lateral": False}, {"lateral": True, "keep_empty": True}])
@pytest.mark.django_db
def test_columns_of_the_latest(attributes):
    assert faults(LatestPerGroup, {}, **LATEST, **attributes) == []
