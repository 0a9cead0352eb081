"""Which of the statements that a database has run repeat their subqueries, and what one scan would save."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from reports.management.repeated.estimates import TIMEOUT, NoEstimate, estimate
from reports.management.repeated.statement_statistics import Counted
from reports.rewrite import statements
from reports.rewrite.advice.advising import advised
from reports.rewrite.rewriting import Finding, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.sending.measuring import Questions

_QUERY = re.compile(r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Costs:
    """The planner's costs before and after, in units of one page read in sequence."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Repeated:
    """A statement in which something was found.

    ``strategy`` and ``rewritten`` are the cheapest candidate, None where there is none. ``costs`` is None where the
    planner was not asked, or refused, which ``no_costs`` then says.
    """

    counted: Counted
    findings: tuple[Finding, ...]
    refusals: tuple[Refusal, ...] = ()
    strategy: Strategy | None = None
    rewritten: str | None = None
    costs: Costs | None = None
    no_costs: str | None = None
    is_limited: bool = False

    @property
    def share(self) -> float:
        """The part of its time that could be saved, from 0 to 1: by the costs, else by the scans that would be left."""
        if self.rewritten is None:
            return 0.0
        if self.costs is not None:
            return max(1 - self.costs.after / self.costs.before, 0.0) if self.costs.before else 0.0
        folded = [finding.count for finding in self.findings if finding.reason is None]
        return 1 - len(folded) / sum(folded) if sum(folded) else 0.0

    @property
    def saved(self) -> float:
        """The milliseconds of its time that could be saved."""
        return self.counted.milliseconds * self.share


@dataclass(slots=True)
class Search:
    """What was looked at. ``read`` counts the statements, ``unreadable`` those cut off or otherwise no SQL."""

    found: list[Repeated] = field(default_factory=list)
    read: int = 0
    unreadable: int = 0


def find_repeated(
    connection: Any, counted: Iterable[Counted], *, min_calls: int = 1, with_costs: bool = True
) -> Search:
    """Return the statements in which something was found, that one first which could save the most time.

    Those that cannot be rewritten come last, the longest time first. With costs the planner is asked for a generic
    plan of each statement and its candidates. No statement is run.
    """
    search = Search()
    for each in counted:
        if each.calls < min_calls or not _QUERY.match(each.text):
            continue
        search.read += 1
        rewriting = statements.rewrite(each.text)
        if any(refusal.reason == Reason.UNREADABLE for refusal in rewriting.refusals):
            search.unreadable += 1
        elif rewriting.findings:
            search.found.append(_repeated(connection if with_costs else None, each, rewriting))
    search.found.sort(key=lambda found: (found.rewritten is None, -found.saved, -found.counted.milliseconds))
    return search


def _repeated(connection: Any, counted: Counted, rewriting: Rewriting) -> Repeated:
    """Return what was found; ``connection`` is None where no costs are asked for."""
    findings = advised(rewriting)
    if connection is not None:
        rewriting = _with_equal_keys(connection, rewriting)
    if not rewriting.candidates:
        return Repeated(counted, findings, rewriting.refusals)
    strategy, costs, no_costs = next(iter(rewriting.candidates)), None, None
    if connection is not None:
        try:
            before = estimate(connection, rewriting.original).cost
            after, strategy = min(_costs(connection, rewriting), key=lambda cost: cost[0])
            costs = Costs(before, after)
        except NoEstimate as error:
            no_costs = str(error)
    return Repeated(
        counted,
        findings,
        rewriting.refusals,
        strategy,
        rewriting.candidates[strategy],
        costs,
        no_costs,
        rewriting.is_limited,
    )


def _with_equal_keys(connection: Any, rewriting: Rewriting) -> Rewriting:
    """Return it without the candidates that group by a column of another type than the one that it is compared with."""
    if not rewriting.keys:
        return rewriting
    try:
        with connection.create_cursor() as cursor:
            if Questions(connection, cursor, None, TIMEOUT / 1000).same_types(rewriting.keys):
                return rewriting
    except psycopg.Error:  # it takes too long: the costs will say so
        return rewriting
    refusal = Refusal(Reason.KEY_TYPES, rewriting.original)
    others = {strategy: text for strategy, text in rewriting.candidates.items() if not strategy.is_grouped}
    return replace(rewriting, candidates=others, refusals=(*rewriting.refusals, refusal))


def _costs(connection: Any, rewriting: Rewriting) -> Iterator[tuple[float, Strategy]]:
    for strategy, text in rewriting.candidates.items():
        yield estimate(connection, text).cost, strategy
