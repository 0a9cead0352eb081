"""The lazy result of a report: a QuerySet whose FROM item is the report's query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections, models
from django.db.models.query import ModelIterable
from django.db.models.sql import Query

from reports.errors import TemplateError
from reports.explain import explain, explain_queryset, explaining
from reports.fetching import DictIterable
from reports.plan import Plan
from reports.pushdown import LOOKUPS, condition, is_pushed
from reports.row_models import RowModel
from reports.source import ReportQuery, Source, TemplateSource, need_key, report_name


def _read_only(name: str) -> Callable[..., Any]:
    def refuse(self: models.QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{name}() is not possible: rows of the report {report_name(self.model)!r} are read only.")

    refuse.__name__ = name
    refuse.__doc__ = f"Raise TypeError: a report has no {name}()."
    refuse.alters_data = True  # type: ignore[attr-defined]  # templates must not call it either
    refuse.queryset_only = True  # type: ignore[attr-defined]
    return refuse


class Rows(models.QuerySet[Any, Any]):
    """Rows of one report with one set of parameters: dicts, or instances of the report's ``model``.

    Nothing runs until the rows are read. Everything a QuerySet can do works, except writing: each such method raises
    TypeError. Dicts have the template's column order, then annotations; ``select_related`` and
    ``prefetch_related`` need instances.
    """

    def __init__(
        self,
        model: type[models.Model] | None = None,
        query: Query | None = None,
        using: str | None = None,
        hints: dict[str, models.Model] | None = None,
    ) -> None:
        super().__init__(model, query or ReportQuery(model), using, hints)
        if self.gives_dicts:
            self._iterable_class = DictIterable

    @classmethod
    def of(
        cls, source: Source, model: type[models.Model], *, ordering: Sequence[str] = (), using: str | None = None
    ) -> Rows:
        """Return the rows of a source. ``ordering`` counts like a model's default one; a row model has its own."""
        query = ReportQuery(model)
        query.sources = {model._meta.db_table: source}
        if ordering and tuple(ordering) != tuple(model._meta.ordering or ()):
            query.report_ordering = tuple(ordering)
            query.add_ordering(*ordering)
        return cls(model, query, using)

    @property
    def gives_dicts(self) -> bool:
        """True when the report has no ``model`` of its own."""
        return isinstance(self.model, type) and issubclass(self.model, RowModel)

    # Operators on slices: Django asks the model's manager for the whole, which does not know the report.

    def __or__(self, other: Any) -> Any:
        return super(Rows, self._whole()).__or__(other._whole() if isinstance(other, Rows) else other)

    def __xor__(self, other: Any) -> Any:
        return super(Rows, self._whole()).__xor__(other._whole() if isinstance(other, Rows) else other)

    def _whole(self) -> Rows:
        """Return rows that can be filtered on: a slice becomes a filter on its keys."""
        query: Any = self.query
        if query.can_filter():
            return self
        table = self.model._meta.db_table
        whole = Rows.of(query.sources[table], self.model, ordering=query.report_ordering, using=self._db)  # type: ignore[attr-defined]
        whole.query.sources = query.sources  # type: ignore[attr-defined]
        return whole.filter(pk__in=self.values("pk"))

    def count(self) -> int:
        """Return how many rows there are, for all rows by the report's counting template when it has one.

        Raises:
            QueryError: PostgreSQL refused it.
            TemplateError: The counting template does not give one number.
        """
        counting = self._counting()
        if self._result_cache is not None or counting is None:
            return super().count()
        connection: Any = connections[self.db]
        with connection.cursor() as cursor:
            cursor.execute(*_counted(counting, connection))
            found = cursor.fetchmany(2)
        if len(found) != 1 or len(found[0]) != 1 or type(found[0][0]) is not int:
            file, line = counting.query.lines.at(0) or (None, None)
            raise TemplateError.at(file, line, "a counting template gives one row of one column, a whole number.")
        return found[0][0]

    def _counting(self) -> TemplateSource | None:
        """Return the report's counting template where it counts these rows; None where Django has to."""
        query: Any = self.query
        source = query.sources.get(self.model._meta.db_table)
        if not isinstance(source, TemplateSource) or source.count is None or query.annotations or not query.is_whole:
            return None
        return replace(source, query=source.count, count=None)

    def plan(self, *, analyze: bool = False, count: bool = False) -> Plan:
        """Return PostgreSQL's plan of the statement that reads these rows, or of the one that counts them.

        Rows that Django knows to be none run no statement; they have the plan of a query without rows.

        Args:
            analyze: Run it, read only and under the report's timeout, and measure.
            count: The plan of ``count()``.

        Raises:
            QueryError: PostgreSQL refused it.
        """
        connection: Any = connections[self.db]
        if count and (counting := self._counting()):
            return explain(connection, *_counted(counting, connection), analyze=analyze)
        if count:
            with explaining(connection, analyze=analyze) as plans:
                super(Rows, self._chain()).count()  # type: ignore[attr-defined]
            if plans:
                return plans[0]
        return explain_queryset(self, analyze=analyze)

    def pushdown(self) -> dict[str, list[str]]:
        """Return for each column the lookups whose filter makes the tables give fewer rows: exact, in, range.

        The others pick from the finished result, so they cost as much as no filter: bind a parameter inside the
        template for them. The answer is the planner's, for the data that are there: tables of a few rows are read
        whole whatever the filter. Reads no row; plans the statement three times per column.

        Raises:
            QueryError: PostgreSQL refused it.
        """
        rows = self.order_by()
        whole = rows.plan()
        return {
            field.column: [name for name in LOOKUPS if is_pushed(whole, rows.filter(condition(field, name)).plan())]
            for field in self.model._meta.concrete_fields
        }

    def instances(self) -> Rows:
        """Return the rows as instances of the report's model or row model, for code that reads attributes."""
        return self._read_by(ModelIterable)

    def dicts(self) -> Rows:
        """Return the rows as dicts in the template's column order, also those of a report with a ``model``."""
        return self._read_by(DictIterable)

    def _read_by(self, iterable: type[Any]) -> Rows:
        rows = self.all()
        rows._iterable_class = iterable
        return rows

    def only(self, *fields: Any) -> Rows:
        """Return rows with these columns, and the key; see Django."""
        need_key(self.model, "only() always reads it; use values().")
        return super().only(*fields)

    def defer(self, *fields: Any) -> Rows:
        """Return rows without these columns; see Django."""
        if fields != (None,):
            need_key(self.model, "defer() always reads it; use values().")
        return super().defer(*fields)

    # Methods that need model instances.

    def select_related(self, *fields: Any) -> Rows:
        """Return rows with related objects; see Django."""
        if fields != (None,):
            self._need_instances("select_related")
        return super().select_related(*fields)

    def prefetch_related(self, *lookups: Any) -> Rows:
        """Return rows with prefetched objects; see Django."""
        if lookups != (None,):
            self._need_instances("prefetch_related")
        return super().prefetch_related(*lookups)

    def in_bulk(self, id_list: Iterable[Any] | None = None, *, field_name: str = "pk") -> dict[Any, Any]:
        """Return rows by their key; see Django."""
        need_key(self.model, "in_bulk() returns rows by it.")
        if self._iterable_class is not DictIterable:
            return super().in_bulk(id_list, field_name=field_name)
        found = super(Rows, self.instances()).in_bulk(id_list, field_name=field_name)
        columns = {field.attname: field.column for field in self.model._meta.concrete_fields}
        return {
            key: {columns.get(name, name): value for name, value in vars(instance).items() if name != "_state"}
            for key, instance in found.items()
        }

    def _annotate(self, *args: Any, **kwargs: Any) -> Any:
        rows: Any = super()._annotate(*args, **kwargs)  # type: ignore[misc]
        if rows.query.group_by is True:
            need_key(self.model, "An aggregate beside the columns groups by it; use values() first.")
        return rows

    def _need_instances(self, method: str) -> None:
        if self.gives_dicts:
            raise TypeError(
                f"{method}() needs instances, and rows of {report_name(self.model)!r} are dicts: "
                "declare a model on the report."
            )

    # Methods that write.

    create = acreate = _read_only("create")
    bulk_create = abulk_create = _read_only("bulk_create")
    bulk_update = abulk_update = _read_only("bulk_update")
    get_or_create = aget_or_create = _read_only("get_or_create")
    update_or_create = aupdate_or_create = _read_only("update_or_create")
    update = aupdate = _update = _read_only("update")
    delete = adelete = _raw_delete = _read_only("delete")
    select_for_update = _read_only("select_for_update")
    _insert = _read_only("create")


def _counted(counting: TemplateSource, connection: Any) -> tuple[str, tuple[Any, ...]]:
    sql, params = counting.as_sql(None, connection)
    return f"SELECT * FROM ({sql}\n) AS counted", params  # noqa: S608 - values are bound
