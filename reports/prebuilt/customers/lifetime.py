"""What customers bring in, by cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.customers.cohorts import Cohorts
from reports.prebuilt.customers.monetary import aggregate, read_number
from reports.prebuilt.vocabulary.attributes import Check, optional
from reports.prebuilt.vocabulary.facts import BY
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.numbers import quotient_type


class LifetimeValue(Cohorts):
    """What each cohort brought in up to an age, in all and per actor. One row per cohort and age.

    ``monetary`` is what is added up: a Sum, or a Count.
    """

    template = "prebuilt/lifetime_value.sql"

    monetary: ClassVar[Any] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {**Cohorts.vocabulary, "monetary": optional(aggregate)}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the columns of the triangle, the value of the age, that up to the age, and this per actor."""
        yield from super().read_columns()
        monetary = cls.read_monetary()
        yield Column("value", monetary.type)
        yield Column("running", monetary.type)
        yield Column("per_actor", quotient_type(monetary.type), null=True)

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_monetary]

    @classmethod
    def read_monetary(cls) -> Metric:
        """Return what is added up.

        Raises:
            DeclarationError: It is not set, is no number, or those of periods do not add up to that of all.
        """

        def read() -> Metric:
            found = read_number(cls.declared_source(), "monetary", cls.monetary)
            if found.merge != "sum":
                raise DeclarationError(f"monetary is {cls.monetary!r}; it must be a Sum or a Count: periods are added.")
            return found

        return cls.kept("monetary", read)

    def get_values(self) -> Mapping[str, Any]:
        return {f"{BY}value": self.monetary}

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        monetary = self.read_monetary()
        return {**super().get_shape(given), "type": monetary.type, "quotient": quotient_type(monetary.type)}
