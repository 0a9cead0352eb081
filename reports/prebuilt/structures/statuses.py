"""How long things stay in a status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from django.db.models import F
from django.db.models.constants import LOOKUP_SEP

from reports.header import Column
from reports.prebuilt.dates.dated import Dated, Dates
from reports.prebuilt.dates.ranges import Range, make_range
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.dimensions import Dimension, read_path
from reports.prebuilt.vocabulary.facts import grouped


def times_by_status(value: Any) -> str | None:
    """A time, or a time for each of some statuses."""
    times = [*value.values()] if isinstance(value, Mapping) else [value]
    fits = value is None or all(isinstance(time, timedelta) and time > timedelta() for time in times)
    if fits and not (isinstance(value, Mapping) and None in value):
        return None
    return "a timedelta above 0, a dict of them by status, or None"


class TimeInStatus(Dated):
    """How long subjects were in each status, from a log of its changes. One row per status and dimensions.

    ``source`` is the log: ``subject`` is the path to what changes, ``status`` to what it changes to, ``date_field`` to
    when. An interval lasts from a change until the subject's next one, the last until ``as_of``, which is the present
    by default; later changes have not happened. A change to the status that the subject has already is none. Changes at
    the same instant follow one another by their keys. Those without a date or a subject are left out.

    With ``start`` or ``end``, the intervals with a part in the range count, by the length of that part. ``sla`` is the
    longest time that is in order: one for all statuses, or one by status. ``sla_share`` is how many intervals kept it,
    of those that kept or broke it; their whole length is judged, and one that goes on and has not broken it is in
    neither number. ``dimensions`` are those of the change with which an interval begins.
    """

    template = "prebuilt/time_in_status.sql"
    reserved = frozenset({"at", "key", "status", "subject"})

    subject: ClassVar[str] = ""
    status: ClassVar[str] = ""
    as_of: ClassVar[Any] = None
    sla: ClassVar[timedelta | Mapping[Any, timedelta] | None] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "metrics": attributes.nothing,
        "subject": attributes.text,
        "status": attributes.text,
        "as_of": attributes.moment,
        "sla": times_by_status,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), *(partial(cls.read_field, name) for name in ("subject", "status"))]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the status and the dimensions."""
        return tuple(cls.ordering) or tuple(each.name for each in (cls.read_field("status"), *cls.read_dimensions()))

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the status, the dimensions, and the columns about time and the SLA."""
        cls.is_of_dates()
        status, dimensions = cls.read_field("status"), cls.read_dimensions()
        is_key = cls.has_key(status)
        yield from (each.column(pk=is_key) for each in (status, *dimensions))
        yield from (Column(name, "bigint") for name in ("intervals", "ongoing"))
        yield from (Column(name, "interval") for name in ("total", "mean", "median", "p90"))
        yield Column("sla", "interval", null=True)
        yield from (Column(name, "bigint") for name in ("within_sla", "over_sla"))
        yield Column("sla_share", "numeric", null=True)

    @classmethod
    def read_field(cls, attribute: str) -> Dimension:
        """Return what ``subject`` or ``status`` names."""
        return cls.kept(attribute, lambda: read_path(cls.declared_source(), attribute, getattr(cls, attribute)))

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dates, dimensions = self.dates(given), self.asked_dimensions(given)
        known, sla = self._known(given, dates), self.asked(given, "sla")
        keys = {"subject": F(self.subject), "status": F(self.status), "at": F(self.date_field), "key": F("pk")}
        rows = dates.within(self.rows_of_source(), known).filter(**{f"{self.subject}{LOOKUP_SEP}isnull": False})
        return {
            "as_of": known.end,
            "changes": grouped(rows, {**keys, **{each.name: each.expression for each in dimensions}}, ()),
            "dates": dates,
            "dimensions": dimensions,
            "sla": None if isinstance(sla, Mapping) else sla,
            "slas": [*sla.items()] if isinstance(sla, Mapping) else (),
            "status": self.read_field("status"),
        }

    def _known(self, given: Mapping[str, Any], dates: Dates) -> Range:
        """Return the range that ends where what is known ends."""
        as_of = self.moment(given, "as_of") or datetime.now(UTC)
        return make_range(None, as_of, dates.zone, of_dates=dates.of_dates)
