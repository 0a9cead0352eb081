"""What is found in one statement, and how else it can be written: plain data, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reports.errors import listed, near


class Strategy(StrEnum):
    """How a statement is sent."""

    ORIGINAL = "original"
    """As it was written."""
    GROUPED = "grouped"
    """One CTE, grouped by the correlation's columns, joined once; PostgreSQL may inline it."""
    MATERIALIZED = "materialized"
    """The same CTE, MATERIALIZED."""
    LATERAL = "lateral"
    """One LATERAL sub-select for each outer row."""
    PAGED = "paged"
    """The page is cut first; then one LATERAL sub-select for each of its rows."""

    @property
    def is_grouped(self) -> bool:
        """Whether groups are joined, by columns that must be of one type; the others ask for each outer row."""
        return self in (Strategy.GROUPED, Strategy.MATERIALIZED)


def check_strategy(strategy: Strategy | str | None) -> Strategy | None:
    """Return the strategy, None for the choice of one.

    Raises:
        ValueError: There is no such strategy.
    """
    if strategy is None or strategy in tuple(Strategy):
        return None if strategy is None else Strategy(strategy)
    names = list(map(str, Strategy))
    hint = near(str(strategy), names)
    raise ValueError(f"strategy is {strategy!r}; it must be None or one of: {listed(names)}.{hint}")


class Kind(StrEnum):
    """What is wrong with a statement."""

    SHARED = "shared scan"
    """Correlated scalar subqueries read the same rows, each by a scan of its own."""
    REPEATED = "repeated"
    """A subquery is written more than once, letter by letter, and run each time."""
    MULTIPLIED = "multiplied"
    """Aggregates over two or more to-many joins under one GROUP BY: their rows multiply one another."""


class Reason(StrEnum):
    """Why a subquery, or a statement, stays as it is."""

    UNREADABLE = "the statement cannot be read"
    REPORT = "it reads a report, whose SQL is its author's"
    LOCKS = "it locks rows"
    OUTER_FROM = "the outer FROM has a comma or nothing in it"
    OUTER_GROUPING = "the outer GROUP BY holds a subquery or grouping sets"
    DISTINCT_ON = "the outer SELECT has DISTINCT ON"
    UNNAMED = "a column of the outer SELECT has no name"
    UNION_ARM = "it stands in an arm of a union without parentheses"
    INNER_FROM = "the subquery reads something other than tables joined"
    UNQUALIFIED = "a column is written without its table"
    NOT_CORRELATED = "the subquery does not depend on the outer row"
    CORRELATION = "the correlation is no equality of two columns"
    SEVERAL_ROWS = "the subquery may give more than one row"
    WINDOW = "the subquery has a window function"
    UNKNOWN_FUNCTION = "the subquery calls a function that is not known to be stable"
    UNORDERED = "an aggregate depends on the order of its rows, which is not said"
    KEY_TYPES = "the types of the correlation's columns differ"
    DIFFERENT_RESULT = "its multiplied rows make the result wrong: another statement would give other rows"
    BRANCHES = "the joins are no branches that hang on the grouped columns by equality"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A subquery that stays as it is. ``text`` is its SQL, with numbered parameters; ``detail`` what was met."""

    reason: Reason
    text: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that one scan could answer, or that is wrong.

    ``tables`` are those that are read more than once; ``count`` is how many subqueries (or multiplied joins) there are;
    ``is_wrong`` says that the result has multiplied values in it. ``reason`` is why it is not rewritten, None when it
    is; ``advice`` is the ORM's own line where that suffices; ``line`` is where Python sent it, ``file.py:12``;
    ``costs`` are the planner's for the whole statement, as it is and at best, where they were asked for.
    """

    kind: Kind
    tables: tuple[str, ...]
    count: int
    subqueries: tuple[str, ...] = ()
    is_wrong: bool = False
    reason: str | None = None
    advice: str | None = None
    line: str | None = None
    costs: tuple[float, float | None] | None = None

    def __str__(self) -> str:
        what = "joins" if self.kind == Kind.MULTIPLIED else "subqueries"
        wrong = ": the result is wrong" if self.is_wrong else ""
        text = f"{self.kind}: {self.count} {what} over {', '.join(self.tables)}{wrong}."
        if self.line:
            text = f"{self.line}: {text}"
        if self.costs:
            before, after = self.costs
            text += f" Estimated cost {before:,.0f}{'' if after is None else f' → {after:,.0f}'}."
        if self.reason and not self.is_wrong:
            text += f" Not rewritten: {self.reason}."
        if self.advice:
            return f"{text} Instead:\n{self.advice}"
        return text if self.reason else f"{text} consolidate() sends it as one scan of each."


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Two columns that a join compares: joined as groups only when PostgreSQL gives both one type and collation.

    Each is a SELECT of that column alone, to be described: ``SELECT U0."department_id" FROM "tickets" U0``. A join in
    it may hold parameters, of the statement's numbers.
    """

    inner: str
    outer: str


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A statement and the others that give the same rows, all with numbered parameters (``$1``) of one numbering.

    ``candidates`` are without the original; ``may_raise`` says that an expression which was moved can fail in
    PostgreSQL (overflow, division, a cast), ``is_limited`` that the statement ends after some rows, ``keys`` what must
    be compared before a grouped candidate is sent.
    """

    original: str
    findings: tuple[Finding, ...] = ()
    candidates: Mapping[Strategy, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    keys: tuple[KeyPair, ...] = ()
    may_raise: bool = False
    is_limited: bool = False
