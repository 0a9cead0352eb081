"""Cohorts: who came first in the same period, and how it went on with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Min

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.dated import Dates, holds_dates
from reports.prebuilt.dates.ranges import make_range
from reports.prebuilt.shapes.actors import SinceFirst
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, optional, whole
from reports.prebuilt.vocabulary.facts import BY, as_queryset, grouped


class Retention(models.TextChoices):
    """Who counts as still there: ``CLASSIC``, active in that very period; ``ROLLING``, in that one or a later one."""

    CLASSIC = "classic"
    ROLLING = "rolling"


class Cohorts(SinceFirst):
    """A report with one row per cohort and age, in periods: a triangle, complete up to the range's last period.

    An actor's cohort is the period of their first event; one whose first event lies before the range is in none. With
    ``actors``, a model or QuerySet of who may act, and ``joined``, a date of theirs, it is the period in which they
    joined: those who never did anything count, and what was before that period or before the range does not. A subclass
    that limits ``get_source()`` limits ``get_actors()`` too.
    """

    actors: ClassVar[type[models.Model] | models.QuerySet[Any] | None] = None
    joined: ClassVar[str] = ""
    last_age: ClassVar[int | None] = None
    keys = ("cohort", "age")

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **SinceFirst.vocabulary,
        "actors": attributes.source,
        "joined": attributes.text,
        "last_age": optional(whole(0, 10_000)),
    }

    def get_actors(self) -> type[models.Model] | models.QuerySet[Any]:
        """Return the model or queryset of who may act: the ``actors``. For subclasses: ask ``self.user``."""
        assert self.actors is not None
        return self.actors

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the cohort, the age, the dimensions and the number of the cohort's actors."""
        yield from cls.keyed(Column("cohort", "date"), Column("age", "bigint"))
        yield Column("size", "bigint")

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), lambda: cls.check_closed("a triangle of cohorts"), cls._check_actors]

    @classmethod
    def _check_actors(cls) -> None:
        cls.read_actor()
        if bool(cls.joined) != (cls.actors is not None):
            raise DeclarationError("actors and joined belong together: who may act, and the date on which they joined.")
        if cls.actors is None:
            return
        if cls.dimensions:
            raise DeclarationError("dimensions are of events, and those who joined may have none; set no actors.")
        model = as_queryset(cls.actors).model
        holds_dates(as_queryset(cls.actors).query, cls.joined, "joined")
        if not issubclass(model, cls._actor_column().model):
            raise DeclarationError(f"actors are {model._meta.label}, to which actor {cls.actor!r} does not lead.")

    @classmethod
    def _actor_column(cls) -> Any:
        """Return the field that holds an actor: of a relation that which it leads to."""
        return cls.declared_source().values(_actor=F(cls.actor)).query.annotations["_actor"].output_field

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions = self.dates(given), self.asked_dimensions(given)
        self.check_spine(dates, self.most_periods)
        is_joined = self.actors is not None
        bounds = dates.range if is_joined else self.bounds_of_events(given, dates)
        keys = {"actor": F(self.actor), "period": dates.period, **{each.name: each.expression for each in dimensions}}
        moment, since = self.since(dates)
        facts: Any = grouped(self.events(dates, bounds), keys, ())
        return {
            "dates": dates,
            "dimensions": dimensions,
            "facts": facts.annotate(**{f"{BY}first": Min(moment)}, **self.get_values()),
            "is_joined": is_joined,
            "last_age": self.asked(given, "last_age"),
            "members": self._members(dates) if is_joined else None,
            "since": None if bounds.start else since,
        }

    def get_values(self) -> Mapping[str, Any]:
        """Return what is aggregated for each actor and period. For the classes of this package."""
        return {}

    def _members(self, dates: Dates) -> models.QuerySet[Any]:
        assert self.actors is not None
        actors = self.rows_of(self.get_actors(), as_queryset(self.actors), "get_actors()")
        of_dates = holds_dates(actors.query, self.joined, "joined")
        bounds = make_range(dates.range.start, dates.range.end, dates.zone, of_dates=of_dates)
        joined = replace(dates, field=self.joined, of_dates=of_dates, range=bounds)
        keys = {f"{BY}actor": F(self._actor_column().name), f"{BY}period": joined.period}
        members: models.QuerySet[Any] = joined.within(actors).order_by().values(**keys)
        return members


class CohortRetention(Cohorts):
    """How many of each cohort were still there, by age. One row per cohort and age, also where nobody was.

    ``kind`` says who counts as still there, see ``Retention``.
    """

    template = "prebuilt/cohort_retention.sql"

    kind: ClassVar[str] = Retention.CLASSIC

    vocabulary: ClassVar[Mapping[str, Check]] = {**Cohorts.vocabulary, "kind": member(Retention)}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the columns of the triangle, how many were active, and their share of the cohort."""
        yield from super().read_columns()
        yield Column("active", "bigint")
        yield Column("share", "numeric", null=True)

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        return {**super().get_shape(given), "kind": self.asked(given, "kind")}
