"""Metrics over several relations of a model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Col

from reports import rendering
from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.loader import Template
from reports.prebuilt.grouped.joined import Joins, Variant
from reports.prebuilt.grouped.paged_source import Paged, PagedSource
from reports.prebuilt.grouped.paging import is_steady
from reports.prebuilt.relations.branches import Facts, are_branches, check_chosen, read_facts
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, optional
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.dimensions import Dimension, named, read_dimensions
from reports.prebuilt.vocabulary.metrics import Metric, Part, Ratio, read_metric
from reports.prebuilt.vocabulary.problems import read_all
from reports.prebuilt.vocabulary.selection import Dimensions
from reports.source import TemplateSource

# Types of which max() finds the one value that is not NULL.
_WITH_MAX = (
    "bigint", "date", "double precision", "inet", "integer", "interval", "numeric", "real", "smallint", "text", "time",
    "timestamp", "timestamptz", "timetz",
)  # fmt: skip


class GroupedMetrics(Prebuilt):
    """Metrics over several relations of the source's rows: the arguments of ``annotate()``, without its fault.

    One row per row of the source: its key, the ``fields`` and the metrics; with ``dimensions`` one row per combination
    of these instead. Each metric is what ``annotate()`` gives for it alone; each relation is read once, in a query of
    its own, so that two do not multiply each other's rows. A metric over two relations is refused: make a Ratio of two.
    ``branches`` says which rows of a relation count, by its path: a queryset or a Q.

    Where the rows are filtered, ordered and cut by the key and the fields alone, only what will be seen is aggregated:
    the page's keys are found first, in the same statement, which reads the source once more. Of 500 departments with
    2.1 million tickets and 300 000 invoices (PostgreSQL 18, two cores, milliseconds):

    ==================  =======  =========  ===========  =============
    rows                all      CTE, page  UNION, page  LATERAL, page
    ==================  =======  =========  ===========  =============
    1 by name           250      5          6            5
    20 by name          220–270  49         50           120
    100 by name         225–290  176        190          550
    400 by name         215      390–480    500          2600
    3 by ``id__in``     220      19         18           19
    all                 215–225             215–225      2800
    ==================  =======  =========  ===========  =============

    So ``variant`` None is a CTE for each relation, whatever the outer query: nothing beats it by more than the noise.
    Up to 100 keys are looked up one by one, more are hashed, which no parallel worker can do: a slice of most of the
    rows takes up to twice the time of all of them.
    """

    template = "prebuilt/grouped_metrics.sql"
    scans = 2  # a page reads the source twice, once for its keys; the facts are read once

    fields: ClassVar[Sequence[str] | Mapping[str, Any]] = ()
    branches: ClassVar[Mapping[str, models.QuerySet[Any] | Q]] = {}
    variant: ClassVar[str | None] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Prebuilt.vocabulary,
        "fields": attributes.dimensions,
        "branches": are_branches,
        "variant": optional(member(Variant)),
    }

    def get_branches(self) -> Mapping[str, models.QuerySet[Any] | Q]:
        """Return which rows of a relation count, by its path: the ``branches``. For subclasses: ask ``self.user``."""
        return self.branches

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return also what reads the fields and the relations."""
        return [*super().readings(), cls.read_fields, cls.read_branches, cls._check_together]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the key and the fields, or the dimensions, and then the metrics."""
        if cls.dimensions:
            dimensions = cls.read_dimensions()
            is_key = cls.has_key()
            yield from (each.column(pk=is_key) for each in dimensions)
        else:
            key, *fields = cls.read_fields()
            yield replace(key.column(pk=True), null=False, fk=None)  # of a model that inherits it is a relation
            yield from (each.column() for each in fields)
        yield from cls.metric_columns()

    @classmethod
    def _check_together(cls) -> None:
        """Refuse attributes that do not go together."""
        cls.check_metrics()
        if cls.fields and cls.dimensions:
            raise DeclarationError("fields are of the source's rows, dimensions of groups of them: set one of the two.")
        if cls.variant and (problem := cls._cannot_be(cls.variant)):
            raise DeclarationError(f"variant {str(cls.variant)!r}: {problem}")
        check_chosen(cls.declared_source().model, cls.read_branches(), cls.branches)

    @classmethod
    def read_fields(cls) -> tuple[Dimension, ...]:
        """Return the key of the source and the class's fields; nothing with dimensions."""

        def read() -> tuple[Dimension, ...]:
            source = cls.declared_source()
            key = source.model._meta.pk
            if isinstance(key, models.CompositePrimaryKey) or key is None:
                raise DeclarationError(f"{source.model.__name__} has a key of several columns: set dimensions.")
            return read_dimensions(source, {key.name: key.name, **named(cls.fields)}, what="field")

        return () if cls.dimensions else cls.kept("fields", read)

    @classmethod
    def read_metrics(cls) -> tuple[Metric, ...]:
        """Return the class's metrics in their order, ratios left out, as they are declared: none is merged of parts."""

        def read() -> tuple[Metric, ...]:
            source = cls.declared_source()
            given = {name: value for name, value in cls.metrics.items() if not isinstance(value, Ratio)}
            found = read_all([partial(read_metric, source, name, value) for name, value in given.items()])
            return tuple(
                replace(each, merge=None, parts=(Part(f"of_{each.name}", given[each.name]),)) for each in found
            )

        return cls.kept("metrics", read)

    @classmethod
    def read_branches(cls) -> tuple[Facts, ...]:
        """Return the metrics by the relations that they are over, those over the source's rows first."""

        def read() -> tuple[Facts, ...]:
            groups = cls.read_dimensions()
            keys = {each.name: each.expression for each in groups} or {cls.read_fields()[0].name: F("pk")}
            return read_facts(cls.declared_source(), keys, cls.read_metrics())

        return cls.kept("branches", read)

    @classmethod
    def _cannot_be(cls, variant: str) -> str | None:
        """Return why the class cannot be of a variant; None when it can."""
        if variant == Variant.LATERAL and cls.dimensions:
            return "a row is looked up by its key, and with dimensions there is none."
        strange = [
            metric.name for facts in cls.read_branches()[1:] for metric in facts.metrics if metric.type not in _WITH_MAX
        ]
        if variant == Variant.UNION and strange:
            return f"max(), which picks the values, does not know the types of {listed(strange)}."
        return None

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        metrics, variant = self.asked_metrics(given), self.asked(given, "variant")
        if variant and (problem := self._cannot_be(variant)):
            raise self.refused("variant", problem)
        chosen = self.get_branches()
        try:
            check_chosen(self.declared_source().model, self.read_branches(), chosen)
        except DeclarationError as error:
            raise DeclarationError(f"{type(self).__qualname__}: {error}") from None
        fields = self.read_fields()
        joins = Joins(
            source=self.rows_of_source(),
            branches=self.read_branches(),
            chosen=chosen,
            shown=self.asked_dimensions(given) or Dimensions(fields, frozenset(each.name for each in fields)),
            metrics=frozenset(metric.name for metric in metrics.needed),
            variant=Variant(variant or Variant.CTE),
            has_groups=bool(self.dimensions),
        )
        return {"metrics": metrics, **joins.whole(), "joins": joins}

    def _source(self, template: Template, context: Mapping[str, object], alias: str) -> TemplateSource:
        source = super()._source(template, context, alias)
        joins: Any = context["joins"]
        if not joins.can_be_paged:
            return source
        paged = Paged(lambda: rendering.render(template.name, {**context, **joins.paged()}, using=alias))
        return PagedSource(source.report, source.query, source.timeout, source.count, paged, *self._choosing())

    @classmethod
    def _choosing(cls) -> tuple[frozenset[str], frozenset[str]]:
        """Return the columns that rows can be chosen by before anything is aggregated, and the unique ones of them."""

        def read() -> tuple[frozenset[str], frozenset[str]]:
            source = cls.declared_source()
            steady, unique = set(), {cls.read_fields()[0].name}
            for each in cls.read_fields():
                resolved = source.order_by().values(_field=each.expression).query.annotations["_field"]
                if is_steady(resolved):
                    steady.add(each.name)
                column: Any = resolved if isinstance(resolved, Col) else None
                is_own = column is not None and column.alias == source.model._meta.db_table
                if is_own and column.target.unique and not column.target.null:
                    unique.add(each.name)
            return frozenset(steady), frozenset(unique)

        return cls.kept("choosing", read)
