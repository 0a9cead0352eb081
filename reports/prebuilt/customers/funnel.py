"""How far customers come on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial, reduce
from operator import or_
from typing import Any, ClassVar

from django.core.exceptions import FieldError
from django.db.models import Case, F, Q, Value, When
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.shapes.actors import Acting, duration
from reports.prebuilt.vocabulary.attributes import Check, optional
from reports.prebuilt.vocabulary.facts import BY
from reports.prebuilt.vocabulary.paths import branches_of, explained
from reports.prebuilt.vocabulary.problems import read_all


def conditions(value: Any) -> str | None:
    """A dict of conditions by name."""
    fits = isinstance(value, Mapping) and all(isinstance(each, Q) and each for each in value.values())
    return None if fits and all(isinstance(name, str) for name in value) else "a dict of steps by name: a Q for each"


class Funnel(Acting):
    """How many actors came to each step, after all those before it in their order. One row per step, also with 0.

    ``steps`` is a dict of Qs by name. A step is taken by an event after that of the step before, at most ``within``
    later; of events at one instant the one with the lower key is first. An event is one step only, and every attempt
    counts, not the first alone.
    """

    template = "prebuilt/funnel.sql"

    steps: ClassVar[Mapping[str, Q]] = {}
    within: ClassVar[timedelta | None] = None
    keys = ("position",)

    vocabulary: ClassVar[Mapping[str, Check]] = {**Acting.vocabulary, "steps": conditions, "within": optional(duration)}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the position, the dimensions, the step, its actors, their shares and the time from the step before."""
        yield from cls.keyed(Column("position", "integer"))
        yield Column("step", "text")
        yield Column("actors", "bigint")
        yield Column("share_of_first", "numeric", null=True)
        yield Column("share_of_previous", "numeric", null=True)
        yield Column("median_time", "interval", null=True)

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.is_of_dates, cls._check_steps]

    @classmethod
    def _check_steps(cls) -> None:
        if len(cls.steps) < 2:
            raise DeclarationError(f"steps must be two or more, and there is {len(cls.steps)}.")
        read_all([partial(cls._check_step, *step) for step in cls.steps.items()])

    @classmethod
    def _check_step(cls, name: str, condition: Q) -> None:
        source = cls.declared_source()
        try:
            many = branches_of(source.query, condition) - {()}
            source.filter(condition)
        except DeclarationError as error:
            raise DeclarationError(f"step {name!r}: {error}") from None
        except FieldError as error:
            raise DeclarationError(f"step {name!r}: {explained(error, name)}") from None
        if many:
            path = LOOKUP_SEP.join(sorted(many)[0])
            raise DeclarationError(f"step {name!r} leads to many rows by {path!r}; take that model as the source.")

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions = self.dates(given), self.asked_dimensions(given)
        keys = {"actor": F(self.actor), "at": F(dates.field), "key": F("pk")}
        dims = {each.name: each.expression for each in dimensions}
        events = self.steps.values()
        # Not called as a dimension is.
        are = {f"of_step_{n}": Case(When(q, then=Value(True)), default=Value(False)) for n, q in enumerate(events, 1)}
        rows = self.events(dates).filter(reduce(or_, events)).order_by()
        return {
            "dimensions": dimensions,
            "events": rows.values(**{f"{BY}{name}": value for name, value in {**keys, **dims}.items()}, **are),
            "of_dates": dates.of_dates,
            "steps": list(self.steps),
            "within": self.asked(given, "within"),
        }
