"""What part of the whole groups are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt.shapes.groups import Grouped
from reports.prebuilt.vocabulary.attributes import Check, is_list
from reports.prebuilt.vocabulary.dimensions import named
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.numbers import quotient_type
from reports.prebuilt.vocabulary.selection import Dimensions, Output


def adds_up(output: Output) -> bool:
    """Return whether a column's values are parts of a whole: counts and sums of numbers are."""
    return not output.is_ratio and output.metrics[0].merge == "sum" and output.is_number


def _names(value: Any) -> str | None:
    fits = is_list(value) and all(isinstance(name, str) for name in value)
    return None if fits else "a list of names of dimensions"


class ShareOfTotal(Grouped):
    """The metrics of each group and their shares of the total, ``metric_share``. One row per group.

    With ``share_within``, a list of some of the dimensions, there are the shares within the groups of those as well,
    ``metric_share_within``. Counts and sums of numbers have shares, other metrics none. The share of a total of 0
    is NULL; of parts of both signs, shares may be below 0 and above 1.
    """

    template = "prebuilt/share_of_total.sql"

    share_within: ClassVar[Sequence[str]] = ()

    vocabulary: ClassVar[Mapping[str, Check]] = {**Grouped.vocabulary, "share_within": _names}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the dimensions, and each metric with its shares."""
        cls.check_groups()
        cls.read_share_within()
        outputs, columns = cls.read_outputs(), {column.name: column for column in cls.metric_columns()}
        if not any(adds_up(output) for output in outputs):
            raise DeclarationError("no metric is a count or a sum of numbers, of which there are shares.")
        yield from (each.column(pk=cls.has_key()) for each in cls.read_dimensions())
        for output in outputs:
            yield columns[output.name]
            if adds_up(output):
                yield Column(f"{output.name}_share", quotient_type(output.type), null=True)
                if cls.has_share_within():
                    yield Column(f"{output.name}_share_within", quotient_type(output.type), null=True)

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_share_within]

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, metrics = self.asked_dimensions(given), self.asked_metrics(given)
        keys = {each.name: each.expression for each in dimensions}
        return {
            "dimensions": dimensions,
            "facts": grouped(self.rows_in_range(given), keys, metrics.needed),
            "has_share_within": self.has_share_within(),
            "metrics": metrics,
            "share_within": self.asked_share_within(given),
            "shares": {output.name: quotient_type(output.type) for output in metrics if adds_up(output)},
        }

    def asked_share_within(self, given: Mapping[str, Any]) -> Dimensions:
        """Return the dimensions within which a run has shares: those of the class's that are asked for.

        Raises:
            ParamsError: A request names one that is not of the class's.
        """
        dimensions = self.asked_dimensions(given)
        names = frozenset(self.read_share_within())
        if given.get("share_within"):
            names = self.asked_names(given, "share_within", [each.name for each in dimensions.every])
        return Dimensions(dimensions.every, names & dimensions.names)

    @classmethod
    def has_share_within(cls) -> bool:
        """Return whether there are shares within groups, for every request."""
        return bool(cls.share_within) or "share_within" in cls.get_form_class().base_fields

    @classmethod
    def read_share_within(cls) -> tuple[str, ...]:
        """Return the columns within which the class has shares; they may be named as ``dimensions`` names them.

        Raises:
            DeclarationError: One is no dimension.
        """
        columns = [each.name for each in cls.read_dimensions()]
        known = {**dict(zip(named(cls.dimensions), columns, strict=True)), **{name: name for name in columns}}
        if unknown := [name for name in named(cls.share_within) if name not in known]:
            there = f"(there are: {listed(columns)}).{near(unknown[0], columns)}"
            raise DeclarationError(f"share_within: There is no dimension {listed(map(repr, unknown))} {there}")
        return tuple(known[name] for name in named(cls.share_within))
