"""A report whose metrics are aggregated for no more keys than the outer query can pick, in the same statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from reports.prebuilt.grouped.paging import Page, find_page
from reports.rendering import Query
from reports.source import TemplateSource
from reports.statement import Lines

_PLACEHOLDER = re.compile("%[s%]")


@dataclass(frozen=True, slots=True)
class Mark:
    """Stands among the parameters of a query where text is to be put when the statement is compiled."""

    name: str


# What follows the FROM clause of the query for the keys; how its CTE is planned; how a fact's key is one of them.
TAIL, PLANNED, KEYS = Mark("tail"), Mark("planned"), Mark("keys")
# After "=". An index is looked up for each item of an array; a sub-select is hashed.
_FEW_KEYS = "ANY (ARRAY(SELECT key FROM this_page))"
_MANY_KEYS = "ANY (SELECT key FROM this_page)"


class Paged:
    """A query with marks in it, rendered when it is first asked for, or pickled: most rows are never cut."""

    def __init__(self, render: Callable[[], Query]) -> None:
        self._render = render
        self._query: Query | None = None

    @property
    def query(self) -> Query:
        """The query."""
        if self._query is None:
            self._query = self._render()
        return self._query

    def __reduce__(self) -> Any:
        return _rendered, (self.query,)


def _rendered(query: Query) -> Paged:
    return Paged(lambda: query)


@dataclass(frozen=True, slots=True)
class PagedSource(TemplateSource):
    """A rendered template that has a second form, ``paged``, with marks in it. Two are equal when their queries are.

    ``columns`` are those by which an outer query may choose keys, ``unique`` those of them that are different and not
    NULL in every row.
    """

    paged: Paged = field(default=Paged(lambda: Query("", ())), compare=False, repr=False)
    columns: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()

    def as_sql(
        self, compiler: SQLCompiler | None, connection: BaseDatabaseWrapper, alias: str | None = None
    ) -> tuple[str, tuple[Any, ...]]:
        page = find_page(compiler, alias, self.columns, self.unique) if compiler is not None and alias else None
        query = self.query if page is None else _filled(self.paged.query, page)
        return TemplateSource(self.report, query, self.timeout).as_sql(compiler, connection)


def _filled(query: Query, page: Page) -> Query:
    texts: Mapping[object, tuple[str, tuple[object, ...]]] = {
        TAIL: (page.sql, page.params),
        # A cut is planned once. Conditions alone may be: then they are part of each branch, which can run in parallel.
        PLANNED: ("" if page.is_cut else "NOT MATERIALIZED", ()),
        KEYS: (_FEW_KEYS if page.is_few else _MANY_KEYS, ()),
    }
    return fill(query, texts)


def fill(query: Query, texts: Mapping[object, tuple[str, tuple[object, ...]]]) -> Query:
    """Return a query with text and parameters in place of its marks; the lines of the template stay known."""
    pieces: list[str] = []
    params: list[object] = []
    offsets = list(query.lines.offsets)
    values = iter(query.params)
    end = 0
    for placeholder in _PLACEHOLDER.finditer(query.sql):
        if placeholder[0] == "%%":
            continue
        value = next(values)
        if not isinstance(value, Mark):
            params.append(value)
            continue
        text, added = texts[value]
        pieces += [query.sql[end : placeholder.start()], text]
        params += added
        end = placeholder.end()
        longer = len(text) - len("%s")
        offsets = [
            offset + longer if before >= end else offset
            for offset, before in zip(offsets, query.lines.offsets, strict=True)
        ]
    pieces.append(query.sql[end:])
    return replace(query, sql="".join(pieces), params=tuple(params), lines=Lines(tuple(offsets), query.lines.places))
