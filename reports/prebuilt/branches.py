"""Metrics over several relations to many, each relation a query of its own: their rows do not multiply one another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import models
from django.db.models import Count, F, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Star

from reports.errors import DeclarationError, listed, near
from reports.prebuilt.back import Back, Immovable, moved, way_back
from reports.prebuilt.facts import as_queryset, grouped
from reports.prebuilt.metrics import Metric, Part
from reports.prebuilt.paths import Branch, branches_of, names_in

# A condition on the key of the source, by the name that leads to it.
Condition = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of one branch and the metrics over them.

    They are grouped from the branch's own model where there is a way ``back`` on which all can be said; else from the
    source, joined. ``keys`` and the metrics' parts are over the model that is grouped.
    """

    path: str
    back: Back | None
    keys: Mapping[str, Any]
    metrics: tuple[Metric, ...]

    @property
    def key(self) -> str:
        """The name of the source's key."""
        return LOOKUP_SEP.join((*self.back.names, "pk")) if self.back else "pk"

    def rows(
        self,
        source: models.QuerySet[Any],
        given: models.QuerySet[Any] | Q | None,
        *,
        keys: Collection[str],
        metrics: Collection[str],
        conditions: Iterable[Condition],
    ) -> models.QuerySet[Any]:
        """Return the metrics by the keys, for the rows that count.

        Args:
            source: The rows of the source, each once.
            given: Which rows of the branch count; None for all.
            keys: The names of those to group by.
            metrics: The names of those wanted.
            conditions: On the source's key.
        """
        asked = {name: value for name, value in self.keys.items() if name in keys}
        wanted = [metric for metric in self.metrics if metric.name in metrics]
        # All in one filter(), so that they are about the same joined row, the one that is grouped by.
        query = Q(*[condition(self.key) for condition in conditions])
        rows = source
        if self.back is None:
            query &= Q(**{f"{self.path}__isnull": False})
            if given is not None:
                query &= Q(**{f"{self.path}__in": self._given(source, given)})
        else:
            rows = self._given(source, given)
            if not self.back.is_single and given is not None:  # its own joins would be taken for the way back
                rows = self._all(source).filter(pk__in=rows.order_by().values("pk"))
        return grouped(rows.filter(query) if query else rows, asked, wanted)

    def _all(self, source: models.QuerySet[Any]) -> models.QuerySet[Any]:
        model = model_of(source.model, self.path)
        rows: models.QuerySet[Any] = model._base_manager.using(source._db)  # type: ignore[attr-defined]
        return rows.all()

    def _given(self, source: models.QuerySet[Any], given: models.QuerySet[Any] | Q | None) -> models.QuerySet[Any]:
        if isinstance(given, models.QuerySet):
            return once(given)
        return self._all(source).filter(given) if given is not None else self._all(source)


def read_facts(source: models.QuerySet[Any], keys: Mapping[str, Any], metrics: Iterable[Metric]) -> tuple[Facts, ...]:
    """Return the metrics by their branches, in the order in which these come up; those over the source itself first.

    Raises:
        DeclarationError: A metric is over several relations to many. Without the class's name.
    """
    found: dict[Branch, list[Metric]] = {(): []}
    for metric in metrics:
        found.setdefault(_branch(source, metric), []).append(metric)
    return tuple(_facts(source, branch, keys, tuple(members)) for branch, members in found.items())


def are_branches(value: Any) -> str | None:
    """Return what ``branches`` may be, when a value is not: querysets or conditions by path."""
    fits = isinstance(value, Mapping) and all(
        isinstance(path, str) and isinstance(given, (models.QuerySet, Q)) for path, given in value.items()
    )
    return None if fits else "a dict of querysets or Q by the path of a relation"


def check_chosen(model: type[models.Model], branches: Iterable[Facts], given: Mapping[str, Any]) -> None:
    """Refuse conditions on what is no branch of a metric, and rows of another model.

    Raises:
        DeclarationError: Names them. Without the class's name.
    """
    paths = [each.path for each in branches if each.path]
    if wrong := [path for path in given if path not in paths]:
        there = f"over which no metric is (there are: {listed(paths)}).{near(wrong[0], paths)}"
        raise DeclarationError(f"branches: {listed(wrong)}, {there}")
    for path, rows in given.items():
        found = model_of(model, path)
        if isinstance(rows, models.QuerySet) and rows.model._meta.concrete_model is not found._meta.concrete_model:
            raise DeclarationError(f"branches: {path!r} is of {found.__name__}, and not of {rows.model.__name__}.")


def model_of(model: type[models.Model], path: str) -> type[models.Model]:
    """Return the model that a path of relations leads to."""
    found: Any = model
    for name in path.split(LOOKUP_SEP):
        found = found._meta.get_field(name).related_model
    made: type[models.Model] = found
    return made


def once(queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """Return a queryset in which each row comes once: conditions over relations to many stand in a sub-select."""
    rows = as_queryset(queryset)
    if not _many(rows.query):
        return rows
    every: models.QuerySet[Any] = rows.model._base_manager.using(rows._db)  # type: ignore[attr-defined]
    return every.filter(pk__in=rows.order_by().values("pk"))


def is_cut(queryset: models.QuerySet[Any]) -> bool:
    """Return whether a queryset's rows are those of a slice, of which two reads need not give the same."""
    return any(getattr(getattr(each, "rhs", None), "is_sliced", False) for each in queryset.query.where.leaves())


def is_filtered(queryset: models.QuerySet[Any]) -> bool:
    """Return whether a queryset has not all rows of its table."""
    return bool(queryset.query.where) or len(_joined(queryset.query)) > 1


def _branch(source: models.QuerySet[Any], metric: Metric) -> Branch:
    expression = metric.parts[0].expression
    branches = branches_of(source.query, expression)
    if len(branches) > 1:
        paths = " and ".join(sorted(LOOKUP_SEP.join(branch) for branch in branches))
        raise DeclarationError(
            f"metric {metric.name!r} reads {paths}, whose rows would multiply one another;"
            " make a metric of each, and a Ratio of the two."
        )
    branch: Branch = next(iter(branches), ())
    if not names_in(expression).is_whole:
        rows: Any = source.order_by().values("pk")
        told = rows.filter(**{f"{LOOKUP_SEP.join(branch)}__isnull": False}) if branch else rows
        if len(_many(rows.annotate(_metric=expression).query)) > len(_many(told.query)):
            raise DeclarationError(
                f"metric {metric.name!r} reads a relation to many in a sub-select only;"
                " its rows would multiply the others. Aggregate over the relation itself."
            )
    return branch


def _facts(source: models.QuerySet[Any], branch: Branch, keys: Mapping[str, Any], metrics: tuple[Metric, ...]) -> Facts:
    path = LOOKUP_SEP.join(branch)
    back = way_back(source.model, branch) if branch else None
    if back is not None:
        try:
            return Facts(
                path,
                back,
                {name: moved(expression, back.rename) for name, expression in keys.items()},
                tuple(_with(metric, _counted(moved(metric.parts[0].expression, back.rename))) for metric in metrics),
            )
        except Immovable:
            pass
    return Facts(path, None, keys, metrics)


def _with(metric: Metric, expression: Any) -> Metric:
    return replace(metric, parts=(Part(metric.parts[0].name, expression),))


def _counted(expression: Any) -> Any:
    """Return an aggregate; for the count of a key, which is never NULL, that of rows: an index may hold enough."""
    sources = expression.get_source_expressions()
    if type(expression) is Count and not expression.distinct and type(sources[0]) is F and sources[0].name == "pk":  # type: ignore[attr-defined]
        expression = expression.copy()
        expression.set_source_expressions([Star(), *sources[1:]])  # Count("*", filter=…) is refused by its __init__
    return expression


def _joined(query: Any) -> list[Any]:
    return [item for alias, item in query.alias_map.items() if query.alias_refcount[alias]]


def _many(query: Any) -> list[Any]:
    """Return the joins that lead to many rows."""
    fields = [(item, getattr(item, "join_field", None)) for item in _joined(query)]
    return [item for item, field in fields if field is not None and (field.one_to_many or field.many_to_many)]
