"""Reports with a row for each period of a range, also for one in which nothing happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.dates.dated import Dated
from reports.prebuilt.vocabulary.attributes import Check, whole
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric


class Fill(models.TextChoices):
    """What stands in a period without rows.

    ``ZERO`` is for counts and sums, also for a sum over no value; ``LAST`` stands for the values before; or ``NULL``.
    """

    ZERO = "zero"
    NULL = "null"
    LAST = "last"


class Series(Dated):
    """Metrics per period. A range of more than ``most_periods`` is refused where each has a row."""

    most_periods: ClassVar[int] = 10_000

    vocabulary: ClassVar[Mapping[str, Check]] = {**Dated.vocabulary, "most_periods": whole(1, 1_000_000)}

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return also what looks whether there is a metric."""
        return [*super().readings(), cls.check_metrics]

    @classmethod
    def key_columns(cls) -> Iterator[Column]:
        """Yield the period and the dimensions: the key, unless a dimension may be NULL."""
        dimensions, period = cls.read_dimensions(), cls.read_period()
        is_key = cls.has_key()
        yield replace(period, pk=is_key)
        yield from (dimension.column(pk=is_key) for dimension in dimensions)

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else the period and the dimensions."""
        cls.get_columns()  # a wrong declaration is told as such
        return tuple(cls.ordering) or tuple(column.name for column in cls.key_columns())

    @classmethod
    def check_merged(cls) -> None:
        """Refuse metrics of several periods that do not come of those of each.

        Raises:
            DeclarationError: Names them.
        """
        if wrong := [repr(metric.name) for metric in cls.read_metrics() if metric.merge is None]:
            raise DeclarationError(
                f"{listed(wrong)} over several periods cannot be made of the values of each, as counts and sums can:"
                " distinct values, percentiles and lists would have to be counted anew."
            )

    def facts(
        self, rows: models.QuerySet[Any], period: Any, given: Mapping[str, Any], metrics: tuple[Metric, ...]
    ) -> models.QuerySet[Any]:
        """Return rows grouped by period and by the dimensions asked for."""
        dimensions = self.asked_dimensions(given)
        return grouped(rows, {"period": period, **{each.name: each.expression for each in dimensions}}, metrics)
