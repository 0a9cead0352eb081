"""A queryset as the query that an export copies: its SQL, its columns and their headings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import QuerySet

from reports.copying import Copy, Shape
from reports.exports.headings import headings
from reports.source import ReportQuery, report_name

# Options of a COPY. The encoding is said, because a connection may have another one.
AS_CSV = "FORMAT csv, ENCODING 'UTF8'"
AS_TEXT = "FORMAT text, ENCODING 'UTF8'"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The query of an export.

    ``sql`` is None when Django knows that there are no rows. ``names``, ``positions`` (in the SELECT), ``expressions``
    and ``fields`` are of the columns that are exported, in their order; the SELECT has ``width`` columns. ``is_exact``
    is true when it gives these columns and no others, in this order.
    """

    report: str
    using: str
    sql: str | None
    params: tuple[Any, ...]
    names: tuple[str, ...]
    positions: tuple[int, ...]
    expressions: tuple[Any, ...]
    fields: tuple[models.Field[Any, Any], ...]
    width: int
    is_exact: bool

    def exact_sql(self) -> str:
        """Return the query of the exported columns and no others."""
        assert self.sql is not None
        if self.is_exact:
            return self.sql
        cells = ", ".join(f"c{i}" for i in self.positions)
        return f"SELECT {cells} FROM {numbered(self.sql, self.width)}"  # noqa: S608 - names of our own

    def copy(self, sql: str, *, options: str, shape: Shape | None = None) -> Copy:
        """Return the COPY of a query made from this one, with the same parameters."""
        return Copy(connections[self.using], sql, self.params, options=options, report=self.report, shape=shape)


def check_rows(rows: object, what: str) -> None:
    """Refuse what cannot be exported.

    Raises:
        TypeError: ``rows`` are not rows of a report; names ``what`` would have been made of them.
    """
    if not isinstance(rows, QuerySet) or not isinstance(rows.query, ReportQuery):
        raise TypeError(
            f"rows are of the type {type(rows).__name__!r}; {what} is made of a report's rows or of a queryset that"
            " reports.join() returned."
        )


def check_choice(name: str, value: object, allowed: tuple[Any, ...]) -> None:
    """Refuse an argument that is not one of the allowed values.

    Raises:
        ValueError: Names the argument, the value and the allowed ones.
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it must be one of: {', '.join(map(repr, allowed))}.")


def compiled(rows: QuerySet[Any], *, labels: bool) -> Compiled:
    """Return the query of a report's rows; ``labels`` are the headings, where columns have one, else their names."""
    query: Any = rows.query.chain()
    query.select_related = False  # columns of other models are no columns of the rows
    compiler = query.get_compiler(using=rows.db)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        sql, params = None, ()
    names, positions = headings(compiler, labels=labels)
    width = len(compiler.select)
    return Compiled(
        report=report_name(rows.model),
        using=rows.db,
        sql=sql,
        params=tuple(params),
        names=tuple(names),
        positions=tuple(positions),
        expressions=tuple(compiler.select[i][0] for i in positions),
        fields=tuple(compiler.select[i][0].output_field for i in positions),
        width=width,
        is_exact=positions == list(range(width)) and not compiler.has_extra_select,
    )


def once(sql: str, width: int, columns: str = "*") -> str:
    """Return a sub-select of the numbered columns of a query, or of expressions of them, for a FROM clause.

    It is not merged into the outer query (OFFSET 0): each expression is computed once, and the order of rows stays.
    """
    return f"(SELECT {columns} FROM {numbered(sql, width)} OFFSET 0)"  # noqa: S608 - names of our own


def numbered(sql: str, count: int) -> str:
    """Return a query as a FROM item whose columns are called c0, c1, …: names may be doubled in it."""
    names = ", ".join(f"c{i}" for i in range(count))
    return f"({sql}\n) AS export ({names})"
