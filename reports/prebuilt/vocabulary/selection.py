"""The metrics and dimensions of one run: those that the class lists, of which a request may ask for some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from reports.errors import DeclarationError, listed, near
from reports.prebuilt.vocabulary.dimensions import Dimension
from reports.prebuilt.vocabulary.metrics import Metric, Ratio
from reports.prebuilt.vocabulary.numbers import NUMBERS, quotient_type


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a report's rows: a metric, or the ratio of two. One that is not asked for is NULL."""

    name: str
    type: str
    metrics: tuple[Metric, ...]
    is_asked: bool = True

    @property
    def is_ratio(self) -> bool:
        """True when it divides the first of its metrics by the second."""
        return len(self.metrics) > 1

    @property
    def is_number(self) -> bool:
        """True when it can be subtracted and divided."""
        return self.type in NUMBERS

    @property
    def type_of_ratio(self) -> str:
        """The type of what it is when it is divided: that of whole numbers is no whole number."""
        return "numeric" if self.type == "bigint" else self.type


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one run: ``outputs`` are the report's columns, ``needed`` what is aggregated for them."""

    outputs: tuple[Output, ...]

    def __iter__(self) -> Iterator[Output]:
        return iter(self.outputs)

    @property
    def needed(self) -> tuple[Metric, ...]:
        """The metrics to aggregate, each once."""
        return tuple(
            {each.name: each for output in self.outputs if output.is_asked for each in output.metrics}.values()
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the columns that the facts give."""
        return tuple(part.name for metric in self.needed for part in metric.parts)

    def renamed(self, pattern: str) -> Metrics:
        """Return the same with other names for the columns: ``"{}_before"``."""
        return Metrics(tuple(replace(output, name=pattern.format(output.name)) for output in self.outputs))


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The dimensions of one run: all that the class lists, and those asked for."""

    every: tuple[Dimension, ...]
    names: frozenset[str]

    def __iter__(self) -> Iterator[Dimension]:
        """Yield those asked for."""
        return iter(each for each in self.every if each.name in self.names)

    def __len__(self) -> int:
        return sum(each.name in self.names for each in self.every)


def read_outputs(given: Mapping[str, object], metrics: tuple[Metric, ...]) -> tuple[Output, ...]:
    """Return the columns that a class's ``metrics`` come to.

    Raises:
        DeclarationError: A ratio is not of two metrics that are numbers. Without the class's name.
    """
    known = {metric.name: metric for metric in metrics}
    return tuple(
        _ratio(name, value, known) if isinstance(value, Ratio) else Output(name, known[name].type, (known[name],))
        for name, value in given.items()
    )


def _ratio(name: str, ratio: Ratio, known: Mapping[str, Metric]) -> Output:
    for part in (ratio.of, ratio.to):
        if part not in known:
            there = f"which is no metric (there are: {listed(known)}).{near(part, known)}"
            raise DeclarationError(f"ratio {name!r} is of {part!r}, {there}")
        if known[part].type not in NUMBERS:
            raise DeclarationError(f"ratio {name!r} is of {part!r}, which is a {known[part].type} and no number.")
    pair = known[ratio.of], known[ratio.to]
    return Output(name, quotient_type(*(metric.type for metric in pair)), pair)
