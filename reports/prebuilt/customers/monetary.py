"""What customers bring in: an aggregate of their rows that is a number."""

from __future__ import annotations

from typing import Any

from django.db import models

from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.metrics import Metric, Ratio, is_metric, read_metric

_NUMBERS = ("bigint", "numeric", "double precision", "real")


def aggregate(value: Any) -> str | None:
    """One of Django's aggregates."""
    return None if is_metric(value) and not isinstance(value, Ratio) else "one of Django's aggregates"


def read_number(source: models.QuerySet[Any], name: str, value: Any) -> Metric:
    """Return an attribute that is an aggregate as a metric.

    Raises:
        DeclarationError: It is not set, or is no number. Without the class's name.
    """
    if value is None:
        raise DeclarationError(f'{name} is not set; give it an aggregate, such as Sum("amount").')
    found = read_metric(source, name, value)
    if found.type not in _NUMBERS:
        raise DeclarationError(f"{name} is a {found.type}, and no number.")
    return found


def quotient(metric: Metric) -> str:
    """Return the type of a metric divided by a number."""
    return "double precision" if metric.type in ("double precision", "real") else "numeric"
