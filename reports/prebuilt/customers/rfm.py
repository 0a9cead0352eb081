"""Customers by how recently, how often and for how much they bought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar

from django.db import models
from django.db.models import Count, F, Max

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.customers.monetary import aggregate, read_number
from reports.prebuilt.dates.dated import Dates
from reports.prebuilt.dates.ranges import make_range
from reports.prebuilt.shapes.actors import Acting
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, is_list, number, optional, whole
from reports.prebuilt.vocabulary.facts import BY
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.paths import branches_of

_MEASURES = ("recency", "frequency", "monetary")


def rising(value: Any) -> str | None:
    """A dict of rising numbers by measure."""
    fits = isinstance(value, Mapping) and all(
        name in _MEASURES
        and is_list(limits)
        and not any(number(limit) for limit in limits)
        and all(low < high for low, high in pairwise(limits))
        for name, limits in value.items()
    )
    return None if fits else f"a dict of lists of rising numbers, by {', '.join(_MEASURES)}"


class RFM(Acting):
    """How recently, how often and for how much each actor bought, with a score for each. One row per actor.

    ``as_of`` is the instant from which one looks back: a date stands for its beginning, so that rows of that day, or
    later ones, do not count. By default it is the end of the range, and this moment where that is open. ``recency`` is
    in days up to it. ``monetary`` is an aggregate, and so is ``frequency``, by default the number of rows. Scores go
    from 1 to ``scores``, the best; ``cell`` is the three as one code. ``limits`` gives a measure limits of its own: a
    recency below the lowest has the best score, another measure from its highest on.
    """

    template = "prebuilt/rfm.sql"

    monetary: ClassVar[Any] = None
    frequency: ClassVar[Any] = None
    scores: ClassVar[int] = 5
    limits: ClassVar[Mapping[str, Sequence[Any]]] = {}
    as_of: ClassVar[Any] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Acting.vocabulary,
        "dimensions": attributes.nothing,
        "monetary": optional(aggregate),
        "frequency": optional(aggregate),
        "scores": whole(2, 9),
        "limits": rising,
        "as_of": attributes.moment,
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the actor, the date of the last row, the measures, their scores and the cell of those."""
        yield cls.read_actor().column(pk=True)
        frequency, monetary = cls.read_measures()
        yield Column("latest", "date" if cls.is_of_dates() else "timestamptz")
        yield Column("recency", "integer", unit="days")
        yield Column("frequency", frequency.type, null=frequency.empty is None)
        yield Column("monetary", monetary.type, null=monetary.empty is None)
        yield from (Column(f"{name}_score", "integer") for name in _MEASURES)
        yield Column("cell", "text")

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_measures, cls._check_limits]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else the actor."""
        return tuple(cls.ordering) or (cls.read_actor().name,)

    @classmethod
    def read_measures(cls) -> tuple[Metric, Metric]:
        """Return the frequency and the monetary value.

        Raises:
            DeclarationError: One is no number. Without the class's name.
        """

        def read() -> tuple[Metric, Metric]:
            source = cls.declared_source()
            return (
                read_number(source, "frequency", cls._frequency(source)),
                read_number(source, "monetary", cls.monetary),
            )

        return cls.kept("measures", read)

    @classmethod
    def _frequency(cls, source: models.QuerySet[Any]) -> Any:
        if cls.frequency is not None or cls.monetary is None:
            return cls.frequency or Count("pk")
        # A relation to many gives a row more than once.
        return Count("pk", distinct=bool(branches_of(source.query, cls.monetary) - {()}))

    @classmethod
    def _check_limits(cls) -> None:
        if wrong := cls._wrong_limits(cls.scores):
            raise DeclarationError(f"limits: {wrong}")

    @classmethod
    def _wrong_limits(cls, scores: int) -> str:
        """Return which limits are not those of so many scores."""
        wrong = sorted(name for name, limits in cls.limits.items() if len(limits) != scores - 1)
        return f"{scores} scores need {scores - 1} limits, and not so many has {listed(wrong)}." if wrong else ""

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        scores = self.asked(given, "scores")
        if wrong := self._wrong_limits(scores):
            raise self.refused("scores", wrong[0].upper() + wrong[1:])
        as_of, dates = self._as_of(given, self.dates(given))
        rows: Any = self.events(dates).order_by().values(**{f"{BY}actor": F(self.actor)})
        frequency, monetary = self.read_measures()
        measures = {"frequency": self._frequency(rows), "monetary": self.monetary, "last": Max(dates.field)}
        return {
            "actor": self.read_actor(),
            "as_of": as_of,
            "dates": dates,
            "facts": rows.annotate(**{f"{BY}{name}": expression for name, expression in measures.items()}),
            "frequency": frequency,
            "limits": {name: [Decimal(str(each)) for each in limits] for name, limits in self.limits.items()},
            "monetary": monetary,
            "scores": scores,
        }

    def _as_of(self, given: Mapping[str, Any], dates: Dates) -> tuple[date, Dates]:
        """Return the day that recency is counted up to, and the dates of the rows before it."""
        as_of = self.moment(given, "as_of") or dates.range.end or datetime.now(UTC)
        bound = make_range(None, as_of, dates.zone, of_dates=dates.of_dates)
        end = min(each for each in (bound.end, dates.range.end) if each is not None)
        day = as_of.astimezone(dates.zone).date() if isinstance(as_of, datetime) else as_of
        return day, replace(dates, range=replace(dates.range, end=end))
