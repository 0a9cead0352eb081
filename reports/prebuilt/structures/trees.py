"""Totals over trees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, ForeignKey
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt.relations.branches import Facts, read_facts
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimension, read_dimensions, read_path
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric, Ratio, read_metric
from reports.prebuilt.vocabulary.names import check_given
from reports.prebuilt.vocabulary.problems import read_all
from reports.prebuilt.vocabulary.selection import Dimensions, Metrics

# What the template knows of a node, besides its fields.
_KEYS = ("label", "node", "parent")


class TreeRollup(Prebuilt):
    """The metrics of each node of a tree, and their totals over it and all below it. One row per node.

    ``source`` is the tree's model and ``parent`` its ForeignKey to itself. Each metric is over the nodes or over one
    relation of theirs, which is read once. ``fields`` are the node's. A node whose parent is none, or not in the
    source, is a root: its ``depth`` is 0. ``path`` has the keys from the root to the node, and with ``label``, a field,
    ``labels`` its values. ``…_total`` counts every node at or below this one once.

    No root is above nodes in a circle and those below one: their depth and path are NULL. ``is_cycle`` is true in the
    circle, where every node is below every other, so that all have the same totals.

    The tree itself is read several times: for a level with few nodes by the index of ``parent``, for another whole.
    With ``materialized`` its rows are found once, which pays where it is costly to find them and the tree is not deep.
    """

    template = "prebuilt/tree_rollup.sql"

    parent: ClassVar[str] = "parent"
    label: ClassVar[str] = ""
    fields: ClassVar[Sequence[str] | Mapping[str, Any]] = ()

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Prebuilt.vocabulary,
        "dimensions": attributes.nothing,
        "fields": attributes.dimensions,
        "label": attributes.text,
        "parent": attributes.text,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_fields, cls.read_branches, cls._check_parent, cls._check_merges]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of a tree: each node before those below it."""
        return tuple(cls.ordering) or ("path", cls.read_node().name)

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the node's key and fields, its place in the tree, and each metric with its total."""
        node = cls.read_node()
        yield node.column(pk=True)
        yield from (field.column() for field in cls.read_fields())
        yield Column("depth", "integer", null=True)
        yield Column("path", f"{node.type}[]", null=True)
        if cls.label:
            read_path(cls.declared_source(), "label", cls.label)
            yield Column("labels", "text[]", null=True)
        yield Column("is_cycle", "boolean")
        for column in cls.metric_columns():
            yield column
            yield replace(column, name=f"{column.name}_total")

    @classmethod
    def read_node(cls) -> Dimension:
        """Return the key of the nodes, called like its column."""
        source = cls.declared_source()
        return replace(read_dimension(source, source.model._meta.pk.attname, "pk"), null=False, fk=None)

    @classmethod
    def read_fields(cls) -> tuple[Dimension, ...]:
        """Return the class's fields of a node."""

        def read() -> tuple[Dimension, ...]:
            found = read_dimensions(cls.declared_source(), cls.fields, what="field")
            check_given("field", (each.name for each in found), _KEYS)
            return found

        return cls.kept("fields", read)

    @classmethod
    def read_metrics(cls) -> tuple[Metric, ...]:
        """Return the class's metrics in their order, ratios left out."""

        def read() -> tuple[Metric, ...]:
            given = {name: value for name, value in cls.metrics.items() if not isinstance(value, Ratio)}
            source = cls.declared_source()
            return tuple(read_all([partial(read_metric, source, name, value) for name, value in given.items()]))

        return cls.kept("metrics", read)

    @classmethod
    def read_branches(cls) -> tuple[Facts, ...]:
        """Return the parts of the metrics by the relations that they are over, those over the nodes first."""

        def read() -> tuple[Facts, ...]:
            source, keys, metrics = cls.declared_source(), {"node": F("pk")}, cls.read_metrics()
            read_facts(source, keys, metrics)  # its errors name metrics, and not their parts
            parts = [replace(metric, name=part.name, parts=(part,)) for metric in metrics for part in metric.parts]
            return read_facts(source, keys, parts)

        return cls.kept("branches", read)

    @classmethod
    def _check_parent(cls) -> None:
        """Refuse a parent that is no ForeignKey of the model to itself."""
        model = cls.declared_source().model
        fields = [field.name for field in model._meta.concrete_fields if _is_parent(field, model)]
        if cls.parent not in fields:
            known = f"(there are: {listed(fields)}).{near(cls.parent, fields)}" if fields else "(there is none)."
            raise DeclarationError(f"parent is {cls.parent!r}, no ForeignKey of {model.__name__} to itself {known}")

    @classmethod
    def _check_merges(cls) -> None:
        """Refuse metrics of which no total can be made from those of the nodes."""
        if wrong := [metric.name for metric in cls.read_metrics() if metric.merge is None]:
            raise DeclarationError(
                f"the values of nodes cannot be merged into a total for {listed(wrong)};"
                " a count, sum, mean, minimum or maximum can, but none of distinct values."
            )

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        metrics, fields, rows = self.asked_metrics(given), self.read_fields(), self.rows_of_source()
        keys = {"node": F("pk"), "parent": F(f"{self.parent}{LOOKUP_SEP}pk")}
        label = {"label": F(self.label)} if self.label else {}
        return {
            "branches": self._facts(rows, metrics),
            "fields": Dimensions(fields, frozenset(each.name for each in fields)),
            "has_labels": bool(self.label),
            "metrics": metrics,
            "node": self.read_node(),
            "nodes": grouped(rows, {**keys, **label, **{each.name: each.expression for each in fields}}, ()),
            "totals": metrics.renamed("{}_total"),
        }

    def _facts(self, rows: models.QuerySet[Any], metrics: Metrics) -> list[Mapping[str, object]]:
        """Return the rows of each relation by node, with the parts of metrics in them."""
        found: list[Mapping[str, object]] = []
        for branch in self.read_branches():
            parts = [part for part in branch.metrics if part.name in metrics.parts]
            if not parts:
                continue
            if branch.path:
                names = [part.name for part in parts]
                facts = branch.rows(rows, None, keys=["node"], metrics=names, conditions=())
            else:
                facts = grouped(rows, {"node": F("pk")}, parts)
            found.append({"name": f"facts_{len(found) + 1}", "parts": parts, "rows": facts})
        return found


def _is_parent(field: models.Field[Any, Any], model: type[models.Model]) -> bool:
    related: Any = field.related_model if isinstance(field, ForeignKey) else None
    return related is not None and related._meta.concrete_model is model._meta.concrete_model
