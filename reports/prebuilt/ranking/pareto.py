"""Which few groups make up most of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from string import ascii_uppercase
from typing import Any, ClassVar

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.ranking.ranked import Ranked
from reports.prebuilt.ranking.shares import adds_up
from reports.prebuilt.vocabulary.attributes import Check, is_list, number
from reports.prebuilt.vocabulary.selection import Output


def _thresholds(value: Any) -> str | None:
    allowed = f"a rising list of 1 to {len(ascii_uppercase) - 1} numbers between 0 and 1"
    if not is_list(value) or not 0 < len(value) < len(ascii_uppercase) or any(number(each) for each in value):
        return allowed
    bounds = [0, *value, 1]
    return None if all(low < high for low, high in pairwise(bounds)) else allowed


class Pareto(Ranked):
    """The groups in the order of a metric with what they add up to, and their classes A, B, C. One row per group.

    ``thresholds`` end the classes: with 0.8 and 0.95, A is the fewest groups that come to 80 % of the whole or more, B
    those that with A come to 95 %, C the others. A group whose value is negative, 0 or NULL adds nothing to the whole:
    its share is 0, and its class the last. Without a value above 0 the shares are NULL.
    """

    template = "prebuilt/pareto.sql"

    thresholds: ClassVar[Sequence[float | Decimal]] = (0.8, 0.95)

    vocabulary: ClassVar[Mapping[str, Check]] = {**Ranked.vocabulary, "thresholds": _thresholds}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the rank, the dimensions, the metrics, the shares and the class."""
        yield from super().read_columns()
        yield Column("share", cls.quotient_type(), null=True)
        yield Column("cumulative_share", cls.quotient_type(), null=True)
        yield Column("abc", "text")

    @classmethod
    def ranks(cls) -> Mapping[str, Output]:
        """Return the metrics that add up, by name."""
        return {name: output for name, output in super().ranks().items() if adds_up(output)}

    @classmethod
    def check_by(cls) -> None:
        """Refuse a class whose ``by`` does not add up, or is not known.

        Raises:
            DeclarationError: Names those that do.
        """
        if cls.metrics and not cls.ranks():
            raise DeclarationError("no metric is a count or a sum of numbers, which groups could add up to.")
        super().check_by()

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        thresholds = [Decimal(str(each)) for each in self.asked(given, "thresholds")]
        return {
            **super().get_shape(given),
            "classes": list(zip(thresholds, ascii_uppercase, strict=False)),
            "last_class": ascii_uppercase[len(thresholds)],
            "type": self.quotient_type(),
        }
