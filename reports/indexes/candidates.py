"""Indexes that might help a plan, by what its scans ask for. No database is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reports.indexes.comparisons import Comparison, Key, Kind
from reports.indexes.scans import Scan, scans
from reports.plan import Plan

# Below so many rows a scan costs nothing worth an index.
LEAST_ROWS = 1_000
# An index that leads to a larger part of the rows is no faster than reading all of them.
MOST_KEPT = 0.3
MOST_INCLUDED = 4
# What ranks an index by what it could save: one with all columns is larger, one for a join only helps if rows are few.
_COVERING, _JOIN = 0.9, 0.8
_PARTIAL = (Kind.NULL, Kind.NOT_NULL, Kind.TRUE, Kind.FALSE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index of a table.

    ``equal`` come first, in any order: one value of each is asked for. ``keys`` follow: a range or an order. ``where``
    is the condition of a partial index: columns and how they are tested. ``saving`` is at most what it could save, in
    milliseconds.
    """

    schema: str
    table: str
    equal: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    include: tuple[str, ...] = ()
    where: tuple[tuple[str, Kind], ...] = ()
    saving: float = 0.0

    @property
    def columns(self) -> tuple[Key, ...]:
        """All columns that it is sorted by."""
        return (*(Key(column) for column in self.equal), *self.keys)

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that it has or tests."""
        return (*(key.column for key in self.columns), *self.include, *(column for column, _ in self.where))


def candidates(plan: Plan) -> tuple[tuple[Candidate, ...], dict[str, str]]:
    """Return the candidates, the most promising first, and for each table without one the reason.

    Tables are ``schema.name``.
    """
    found: dict[Candidate, float] = {}
    reasons: dict[str, str] = {}
    for scan in scans(plan):
        node = scan.node
        reason = _hopeless(scan, plan)
        made = () if reason else tuple(_of(scan))
        for candidate in made:
            plain = replace(candidate, saving=0.0)
            found[plain] = found.get(plain, 0.0) + candidate.saving
        if not made:
            reasons.setdefault(f"{node.schema}.{node.relation}", reason or _reason(scan))
    ranked = [replace(candidate, saving=saving) for candidate, saving in found.items()]
    ranked.sort(key=lambda candidate: (-candidate.saving, len(candidate.names)))
    tables = {f"{candidate.schema}.{candidate.table}" for candidate in ranked}
    return tuple(ranked), {table: reason for table, reason in reasons.items() if table not in tables}


def _hopeless(scan: Scan, plan: Plan) -> str | None:
    node = scan.node
    name = f"{node.schema}.{node.relation}"
    if node.schema in ("pg_catalog", "information_schema"):
        return "it is PostgreSQL's own"
    if plan.partitions.get(name):
        parent = plan.partitions[name][0]
        return f"it is a partition of {parent}; an index of all partitions is not tried"
    blocks = (node.hit or 0) + (node.read or 0)
    if max(scan.examined, blocks) < LEAST_ROWS:
        return f"only {scan.examined:,.0f} rows are read"
    return None


def _reason(scan: Scan) -> str:
    """Return why there is no candidate for a scan."""
    texts = scan.node.conditions
    if "Filter" not in texts and scan.node.type != "Seq Scan":
        return f"{scan.node.index or 'an index'} is used for all of its conditions"
    if "Filter" not in texts:
        return "all of its rows are read"
    if not scan.tests:
        return "its conditions are no plain comparisons of columns"
    return f"{scan.kept:.0%} of the rows that are read are wanted"


def _of(scan: Scan) -> Iterator[Candidate]:
    node = scan.node
    of_all = Candidate(node.schema or "", node.relation or "", saving=scan.milliseconds)
    equal, ranges, where = _equal(scan.tests), _ranges(scan.tests), _where(scan.tests)
    order = tuple(key for key in scan.order if key.column not in equal)
    is_selective = "Filter" in node.conditions and scan.kept <= MOST_KEPT
    tested = replace(of_all, equal=equal, keys=ranges[:1], where=where)
    found: list[Candidate] = []
    if is_selective and (tested.columns or where):
        # A partial index needs some column: that of the order, or else that of its own condition.
        of_where = order or tuple(Key(column) for column, _ in where[:1])
        found.append(tested if tested.columns else replace(tested, keys=of_where))
    elif scan.indexed:
        # All of an index may have been read for a condition on a column that is not its first.
        by_index = replace(of_all, equal=_equal(scan.indexed), keys=_ranges(scan.indexed)[:1])
        found += [by_index] if by_index.columns else []
    if order and not scan.is_grouped:
        found.append(replace(tested, keys=order, saving=of_all.saving + scan.order_milliseconds))
    if scan.joined:
        columns = (*scan.joined, *(column for column in equal if column not in scan.joined))
        found.append(replace(tested, equal=columns, keys=(), saving=of_all.saving * _JOIN))
    yield from found
    start = found[0] if found else tested if tested.columns else replace(tested, keys=order)
    include = tuple(column for column in scan.needed if column not in start.names)
    if node.type != "Index Only Scan" and start.columns and len(include) <= MOST_INCLUDED and (include or not found):
        yield replace(start, include=include, saving=start.saving * _COVERING)


def _equal(tests: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the columns of which single values are asked: those that change from row to row, constants, lists."""
    asked = [test for test in tests if test.kind in (Kind.EQUAL, Kind.LIST)]
    asked.sort(key=lambda test: (test.kind is Kind.LIST, not test.others))
    return tuple(dict.fromkeys(test.column for test in asked))


def _ranges(tests: Sequence[Comparison]) -> tuple[Key, ...]:
    equal = _equal(tests)
    asked = (test.column for test in tests if test.kind is Kind.RANGE and test.column not in equal)
    return tuple(map(Key, dict.fromkeys(asked)))


def _where(tests: Sequence[Comparison]) -> tuple[tuple[str, Kind], ...]:
    """Return the tests that a partial index can have: they hold no constant, so they say nothing of a value."""
    return tuple((test.column, test.kind) for test in tests if test.kind in _PARTIAL)
