"""Tables in which the values of a dimension are columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from django.db import models
from django.db.models.constants import LOOKUP_SEP

from reports import rendering
from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.loader import Template
from reports.prebuilt.shapes.groups import Grouped
from reports.prebuilt.tables.pivot_columns import Cell, check_picks, make_cells, make_headings
from reports.prebuilt.tables.pivot_values import Labelled, find_values, is_one_of, place_of, read_values, several_values
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, flag, whole
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimension
from reports.prebuilt.vocabulary.facts import grouped
from reports.source import TemplateSource

# PostgreSQL selects at most 1664 columns.
_MOST_COLUMNS = 1_600


@dataclass(frozen=True, slots=True)
class FoundSource(TemplateSource):
    """The query of a pivot over values found in the data, with the columns that they came to."""

    columns: tuple[Column, ...] = ()


class Pivot(Grouped):
    """The metrics by two dimensions, of which one goes down and one across. One row per value of ``dimensions``.

    ``columns`` is the dimension across; ``values`` are those of its values that have columns: a list, a dict of labels
    by value, or choices. Without it they are the field's choices, and for a field without choices they are found in
    the data by a query of its own when the report is run: then the columns are known only there, and are at most
    ``most_values``. A NULL is a value. With ``other`` a column is for all values that are not listed, without it their
    rows do not count; with ``total`` there is a column for each metric over the whole row.

    A column is called after its value, or ``metric_value`` where there are several metrics: letters, digits and
    underscores, with a number behind where two would be the same.
    """

    template = "prebuilt/pivot.sql"

    columns: ClassVar[Any] = None
    values: ClassVar[Any] = None
    most_values: ClassVar[int] = 50
    other: ClassVar[bool] = True
    total: ClassVar[bool] = False

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Grouped.vocabulary,
        "columns": attributes.optional(attributes.expression),
        "values": several_values,
        "most_values": whole(1, 500),
        "other": flag,
        "total": flag,
    }
    reserved: ClassVar[frozenset[str]] = frozenset({"place"})

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the dimensions, and for each value the metrics; nothing when the values are to be found."""
        cls.check_groups()
        cls._check_across()
        known = cls.read_known_values()
        if known is not None and len(known) > cls.most_values:
            raise DeclarationError(f"there are {len(known)} values, and most_values is {cls.most_values}.")
        return () if known is None else cls._columns_of(cls.cells_of(known))

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the dimensions."""
        return tuple(cls.ordering) or tuple(dimension.name for dimension in cls.read_dimensions())

    @classmethod
    def read_across(cls) -> Dimension:
        """Return the dimension whose values are columns."""
        return cls.kept("across", lambda: read_dimension(cls.declared_source(), "columns", cls.columns))

    @classmethod
    def read_known_values(cls) -> tuple[Labelled, ...] | None:
        """Return the values that have columns, with labels; None when they are to be found in the data."""
        return cls.kept("values", lambda: read_values(cls.declared_source(), cls.read_across(), cls.values))

    @classmethod
    def cells_of(cls, found: Sequence[Labelled]) -> tuple[Cell, ...]:
        """Return the columns of values."""
        across = cls.columns.rpartition(LOOKUP_SEP)[2] if isinstance(cls.columns, str) else next(iter(cls.metrics))
        has_others = cls.other and cls.read_known_values() is not None
        headings = make_headings(found, across, other=has_others, total=cls.total)
        return make_cells(headings, cls.read_outputs(), [each.column() for each in cls.read_dimensions()])

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, metrics = self.asked_dimensions(given), self.asked_metrics(given)
        rows, across, known = self.rows_in_range(given), self.read_across(), self.read_known_values()
        found = self._find(rows) if known is None else known
        has_others = self.other and known is not None
        if not has_others:
            rows = rows.filter(is_one_of(across.expression, found, across.type))
        # Where values share a cell, what cannot be merged has to be grouped by cells. Else values are grouped first,
        # and few are looked up; but those that a list leaves to one cell may be many.
        is_placed = has_others and (self.values is not None or any(metric.merge is None for metric in metrics.needed))
        place = place_of(across.expression, found, across.type) if is_placed else across.expression
        is_asked = {output.name: output.is_asked for output in metrics}
        cells = [
            replace(cell, output=replace(cell.output, is_asked=is_asked[cell.metric])) for cell in self.cells_of(found)
        ]
        keys = {"place": place, **{each.name: each.expression for each in dimensions}}
        return {
            "cells": cells,
            "dimensions": dimensions,
            "facts": grouped(rows, keys, metrics.needed),
            "is_placed": is_placed,
            "metrics": metrics,
            "type": across.type,
            "values": [value for value, _ in found],
        }

    def _find(self, rows: models.QuerySet[Any]) -> list[Labelled]:
        alias = self._alias(self.get_template())
        across = rows.order_by().values(by_place=self.read_across().expression).distinct()
        context = {"values": across, "most_values": self.most_values}
        query = rendering.render("prebuilt/pivot_values.sql", context, using=alias)
        found = find_values(TemplateSource(self.get_name(), query, self.get_timeout()), alias)
        if len(found) > self.most_values:
            raise self.refused("columns", f"There are more than {self.most_values} values, each of which is a column.")
        return found

    @classmethod
    def _check_across(cls) -> None:
        """Refuse a class whose values cannot be columns.

        Raises:
            DeclarationError: Says why.
        """
        own = ("columns", "values", "most_values", "other", "total")
        if asked := [name for name in own if name in cls.get_form_class().base_fields]:
            raise DeclarationError(f"{listed(asked)} cannot be asked for by a request: the columns depend on it.")
        if cls.columns is None:
            raise DeclarationError("columns is not set; name the dimension whose values are columns.")
        check_picks(cls.read_metrics(), total=cls.total)

    @classmethod
    def _columns_of(cls, cells: Sequence[Cell]) -> Iterable[Column]:
        dimensions, metrics = cls.read_dimensions(), {column.name: column for column in cls.metric_columns()}
        if (count := len(dimensions) + len(cells)) > _MOST_COLUMNS:
            raise DeclarationError(f"there would be {count} columns, of which PostgreSQL allows {_MOST_COLUMNS}.")
        yield from (dimension.column(pk=cls.has_key()) for dimension in dimensions)
        yield from (cell.column(metrics[cell.metric]) for cell in cells)

    # What Report asks: the columns of values found belong to the run.

    def _source(self, template: Template, context: Mapping[str, Any], alias: str) -> TemplateSource:
        found = super()._source(template, context, alias)
        if self.read_known_values() is not None:
            return found
        given = {field.name: getattr(found, field.name) for field in fields(found)}
        return FoundSource(**given, columns=tuple(self._columns_of(context["cells"])))

    def _row_model(self, template: Template, source: TemplateSource) -> type[models.Model]:
        if isinstance(source, FoundSource):
            return self._make_row_model(template, source.columns)
        return super()._row_model(template, source)
