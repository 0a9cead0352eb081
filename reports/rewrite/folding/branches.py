"""One SELECT over joins that multiply one another, as one sub-select for each branch.

Only where the rows stay the same: each aggregate takes each value once (``COUNT(DISTINCT …)``, MIN, MAX …), so it
can be computed over its branch alone. A sum over multiplied rows is wrong; the right one would
be another result.
"""

from __future__ import annotations

from sqlglot import TokenType

from reports.rewrite.folding.fold import Folded, check_outer
from reports.rewrite.folding.joins import Joined, Multiplied, is_distinct
from reports.rewrite.folding.naming import takes_name
from reports.rewrite.folding.splicing import cte, free_names, key_join, lateral_join, spliced, with_clause
from reports.rewrite.folding.values import Columns
from reports.rewrite.rewriting import Finding, KeyPair, Kind, Reason, Strategy
from reports.rewrite.sql import functions
from reports.rewrite.sql.expressions import Call, Refused, check_known, column, qualifiers, reads_any
from reports.rewrite.sql.risks import Risk, risk
from reports.rewrite.sql.selects import Clause
from reports.rewrite.sql.text import Span


def finding(found: Multiplied, reason: Refused | None) -> Finding:
    """Return what is said of a SELECT."""
    text = found.select.text
    tables = tuple(each.source.name for each in found.branches)
    why = None if reason is None else str(reason.refusal())
    written = tuple(text.written(call.span) for call in found.wrong or found.aggregates)
    return Finding(Kind.MULTIPLIED, tables, len(tables), written, is_wrong=bool(found.wrong), reason=why)


def separate(found: Multiplied, strategy: Strategy) -> Folded:
    """Return the statement with a sub-select for each branch.

    Raises:
        Refused: Another statement would give other rows, or the branches cannot be taken apart.
    """
    select = found.select
    text = select.text
    check_outer(select)
    _check(found)
    splices: list[tuple[int, int, str]] = []
    kept = [each.source for each in found.joined.values() if each.branch is None]
    joins: list[str] = []
    ctes: list[str] = []
    keys: list[KeyPair] = []
    for branch, name in zip(found.branches, free_names(text.source), strict=False):
        columns = Columns(name)
        for call in found.aggregates:
            if found.joined[found.alias(call) or ""].branch is branch:
                splices.append((*text.edges(call.span), _value(found, call, columns) + _name(found, call)))
        if columns.written:
            with_key, join, key = _branch(found, branch, columns, strategy)
            joins.append(join)
            ctes += [with_key] if with_key else []
            keys += [key] if key else []
    rows = " ".join(text.written(source.span) for source in kept) + "".join(joins)
    splices.append((*text.edges(select.clauses[Clause.FROM]), rows))
    splices += with_clause(select, ctes)
    return Folded(spliced(text.source, splices), tuple(keys), _risk(found))


def _check(found: Multiplied) -> None:
    select = found.select
    text = select.text
    if found.wrong:
        raise Refused(Reason.DIFFERENT_RESULT, ", ".join(text.written(call.span) for call in found.wrong))
    check_known(text, Span(select.start, select.end))
    away = {alias for alias, each in found.joined.items() if each.branch is not None}
    for call in found.aggregates:
        _check_aggregate(found, call, away)
    for clause, span in select.clauses.items():
        for place, name in qualifiers(text, span) if clause != Clause.FROM else ():
            if name in away and not any(call.span.has(place) for call in found.aggregates):
                raise Refused(Reason.BRANCHES, f"{name} in {clause}")
    items = text.split(select.clauses.get(Clause.GROUP, Span(0, 0)), TokenType.COMMA)
    grouped = {text.canonical(text.bare(select.meant(item))) for item in items}
    for each in found.joined.values():
        if each.branch is None and each.source.on and reads_any(text, each.source.on, away):
            raise Refused(Reason.BRANCHES, text.written(each.source.span))
    for alias in away:
        _check_join(found, found.joined[alias], grouped)


def _check_aggregate(found: Multiplied, call: Call, away: set[str]) -> None:
    text = found.select.text
    if found.alias(call) not in away:
        raise Refused(Reason.BRANCHES, text.written(call.span))
    if call.name not in functions.UNMULTIPLIED and call.name != "count":
        raise Refused(Reason.BRANCHES, f"{call.name}(DISTINCT …)")
    start = call.arguments.start + is_distinct(text, call)
    # Where a branch has no row, its columns are NULL, which an expression may turn into a value.
    if column(text, Span(start, call.arguments.end), away) is None:
        raise Refused(Reason.BRANCHES, f"{text.written(call.span)} of no column")


def _check_join(found: Multiplied, joined: Joined, grouped: set[str]) -> None:
    text = found.select.text
    if "LEFT" not in joined.source.join or joined.key is None:
        raise Refused(Reason.BRANCHES, text.written(joined.source.span))
    if joined.branch is joined and text.canonical(joined.key.outer) not in grouped:
        raise Refused(Reason.BRANCHES, f"{text.written(joined.key.outer)} is not grouped by")
    own = {alias for alias, each in found.joined.items() if each.branch is joined.branch}
    if any(name not in own for span in joined.rest for _, name in qualifiers(text, span)):
        raise Refused(Reason.BRANCHES, text.written(joined.source.span))


def _value(found: Multiplied, call: Call, columns: Columns) -> str:
    """Return what stands for an aggregate: each group has one row of the branch, so any aggregate of it gives that."""
    text = found.select.text
    place = columns.add(text.canonical(call.span), text.written(call.span))
    return (
        f"COALESCE(MAX({place}), 0)"
        if is_distinct(text, call) and call.name == "count"
        else f"{call.name.upper()}({place})"
    )


def _name(found: Multiplied, call: Call) -> str:
    """Return the alias that must stand behind an aggregate's value, where it was its column's name; most often none."""
    select = found.select
    if call.name != "count" or select.clause_of(call.span.start) != Clause.ITEMS:
        return ""
    item = next(item for item in select.items if item.has(call.span.start))
    if select.value(item) != item:
        return ""
    if item == call.span:
        return ' AS "count"'
    if takes_name(select.text, item):
        raise Refused(Reason.UNNAMED)
    return ""


def _branch(
    found: Multiplied, branch: Joined, columns: Columns, strategy: Strategy
) -> tuple[str | None, str, KeyPair | None]:
    """Return a branch's CTE, its join, and the columns that this compares."""
    text = found.select.text
    assert branch.key is not None
    inner, outer = text.written(branch.key.inner), text.written(branch.key.outer)
    source = branch.source
    first = text.written(Span(source.span.start + len(source.join.split()) + 1, (source.on or source.span).start - 1))
    further = [
        text.written(each.source.span) for each in found.joined.values() if each.branch is branch and each is not branch
    ]
    rows = " ".join(["FROM", first, *further])
    asked = [f"({text.written(span)})" for span in branch.rest]
    if not strategy.is_grouped:
        where = " AND ".join([f"{inner} = {outer}", *asked])
        body = f"SELECT {', '.join(columns.items())} {rows} WHERE {where}"
        return None, lateral_join(columns.name, body), None
    items = ", ".join([f'{inner} AS "k1"', *columns.items()])
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    outside = " ".join(text.written(each.source.span) for each in found.joined.values() if each.branch is None)
    body = f"SELECT {items} {rows}{where} GROUP BY {inner}"
    # The pieces are those of a statement that Django would have sent.
    key = KeyPair(f"SELECT {inner} FROM {first}", f"SELECT {outer} FROM {outside}")  # noqa: S608
    return cte(columns.name, body, strategy), key_join(columns.name, [outer]), key


def _risk(found: Multiplied) -> Risk:
    select = found.select
    return risk(select.text, Span(select.start + 1, select.end))
