"""Joins that multiply one another: which tables hang on which, and which aggregates count rows several times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.folding.aggregates import own_aggregates
from reports.rewrite.folding.shapes import Key, read_key
from reports.rewrite.folding.unique_columns import is_unique
from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Call, qualifiers
from reports.rewrite.sql.joined import Source, read_sources
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span, Text


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A table of FROM and the one that it hangs on. ``key`` is what joins them: its own column, then the other's.

    ``is_many`` says that one row of the other may have several of these; ``rest`` is what ON asks beside the key.
    """

    source: Source
    above: Joined | None
    key: Key | None
    rest: tuple[Span, ...]
    is_many: bool

    def path(self) -> Iterator[Joined]:
        """Yield this one and all that it hangs on."""
        at: Joined | None = self
        while at is not None:
            yield at
            at = at.above

    @property
    def branch(self) -> Joined | None:
        """The join by which it leaves the outer row, to several rows; None where there is one row for each."""
        many = [each for each in self.path() if each.is_many]
        return many[-1] if many else None


@dataclass(frozen=True, slots=True, eq=False)
class Multiplied:
    """Aggregates of one SELECT over several branches. ``wrong`` has those whose values are multiplied."""

    select: Select
    joined: dict[str, Joined]
    aggregates: tuple[Call, ...]
    wrong: tuple[Call, ...]

    @property
    def branches(self) -> list[Joined]:
        """The first join of each branch, in the order of FROM; of a single branch all its joins to several rows."""
        first = [each for each in self.joined.values() if each.branch is each]
        return first if len(first) > 1 else [each for each in self.joined.values() if each.is_many]

    def alias(self, call: Call) -> str | None:
        """Return the one table that an aggregate reads; None for several, and for a count of rows."""
        names = {name for _, name in qualifiers(self.select.text, call.span)}
        return names.pop() if len(names) == 1 else None


def read_multiplied(select: Select) -> Multiplied | None:
    """Return a SELECT's aggregates over joins that multiply one another; None where none do.

    Raises:
        Refused: Its FROM, or what it reads, is not understood.
    """
    text = select.text
    if Clause.FROM not in select.clauses:
        return None
    joined = _joined(text, read_sources(text, select.clauses[Clause.FROM]))
    many = [each for each in joined.values() if each.is_many]
    if len(many) < 2:
        return None
    aggregates = tuple(own_aggregates(select))
    found = Multiplied(select, joined, aggregates, ())
    read = {each.branch for call in aggregates if (each := joined.get(found.alias(call) or ""))}
    if not aggregates or not {each for each in read if each is not None}:
        return None
    wrong = tuple(call for call in aggregates if _is_wrong(found, call, many))
    if len({each.branch for each in many}) < 2:  # one aggregate of joined rows is no mistake, two tables' are
        away = {call: joined.get(found.alias(call) or "") for call in aggregates}
        read_many = {each for each in away.values() if each in many}
        wrong = tuple(call for call in wrong if away[call] in many)
        if len(read_many) < 2 or not wrong:
            return None
    return Multiplied(select, joined, aggregates, wrong)


def _joined(text: Text, sources: list[Source]) -> dict[str, Joined]:
    joined: dict[str, Joined] = {}
    for source in sources:
        key, rest = None, []
        for conjunct in text.conjuncts(source.on) if source.on else []:
            found = None if key else read_key(text, conjunct, {source.alias}, joined)
            key = key or found
            rest += [] if found else [conjunct]
        above = joined[text.name(key.outer.start)] if key else None
        is_many = (
            key is not None and source.table is not None and not is_unique(source.table, text.name(key.inner.end - 1))
        )
        joined[source.alias] = Joined(source, above, key, tuple(rest), is_many)
    return joined


def is_distinct(text: Text, call: Call) -> bool:
    """Return whether an aggregate takes each value once."""
    return text.kind(call.arguments.start) == TokenType.DISTINCT


def _is_wrong(found: Multiplied, call: Call, many: list[Joined]) -> bool:
    """Return whether rows of another branch, or of one further down its own, come into an aggregate several times."""
    if call.name in functions.UNMULTIPLIED or is_distinct(found.select.text, call):
        return False
    alias = found.alias(call)
    if alias is None or alias not in found.joined:
        return True
    own = list(found.joined[alias].path())
    return any(each not in own for each in many)
