"""The levels of a table with subtotals: by which of its dimensions each is grouped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import models

from reports.errors import DeclarationError, listed, near
from reports.prebuilt.vocabulary.attributes import is_list

# What grouping by nothing is called.
_ALL = "total"


class Levels(models.TextChoices):
    """Which levels there are: ``ROLLUP`` drops the last dimension, then the last two, and so on; ``CUBE`` drops any."""

    ROLLUP = "rollup"
    CUBE = "cube"


@dataclass(frozen=True, slots=True)
class Level:
    """A grouping by some of the dimensions."""

    label: str
    names: tuple[str, ...]

    @property
    def depth(self) -> int:
        """How many dimensions it is grouped by: 0 for the grand total."""
        return len(self.names)

    def missing(self, bits: Mapping[str, int]) -> int:
        """Return what PostgreSQL's grouping() gives for it: the bits of the dimensions that it totals over."""
        return sum(bit for name, bit in bits.items() if name not in self.names)


def several_levels(value: Any) -> str | None:
    """One of Levels, or a list of lists of dimensions, perhaps by label."""
    if isinstance(value, str) and value in Levels.values:
        return None
    lists = list(value.values()) if isinstance(value, Mapping) else value
    are_labelled = not isinstance(value, Mapping) or all(isinstance(label, str) and label for label in value)
    if lists and is_list(lists) and are_labelled and all(map(_is_list_of_names, lists)):
        return None
    return f"{' or '.join(Levels.values)}, or a list of lists of dimensions, or a dict of such lists by label"


def read_levels(given: Any, every: Sequence[str], asked: Sequence[str]) -> tuple[Level, ...]:
    """Return the levels of a run, the finest first.

    Args:
        given: The attribute.
        every: The dimensions of the class, which lists of levels may name.
        asked: Those of the run, in order. A level that needs another one is left out.

    Raises:
        DeclarationError: A list names what is no dimension, or two lists are of the same. Without the class's name.
    """
    labelled = list(_labelled(given, every, asked))
    groups = [frozenset(names) for _, names in labelled]
    if twice := [label for (label, names), group in zip(labelled, groups, strict=True) if groups.count(group) > 1]:
        raise DeclarationError(f"levels has one level twice: {listed(twice)}.")
    found = [Level(label, tuple(names)) for label, names in labelled if set(names) <= set(asked)]
    return tuple(sorted(found, key=lambda level: -level.depth))


def count_levels(given: Any, dimensions: int) -> int:
    """Return how many levels so many dimensions have."""
    if given in Levels.values:
        return dimensions + 1 if given == Levels.ROLLUP else 2**dimensions
    return len(given)


def _labelled(given: Any, every: Sequence[str], asked: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    if given in Levels.values:
        for names in _regular(Levels(given), asked):
            yield _words(names), names
        return
    labels, lists = (list(given), given.values()) if isinstance(given, Mapping) else ([None] * len(given), given)
    for label, names in zip(labels, lists, strict=True):
        if unknown := [name for name in names if name not in every]:
            there = f"which is no dimension (there are: {listed(every)}).{near(unknown[0], every)}"
            raise DeclarationError(f"levels names {unknown[0]!r}, {there}")
        yield label or _words([name for name in every if name in names]), names


def _regular(levels: Levels, asked: Sequence[str]) -> Iterator[Sequence[str]]:
    for size in range(len(asked), -1, -1):
        if levels is Levels.ROLLUP:
            yield asked[:size]
        else:
            yield from combinations(asked, size)


def _words(names: Sequence[str]) -> str:
    return ", ".join(names) or _ALL


def _is_list_of_names(value: Any) -> bool:
    return is_list(value) and all(isinstance(name, str) for name in value)
