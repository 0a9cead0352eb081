"""Reports over events: who acts, and which of their events is the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import F
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.dated import Dated, Dates
from reports.prebuilt.dates.periods import Period
from reports.prebuilt.dates.ranges import Bound, Range, is_torn
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, member, one_or_more
from reports.prebuilt.vocabulary.dimensions import Dimension, read_path


class FirstEvent(models.TextChoices):
    """Which event is an actor's first: ``EVER``, of all before the range's end; ``IN_RANGE``, of those in the range.

    In the range, someone who was there before and comes back counts as one who is there for the first time.
    """

    EVER = "ever"
    IN_RANGE = "in_range"


def duration(value: Any) -> str | None:
    """A length of time."""
    return None if isinstance(value, timedelta) and value > timedelta() else "a timedelta above 0"


def days_or_longer(value: Any) -> str | None:
    """A period that begins on a day."""
    allowed = [period for period in Period.values if period != Period.HOUR]
    return None if value in allowed else f"one of {', '.join(allowed)}"


class Acting(Dated):
    """A report over events: ``actor`` is the path from an event to who acts, such as ``"customer"``.

    Events without an actor or a date are left out. Dimensions divide the events, and each part is looked at on its own:
    an actor is counted in every part in which they have events.
    """

    actor: ClassVar[str] = ""

    reserved = frozenset({"actor", "at", "first", "key", "last", "period", "value"})
    # The columns that come first, before the dimensions: together they say which row it is.
    keys: ClassVar[Sequence[str]] = ()

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "actor": attributes.text,
        "metrics": attributes.nothing,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_actor]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of its key and dimensions."""
        columns = cls.get_columns()[: len(cls.keys) + len(cls.read_dimensions())]
        return tuple(cls.ordering) or tuple(column.name for column in columns)

    @classmethod
    def read_actor(cls) -> Dimension:
        """Return who acts, as what the events are grouped by.

        Raises:
            DeclarationError: It is not set, leads nowhere or to many. Without the class's name.
        """

        def read() -> Dimension:
            if not cls.actor:
                raise DeclarationError("actor is not set; name the path from an event to who acts.")
            return replace(read_path(cls.declared_source(), "actor", cls.actor), null=False)

        return cls.kept("actor", read)

    @classmethod
    def keyed(cls, *keys: Column) -> Iterable[Column]:
        """Yield columns and then the dimensions: together they are the key, if none of them can be NULL.

        Raises:
            DeclarationError: The actor is not set, leads nowhere or to many. Without the class's name.
        """
        cls.read_actor()
        dimensions = cls.read_dimensions()
        is_key = cls.has_key()
        yield from (replace(key, pk=is_key) for key in keys)
        yield from (dimension.column(pk=is_key) for dimension in dimensions)

    def events(self, dates: Dates, bounds: Range | None = None) -> models.QuerySet[Any]:
        """Return the events that have an actor, in the range of the run or in another one."""
        return dates.within(self.rows_of_source(), bounds).filter(**{f"{self.actor}{LOOKUP_SEP}isnull": False})


class SinceFirst(Acting):
    """A report that asks for an actor's first event, by periods of days or longer; its range is closed."""

    period: ClassVar[Any] = Period.MONTH
    first: ClassVar[str] = FirstEvent.EVER
    most_periods: ClassVar[int] = 1_000

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Acting.vocabulary,
        "period": one_or_more(days_or_longer),
        "first": member(FirstEvent),
        "most_periods": attributes.whole(1, 10_000),
    }

    def bounds_of_events(self, given: Mapping[str, Any], dates: Dates) -> Range:
        """Return the range of the events that are read: all before the end, where the first one ever is asked for."""
        if self.asked(given, "first") == FirstEvent.IN_RANGE:
            return dates.range
        return replace(dates.range, start=None, first_day=None)

    def since(self, dates: Dates) -> tuple[Any, Bound]:
        """Return what of an event tells whether it is from the range's start on, and that start.

        It is the moment, but where clocks that went back mixed the instants of two days: there it is the day.
        """
        if is_torn(dates.range.start, dates.range.first_day, dates.zone):
            return dates.local_date, dates.range.first_day
        return F(dates.field), dates.range.start
