"""What to write in place of a statement's findings: the ORM's own line, or the report that has each branch apart.

No advice is better than a wrong one: what is not known to give the same rows gets none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from reports.rewrite.advice.aggregates import in_subqueries, joined
from reports.rewrite.advice.conditions import parts_of
from reports.rewrite.advice.model_paths import Untold
from reports.rewrite.advice.modelled import Metric, Statement
from reports.rewrite.rewriting import Finding, Kind, Rewriting

# As wide as a line of code may be.
WIDTH = 120


def advised(
    rewriting: Rewriting, params: Sequence[Any] | None = None, *, same: Sequence[int] | None = None
) -> tuple[Finding, ...]:
    """Return a statement's findings, each with the ORM's own line where one says the same.

    Args:
        rewriting: What was found.
        params: The values of ``$1``, ``$2``…, to be written into the line; without them it has ``...`` there.
        same: Without values: for each, the place of the first one equal to it, from 0 on.
    """
    if not rewriting.findings:
        return ()
    try:
        statement = Statement.of(sqlglot.parse_one(rewriting.original, read="postgres"), params, same)
    except (Untold, SqlglotError, RecursionError):
        return rewriting.findings
    advice = {kind: _advice(statement, kind) for kind in {finding.kind for finding in rewriting.findings}}
    return tuple(replace(each, advice=advice[each.kind]) for each in rewriting.findings)


def _advice(statement: Statement, kind: Kind) -> str | None:
    try:
        if kind == Kind.MULTIPLIED:
            return _report(statement, joined(statement))
        metrics = in_subqueries(statement)
        several = len({metric.branch for metric in metrics}) > 1
        return _report(statement, metrics) if several else _line(metrics)
    except Untold:
        return None


def _line(metrics: Sequence[Metric]) -> str:
    """Return the call that makes all the metrics of one relation, with what differs as a comment."""
    line = f".annotate({', '.join(f'{metric.name}={metric.text}' for metric in metrics)})"
    if len(line) > WIDTH:
        line = "\n".join([".annotate(", *(f"    {metric.name}={metric.text}," for metric in metrics), ")"])
    return _noted(line, metrics)


def _report(statement: Statement, metrics: Sequence[Metric]) -> str:
    """Return the class of the prebuilt report that reads each relation in a query of its own."""
    if any(metric.name.endswith("_") or "__" in metric.name for metric in metrics):
        raise Untold("no name for a report's column")
    model = statement.first.model.__name__
    attribute, names = _shown(statement)
    lines = ["from reports.prebuilt import GroupedMetrics", "", "", f"class {model}Metrics(GroupedMetrics):"]
    lines.append(f"    source = {_source(statement)}")
    if names:
        quoted = ", ".join(f'"{name}"' for name in names)
        lines.append(f"    {attribute} = [{quoted}]")
    lines += ["    metrics = {", *(f'        "{metric.name}": {metric.text},' for metric in metrics), "    }"]
    return _noted("\n".join(lines), metrics)


def _shown(statement: Statement) -> tuple[str, list[str]]:
    """Return the columns beside the aggregates, and as what: of the rows, or of groups of them."""
    groups = statement.groups
    is_grouped = bool(groups) and not any(statement.is_key(node) for node in groups)
    nodes = groups if is_grouped else [item.unalias() for item in statement.select.expressions]
    if is_grouped and not all(isinstance(node, exp.Column) for node in nodes):
        raise Untold("it is grouped by an expression")
    found = [statement.column(node) for node in nodes if isinstance(node, exp.Column)]
    if any(reached.branch for reached, _ in found):
        raise Untold("a column of a relation to many")
    names = [reached.lookup(field) for reached, field in found if is_grouped or reached.path or not field.primary_key]
    return ("dimensions" if is_grouped else "fields"), list(dict.fromkeys(names))


def _source(statement: Statement) -> str:
    model = statement.first.model
    parts = parts_of(statement.select.args.get("where"))
    if any(reached.path for part in parts for reached in statement.tables_in(part)):
        raise Untold("the rows are chosen by a relation")
    condition = statement.conditions.all(parts)
    if condition is None:
        return model.__name__
    said = str(condition)
    if condition.keywords:
        said = said.removeprefix("Q(").removesuffix(")")
    return f"{model.__name__}.{model._default_manager.name}.filter({said})"


def _noted(text: str, metrics: Sequence[Metric]) -> str:
    zero = [metric.name for metric in metrics if metric.is_zero]
    if not zero:
        return text
    return f"{text}  # 0 where the subquery gives NULL: {', '.join(zero)}"
