"""Groups in the order of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import models

from reports.binding import SQL
from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt.shapes.groups import Grouped
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, whole
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.numbers import quotient_type
from reports.prebuilt.vocabulary.selection import Metrics, Output

_ORDERS = {False: SQL("DESC NULLS LAST"), True: SQL("ASC NULLS LAST")}


class Ranked(Grouped):
    """A report that puts groups in the order of one metric, the largest first, NULL last.

    ``by`` is the metric's name, by default the first one's. Groups that are equal in it have one ``rank``, the next one
    is left out, and they stand in the order of the dimensions.
    """

    by: ClassVar[str] = ""

    vocabulary: ClassVar[Mapping[str, Check]] = {**Grouped.vocabulary, "by": attributes.text}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the rank, the dimensions and the metrics."""
        cls.check_groups()
        cls.check_by()
        yield Column("rank", "bigint")
        yield from (each.column(pk=cls.has_key()) for each in cls.read_dimensions())
        yield from cls.metric_columns()

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.check_by]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the rank and the dimensions."""
        cls.get_columns()  # a wrong declaration is told as such
        return tuple(cls.ordering) or ("rank", *(each.name for each in cls.read_dimensions()))

    @classmethod
    def ranks(cls) -> Mapping[str, Output]:
        """Return what groups may be ranked by, by name."""
        return {output.name: output for output in cls.read_outputs()}

    @classmethod
    def ranks_type(cls) -> str:
        """Return the type of what groups are ranked by; one that holds all where a request may choose."""
        known = cls.ranks()
        types = {output.type for output in known.values()}
        if "by" not in cls.get_form_class().base_fields:
            types = {known[cls.by or next(iter(known))].type}
        if len(types) == 1:
            return types.pop()
        return quotient_type(*types)

    @classmethod
    def quotient_type(cls) -> str:
        """Return the type of such a value divided by another one."""
        return quotient_type(cls.ranks_type())

    @classmethod
    def check_by(cls) -> None:
        """Refuse a class whose ``by`` is not known.

        Raises:
            DeclarationError: Names what it may be.
        """
        if cls.by and cls.by not in cls.ranks():
            known = cls.ranks()
            there = f"(there are: {listed(known)}).{near(cls.by, known)}"
            raise DeclarationError(f"by: There is no {cls.by!r} to rank by {there}")

    def ranked_by(self, given: Mapping[str, Any]) -> Output:
        """Return what a run ranks by, whether or not the request asks to see it.

        Raises:
            ParamsError: There is nothing of that name.
        """
        known = self.ranks()
        name = self.asked(given, "by") or next(iter(known))
        if name not in known:
            raise self.refused("by", f"It must be one of {listed(known)}.{near(name, known)}")
        return known[name]

    def facts(self, given: Mapping[str, Any], by: Output) -> models.QuerySet[Any]:
        """Return the groups with what is asked for, and with what they are ranked by."""
        keys = {each.name: each.expression for each in self.asked_dimensions(given)}
        return grouped(self.rows_in_range(given), keys, Metrics((*self.asked_metrics(given), by)).needed)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        by = self.ranked_by(given)
        return {
            "by": by,
            "dimensions": self.asked_dimensions(given),
            "facts": self.facts(given, by),
            "metrics": self.asked_metrics(given),
        }


class FirstRanked(Ranked):
    """A report about the first groups of such an order: ``limit`` of them, the smallest if ``ascending``."""

    limit: ClassVar[int] = 10
    ascending: ClassVar[bool] = False

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Ranked.vocabulary,
        "limit": whole(1, 100_000),
        "ascending": attributes.flag,
    }

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        order = _ORDERS[self.asked(given, "ascending")]
        return {**super().get_shape(given), "limit": self.asked(given, "limit"), "order": order}
