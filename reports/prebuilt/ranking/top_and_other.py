"""The first groups of an order, and the rest of them as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.ranking.ranked import FirstRanked
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check

# The types of columns in which a label can stand.
_TEXTS = ("text", "character varying")


class TopAndOther(FirstRanked):
    """The first ``limit`` groups by a metric, and the rest as one row. Of no more groups than that there is no rest.

    ``is_other`` tells the rest, whose dimensions are NULL, and ``label`` in a column of text: a group whose dimension
    is NULL, or is called like the label, is a group like any other. ``members`` is how many groups a row holds.
    """

    template = "prebuilt/top_and_other.sql"

    label: ClassVar[str | None] = "other"

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **FirstRanked.vocabulary,
        "label": attributes.optional(attributes.text),
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the rank, whether it is the rest, the dimensions, the members and the metrics."""
        rank, *columns = super().read_columns()
        if unmerged := [metric.name for metric in cls.read_metrics() if metric.merge is None]:
            problem = "cannot be merged, as for a count of distinct values: the rest has no value of"
            raise DeclarationError(f"the values of groups {problem} {listed(unmerged)}.")
        dimensions = {each.name for each in cls.read_dimensions()}
        yield replace(rank, null=True)
        yield Column("is_other", "boolean")
        yield from (replace(each, pk=False, null=True) for each in columns if each.name in dimensions)
        yield Column("members", "bigint")
        yield from (each for each in columns if each.name not in dimensions)

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the rank and the dimensions, the rest last."""
        return tuple(cls.ordering) or ("is_other", *super().get_ordering())

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        texts = [each.name for each in self.read_dimensions() if each.type in _TEXTS]
        return {**super().get_shape(given), "label": self.asked(given, "label"), "texts": texts}
