"""A statement, and the others that give the same rows with fewer scans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.folding.branches import finding, separate
from reports.rewrite.folding.fold import Folded, check_outer, fold
from reports.rewrite.folding.groups import Group, read_groups
from reports.rewrite.folding.joins import Multiplied, read_multiplied
from reports.rewrite.folding.shapes import scalars
from reports.rewrite.rewriting import Finding, KeyPair, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.sql.expressions import Refused
from reports.rewrite.sql.numbered import Unreadable
from reports.rewrite.sql.risks import Risk
from reports.rewrite.sql.selects import Clause, Select, read_selects
from reports.rewrite.sql.text import Span, Text

# A fold within a fold, and so on: each pass takes one SELECT. Django nests few.
_MOST_PASSES = 12
# Lists of thousands of keys: a statement of 77 000 characters with 800 subqueries took half a minute to read.
LONGEST = 50_000
# Where nothing is grouped, or no page is cut, several give one text: it is called by the first of these.
_STRATEGIES = (Strategy.LATERAL, Strategy.GROUPED, Strategy.MATERIALIZED, Strategy.PAGED)


def rewrite(text: str, *, same: Sequence[int] | None = None, findings_only: bool = False) -> Rewriting:
    """Return what is found in a statement, and how else it can be written.

    Args:
        text: With numbered parameters. What is no query of PostgreSQL's has one refusal and no candidate.
        same: For each parameter, the place of the first one with an equal value, from 0 on; None: all values differ.
        findings_only: Without candidates, which take most of the time.
    """
    if len(text) > LONGEST:
        return Rewriting(text, refusals=(Refusal(Reason.UNREADABLE, text, f"it has more than {LONGEST:,} characters"),))
    try:
        return _rewriting(text, same, findings_only)
    except Unreadable as error:
        why = str(error)
    except (LookupError, RecursionError):  # tokens are missing, as in FROM without a table
        why = "it is no SQL, or nested too deeply"
    return Rewriting(text, refusals=(Refusal(Reason.UNREADABLE, text, why),))


def _rewriting(text: str, same: Sequence[int] | None, findings_only: bool) -> Rewriting:
    roots = read_selects(Text.of(text, same))
    read = [(select, _read(select)) for root in roots for select in root.walk()]
    found = [each for _, each in read]
    findings = [one for each in found for one in (*each.findings, *(group.finding() for group in each.groups))]
    refusals = [refusal for each in found for refusal in each.refusals]
    if findings_only or not any(each.groups or each.multiplied for each in found):
        return Rewriting(text, tuple(findings), refusals=tuple(refusals))
    folded = {strategy: _folded(read, same, strategy) for strategy in _STRATEGIES}
    different: dict[str, Strategy] = {}
    for strategy in _STRATEGIES:
        different.setdefault(folded[strategy].text, strategy)
    candidates = {strategy: folded[strategy].text for strategy in Strategy if strategy in different.values()}
    return Rewriting(
        text,
        tuple(findings),
        candidates,
        tuple(refusals),
        folded[Strategy.GROUPED].keys,
        may_raise=max(each.risk for each in folded.values()) > Risk.NONE,
        is_limited=any(_is_limited(root) for root in roots),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What one SELECT holds: ``groups`` and ``multiplied`` only where they can be folded."""

    groups: Sequence[Group] = ()
    multiplied: Multiplied | None = None
    findings: Sequence[Finding] = ()
    refusals: Sequence[Refusal] = ()

    def fold(self, select: Select, strategy: Strategy) -> Folded | None:
        """Return the statement with this SELECT folded, None where nothing can be."""
        if self.multiplied is not None:
            return separate(self.multiplied, strategy)
        return fold(select, self.groups, strategy) if self.groups else None


def _read(select: Select) -> _Found:
    found = _read_joins(select)
    if found.multiplied is not None or len(list(scalars(select))) < 2:
        return found
    groups: Sequence[Group] = ()
    more: Sequence[Finding] = ()
    refusals: Sequence[Refusal] = ()
    try:
        check_outer(select)
        groups, more, refusals = read_groups(select)
        if groups:
            fold(select, groups, Strategy.LATERAL)
    except Refused as error:
        refusals = (_refusal(select, error), *refusals)
        more = (*more, *(group.finding(error) for group in groups or _groups_of(select)))
        groups = ()
    return _Found(groups, None, (*found.findings, *more), (*found.refusals, *refusals))


def _groups_of(select: Select) -> Sequence[Group]:
    """Return the groups of a SELECT that cannot be folded itself."""
    try:
        return read_groups(select)[0]
    except (Refused, KeyError):
        return ()


def _read_joins(select: Select) -> _Found:
    """Return what is found in the joins of a SELECT."""
    try:
        multiplied = read_multiplied(select)
    except Refused:
        return _Found()  # nothing is known of it, so nothing is said
    if multiplied is None:
        return _Found()
    try:
        separate(multiplied, Strategy.LATERAL)
    except Refused as error:
        return _Found(findings=[finding(multiplied, error)], refusals=[_refusal(select, error)])
    return _Found(multiplied=multiplied, findings=[finding(multiplied, None)])


def _refusal(select: Select, error: Refused) -> Refusal:
    return error.refusal(select.text.written(Span(select.begin, select.end)))


def _folded(read: Sequence[tuple[Select, _Found]], same: Sequence[int] | None, strategy: Strategy) -> Folded:
    """Return a statement with all of its SELECTs folded, the outer ones first; ``read`` has what each holds."""
    text = read[0][0].text.source
    keys: tuple[KeyPair, ...] = ()
    risk = Risk.NONE
    pending: Iterable[tuple[Select, _Found]] = read
    for _ in range(_MOST_PASSES):
        folded = next((folded for select, found in pending if (folded := found.fold(select, strategy))), None)
        if folded is None:
            break
        text, keys, risk = folded.text, keys + folded.keys, max(risk, folded.risk)
        pending = ((select, _read(select)) for root in read_selects(Text.of(text, same)) for select in root.walk())
    return Folded(text, keys, risk)


def _is_limited(root: Select) -> bool:
    """Return whether only some rows are asked for; a LIMIT within a value does not count."""
    text = root.text
    values = {id(each) for select in root.walk() for each, _ in scalars(select)}
    if any(
        text.kind(place) in (TokenType.LIMIT, TokenType.FETCH) for place in text.top(Span(root.end, len(text.tokens)))
    ):
        return True
    return any(
        (Clause.LIMIT in select.clauses or Clause.FETCH in select.clauses) and id(select) not in values
        for select in root.walk()
    )
