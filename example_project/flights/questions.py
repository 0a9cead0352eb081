"""One question that a report of the flights answers, beside the way in which it is asked with the ORM."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Avg, Count, F, Q

from example_project.comparison import Question, Row
from example_project.flights.models import Flight
from reports import get_report

METRICS = ("carrier", "airline", "flights", "cancelled", "mean_delay", "late_share")


def questions() -> list[Question]:
    """Return the flights' question."""

    def delays() -> Iterable[Row]:
        return get_report("flights.carrier_delays")().run({}).values_list(*METRICS)

    return [Question("delays per carrier: values().annotate()", Flight._meta.db_table, delays_by_group, delays)]


def delays_by_group() -> Iterable[Row]:
    """Ask by one GROUP BY, which is all that this question needs."""
    return (
        Flight.objects.values("carrier", airline=F("carrier__name"))
        .annotate(
            count=Count("pk"),
            cancelled=Count("pk", filter=Q(dep_time=None)),
            mean_delay=Avg("dep_delay"),
            late_share=100.0 * Count("pk", filter=Q(arr_delay__gt=15)) / Count("arr_delay"),
        )
        .values_list("carrier", "airline", "count", "cancelled", "mean_delay", "late_share")
    )
