"""Which rows of a report an outer query can pick, so far as columns tell that cost nothing.

An outer query that is filtered or cut by such columns gets no other rows than those for which they are true; their keys
can be found before anything is aggregated. What is not understood here picks nothing: then all is aggregated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Case, ExpressionWrapper, Func, Lookup, Transform, Value, When, functions
from django.db.models.expressions import Col, CombinedExpression, ExpressionList, OrderBy, Ref
from django.db.models.functions.datetime import TruncBase
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

# The alias of the rows that are picked from, in the text of a page.
ROWS = "r"
# Keys compared one by one with those of the facts, which an index is looked up for; more are hashed.
FEW = 100

# Expressions that give the same for the same row each time. Of a project's own classes nothing is known.
_STEADY = (
    Case, CombinedExpression, ExpressionList, ExpressionWrapper, Lookup, Transform, TruncBase, Value, When,
    functions.Cast, functions.Coalesce, functions.Collate, functions.Concat, functions.ConcatPair, functions.Greatest,
    functions.Least, functions.Left, functions.Now, functions.NullIf, functions.Replace, functions.Right,
    functions.Substr,
)  # fmt: skip
# What Rows.pushdown() asks with: a setting, and operators between expressions.
_SETTING = {"function": "current_setting"}
_OPERATORS = (" = ", " IN ", " BETWEEN ", " AND ", None)
_TEMPLATES = ("(%(expressions)s)", "%(expressions)s")


@dataclass(frozen=True, slots=True)
class Page:
    """What follows the FROM clause of the query for the keys: conditions, and where it ``is_cut`` order and limit.

    ``is_few`` is True when there are no more than FEW keys.
    """

    sql: str
    params: tuple[object, ...]
    is_cut: bool
    is_few: bool


def find_page(compiler: Any, alias: str, columns: Collection[str], unique: Collection[str]) -> Page | None:
    """Return which keys the query of a compiler can pick from its first FROM item; None for all.

    Args:
        compiler: Of the outer query, in the midst of compiling it.
        alias: Of the FROM item.
        columns: Those that the keys can be chosen by.
        unique: Those of them of which no two rows have the same value, and none is NULL.
    """
    query = compiler.query
    conditions = list(_conjuncts(query.where))
    told = [each for each in conditions if is_steady(each, alias, columns)]
    order = (
        _order(compiler, alias, columns) if len(told) == len(conditions) and _is_cut_as_written(query, alias) else []
    )
    try:
        where, params = compiler.compile(WhereNode([each.relabeled_clone({alias: ROWS}) for each in told]))
        texts = [f"WHERE {where}"]
    except FullResultSet:
        texts, params = [], ()
    except EmptyResultSet:  # no row at all
        return None
    if not order:
        return Page(texts[0], tuple(params), is_cut=False, is_few=False) if texts else None
    sorts = [compiler.compile(each.relabeled_clone({alias: ROWS})) for each in order]
    texts.append(f"ORDER BY {', '.join(sql for sql, _ in sorts)}")
    is_total = any(isinstance(each.expression, Col) and each.expression.target.column in unique for each in order)
    if is_total:
        texts.append(compiler.connection.ops.limit_offset_sql(query.low_mark, query.high_mark))
    else:  # which of the rows that come equal are picked, only the outer query knows
        texts.append(f"FETCH FIRST {query.high_mark} ROWS WITH TIES")
    is_few = is_total and query.high_mark - query.low_mark <= FEW
    return Page(" ".join(texts), (*params, *(value for _, each in sorts for value in each)), is_cut=True, is_few=is_few)


def is_steady(expression: Any, alias: str | None = None, columns: Collection[str] | None = None) -> bool:
    """Return whether a resolved expression is told by a row alone, the same each time.

    Args:
        alias: Of the FROM item that it may be about; None for any.
        columns: Those of it that it may read; None for any.
    """
    if isinstance(expression, WhereNode):
        return all(is_steady(child, alias, columns) for child in expression.children)
    if type(expression) is Col:
        return alias in (None, expression.alias) and (columns is None or expression.target.column in columns)
    if not _is_known(expression):
        return False
    sources = [each for each in expression.get_source_expressions() if each is not None]
    # Items of a list are no source expressions, and relabeled_clone() leaves them as they are.
    listed: Any = getattr(expression, "rhs", None)
    if isinstance(listed, (list, tuple, set, frozenset)) and any(hasattr(x, "resolve_expression") for x in listed):
        return False
    return all(is_steady(each, alias, columns) for each in sources)


def _conjuncts(node: Any) -> Iterator[Any]:
    """Yield the conditions all of which must be true."""
    if isinstance(node, WhereNode) and node.connector == AND and not node.negated:
        for child in node.children:
            yield from _conjuncts(child)
    else:
        yield node


def _is_cut_as_written(query: Query, alias: str) -> bool:
    """Return whether the rows that the conditions leave are sorted and cut, and nothing else is done before."""
    picks = query.distinct or query.combinator or query.group_by is not None or query.select_for_update
    added = query.extra or query.extra_tables or query.extra_order_by
    joined = [each for each, count in query.alias_refcount.items() if count]
    # What a window, or a function that gives several rows, is given, is all rows.
    is_plain = all(is_steady(each, alias) for each in query.annotations.values())
    return (
        query.is_sliced and query.high_mark is not None and not picks and not added and joined == [alias] and is_plain
    )


def _order(compiler: Any, alias: str, columns: Collection[str]) -> list[Any]:
    """Return the ordering of the outer query; none if any of it is not known by the columns."""
    found = []
    for each, _ in compiler.get_order_by():
        made = each.copy()
        if isinstance(made.expression, Ref):  # to a column of the SELECT, which the query for the keys has not
            made.set_source_expressions(made.expression.get_source_expressions())
        if type(made) is not OrderBy or not is_steady(made.expression, alias, columns):
            return []
        found.append(made)
    return found


def _is_known(expression: Any) -> bool:
    if type(expression) is Func:
        extra = expression.extra
        joins = (
            extra.get("template") in _TEMPLATES and extra.get("arg_joiner") in _OPERATORS and "function" not in extra
        )
        return joins or extra == _SETTING
    return isinstance(expression, _STEADY) and type(expression).__module__.startswith("django.")
