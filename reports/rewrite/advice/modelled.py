"""A statement whose tables are models: its columns as fields, its aggregates as Django writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from reports.rewrite.advice.conditions import Conditions, parts_of
from reports.rewrite.advice.model_paths import Field, Reached, Untold, model_of, reached_from

_AGGREGATES: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.Count: ("Count", ""),
    exp.Sum: ("Sum", ""),
    exp.Avg: ("Avg", ""),
    exp.Min: ("Min", ""),
    exp.Max: ("Max", ""),
    exp.StddevPop: ("StdDev", ""),
    exp.StddevSamp: ("StdDev", ", sample=True"),
    exp.VariancePop: ("Variance", ""),
    exp.Variance: ("Variance", ", sample=True"),
}
_WITH_DISTINCT = ("Count", "Sum", "Avg")


@dataclass(frozen=True, slots=True)
class Metric:
    """An aggregate by its name. ``text`` is Django's expression; ``branch`` the relation to many that it is over.

    ``is_zero`` says that it gives 0 where the statement's subquery gives NULL.
    """

    name: str
    text: str
    branch: str
    is_zero: bool = False

    @property
    def is_count(self) -> bool:
        return self.text.startswith("Count(")


@dataclass(slots=True)
class Statement:
    """A SELECT whose FROM has tables of models, by their aliases; the first one's rows are the statement's.

    ``params`` are the values of ``$1``, ``$2``…; ``same`` has, for each, the place of the first one equal to it.
    """

    select: exp.Select
    tables: dict[str, Reached]
    params: Sequence[Any] | None = None
    same: Sequence[int] | None = None
    conditions: Conditions = field(init=False)

    def __post_init__(self) -> None:
        self.conditions = Conditions(self.column, self.params)

    @classmethod
    def of(cls, select: exp.Expr, params: Sequence[Any] | None = None, same: Sequence[int] | None = None) -> Statement:
        """Read a statement; its joins follow relations, each by one pair of equal columns.

        Raises:
            Untold: It is no such SELECT.
        """
        if not isinstance(select, exp.Select):
            raise Untold("it is no SELECT")
        check_parts(select, {"expressions", "from", "joins", "where", "group", "order", "limit", "offset"})
        first = from_of(select)
        statement = cls(select, {first.alias_or_name: Reached(model_of(first))}, params, same)
        for join in select.args.get("joins") or ():
            statement._join(join)
        return statement

    @property
    def first(self) -> Reached:
        """Its first table."""
        return next(iter(self.tables.values()))

    @property
    def groups(self) -> list[exp.Expr]:
        """What it is grouped by; a number in GROUP BY stands for what is selected there."""
        group = self.select.args.get("group")
        found = group.expressions if group else []
        return [self.select.expressions[int(each.name) - 1].unalias() if each.is_int else each for each in found]

    @property
    def is_by_key(self) -> bool:
        """True when the key of the first table is selected."""
        return any(self.is_key(item.unalias()) for item in self.select.expressions)

    def column(self, node: exp.Column) -> tuple[Reached, Field]:
        """Return the table and the field of a column.

        Raises:
            Untold: It belongs to no table of FROM.
        """
        reached = self.tables.get(node.table)
        if reached is None:
            raise Untold(f"{node.table or 'no table'} is not in FROM")
        return reached, reached.field(node.name)

    def is_key(self, node: exp.Expr) -> bool:
        """Return whether it is the key of the first table."""
        if not isinstance(node, exp.Column):
            return False
        reached, found = self.column(node)
        return not reached.path and found.primary_key

    def tables_in(self, node: exp.Expr) -> list[Reached]:
        """Return the table of each column in an expression."""
        return [self.column(column)[0] for column in node.find_all(exp.Column)]

    def metric(
        self,
        name: str,
        node: exp.Expr,
        conditions: Sequence[exp.Expr] = (),
        default: exp.Expr | None = None,
    ) -> Metric:
        """Return an aggregate of the rows for which all the conditions are true.

        ``default`` is what stands in its place where it is NULL.

        Raises:
            Untold: Django has no such aggregate, or it is over two relations.
        """
        parts = list(conditions)
        if isinstance(node, exp.Filter):
            parts += parts_of(node.expression)
            node = node.this
        if type(node) not in _AGGREGATES:
            raise Untold(f"{node.key} is no aggregate that is known")
        function, more = _AGGREGATES[type(node)]
        text, own = self._argument(function, node.this)
        branches = {reached.branch for part in parts for reached in self.tables_in(part)} | {own.branch}
        if len(branches - {""}) > 1:
            raise Untold("an aggregate over two relations")
        text += more
        if condition := self.conditions.all(parts):
            text += f", filter={condition}"
        if default is not None and function != "Count":
            text += f", default={self.conditions.value(default)}"
        return Metric(name, f"{function}({text})", max(branches))

    def _argument(self, function: str, node: exp.Expr) -> tuple[str, Reached]:
        """Return an aggregate's argument, and its table."""
        if isinstance(node, exp.Star):
            if len(self.tables) > 1 or not self.first.path:
                raise Untold("COUNT(*) over joins counts rows that are none of a relation")
            return f'"{self.first.path}"', self.first
        is_distinct = isinstance(node, exp.Distinct)
        if isinstance(node, exp.Distinct):
            if len(node.expressions) != 1 or function not in _WITH_DISTINCT or node.args.get("on"):
                raise Untold("DISTINCT of several, or of what Django has none for")
            node = node.expressions[0]
        if not isinstance(node, exp.Column):
            raise Untold(f"an aggregate of {node.key}")
        reached, found = self.column(node)
        name = reached.counted(found) if function == "Count" else reached.lookup(found)
        return f'"{name}"' + (", distinct=True" if is_distinct and not found.primary_key else ""), reached

    def _join(self, join: exp.Join) -> None:
        alias, pair = join.this.alias_or_name, join.args.get("on")
        pair = pair.unnest() if pair is not None else None
        if join.args.get("using") or join.side not in ("", "LEFT") or not isinstance(pair, exp.EQ):
            raise Untold("a join by something other than one equality")
        known, new = columns_of(pair)
        if known.table == alias:
            known, new = new, known
        if known.table not in self.tables or new.table != alias or alias in self.tables:
            raise Untold("a join that hangs on nothing known")
        found = reached_from(self.tables[known.table], known.name, model_of(join.this), new.name)
        if found.branch and not join.side:
            raise Untold("an inner join of a relation to many chooses rows")
        self.tables[alias] = found


def from_of(select: exp.Select) -> exp.Table:
    """Return the first table of FROM.

    Raises:
        Untold: It is none.
    """
    found = select.args.get("from_") or select.args.get("from")  # the older name of the same part
    if found is None or not isinstance(found.this, exp.Table):
        raise Untold("FROM has no table")
    table: exp.Table = found.this
    return table


def check_parts(select: exp.Select, allowed: Collection[str]) -> None:
    """Refuse a SELECT that has other parts than the allowed ones."""
    others = {name for name, value in select.args.items() if value and name.removesuffix("_") not in allowed}
    if others:
        raise Untold(f"it has {', '.join(sorted(others))}")


def columns_of(pair: exp.EQ) -> tuple[exp.Column, exp.Column]:
    """Return the two columns that an equality compares."""
    left, right = pair.this.unnest(), pair.expression.unnest()
    if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
        raise Untold("it compares something other than two columns")
    return left, right
