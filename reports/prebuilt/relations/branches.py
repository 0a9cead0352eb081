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
from reports.prebuilt.relations.back import Back, Immovable, moved, way_back
from reports.prebuilt.relations.strictness import needed_by
from reports.prebuilt.vocabulary.conditions import aggregates_in
from reports.prebuilt.vocabulary.facts import as_queryset, check_filters, grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part
from reports.prebuilt.vocabulary.once import many_joins
from reports.prebuilt.vocabulary.paths import Branch, branch_of, branches_of, names_in

# A condition on the key of the source, by the name that leads to it.
Condition = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of one branch and the metrics over them.

    They are grouped from the model that ``path`` leads to where there is a way ``back`` on which all can be said; else
    from the source, joined. ``keys`` and the metrics' parts are over the model that is grouped. ``seeing`` are names of
    metrics to which it means something that the relation has no row; for these the source is joined.
    """

    name: str
    path: str
    back: Back | None
    keys: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    seeing: tuple[str, ...] = ()

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
        rows = self._given(source, given)
        if self.back is None:
            query &= Q() if given is None else Q(**{f"{self.path}__in": rows})
            rows = source
        elif given is not None and not self.back.is_single:  # its own joins would be taken for the way back
            rows = self._all(source).filter(pk__in=rows.order_by().values("pk"))
        return grouped(rows.filter(query) if query else rows, asked, wanted)

    def _all(self, source: models.QuerySet[Any]) -> models.QuerySet[Any]:
        model = model_of(source.model, self.path)
        rows: models.QuerySet[Any] = model._base_manager.using(source._db)  # type: ignore[attr-defined]
        return rows.all()

    def _given(self, source: models.QuerySet[Any], given: models.QuerySet[Any] | Q | None) -> models.QuerySet[Any]:
        if given is None:
            return self._all(source)
        return as_queryset(given if isinstance(given, models.QuerySet) else self._all(source).filter(given))


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
    """Refuse conditions that are for no metric, rows of another model, and metrics to which no row means something.

    Raises:
        DeclarationError: Names them. Without the class's name.
    """
    paths: dict[str, list[str]] = {}
    for each in branches:
        if each.path:
            paths.setdefault(each.path, []).extend(each.seeing)
    if wrong := [path for path in given if path not in paths]:
        there = f"over which no metric is (there are: {listed(paths)}).{near(wrong[0], paths)}"
        raise DeclarationError(f"branches: {listed(wrong)}, {there}")
    for path, rows in given.items():
        found = model_of(model, path)
        if isinstance(rows, models.QuerySet) and rows.model._meta.concrete_model is not found._meta.concrete_model:
            raise DeclarationError(f"branches: {path!r} is of {found.__name__}, and not of {rows.model.__name__}.")
        if paths[path]:
            raise DeclarationError(
                f"branches: {path!r} cannot be for {listed(paths[path])}, to which no row means something;"
                " give it a filter= that says which rows it is over."
            )


def model_of(model: type[models.Model], path: str) -> type[models.Model]:
    """Return the model that a path of relations leads to."""
    found: Any = model
    for name in path.split(LOOKUP_SEP):
        found = found._meta.get_field(name).related_model
    made: type[models.Model] = found
    return made


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
    check_filters(source, metric.name, expression, but=(Count,))  # annotate() counts the relation's rows so, too
    if not names_in(expression).is_whole:
        rows: Any = source.order_by().values("pk")
        told = rows.filter(**{f"{LOOKUP_SEP.join(branch)}__isnull": False}) if branch else rows
        if len(many_joins(rows.annotate(_metric=expression).query)) > len(many_joins(told.query)):
            raise DeclarationError(
                f"metric {metric.name!r} reads a relation to many in a sub-select only;"
                " its rows would multiply the others. Aggregate over the relation itself."
            )
    return branch


def _root(source: models.QuerySet[Any], metric: Metric) -> Branch:
    """Return the part of a metric's branch without whose rows it sees nothing: there may be rows further on, or not."""
    needed = [
        max((branch_of(source.query, name) for name in needed_by(aggregate)), key=len, default=())
        for aggregate in aggregates_in(metric.parts[0].expression)
    ]
    return min(needed, key=len, default=())


def _facts(source: models.QuerySet[Any], branch: Branch, keys: Mapping[str, Any], metrics: tuple[Metric, ...]) -> Facts:
    roots = {metric.name: _root(source, metric) for metric in metrics}
    root = min(roots.values(), key=len, default=())
    name, path = LOOKUP_SEP.join(branch), LOOKUP_SEP.join(root or branch)
    back = way_back(source.model, root) if root else None
    if back is not None:
        try:
            moved_keys = {each: moved(expression, back.rename) for each, expression in keys.items()}
            return Facts(name, path, back, moved_keys, _moved(metrics, back.rename))
        except Immovable:
            pass
    return Facts(name, path, None, keys, metrics, tuple(each for each, found in roots.items() if not found))


def _moved(metrics: tuple[Metric, ...], rename: Callable[[str], str]) -> tuple[Metric, ...]:
    return tuple(
        replace(metric, parts=(Part(part.name, _counted(moved(part.expression, rename))),))
        for metric in metrics
        for part in metric.parts
    )


def _counted(expression: Any) -> Any:
    """Return an aggregate; for the count of a key, which is never NULL, that of rows: an index may hold enough."""
    sources = expression.get_source_expressions()
    if type(expression) is Count and not expression.distinct and type(sources[0]) is F and sources[0].name == "pk":  # type: ignore[attr-defined]
        expression = expression.copy()
        expression.set_source_expressions([Star(), *sources[1:]])  # Count("*", filter=…) is refused by its __init__
    return expression
