"""The first groups of an order, of all and of each group above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.ranking.ranked import FirstRanked
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimensions
from reports.prebuilt.vocabulary.facts import BY, grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part
from reports.prebuilt.vocabulary.selection import Dimensions, Metrics, Output


class TopN(FirstRanked):
    """The first ``limit`` groups by a metric. One row per group.

    ``with_ties`` keeps the groups that are equal to the last one as well.
    """

    template = "prebuilt/top_n.sql"

    with_ties: ClassVar[bool] = False

    vocabulary: ClassVar[Mapping[str, Check]] = {**FirstRanked.vocabulary, "with_ties": attributes.flag}

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        return {**super().get_shape(given), "has_ties": self.asked(given, "with_ties")}


class TopPerGroup(FirstRanked):
    """The first ``limit`` groups by a metric in each group of the ``partition``. One row per group and partition.

    Without metrics the source's own rows are ranked: ``dimensions`` are the fields to show, and ``by`` is one of them.
    """

    template = "prebuilt/top_per_group.sql"

    partition: ClassVar[Sequence[str] | Mapping[str, Any]] = ()
    limit = 3
    with_ties: ClassVar[bool] = False

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **FirstRanked.vocabulary,
        "partition": attributes.dimensions,
        "with_ties": attributes.flag,
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the rank, the partition, the dimensions and the metrics."""
        columns = list(super().read_columns())
        partition = cls.read_partition()
        if not partition:
            raise DeclarationError("partition must be set: it names the groups of which each has its first rows.")
        is_chosen = "partition" in cls.get_form_class().base_fields
        is_key = cls.has_key(*partition) and not is_chosen
        columns[1:1] = [each.column(pk=True) for each in partition]
        yield from (replace(column, pk=column.pk and is_key) for column in columns)

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_partition]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the partition, the rank and the dimensions."""
        found = super().get_ordering()
        return tuple(cls.ordering) or (*(each.name for each in cls.read_partition()), *found)

    @classmethod
    def check_groups(cls) -> None:
        """Refuse a class that names no groups; without metrics, one that does not say what its rows are ranked by."""
        if cls.metrics:
            super().check_groups()
            return
        cls.check_range()
        if not cls.dimensions or not cls.by:
            raise DeclarationError("without metrics, dimensions must be set, and by to the one to rank by.")

    @classmethod
    def has_key(cls, *others: Dimension) -> bool:
        """Return whether the dimensions are a key; the fields of rows are not known to be one."""
        return bool(cls.metrics) and super().has_key(*others)

    @classmethod
    def read_partition(cls) -> tuple[Dimension, ...]:
        """Return the dimensions of the partition in their order."""
        return cls.kept("partition", lambda: read_dimensions(cls.declared_source(), cls.partition, what="partition"))

    def asked_partition(self, given: Mapping[str, Any]) -> Dimensions:
        """Return the partition of a run.

        Raises:
            ParamsError: A request asks for a dimension that the class's does not have.
        """
        every = self.read_partition()
        return Dimensions(every, self.asked_names(given, "partition", [each.name for each in every]))

    @classmethod
    def ranks(cls) -> Mapping[str, Output]:
        """Return what rows may be ranked by, by name: the metrics, or without any the dimensions."""
        if cls.metrics:
            return super().ranks()
        return {each.name: _as_output(each) for each in cls.read_dimensions()}

    def facts(self, given: Mapping[str, Any], by: Output) -> models.QuerySet[Any]:
        dimensions = self.asked_dimensions(given)
        names = dimensions.names if self.metrics else {*dimensions.names, by.name}
        shown = [each for each in dimensions.every if each.name in names]
        keys = {each.name: each.expression for each in (*self.asked_partition(given), *shown)}
        needed = Metrics((*self.asked_metrics(given), by)).needed if self.metrics else ()
        return grouped(self.rows_in_range(given), keys, needed)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        return {
            **super().get_shape(given),
            "has_ties": self.asked(given, "with_ties"),
            "partition": self.asked_partition(given),
        }


def _as_output(dimension: Dimension) -> Output:
    """Return a field of the rows as if it were a metric that the facts give."""
    column = Part(f"{BY}{dimension.name}", dimension.expression)
    return Output(dimension.name, dimension.type, (Metric(dimension.name, dimension.type, None, None, (column,)),))
