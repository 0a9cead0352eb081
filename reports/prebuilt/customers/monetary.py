"""What customers bring in: an aggregate of their rows that is a number."""

from __future__ import annotations

from typing import Any

from django.db import models

from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.metrics import Metric, Ratio, is_metric, read_metric
from reports.prebuilt.vocabulary.numbers import NUMBERS


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
    if found.type not in NUMBERS:
        raise DeclarationError(f"{name} is a {found.type}, and no number.")
    return found
