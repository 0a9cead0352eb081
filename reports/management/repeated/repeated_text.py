"""What ``manage.py find_repeated_subqueries`` prints: text for a terminal, or one JSON document."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from reports.errors import counted, listed
from reports.management.repeated.repeated_subqueries import Repeated, Search
from reports.management.repeated.statement_statistics import Statistics
from reports.rewrite.rewriting import Finding, Kind
from reports.rewrite.sql.layout import layout

_INDENT = "   "
_WIDTH = 110


def search_text(search: Search, statistics: Statistics, shown: Sequence[Repeated], *, right: str) -> Iterator[str]:
    """Yield the lines: each statement, then what was read and what was not. ``right`` is the GRANT that is lacking."""
    for number, found in enumerate(shown, 1):
        yield from _statement(number, found, statistics)
        yield ""
    yield from textwrap.wrap(_summary(search, statistics, shown), _WIDTH)
    yield from notes(search, statistics, right=right)


def search_data(search: Search, statistics: Statistics, shown: Sequence[Repeated], *, right: str) -> dict[str, Any]:
    """Return the same as data. Times are in milliseconds; a queryid is text, for it has too many digits for JSON."""
    return {
        "statements": [_data(found, statistics) for found in shown],
        "found": len(search.found),
        "read": search.read,
        "unreadable": search.unreadable,
        "milliseconds": statistics.milliseconds,
        "saved_milliseconds": sum(found.saved for found in search.found),
        "hidden": statistics.hidden,
        "hidden_milliseconds": statistics.hidden_milliseconds,
        "lost": statistics.lost,
        "evicted": statistics.evicted,
        "since": statistics.since.isoformat() if statistics.since else None,
        "notes": list(notes(search, statistics, right=right)),
    }


def notes(search: Search, statistics: Statistics, *, right: str) -> Iterator[str]:
    """Yield what the figures leave out, a sentence or two each."""
    if statistics.hidden:
        part = _part(statistics.hidden_milliseconds, statistics.milliseconds)
        hidden = counted(statistics.hidden, "statement")
        yield f"{hidden} of other users ({part} of the time) hidden from this role. {right}"
    if search.unreadable:
        yield f"{counted(search.unreadable, 'text')} could not be read: cut off, or with a constant that was no value."
    if statistics.lost:
        yield f"{counted(statistics.lost, 'text')} was given up by the server: pg_stat_statements_reset() begins anew."
    if statistics.evicted:
        yield (
            f"Rare statements were forgotten {counted(statistics.evicted, 'time')} to make room: raise"
            " pg_stat_statements.max to see all."
        )


def _statement(number: int, found: Repeated, statistics: Statistics) -> Iterator[str]:
    statement = found.counted
    part = _part(statement.milliseconds, statistics.milliseconds)
    yield (
        f"{number}. {counted(statement.calls, 'call')}, {_time(statement.milliseconds)} in all ({part} of the"
        f" database's), {_time(statement.mean)} each; queryid {statement.queryid}"
    )
    for finding in found.findings:
        yield from _wrapped(_finding(finding))
    told = [finding.reason for finding in found.findings]
    for reason, count in Counter(map(str, found.refusals)).items():
        if reason not in told:
            yield from _wrapped(f"left as it is: {reason}{f' ({count} times)' if count > 1 else ''}")
    if found.rewritten is not None:
        yield from _wrapped(_saving(found))
    for advice in dict.fromkeys(finding.advice for finding in found.findings if finding.advice):
        yield f"{_INDENT}in Python:"
        yield textwrap.indent(advice, _INDENT * 2)
    yield ""
    yield textwrap.indent(layout(found.rewritten or statement.text), _INDENT)


def _finding(finding: Finding) -> str:
    what = "joins" if finding.kind == Kind.MULTIPLIED else "subqueries"
    wrong = "; the result is wrong, not only slow" if finding.is_wrong else ""
    reason = f"; not rewritten: {finding.reason}" if finding.reason else ""
    return f"{finding.kind}: {finding.count} {what} over {listed(finding.tables)}{wrong}{reason}"


def _saving(found: Repeated) -> str:
    saved = f"about {_time(found.saved)} could be saved, {found.share:.0%}"
    if found.costs is None:
        why = found.no_costs or "the planner was not asked"
        text = f"{found.strategy}: {saved}, by the scans alone ({why})"
    else:
        text = f"{found.strategy}: estimated cost {found.costs.before:,.0f} → {found.costs.after:,.0f}; {saved}"
        text = text if found.share else f"{text}: by its costs the original is as good"
    return f"{text}. It ends after some rows: measure it, costs mislead there." if found.is_limited else f"{text}."


def _summary(search: Search, statistics: Statistics, shown: Sequence[Repeated]) -> str:
    read = f"{counted(search.read, 'statement')} read"
    since = f" since {statistics.since.isoformat(sep=' ', timespec='seconds')}" if statistics.since else ""
    if not search.found:
        return f"{read}{since}: none repeats a subquery."
    rewritable = [found for found in search.found if found.rewritten is not None]
    saved = sum(found.saved for found in rewritable)
    more = f" ({len(shown)} shown; --limit shows more)" if len(shown) < len(search.found) else ""
    wrong = sum(any(finding.is_wrong for finding in found.findings) for found in search.found)
    return (
        f"{read}{since}: {len(search.found)} found{more}, {len(rewritable)} can be rewritten, about {_time(saved)} of"
        f" {_time(statistics.milliseconds)} could be saved." + (f" Wrong results: {wrong}." if wrong else "")
    )


def _data(found: Repeated, statistics: Statistics) -> dict[str, Any]:
    statement = found.counted
    return {
        "queryid": str(statement.queryid),
        "calls": statement.calls,
        "rows": statement.rows,
        "milliseconds": statement.milliseconds,
        "mean_milliseconds": statement.mean,
        "part_of_time": statement.milliseconds / statistics.milliseconds if statistics.milliseconds else 0.0,
        "findings": [
            {
                "kind": str(finding.kind),
                "tables": list(finding.tables),
                "count": finding.count,
                "is_wrong": finding.is_wrong,
                "reason": finding.reason,
                "advice": finding.advice,
                "subqueries": list(finding.subqueries),
            }
            for finding in found.findings
        ],
        "refusals": [
            {"reason": str(refusal.reason), "detail": refusal.detail, "sql": refusal.text} for refusal in found.refusals
        ],
        "strategy": str(found.strategy) if found.strategy else None,
        "cost_before": found.costs.before if found.costs else None,
        "cost_after": found.costs.after if found.costs else None,
        "no_costs": found.no_costs,
        "saved_part": found.share,
        "saved_milliseconds": found.saved,
        "is_limited": found.is_limited,
        "sql": statement.text,
        "rewritten": layout(found.rewritten) if found.rewritten else None,
    }


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)


def _time(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:,.1f} ms"
    return f"{milliseconds / 1000:,.1f} s"


def _part(part: float, whole: float) -> str:
    return f"{part / whole if whole else 0:.0%}"
