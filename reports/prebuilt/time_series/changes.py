"""The columns of a metric that is compared with what it was before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reports.header import Column
from reports.prebuilt.vocabulary.selection import Output


def compared_columns(columns: Iterable[Column], outputs: Iterable[Output]) -> Iterator[Column]:
    """Yield each column of a metric, what it was before, and of numbers the difference and the change.

    ``<metric>_change`` is the difference divided by the size of what was before: 0.5 for half as much again, NULL to 0.
    """
    for column, output in zip(columns, outputs, strict=True):
        yield column
        yield replace(column, name=f"{column.name}_before")
        if output.is_number:
            yield replace(column, name=f"{column.name}_delta")
            yield Column(f"{column.name}_change", output.type_of_ratio, null=True)
