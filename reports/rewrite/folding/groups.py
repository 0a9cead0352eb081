"""Which subqueries of one SELECT could share a scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import TokenType

from reports.rewrite.folding.reading import check_levels, read_subquery
from reports.rewrite.folding.shapes import Shape, Subquery, scalars
from reports.rewrite.rewriting import Finding, Kind, Reason, Refusal
from reports.rewrite.sql.expressions import Refused, check_known, reads_any
from reports.rewrite.sql.joined import read_sources, same_rows
from reports.rewrite.sql.risks import Risk, risk
from reports.rewrite.sql.selects import Clause, Select
from reports.rewrite.sql.text import Span, Text


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """A subquery of any shape, of which only its text is known."""

    select: Select
    span: Span

    @property
    def text(self) -> Text:
        return self.select.text


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Subqueries of one SELECT that one sub-select can answer: all are Subquery of one kind, or all are Repeated."""

    members: Sequence[Subquery | Repeated]

    @property
    def kind(self) -> Kind:
        texts = {member.text.canonical(member.span) for member in self.members}
        return Kind.REPEATED if len(texts) == 1 else Kind.SHARED

    @property
    def is_grouped(self) -> bool:
        """Whether they can be computed for all outer rows at once: all that reads the outer row is an equality."""
        first = self.members[0]
        return isinstance(first, Subquery) and first.shape != Shape.LATEST and not first.others

    @property
    def risk(self) -> Risk:
        """Whether what they compute can fail."""
        if any(isinstance(member, Repeated) for member in self.members):
            return Risk.VALUE
        return max(_risk(member) for member in self.members if isinstance(member, Subquery))

    def finding(self, refused: Refused | None = None) -> Finding:
        """Return what is said of them."""
        written = tuple(member.text.written(member.span) for member in self.members)
        why = None if refused is None else str(refused.refusal())
        return Finding(self.kind, _tables(self.members[0].select), len(written), written, reason=why)


def read_groups(outer: Select) -> tuple[list[Group], list[Finding], list[Refusal]]:
    """Return the groups of a SELECT, what is found and cannot be folded, and why subqueries stay as they are."""
    found: dict[object, list[Subquery | Repeated]] = {}
    refused: dict[str, list[tuple[Repeated, Refused]]] = {}
    names = [source.alias for source in read_sources(outer.text, outer.clauses[Clause.FROM])]
    for select, span in scalars(outer):
        try:
            subquery = read_subquery(select, span, names)
        except Refused as error:
            refused.setdefault(select.text.canonical(span), []).append((Repeated(select, span), error))
        else:
            found.setdefault(_key(subquery), []).append(subquery)
    groups = [Group(members) for alike in found.values() for members in _writable(alike) if len(members) > 1]
    refusals: list[Refusal] = []
    findings: list[Finding] = []
    for same in refused.values():
        first, why = same[0]
        group = Group([member for member, _ in same])
        if len(same) > 1 and _may_be_shared(first, why, names):
            groups.append(group)
            continue
        refusals += [why.refusal(member.text.written(member.span)) for member, _ in same]
        if len(same) > 1 and why.reason != Reason.NOT_CORRELATED:
            findings.append(group.finding(why))
    return groups, findings, refusals


def _writable(members: Sequence[Subquery | Repeated]) -> Iterator[list[Subquery | Repeated]]:
    """Yield those that can be written with the aliases of the first of them, then of the rest."""
    while members:
        first = members[0]
        fitting = [member for member in members if _fits(member, first)]
        yield fitting
        members = [member for member in members if member not in fitting]


def _fits(member: Subquery | Repeated, first: Subquery | Repeated) -> bool:
    if isinstance(member, Repeated) or isinstance(first, Repeated):
        return True
    try:
        member.written(Span(member.select.start, member.select.end), first)
    except Refused:
        return False
    return True


def _key(subquery: Subquery) -> object:
    """Return what subqueries have in common that can share a sub-select."""
    sources = same_rows(subquery.text, subquery.sources, subquery.names)
    keys = frozenset((subquery.canonical(key.inner), subquery.text.canonical(key.outer)) for key in subquery.keys)
    others = frozenset(map(subquery.canonical, subquery.others))
    if subquery.shape != Shape.LATEST:
        return sources, keys, others
    ordering = tuple((subquery.canonical(span), subquery.canonical(words)) for span, words in subquery.select.ordering)
    return sources, keys, others, frozenset(map(subquery.canonical, subquery.conditions)), ordering


def _may_be_shared(member: Repeated, error: Refused, names: Sequence[str]) -> bool:
    """Return whether a subquery of no accepted shape can be asked once for each outer row."""
    if error.reason in (Reason.NOT_CORRELATED, Reason.UNKNOWN_FUNCTION) or Clause.LOCK in member.select.clauses:
        return False
    text, items = member.text, member.select.items
    if text.kind(member.span.start) != TokenType.EXISTS and (
        len(items) != 1 or text.kind(items[0].end - 1) == TokenType.STAR
    ):
        return False
    try:
        check_known(member.text, member.span)
        check_levels(member.select)
        return reads_any(member.text, member.span, names)
    except Refused:
        return False


def _risk(subquery: Subquery) -> Risk:
    text = subquery.text
    if subquery.shape == Shape.LATEST:
        return max(risk(text, span) for span in (subquery.value, *subquery.conditions, *subquery.others))
    pieces = [call.span for call in subquery.aggregates] + [*subquery.conditions, *subquery.others]
    pieces += [source.on for source in subquery.sources if source.on]
    return max((risk(text, piece) for piece in pieces), default=Risk.NONE)


def _tables(select: Select) -> tuple[str, ...]:
    if Clause.FROM not in select.clauses:
        return ()
    try:
        sources = read_sources(select.text, select.clauses[Clause.FROM])
    except Refused:
        return ()
    return tuple(dict.fromkeys(source.name for source in sources if source.table))
