"""Django's truncated dates and times, as SQL of the type that Django says they are of.

In PostgreSQL ``TruncMonth`` of an instant is a local time without a zone, and of a date an instant in the session's
zone. Django makes them what they should be in Python; a report's rows, filters and groups have the column itself.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Func
from django.db.models.functions.datetime import TruncBase
from django.utils import timezone

from reports.prebuilt.vocabulary.zones import zone_words


class Instant(Func):
    """The instant at which a truncated local time is in its zone."""

    arity = 1

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # type: ignore[override]
        (truncated,) = self.get_source_expressions()
        zone = getattr(truncated, "tzinfo", None) or timezone.get_current_timezone()
        sql, params = compiler.compile(truncated)
        return f"({sql} AT TIME ZONE %s)", (*params, zone_words(zone))


def as_declared(expression: Any, field: models.Field[Any, Any]) -> Any:
    """Return a truncation whose SQL is of its field's type; any other expression itself."""
    if not isinstance(expression, TruncBase):
        return expression
    if isinstance(field, models.DateTimeField):
        return Instant(expression, output_field=field) if settings.USE_TZ else expression
    if isinstance(field, models.DateField):
        return Func(expression, template="(%(expressions)s)::date", output_field=field)
    return expression
