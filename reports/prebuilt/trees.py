"""Totals over trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, ForeignKey
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt import attributes
from reports.prebuilt.attributes import Check
from reports.prebuilt.declared import Prebuilt
from reports.prebuilt.dimensions import Dimension, read_dimension, read_path
from reports.prebuilt.facts import grouped

# What the template groups nodes by, besides dimensions.
_KEYS = ("label", "node", "parent")


class TreeRollup(Prebuilt):
    """The metrics of each node of a tree, and their totals over it and all below it. One row per node.

    ``source`` is the tree's model and ``parent`` its ForeignKey to itself; ``metrics`` are over the nodes or over one
    relation of theirs, and ``dimensions`` are fields of the node. A node whose parent is none, or not in the source, is
    a root: its ``depth`` is 0. ``path`` has the keys from the root to the node, and with ``label``, a field, ``labels``
    its values. ``…_total`` counts every node at or below this one once.

    No root is above nodes in a circle and those below one: their depth and path are NULL. ``is_cycle`` is true in the
    circle, where every node is below every other, so that all have the same totals.

    The facts are read once, the tree once for each level that has many nodes, else by the index of ``parent``.
    """

    template = "prebuilt/tree_rollup.sql"

    parent: ClassVar[str] = "parent"
    label: ClassVar[str] = ""

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Prebuilt.vocabulary,
        "parent": attributes.text,
        "label": attributes.text,
    }

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of a tree: each node before those below it."""
        return tuple(cls.ordering) or ("path", cls.read_node().name)

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the node's key, the dimensions, its place in the tree, and each metric with its total."""
        node, dimensions = cls.read_node(), cls.read_dimensions()
        if taken := {each.name for each in dimensions} & {*_KEYS}:
            raise DeclarationError(f"no dimension may be called {listed(taken)}; give it another name, as in a dict.")
        cls._check_parent()
        yield node.column(pk=True)
        yield from (dimension.column() for dimension in dimensions)
        yield Column("depth", "integer", null=True)
        yield Column("path", f"{node.type}[]", null=True)
        if cls.label:
            read_path(cls.declared_source(), "label", cls.label)
            yield Column("labels", "text[]", null=True)
        yield Column("is_cycle", "boolean")
        cls._check_merges()
        for column in cls.metric_columns():
            yield column
            yield replace(column, name=f"{column.name}_total")

    @classmethod
    def read_node(cls) -> Dimension:
        """Return the key of the nodes, called like its column."""
        source = cls.declared_source()
        return replace(read_dimension(source, source.model._meta.pk.attname, "pk"), null=False)

    @classmethod
    def _check_parent(cls) -> None:
        """Refuse a parent that is no ForeignKey of the model to itself."""
        model = cls.declared_source().model
        fields = {field.name: field for field in model._meta.concrete_fields if _is_parent(field, model)}
        try:
            field = model._meta.get_field(cls.parent)
        except FieldDoesNotExist:
            field = None
        if field not in fields.values():
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
        dimensions, metrics, rows = self.asked_dimensions(given), self.asked_metrics(given), self._nodes()
        keys = {"node": F("pk"), "parent": F(f"{self.parent}{LOOKUP_SEP}pk")}
        label = {"label": F(self.label)} if self.label else {}
        return {
            "dimensions": dimensions,
            "facts": grouped(rows, {"node": F("pk")}, metrics.needed),
            "has_labels": bool(self.label),
            "metrics": metrics,
            "node": self.read_node(),
            "nodes": grouped(rows, {**keys, **label, **{each.name: each.expression for each in dimensions}}, ()),
            "totals": metrics.renamed("{}_total"),
        }

    def _nodes(self) -> models.QuerySet[Any]:
        """Return the rows of the source, each once: a filter across a relation to many repeats them."""
        rows = self.rows_of_source()
        if len(rows.query.alias_map) < 2:
            return rows
        every: models.QuerySet[Any] = rows.model._base_manager.using(rows._db)  # type: ignore[attr-defined]
        return every.filter(pk__in=rows.order_by().values("pk"))


def _is_parent(field: models.Field[Any, Any], model: type[models.Model]) -> bool:
    related: Any = field.related_model if isinstance(field, ForeignKey) else None
    return related is not None and related._meta.concrete_model is model._meta.concrete_model
