"""Advice about indexes as text for a terminal, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from reports.indexes import Advice, Advised, advise
from reports.management.destination import Sink
from reports.management.formats import Job

_NOTE = (
    "Each index was built alone and rolled back; until then writers of its table waited. "
    "Every index costs disk and slows writing."
)


def write_advice(job: Job, sink: Sink) -> None:
    """Look for indexes that make the rows' statement faster; write what was found."""
    asked = job.selection.asked
    assert asked.advise_rows is not None
    advice = advise(job.limited(), most_rows=asked.advise_rows)
    name = job.selection.report.get_name()
    if asked.format == "json":
        text = json.dumps(advice_data(name, advice), ensure_ascii=False, indent=2)
    else:
        text = "\n".join(advice_lines(name, advice))
    sink.write(f"{text}\n".encode())


def advice_data(name: str, advice: Advice) -> dict[str, Any]:
    """Return advice as JSON has it: times in milliseconds, sizes in megabytes."""
    return {
        "report": name,
        "milliseconds": round(advice.milliseconds, 3),
        "cost": advice.cost,
        "indexes": [_rounded(asdict(one) | {"gain": one.gain}) for one in advice.indexes],
        "tried": [{"sql": sql, "reason": reason} for sql, reason in advice.tried],
        "refused": [{"table": table, "reason": reason} for table, reason in sorted(advice.refused.items())],
        "without_candidate": [{"table": table, "reason": reason} for table, reason in sorted(advice.reasons.items())],
    }


def advice_lines(name: str, advice: Advice) -> Iterator[str]:
    """Yield advice as text."""
    yield f"{name}: {advice.milliseconds:,.1f} ms, cost {advice.cost:,.2f}"
    if not advice.indexes:
        yield from ("", f"no index would help{': no table is read' if _is_silent(advice) else '.'}")
    for number, one in enumerate(advice.indexes, 1):
        yield ""
        yield from _index_lines(number, one)
    if advice.tried:
        yield from ("", "Tried, and no help:")
        yield from (f"  {sql}: {reason}" for sql, reason in advice.tried)
    if advice.refused:
        yield from ("", "Not tried:")
        yield from (f"  {table}: {reason}" for table, reason in sorted(advice.refused.items()))
    if advice.reasons:
        yield from ("", "Nothing to try:")
        yield from (f"  {table}: {reason}" for table, reason in sorted(advice.reasons.items()))
    if advice.indexes or advice.tried:
        yield from ("", _NOTE)


def _index_lines(number: int, one: Advised) -> Iterator[str]:
    yield f"{number}. {one.sql}"
    if one.line:
        yield f"   {one.model}: {one.line}"
    yield (
        f"   {one.before:,.1f} ms → {one.after:,.1f} ms ({one.gain:,.1f} times faster); "
        f"cost {one.cost_before:,.2f} → {one.cost_after:,.2f}; {one.megabytes:,.1f} MB"
    )
    yield from (f"   - {node}" for node in one.gone)
    yield from (f"   + {node}" for node in one.come)


def _is_silent(advice: Advice) -> bool:
    return not (advice.tried or advice.refused or advice.reasons)


def _rounded(data: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in data.items()}
