"""The rows of a source grouped once, as a QuerySet that a template takes for a sub-select."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.db.models import Func, Value
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError, listed
from reports.prebuilt.vocabulary.conditions import aggregates_in, condition_of
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.once import many_joins
from reports.prebuilt.vocabulary.paths import branch_of, branches_of, names_in

# Before the names of what is grouped by: Django refuses an annotation that is called like a field.
BY = "by_"
# Aggregates to which a value that comes several times is one.
_SAME_OF_REPEATED = ("BitAnd", "BitOr", "BoolAnd", "BoolOr", "Max", "Min")


def as_queryset(source: type[models.Model] | models.QuerySet[Any]) -> models.QuerySet[Any]:
    """Return a source as a queryset that can be filtered and grouped.

    A model's rows are all that its default manager gives. A slice, DISTINCT, union or grouping becomes a filter on the
    key, and so does a condition over a relation to many, which gives a row several times: what is counted are its rows,
    each once. Annotations are lost by that.

    Raises:
        DeclarationError: It is one of those of values(), so that its rows have no key. Without the class's name.
    """
    if not isinstance(source, models.QuerySet):
        return source._default_manager.all()
    query = source.query
    if query.is_sliced or query.distinct or query.combinator or query.group_by is not None or many_joins(query):
        if source._fields is not None:  # type: ignore[attr-defined]
            raise DeclarationError("the source is distinct, united, grouped or sliced values(); leave values() out.")
        rows: models.QuerySet[Any] = source.model._base_manager.using(source._db)  # type: ignore[attr-defined]
        return rows.filter(pk__in=source.values("pk") if query.is_sliced else source.order_by().values("pk"))
    found = source.all()
    found.query.select_for_update = False  # which no grouped query may have
    return found


def grouped(source: models.QuerySet[Any], keys: Mapping[str, Any], metrics: Iterable[Metric]) -> models.QuerySet[Any]:
    """Return one row per combination of the keys, which are called ``by_…``, with the parts of each metric.

    Without keys it is one row, also over no row.
    """
    parts = {part.name: part.expression for metric in metrics for part in metric.parts}
    by = {f"{BY}{name}": expression for name, expression in keys.items()}
    # values() of nothing would be all the fields, and a group for each row.
    rows: Any = source.order_by().values(**by or {f"{BY}all": Value(1)})
    found: models.QuerySet[Any] = rows.annotate(**parts)
    return found


def check_one_branch(source: models.QuerySet[Any], metrics: Mapping[str, Any]) -> None:
    """Refuse metrics over different relations to many: one query over both would multiply their rows.

    Raises:
        DeclarationError: Names the metrics and their relations. Without the class's name.
    """
    found: dict[str, set[str]] = {}
    for name, expression in metrics.items():
        branches = branches_of(source.query, expression)
        check_filters(source, name, expression)
        path = " and ".join(sorted(LOOKUP_SEP.join(branch) for branch in branches)) or ""
        if len(branches) > 1:
            raise DeclarationError(f"metric {name!r} reads {path}, whose rows would multiply one another.")
        found.setdefault(path, set()).add(name)
    if len(found) > 1:
        where = "; ".join(f"{listed(names)}: {path or 'the source itself'}" for path, names in sorted(found.items()))
        raise DeclarationError(f"the metrics are over different rows, which would be multiplied ({where}).")


def check_filters(source: models.QuerySet[Any], name: str, expression: Any, *, but: tuple[type, ...] = ()) -> None:
    """Refuse an aggregate whose ``filter`` leads to more rows than its values do: each would count several times.

    Args:
        source: The rows.
        name: The metric's, for messages.
        expression: What was given for it.
        but: Aggregates that may.

    Raises:
        DeclarationError: Names the metric and the relation. Without the class's name.
    """
    for aggregate in aggregates_in(expression):
        condition, values = condition_of(aggregate), names_in([*Func.get_source_expressions(aggregate)])
        is_same = getattr(aggregate, "distinct", False) or type(aggregate).__name__ in _SAME_OF_REPEATED
        if condition is None or is_same or isinstance(aggregate, but) or not values.is_whole:
            continue
        reach = max((len(branch_of(source.query, each)) for each in values.names), default=0)
        if further := [branch for branch in branches_of(source.query, condition) if len(branch) > reach]:
            path = LOOKUP_SEP.join(sorted(further)[0])
            raise DeclarationError(
                f"metric {name!r} would count a value once for each of {path!r} that its filter finds;"
                " write the condition as Exists(…), or aggregate over that relation."
            )
