"""When tables were last written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, ClassVar

from django.db import connections, models
from django.db.models import Count, Max
from django.utils import timezone

from reports.errors import DeclarationError, listed, near
from reports.header import Column
from reports.prebuilt.dates.dated import holds_dates
from reports.prebuilt.dates.moments import moment_of
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, nothing, optional
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.facts import as_queryset, grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part
from reports.prebuilt.vocabulary.once import is_filtered
from reports.prebuilt.vocabulary.problems import read_all
from reports.prebuilt.vocabulary.sources import checked_source
from reports.prebuilt.vocabulary.zones import current_zone, find_zone, zone_words

Source = tuple[type[models.Model] | models.QuerySet[Any], str]


class Counting(models.TextChoices):
    """How rows are counted: ``EXACT``, which reads them all, or ``ESTIMATE``, as the last ANALYZE found."""

    EXACT = "exact"
    ESTIMATE = "estimate"


def pairs(value: Any) -> str | None:
    """A dict of a model or queryset and its date, by name."""
    fits = isinstance(value, Mapping) and all(isinstance(name, str) and name for name in value)
    if fits and all(_is_source(each) for each in value.values()):
        return None
    return "a dict of pairs by name: a model or a QuerySet, and the name of its date field"


def length_of_time(value: Any) -> str | None:
    """A length of time, or several by name."""
    lengths = value.values() if isinstance(value, Mapping) else [value]
    fits = all(isinstance(each, timedelta) and each >= timedelta() for each in lengths)
    return None if fits else "a timedelta, or a dict of them by name of a source"


class Freshness(Prebuilt):
    """When each table was last written to, and whether that is too long ago. One row per source.

    ``sources`` are pairs by name, of a model or queryset and its date field: ``{"tickets": (Ticket, "opened_at")}``.
    ``latest`` is its greatest instant, of a date the beginning in the zone; ``age`` how long before ``as_of`` that is,
    by default before the present. A source that has a time ``within`` which its latest row should be is late after
    that, and when it has no row. ``counting`` says whether ``rows`` are counted; without, no more is read of a table
    that has an index on its date than the last entry. An estimate is there only for whole tables that were analyzed.
    """

    template = "prebuilt/freshness.sql"

    sources: ClassVar[Mapping[str, Source]] = {}
    within: ClassVar[timedelta | Mapping[str, timedelta] | None] = None
    counting: ClassVar[str | None] = Counting.EXACT
    as_of: ClassVar[Any] = None
    time_zone: ClassVar[Any] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Prebuilt.vocabulary,
        "source": nothing,
        "metrics": nothing,
        "dimensions": nothing,
        "sources": pairs,
        "within": optional(length_of_time),
        "counting": optional(member(Counting)),
        "as_of": attributes.moment,
        "time_zone": attributes.time_zone,
    }

    def get_sources(self) -> Mapping[str, Source]:
        """Return the ``sources``. For subclasses: ask ``self.user``."""
        return self.sources

    @classmethod
    def is_abstract(cls) -> bool:
        """Return whether the class has no template, or no sources."""
        return not cls.template or not cls.sources

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return nothing: there is no source that metrics and dimensions could be of."""
        return ()

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the source, its rows and its latest instant, how long ago that was, and whether it is late."""
        cls._holding_dates(cls.sources)
        unknown = {*cls.within} - {*cls.sources} if isinstance(cls.within, Mapping) else set()
        if unknown:
            there = f"(there are: {listed(cls.sources)}).{near(min(unknown), cls.sources)}"
            raise DeclarationError(f"within names {listed(unknown)}, which is no source {there}")
        yield Column("source", "text", pk=True)
        yield Column("rows", "bigint", null=True)
        yield Column("latest", "timestamptz", null=True)
        yield Column("age", "interval", null=True)
        yield Column("within", "interval", null=True)
        yield Column("is_late", "boolean", null=True)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        zone = find_zone(self.asked(given, "time_zone")) or current_zone()
        counting, within = self.asked(given, "counting"), self.asked(given, "within")
        as_of = moment_of(self, given, "as_of")
        if as_of is not None and not isinstance(as_of, datetime):
            as_of = datetime.combine(as_of, time(), tzinfo=zone).astimezone(UTC)
        chosen = self._chosen()
        of_dates = self._holding_dates(chosen)
        sources = []
        for name, (rows, path) in chosen.items():
            sources.append(
                {
                    "name": name,
                    "facts": grouped(rows, {}, _metrics(path, is_exact=counting == Counting.EXACT)),
                    "is_of_dates": of_dates[name],
                    "table": self._table(rows) if counting == Counting.ESTIMATE else None,
                    "within": within.get(name) if isinstance(within, Mapping) else within,
                }
            )
        return {
            "counting": counting,
            "now": as_of or timezone.now(),
            "tables": sources,
            "zone": zone_words(zone),
        }

    def _chosen(self) -> Mapping[str, tuple[models.QuerySet[Any], str]]:
        """Return the rows and the date of each source, as ``get_sources()`` has chosen them.

        Raises:
            DeclarationError: They are no pairs, or of another model than the class's source of that name, or of another
                database.
        """
        given, using, hook = self.get_sources(), self._alias(self.get_template()), "get_sources()"
        try:
            if allowed := pairs(given):
                raise DeclarationError(f"{hook} gave a {type(given).__name__}; it must give {allowed}.")
            declared = {**given, **self.sources}
            reads = [
                partial(checked_source, rows, as_queryset(declared[name][0]), using=using, hook=hook)
                for name, (rows, _) in given.items()
            ]
            rows = read_all(reads)
        except DeclarationError as error:
            raise DeclarationError(*[f"{type(self).__qualname__}: {each}" for each in error.problems]) from None
        return {name: (each, given[name][1]) for name, each in zip(given, rows, strict=True)}

    def _table(self, rows: models.QuerySet[Any]) -> str | None:
        """Return the table whose estimate is that of some rows; None when they are not all of it."""
        quote = connections[self._alias(self.get_template())].ops.quote_name
        return None if is_filtered(rows) else quote(rows.model._meta.db_table)

    @classmethod
    def _holding_dates(cls, given: Mapping[str, Source]) -> Mapping[str, bool]:
        """Return whether each source's date has no hours."""
        reads = [
            partial(holds_dates, as_queryset(source).query, path, f"the date of {name!r},")
            for name, (source, path) in given.items()
        ]
        return dict(zip(given, read_all(reads), strict=True))


def _is_source(pair: Any) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], str):
        return False
    return pair[0] is not None and attributes.source(pair[0]) is None


def _metrics(path: str, *, is_exact: bool) -> Iterable[Metric]:
    latest = Metric("latest", "timestamptz", None, "max", (Part("latest_of_rows", Max(path)),))
    rows = Metric("rows", "bigint", 0, "sum", (Part("of_rows", Count("pk")),))
    return (rows, latest) if is_exact else (latest,)
