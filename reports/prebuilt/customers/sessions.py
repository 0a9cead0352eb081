"""Visits: the events of one actor that follow one another without a long pause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import Count, F

from reports.errors import DeclarationError, listed
from reports.header import Column
from reports.prebuilt.shapes.actors import Acting, duration
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.facts import grouped


class Sessions(Acting):
    """The sessions of each actor: a pause longer than ``gap`` ends one. One row per session, numbered for each actor.

    ``metrics`` are of the session's events, by default their number. The rows are a QuerySet: ``rows.aggregate(
    Avg("duration"))`` is the mean length. Only events in the range count, so that it may cut a session.
    """

    template = "prebuilt/sessions.sql"

    gap: ClassVar[timedelta] = timedelta(minutes=30)
    metrics: ClassVar[Mapping[str, Any]] = {"events": Count("pk")}

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Acting.vocabulary,
        "dimensions": attributes.nothing,
        "gap": duration,
        "metrics": attributes.metrics,
    }

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the actor, the session's number, when it was, how long it took, and the metrics."""
        actor = cls.read_actor()
        yield actor.column(pk=True)
        yield Column("number", "bigint", pk=True)
        yield Column("started_at", "timestamptz")
        yield Column("ended_at", "timestamptz")
        yield Column("duration", "interval")
        yield from cls.metric_columns()

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls._check_instants, cls._check_metrics]

    @classmethod
    def _check_instants(cls) -> None:
        if cls.is_of_dates():
            raise DeclarationError(f"date_field {cls.date_field!r} holds dates, between which there are no pauses.")

    @classmethod
    def _check_metrics(cls) -> None:
        if whole := [metric.name for metric in cls.read_metrics() if metric.merge is None]:
            problem = "of a session cannot be made of those of its instants"
            raise DeclarationError(f"metrics {problem}: {listed(whole)}. No distinct count, percentile or array can.")

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else the actor and the number."""
        return tuple(cls.ordering) or (cls.read_actor().name, "number")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, metrics = self.dates(given), self.asked_metrics(given)
        keys = {"actor": F(self.actor), "at": F(dates.field)}
        return {
            "actor": self.read_actor(),
            "facts": grouped(self.events(dates), keys, metrics.needed),
            "gap": self.asked(given, "gap"),
            "metrics": metrics,
        }
