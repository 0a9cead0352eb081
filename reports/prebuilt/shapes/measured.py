"""Reports about a value of rows: which values there are, and how many of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django.db.models import Count

from reports.errors import DeclarationError, listed
from reports.prebuilt.dates.ranged import Ranged
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimension
from reports.prebuilt.vocabulary.facts import check_one_branch
from reports.prebuilt.vocabulary.metrics import Metric, Part, Ratio
from reports.prebuilt.vocabulary.selection import Output


def count_of(expression: Any) -> Output:
    """Return the column ``rows`` that stands before the metrics: how many rows there are, or have a value."""
    part = Part("of_rows", Count(expression))
    return Output("rows", "bigint", (Metric("rows", "bigint", 0, "sum", (part,)),))


def check_counted(report: type[Prebuilt]) -> None:
    """Refuse metrics over a relation to many: the report counts rows of its source beside them.

    Raises:
        DeclarationError: Names the metrics and the relations. Without the class's name.
    """
    given = {name: value for name, value in report.metrics.items() if not isinstance(value, Ratio)}
    check_one_branch(report.declared_source(), {"rows": Count("pk"), **given})


class Measured(Ranged):
    """A report about ``value``: the path of a field, also across relations to one row, or an expression.

    With ``date_field`` the rows of a range count.
    """

    value: ClassVar[Any] = ""

    vocabulary: ClassVar[Mapping[str, Check]] = {**Ranged.vocabulary, "value": attributes.expression}

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.check_range, partial(check_counted, cls)]

    @classmethod
    def read_value(cls, types: Collection[str], advice: str = "") -> Dimension:
        """Return the value, whose type must be one of those given.

        Raises:
            DeclarationError: It is not set, leads nowhere or to many, or is of another type. Without the class's name.
        """
        if isinstance(cls.value, str) and not cls.value:
            raise DeclarationError("value is not set; name a field of the source, or give an expression.")
        try:
            found = read_dimension(cls.declared_source(), "value", cls.value)
        except DeclarationError as error:
            problem = str(error).replace("dimension 'value'", "value", 1)
            raise DeclarationError(problem if problem.startswith("value") else f"value: {problem}") from None
        if found.type not in types:
            raise DeclarationError(f"value is a {found.type}, which is none of {listed(types)}.{advice}")
        return found
