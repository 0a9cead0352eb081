"""The aggregates of a statement, by the names under which it selects them: over its joins, or in its subqueries."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlglot import exp

from reports.rewrite.advice.conditions import parts_of
from reports.rewrite.advice.model_paths import Reached, Untold, model_of, reached_from
from reports.rewrite.advice.modelled import Metric, Statement, check_parts, columns_of, from_of


def joined(statement: Statement) -> list[Metric]:
    """Return the aggregates over a statement's own joins, in the order of its SELECT.

    Raises:
        Untold: One has no name, or something other than columns stands beside them.
    """
    if any(statement.select.find_all(exp.Subquery, exp.Exists)):
        raise Untold("it has subqueries")
    metrics = []
    for item in statement.select.expressions:
        if isinstance(item.unalias(), exp.Column):
            continue
        if not isinstance(item, exp.Alias):
            raise Untold("an aggregate without a name")
        node, default = _without_default(item.this)
        metrics.append(statement.metric(_name(item), node, default=default))
    return metrics


def in_subqueries(statement: Statement) -> list[Metric]:
    """Return the aggregates of a statement's scalar subqueries, those with names first.

    Raises:
        Untold: Its rows are not surely those of the first table, or a subquery is no grouped aggregate.
    """
    _check_rows(statement)
    named: list[Metric] = []
    others: list[tuple[Metric, Any]] = []
    seen = set()
    for node in _subqueries(statement):
        name, default = _name_of(node)
        metric = _metric(statement, node.this, name, default)
        key = (metric.text.removesuffix(")").partition(", default=")[0], _values(statement, node))
        if name:
            named.append(metric)
            seen.add(key)
        else:
            others.append((metric, key))
    for metric, key in others:
        if key not in seen:
            seen.add(key)
            named.append(replace(metric, name=_free(metric, {each.name for each in named})))
    return named


def _check_rows(statement: Statement) -> None:
    """Refuse a statement whose rows Django would group otherwise."""
    if statement.select.args.get("group") or any(reached.branch for reached in statement.tables.values()):
        raise Untold("it is grouped, or joined to many")
    if not statement.is_by_key:
        raise Untold("without the key, rows would be grouped by what is selected")
    if any(statement.select.find_all(exp.Window)):
        raise Untold("a window over groups")


def _subqueries(statement: Statement) -> Iterator[exp.Subquery]:
    """Yield the scalar subqueries. Others may stand in WHERE only: Django groups by those in SELECT, row for row."""
    select = statement.select
    for place in (*select.expressions, select.args.get("where"), select.args.get("order")):
        for node in place.find_all(exp.Select, bfs=False) if place else ():
            above = node.parent
            if node.find_ancestor(exp.Select) is not select:
                continue  # it belongs to the subquery around it
            if isinstance(above, exp.Subquery) and not isinstance(above.parent, exp.In):
                yield above
            elif not isinstance(place, exp.Where):
                raise Untold("a subquery of another kind")


def _metric(statement: Statement, select: exp.Expr, name: str, default: exp.Expr | None) -> Metric:
    """Return the aggregate of a subquery: of one table, correlated by one foreign key, grouped by it or not at all."""
    if not isinstance(select, exp.Select) or len(select.expressions) != 1:
        raise Untold("it is no SELECT of one column")
    check_parts(select, {"expressions", "from", "where", "group"})
    table = from_of(select)
    reached, correlation, rest = _correlated(statement, table, select.args.get("where"))
    group = select.args.get("group")
    if group is not None:
        check_parts(group, {"expressions"})
        if [each.sql() for each in group.expressions] != [correlation.sql()]:
            raise Untold("it is grouped by something else")
    inner = Statement(select, {table.alias_or_name: reached}, statement.params)
    metric = inner.metric(name, select.expressions[0].unalias(), rest, default)
    if not metric.is_count or group is None:
        return metric
    if default is not None and _number(statement, default) not in (None, 0):
        raise Untold("another number than 0 in place of NULL")
    return replace(metric, is_zero=default is None or _number(statement, default) is None)


def _correlated(
    statement: Statement, table: exp.Table, where: exp.Expr | None
) -> tuple[Reached, exp.Column, list[exp.Expr]]:
    """Return what a subquery's table is, the column by which, and the other conditions."""
    rest, found = [], []
    for part in parts_of(where):
        tables = {column.table for column in part.find_all(exp.Column)}
        if isinstance(part, exp.EQ) and tables - {table.alias_or_name} and table.alias_or_name in tables:
            found.append(columns_of(part))
        else:
            rest.append(part)
    if len(found) != 1:
        raise Untold("it is not correlated by one pair of columns")
    ((own, outer),) = found
    if own.table != table.alias_or_name:
        own, outer = outer, own
    hangs_on = statement.tables.get(outer.table)
    if hangs_on is None:
        raise Untold("it hangs on nothing known")
    reached = reached_from(hangs_on, outer.name, model_of(table), own.name)
    if not reached.branch:
        raise Untold("it reads a relation to one")
    return reached, own, rest


def _number(statement: Statement, node: exp.Expr) -> Any:
    """Return a value of the statement, None where it is not known."""
    if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Literal):
        return None if statement.params is None else statement.params[int(node.this.name) - 1]
    return node.to_py() if isinstance(node, exp.Literal) else node


def _name_of(node: exp.Subquery) -> tuple[str, exp.Expr | None]:
    """Return the name under which a subquery is selected, empty for none, and what stands for its NULL."""
    above: Any = node.parent
    if isinstance(above, exp.Alias):
        return _name(above), None
    if isinstance(above, exp.Coalesce) and isinstance(above.parent, exp.Alias):
        found, default = _without_default(above)
        if found is node:
            return _name(above.parent), default
    return "", None


def _without_default(node: exp.Expr) -> tuple[exp.Expr, exp.Expr | None]:
    if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
        return node.this, node.expressions[0]
    return node, None


def _name(alias: exp.Alias) -> str:
    name = alias.alias
    if not name.isidentifier() or keyword.iskeyword(name):
        raise Untold(f"{name} cannot be an argument's name")
    return name


def _free(metric: Metric, taken: set[str]) -> str:
    """Return a name for an aggregate that is selected under none."""
    first = f"{metric.branch}_{metric.text.partition('(')[0].lower()}"
    names = [first, *(f"{first}_{number}" for number in range(2, 3 + len(taken)))]
    return next(name for name in names if name not in taken)


def _values(statement: Statement, node: exp.Expr) -> tuple[str, ...]:
    """Return the values in a subquery, which two of one text may differ in."""
    places = [int(each.name) - 1 for each in node.find_all(exp.Parameter)]
    if statement.params is not None:
        return tuple(repr(statement.params[place]) for place in places)
    return tuple(str(statement.same[place]) for place in places) if statement.same is not None else ()
