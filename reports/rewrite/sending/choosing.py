"""Which of the ways to write a statement is sent: by the planner's cost, and where costs are near, by one timing each.

Cost alone is wrong on the commonest page, ``ORDER BY name LIMIT 20``, where the cheapest can be several times slower.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from reports.rewrite.rewriting import Reason, Rewriting, Strategy
from reports.rewrite.sending.decisions import Decision, Kept, pattern
from reports.rewrite.sending.measuring import Questions, is_answer
from reports.rewrite.sql.numbered import Sendable, Unreadable, numbered, sendable
from reports.rewrite.statements import rewrite

log = logging.getLogger("reports.rewrite")

# Costs within this factor of the least are no reason to choose: the statements are timed.
NEAR = 10
# A rewriting that takes more of the original's time than this is not worth another text.
WORTH = 0.9
# A statement may take this many times the best before it is stopped, and never less than some seconds.
_PATIENCE, _LEAST = 3, 0.05
# Milliseconds: statements that take less than this all together are timed more than once.
_SHORT = 250
# What is sent for a strategy that a statement does not have.
_ELSE = {
    Strategy.MATERIALIZED: (Strategy.MATERIALIZED, Strategy.GROUPED, Strategy.LATERAL),
    Strategy.PAGED: (Strategy.PAGED, Strategy.LATERAL),
}
_LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to send a statement, the original among them; ``reason`` why there is no other."""

    statements: Mapping[Strategy, Sendable]
    reason: str = ""
    may_raise: bool = False
    is_limited: bool = False

    def decision(self, strategy: Strategy, reason: str = "") -> Decision:
        """Return the decision for one of them."""
        if strategy is Strategy.ORIGINAL:
            return Decision(reason=reason or self.reason, is_limited=self.is_limited)
        return Decision(self.statements[strategy], "", self.may_raise, strategy, is_limited=self.is_limited)

    def in_shadow(self) -> Decision:
        """Return the decision that sends the original and keeps the others for comparing."""
        others = dict(self.statements)
        del others[Strategy.ORIGINAL]
        return Decision(reason=self.reason or Kept.SHADOW, candidates=others, is_limited=self.is_limited)


def ways_of(sql: str, params: Sequence[Any] | None, questions: Questions) -> Ways:
    """Return the ways to send a statement that give the same rows.

    Raises:
        psycopg.Error: PostgreSQL could not be asked.
    """
    same = pattern(params)
    try:
        text = numbered(sql, None if params is None else len(params))
    except Unreadable:
        return _only(sql, Reason.UNREADABLE)
    if _LOCKS.search(text):
        return _only(sql, Reason.LOCKS)
    rewriting = rewrite(text, same=same)
    candidates = dict(rewriting.candidates)
    if not candidates:
        return _only(sql, rewriting.refusals[0].reason if rewriting.refusals else Kept.NOTHING)
    has_groups = bool(rewriting.keys) and any(strategy.is_grouped for strategy in candidates)
    if has_groups and not questions.same_types(rewriting.keys):
        candidates = {strategy: text for strategy, text in candidates.items() if not strategy.is_grouped}
        if not candidates:
            return _only(sql, Reason.KEY_TYPES)
    return _with(sql, candidates, rewriting, params)


def _only(sql: str, reason: str) -> Ways:
    return Ways({Strategy.ORIGINAL: Sendable(sql, ())}, reason)


def _with(sql: str, candidates: Mapping[Strategy, str], rewriting: Rewriting, params: Sequence[Any] | None) -> Ways:
    statements = {Strategy.ORIGINAL: Sendable(sql, tuple(range(len(params or ()))))}
    for strategy, text in candidates.items():
        statements[strategy] = sendable(text, percent=params is not None)
    return Ways(statements, "", rewriting.may_raise, rewriting.is_limited)


def choose(ways: Ways, questions: Questions, strategy: Strategy | None) -> Decision:
    """Return how a statement is sent; with a ``strategy``, by that one where it can be, unmeasured.

    Raises:
        psycopg.Error: PostgreSQL refuses the original, or could not be asked.
    """
    if len(ways.statements) == 1:
        return ways.decision(Strategy.ORIGINAL)
    if strategy is not None:
        return _forced(ways, questions, strategy)
    original = questions.cost(ways.statements[Strategy.ORIGINAL])
    costs = {**_costs(ways, questions), Strategy.ORIGINAL: original}
    near = {way for way, cost in costs.items() if cost <= NEAR * min(costs.values())}
    if len(costs) == 1:
        return ways.decision(Strategy.ORIGINAL, Kept.REFUSED)
    if ways.is_limited:
        near.add(Strategy.ORIGINAL)
    if len(near) == 1:
        return ways.decision(near.pop(), Kept.FASTER)
    times, failed = _times(ways, [way for way in costs if way in near], questions)
    times = _again(ways, times, questions)
    return _fastest(ways, {way: cost for way, cost in costs.items() if way not in failed}, times)


def _forced(ways: Ways, questions: Questions, strategy: Strategy) -> Decision:
    if strategy is Strategy.ORIGINAL:
        return ways.decision(strategy, Kept.ASKED)
    # A plan is asked for all the same: it tells whether PostgreSQL takes the text.
    way = next((way for way in _ELSE.get(strategy, (strategy,)) if way in ways.statements), None)
    if way is None:
        return ways.decision(Strategy.ORIGINAL, Kept.ABSENT)
    if _cost(ways, way, questions) is not None:
        return ways.decision(way)
    return ways.decision(Strategy.ORIGINAL, Kept.REFUSED)


def cheapest(ways: Ways, questions: Questions) -> Strategy | None:
    """Return the rewriting of the least cost; None where PostgreSQL takes none, or there is none.

    Raises:
        psycopg.Error: PostgreSQL could not be asked.
    """
    return next(iter(_costs(ways, questions)), None)


def _costs(ways: Ways, questions: Questions) -> dict[Strategy, float]:
    """Return the planner's costs of the rewritings that PostgreSQL takes, the cheapest first."""
    asked = {way: _cost(ways, way, questions) for way in ways.statements if way is not Strategy.ORIGINAL}
    costs = {way: cost for way, cost in asked.items() if cost is not None}
    return dict(sorted(costs.items(), key=lambda item: item[1]))


def _cost(ways: Ways, way: Strategy, questions: Questions) -> float | None:
    try:
        return questions.cost(ways.statements[way])
    except psycopg.Error as error:
        if not is_answer(error):
            raise
        log.warning("PostgreSQL refuses a rewriting (%s, %s): %s", way, error.sqlstate, ways.statements[way].sql)
        return None


def _times(
    ways: Ways, strategies: Sequence[Strategy], questions: Questions
) -> tuple[dict[Strategy, float], set[Strategy]]:
    """Return the milliseconds of those that ended in time, each having an equal part of what is left; and who failed.

    The original comes last, so that a cold cache never speaks for a rewriting. The first is therefore timed twice.
    """
    times: dict[Strategy, float] = {}
    failed: set[Strategy] = set()
    asked = [*strategies, strategies[0]]
    for place, way in enumerate(asked):
        if way in failed:
            continue
        seconds = questions.seconds / (len(asked) - place)
        if times:
            seconds = min(seconds, max(_PATIENCE * min(times.values()) / 1000, _LEAST))
        if seconds < 0.001:
            break
        try:
            taken = questions.milliseconds(ways.statements[way], seconds)
        except psycopg.Error as error:
            if way is Strategy.ORIGINAL or not is_answer(error):
                raise
            log.warning("a rewriting fails (%s, %s): %s", way, error.sqlstate, ways.statements[way].sql)
            failed.add(way)
            continue
        if taken is not None:
            times[way] = min(taken, times.get(way, taken))
    return {way: taken for way, taken in times.items() if way not in failed}, failed


def _again(ways: Ways, times: dict[Strategy, float], questions: Questions) -> dict[Strategy, float]:
    """Return the times of short statements, the best of three: one is little more than noise."""
    for _ in range(2):
        if sum(times.values()) > _SHORT:
            break
        for way, taken in times.items():
            with suppress(psycopg.DataError):  # it ran once, and so it may on the next request
                again = questions.milliseconds(ways.statements[way], max(_PATIENCE * taken / 1000, _LEAST))
                times[way] = taken if again is None else min(taken, again)
    return times


def _fastest(ways: Ways, costs: Mapping[Strategy, float], times: Mapping[Strategy, float]) -> Decision:
    """Return the decision by times where there are any, else by costs; a statement with a LIMIT needs times."""
    if not times:
        if ways.is_limited:
            return ways.decision(Strategy.ORIGINAL, Kept.UNMEASURED)
        return ways.decision(min(costs, key=lambda way: costs[way]), Kept.FASTER)
    original = times.get(Strategy.ORIGINAL)
    least = min(times.values())
    # Of those that take about the same, the one that the planner likes best: it will on other values too.
    best = min((way for way in times if times[way] <= least / WORTH), key=lambda way: costs[way])
    if original is not None and times[best] > WORTH * original:
        best = Strategy.ORIGINAL
    return ways.decision(best, Kept.FASTER)
