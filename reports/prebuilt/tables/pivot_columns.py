"""The columns that a pivot has for values: their names, labels, and what is counted in each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from itertools import count
from types import NoneType
from typing import Any

from django.utils import timezone
from django.utils.text import format_lazy

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.selection import Output

# PostgreSQL cuts longer names, in bytes.
_LONGEST = 63
# Django means something else by these.
_TAKEN = ("pk", "from_db")
# A bool has no greatest value in PostgreSQL; JSON has none either.
_PICKS = {"boolean": "bool_or"}
_WITHOUT = ("json", "jsonb")


@dataclass(frozen=True, slots=True)
class Heading:
    """What columns are for: a value, at its place from 1 on; what is none of the values; or everything.

    ``words`` follow a metric's name, ``alone`` is the name of a single metric's column.
    """

    words: str
    alone: str
    label: Any = None
    place: int | None = None
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of a pivot. ``output`` is the metric under the column's name; ``empty`` its value over no row."""

    heading: Heading
    metric: str
    output: Output
    label: Any

    @property
    def empty(self) -> Any:
        """What stands in a cell without rows: 0 for a count, else None."""
        return None if self.output.is_ratio else self.output.metrics[0].empty

    def column(self, metric: Column) -> Column:
        """Return the column of the report, given that of the metric."""
        return replace(metric, name=self.output.name, label=self.label)


def make_headings(values: Iterable[tuple[Any, Any]], across: str, *, other: bool, total: bool) -> tuple[Heading, ...]:
    """Return the headings of values and their labels, in their order.

    Args:
        across: What stands before a number or a date where no metric's name does.
    """
    found = []
    for place, (value, label) in enumerate(values, start=1):
        words = _words(value)
        is_bare = not isinstance(value, (str, bool, NoneType)) or words[0].isdigit()
        found.append(Heading(words, f"{across}_{words}" if is_bare else words, label, place))
    if other:
        found.append(Heading("other", "other"))
    if total:
        found.append(Heading("total", "total", is_total=True))
    return tuple(found)


def make_cells(headings: Iterable[Heading], outputs: Sequence[Output], taken: Iterable[Column]) -> tuple[Cell, ...]:
    """Return the columns of headings: for each, one for every metric.

    They are called after the value, or where there are several metrics ``metric_value``: letters, digits and single
    underscores. Where two would be called the same, or like a column taken, the later one gets a number.
    """
    names = {*_TAKEN, *(name for column in taken for name in (column.name, column.name.removesuffix("_id")))}
    return tuple(_cells(headings, outputs, names))


def _cells(headings: Iterable[Heading], outputs: Sequence[Output], names: set[str]) -> Iterator[Cell]:
    is_one = len(outputs) == 1
    for heading in headings:
        for output in outputs:
            name = _unique(heading.alone if is_one else f"{output.name}_{heading.words}", names)
            names.add(name)
            label = heading.label
            if label is not None and not is_one:
                label = format_lazy("{}: {}", label, output.name)
            metrics = tuple(map(_picked, output.metrics))
            yield Cell(heading, output.name, replace(output, name=name, metrics=metrics), label)


def check_picks(metrics: Iterable[Metric], *, total: bool) -> None:
    """Refuse metrics of which a pivot cannot be made.

    Raises:
        DeclarationError: Names the metric. Without the class's name.
    """
    for metric in metrics:
        if metric.merge is None and total:
            raise DeclarationError(
                f"metric {metric.name!r} has no total of its values, as a count of distinct ones has none; set"
                " total = False."
            )
        if metric.merge is None and metric.type in _WITHOUT:
            raise DeclarationError(f"metric {metric.name!r} is a {metric.type}, which cannot stand in a pivot's cells.")


def _picked(metric: Metric) -> Metric:
    """Return a metric that can be aggregated where each cell is made of one group of the facts."""
    return metric if metric.merge else replace(metric, merge=_PICKS.get(metric.type, "max"))  # type: ignore[arg-type]


def shown(value: Any) -> Any:
    """Return a value as a heading shows it: an instant as a local time, and one at midnight as a date."""
    if not isinstance(value, datetime):
        return value
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return local.date() if local.time() == time() else local.replace(tzinfo=None)


def _words(value: Any) -> str:
    """Return what a value is called in a column's name."""
    if value is None:
        return "null"
    if value == "":
        return "empty"
    value = shown(value)
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    sign = "minus " if isinstance(value, (int, float, Decimal)) and text.startswith("-") else ""
    return _plain(sign + text).lower() or "value"


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text).strip("_")


def _unique(words: str, names: set[str]) -> str:
    """Return a name made of words, no longer than PostgreSQL allows, that is none of those taken."""
    plain = _plain(words)
    endings = ("" if number == 1 else f"_{number}" for number in count(1))
    return next(name for ending in endings if (name := _cut(plain, _LONGEST - len(ending)) + ending) not in names)


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip("_")
