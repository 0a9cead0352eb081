"""What the attributes of a prebuilt report may be: one check for each, for the class's value and for a request's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from django.db import models
from django.db.models import TextChoices

from reports.prebuilt.vocabulary.metrics import is_metric
from reports.prebuilt.vocabulary.zones import find_zone

# Returns what is allowed when a value is not.
Check = Callable[[Any], str | None]

_GREATEST = Decimal("1.7976931348623157e308")


def whole(low: int, high: int) -> Check:
    """A whole number within bounds."""

    def check(value: Any) -> str | None:
        if type(value) is int and low <= value <= high:
            return None
        return f"a whole number from {low} to {high}"

    return check


def number(value: Any) -> str | None:
    """A number that is not a boolean."""
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return None if is_number else "a number"


def finite(value: Any) -> str | None:
    """A number that is neither infinite nor NaN, nor more than a double precision holds."""
    is_finite = number(value) is None and Decimal(value).is_finite() and abs(Decimal(value)) <= _GREATEST
    return None if is_finite else "a finite number"


def expression(value: Any) -> str | None:
    """A field's path, or an expression."""
    is_either = isinstance(value, str) or hasattr(value, "resolve_expression")
    return None if is_either else "a field's name or an expression"


def nothing(value: Any) -> str | None:
    """Nothing: the report has no use for it."""
    return "left out: the report has none" if value else None


def member(enum: type[TextChoices]) -> Check:
    """A member of an enum, or its value."""
    return lambda value: None if value in enum.values else f"one of {', '.join(enum.values)}"


def optional(check: Check) -> Check:
    """None, or what another check allows."""

    def checked(value: Any) -> str | None:
        allowed = None if value is None else check(value)
        return allowed and f"{allowed}, or None"

    return checked


def one_or_more(check: Check) -> Check:
    """What another check allows, or a list of such values, of which the first is the default."""

    def checked(value: Any) -> str | None:
        values = value if is_list(value) else [value]
        if not values:
            return "a list that is not empty"
        return next((f"{allowed}, or a list of those" for item in values if (allowed := check(item))), None)

    return checked


def flag(value: Any) -> str | None:
    """True or False."""
    return None if isinstance(value, bool) else "True or False"


def text(value: Any) -> str | None:
    """A text, also an empty one."""
    return None if isinstance(value, str) else "a text"


def source(value: Any) -> str | None:
    """A model or a queryset."""
    is_model = isinstance(value, type) and issubclass(value, models.Model)
    return None if value is None or is_model or isinstance(value, models.QuerySet) else "a model or a QuerySet"


def metrics(value: Any) -> str | None:
    """A dict of aggregates by name."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return "a dict of aggregates by name"
    wrong = [name for name, metric in value.items() if not is_metric(metric)]
    return f"a dict of Django's aggregates and of Ratio, and {', '.join(map(repr, wrong))} is none" if wrong else None


def dimensions(value: Any) -> str | None:
    """A list of field names, or a dict of field names or expressions by name."""
    if isinstance(value, Mapping):
        fits = all(isinstance(name, str) for name in value)
    else:
        fits = is_list(value) and all(isinstance(name, str) for name in value)
    return None if fits else "a list of field names, or a dict of them by name"


def moment(value: Any) -> str | None:
    """A date, a date and time with a zone, a function that gives one, or None."""
    if value is None or callable(value) or (isinstance(value, date) and not isinstance(value, datetime)):
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return None
    return "a date, a date and time with a zone, a function of no argument that gives one, or None"


def time_zone(value: Any) -> str | None:
    """A name of the IANA's database, or None for the current zone."""
    return None if value is None or find_zone(value) else "a time zone such as 'Europe/Berlin', or None"


def is_list(value: object) -> bool:
    """Return whether a value is several, and not a text or an enum."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, Enum))
