"""Metrics over spans of time that one query reads, each by a FILTER."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import tzinfo
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Aggregate, Count, Q

from reports.prebuilt.dates.ranges import Range, between
from reports.prebuilt.vocabulary.conditions import condition_of
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.selection import Metrics


def in_spans(field: str, spans: Iterable[Range], zone: tzinfo) -> Q:
    """Return the condition that a date lies in one of several closed ranges. Those that touch are one to an index.

    The zone is that in which days begin.
    """
    found: list[Any] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if found and span.start <= found[-1].end:
            last = max(found[-1], span, key=lambda each: each.end)
            found[-1] = replace(found[-1], end=last.end, end_day=last.end_day)
        else:
            found.append(span)
    return reduce(or_, (between(field, span, zone) for span in found))


def over_span(metrics: Metrics, name: str, condition: Q) -> Metrics:
    """Return the metrics over the rows for which a condition is true. The name goes before those of their parts."""
    return Metrics(
        tuple(
            replace(output, metrics=tuple(_narrowed(metric, name, condition) for metric in output.metrics))
            for output in metrics
        )
    )


def filtered(expression: Any, condition: Q) -> Any:
    """Return an aggregate, or an expression of aggregates, with a condition added to the filter of each."""
    if not getattr(expression, "contains_aggregate", False):
        return expression
    found = expression.copy()
    if isinstance(found, Aggregate):
        before = condition_of(found)
        both = condition if before is None else Q(before) & condition
        found.filter = Count("pk", filter=both).filter  # as this Django keeps it
        return found
    found.set_source_expressions([part and filtered(part, condition) for part in found.get_source_expressions()])
    return found


def _narrowed(metric: Metric, name: str, condition: Q) -> Metric:
    parts = (
        replace(part, name=f"{name}_{part.name}", expression=filtered(part.expression, condition))
        for part in metric.parts
    )
    return replace(metric, name=f"{name}_{metric.name}", parts=tuple(parts))
