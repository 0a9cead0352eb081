"""A report's query as the FROM item of a Django query: ``(/* report=… */ SELECT …) AS alias``.

Django's ``Query`` makes its FROM items from two class attributes, ``base_table_class`` and ``join_class``. The classes
here look up the item's table in the query's ``sources`` and write the source where the table's name would stand, its
parameters bound. Nothing of Django is replaced; the rest of the ORM works as on a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.core.exceptions import FieldError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, Model
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable, Join

from reports import rendering
from reports.statement import LONGEST, Lines

MARK = "/* report="
"""What the tag of a report's statement begins with."""

Key = str | tuple[str, str | None]
_Compiled = tuple[str, tuple[Any, ...]]


class Source(Protocol):
    """What stands in the FROM clause. ``compiler.query`` is the outer query: its slice and ordering can be seen.

    ``alias`` is that of the first FROM item, None for a joined one.
    """

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, alias: str | None = None) -> _Compiled: ...


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """A rendered template, tagged with its report's name. ``timeout`` is in seconds, None for the setting.

    ``count`` is the query that gives the number of its rows, where the report has a template for that.
    """

    report: str
    query: rendering.Query
    timeout: float | None = None
    count: rendering.Query | None = None

    def as_sql(
        self, compiler: SQLCompiler | None, connection: BaseDatabaseWrapper, alias: str | None = None
    ) -> _Compiled:
        _remember(self)
        return f"{tag(self.report)} {self.query.sql}", self.query.params


@dataclass(frozen=True, slots=True)
class RowsSource:
    """Rows of a report with their filters and slice, as a sub-select."""

    query: Query

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, alias: str | None = None) -> _Compiled:
        sql, params = self.query.get_compiler(connection=connection, elide_empty=False).as_sql()
        return sql, tuple(params)


class ReportTable(BaseTable):
    """The first FROM item."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> _Compiled:
        source = _source_of(self, compiler)
        if source is None:
            return super().as_sql(compiler, connection)
        sql, params = source.as_sql(compiler, connection, self.table_alias)
        # The newline ends a comment that the template may end with.
        return f"({sql}\n) {_quote(compiler, self.table_alias)}", params


class ReportJoin(Join):
    """A joined FROM item."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> _Compiled:
        sql, params = super().as_sql(compiler, connection)
        source = _source_of(self, compiler)
        if source is None:
            return sql, params
        head = f"{self.join_type} {_quote(compiler, self.table_name)}"
        if not sql.startswith(head):
            raise NotImplementedError(f"this version of Django writes joins in a form that is not known here: {sql}")
        rest = sql[len(head) :]
        if self.table_alias == self.table_name:  # then Django leaves the alias out
            rest = f" {_quote(compiler, self.table_alias)}{rest}"
        source_sql, source_params = source.as_sql(compiler, connection)
        return f"{self.join_type} ({source_sql}\n){rest}", (*source_params, *params)


class ReportQuery(Query):
    """A Django query in which some tables are reports.

    ``sources`` has them by table name, or by ``relation(name)`` for a FilteredRelation. The dict is replaced, never
    changed: Django's clones share it. ``report_ordering`` is the ordering that the report gave, not the user.
    """

    _is_splitting = False
    base_table_class = ReportTable
    join_class = ReportJoin

    def __init__(self, model: type[Model] | None, alias_cols: bool = True) -> None:
        super().__init__(model, alias_cols)
        self.sources: Mapping[Key, Source] = {}
        self.report_ordering: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True when the rows are all those of the first FROM item: no filter, slice, DISTINCT, group, join or union."""
        picks = self.where or self.is_sliced or self.distinct or self.combinator
        return not picks and self.group_by is None and len(self.alias_map) <= 1

    def build_filter(self, filter_expr: Any, *args: Any, **kwargs: Any) -> Any:
        # split_exclude() makes its inner query as self.__class__(self.model): without our sources.
        if self._is_splitting and isinstance(filter_expr, Exists) and isinstance(filter_expr.query, ReportQuery):
            filter_expr.query.sources = {**self.sources, **filter_expr.query.sources}
        return super().build_filter(filter_expr, *args, **kwargs)

    def split_exclude(self, *args: Any, **kwargs: Any) -> Any:
        need_key(self.model, "exclude() across a to-many relation compares it.")
        self._is_splitting = True
        try:
            return super().split_exclude(*args, **kwargs)
        finally:
            self._is_splitting = False

    def names_to_path(self, names: Sequence[str], opts: Any, *args: Any, **kwargs: Any) -> Any:
        if list(names[:1]) == ["pk"] and opts is not None:
            need_key(opts.model, "'pk' means nothing here.")
        return super().names_to_path(names, opts, *args, **kwargs)

    def add_fields(self, field_names: Iterable[str], allow_m2m: bool = True) -> None:
        names = list(field_names)
        if "pk" in names:  # Django would put its own message over that of names_to_path()
            need_key(self.model, "'pk' means nothing here.")
        super().add_fields(names, allow_m2m)

    def clear_ordering(self, force: bool = False, clear_default: bool = True) -> None:
        super().clear_ordering(force, clear_default)
        if not self.order_by:  # the same names, given by the user from now on, are the user's
            self.report_ordering = ()

    def set_group_by(self, allow_aliases: bool = True) -> None:
        # Django leaves a model's default ordering out of GROUP BY, and this is the report's default.
        if self.report_ordering and self.order_by == self.report_ordering:
            self.clear_ordering(force=True)
        super().set_group_by(allow_aliases)

    def combine(self, rhs: Query, connector: str) -> None:
        others: Mapping[Key, Source] = getattr(rhs, "sources", {})
        for table, source in others.items():
            if self.sources.get(table, source) != source:
                raise ValueError(f"cannot combine rows of {table!r}: the two sides have different parameters.")
        self.sources = {**self.sources, **others}
        super().combine(rhs, connector)


def relation(name: str | None) -> tuple[str, str | None]:
    """Return the key of a FilteredRelation in ``sources``, which no table's name can be."""
    return "relation", name


def tag(report: str) -> str:
    """Return the comment by which a report's statement is known, in the guard and in pg_stat_activity."""
    return f"{MARK}{report} */"


def report_name(model: type[Model]) -> str:
    """Return the report's name for a row model made of columns, the class's name for any other."""
    return str(getattr(model, "_report", model.__name__))


def has_key(model: type[Model]) -> bool:
    """Return whether one row can be told from another: always, but for the row model of a report without ``pk``."""
    return bool(getattr(model, "_has_key", True))


def need_key(model: type[Model] | None, reason: str) -> None:
    """Raise FieldError for the row model of a report that declares no ``pk`` column."""
    if model is not None and not has_key(model):
        raise FieldError(f"{report_name(model)} has no key: declare one with 'column: NAME TYPE pk'. {reason}")


def _source_of(item: BaseTable | Join, compiler: SQLCompiler) -> Source | None:
    sources: Mapping[Any, Source] = getattr(compiler.query, "sources", {})
    if item.filtered_relation is not None and (named := sources.get(relation(item.filtered_relation.alias))):
        return named
    return sources.get(item.table_name)


def _quote(compiler: SQLCompiler, name: str | None) -> str:
    # Django 6.1 renamed the method and deprecated the old name.
    quote: Any = getattr(compiler, "quote_name", None) or compiler.quote_name_unless_alias
    return str(quote(name))


# What the guard asks about a tag that it finds in a statement.


@dataclass(slots=True)
class Seen:
    """The timeout of a report, in seconds, and where the lines of its recent statements came from."""

    timeout: float | None = None
    lines: dict[str, Lines] = field(default_factory=dict)


seen: dict[str, Seen] = {}
_MOST_STATEMENTS = 64


def _remember(source: TemplateSource) -> None:
    entry = seen.get(source.report)
    if entry is None:
        entry = seen[source.report] = Seen()
    entry.timeout = source.timeout
    if len(source.query.sql) <= LONGEST:
        if len(entry.lines) >= _MOST_STATEMENTS and source.query.sql not in entry.lines:
            entry.lines.clear()
        entry.lines[source.query.sql] = source.query.lines
