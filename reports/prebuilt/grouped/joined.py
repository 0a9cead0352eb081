"""The querysets of one run over several relations: the rows that they are joined to, and one for each relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import BooleanField, F, Func, Q, Value
from django.db.models.expressions import RawSQL

from reports.binding import identifier
from reports.prebuilt.grouped.paged_source import KEYS, PLANNED, TAIL
from reports.prebuilt.relations.branches import Condition, Facts
from reports.prebuilt.vocabulary.dimensions import Dimension
from reports.prebuilt.vocabulary.facts import BY, grouped
from reports.prebuilt.vocabulary.metrics import Metric
from reports.prebuilt.vocabulary.once import is_cut, is_filtered
from reports.prebuilt.vocabulary.selection import Dimensions

_LONGEST = 63  # bytes of a name, of which PostgreSQL drops the rest


class Variant(models.TextChoices):
    """How the relations come together: a CTE for each, a look-up for each row, or a UNION ALL that is grouped again."""

    CTE = "cte"
    LATERAL = "lateral"
    UNION = "union"


@dataclass(frozen=True, slots=True)
class Joined:
    """A relation as the template sees it: its name in the SQL, its rows and the metrics that they have."""

    name: str
    rows: models.QuerySet[Any]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Joins:
    """What is joined in one run.

    ``source`` has each row once; ``chosen`` says which rows of a branch count; ``metrics`` are the names of those
    wanted. With groups, ``shown`` are the dimensions, else the key and the fields.
    """

    source: models.QuerySet[Any]
    branches: tuple[Facts, ...]
    chosen: Mapping[str, Any]
    shown: Dimensions
    metrics: frozenset[str]
    variant: Variant
    has_groups: bool

    @property
    def keys(self) -> tuple[Dimension, ...]:
        """What the branches are grouped by and joined on."""
        return tuple(self.shown) if self.has_groups else self.shown.every[:1]

    @property
    def key(self) -> str:
        """The name of the source's key."""
        return self.keys[0].name

    def whole(self) -> Mapping[str, object]:
        """Return what the template needs for all rows of the source."""
        shape = {"shown": self.shown, "keys": self.keys, "variant": str(self.variant), "page": None}
        return {**shape, "rows": self._rows(), "branches": self._joined()}

    @property
    def can_be_paged(self) -> bool:
        """True when there may be fewer keys than all to aggregate for."""
        return (
            not is_cut(self.source) and not self.has_groups and any(self._wanted(facts) for facts in self.branches[1:])
        )

    def paged(self) -> Mapping[str, object]:
        """Return what is different for a page of the rows."""
        condition = _equal("p", "key") if self.variant == Variant.LATERAL else _of_page
        page = {"planned": PLANNED, "tail": TAIL, "key": self.key, "rows": self._plain_rows()}
        return {"page": page, "branches": self._joined(condition)}

    def _plain_rows(self) -> models.QuerySet[Any]:
        return grouped(self.source, {each.name: each.expression for each in self.shown}, ())

    def _rows(self) -> models.QuerySet[Any]:
        if own := self._wanted(self.branches[0]):
            return grouped(self.source, {each.name: each.expression for each in self.shown}, own)
        return self._plain_rows().distinct() if self.has_groups else self._plain_rows()

    def _joined(self, condition: Condition | None = None) -> tuple[Joined, ...]:
        found, source = [], self.source
        if (
            is_cut(source) and not self.has_groups
        ):  # of which another read need not give the same rows; those join with nothing
            source = source.model._base_manager.using(source._db)  # type: ignore[attr-defined]
        for number, facts in enumerate(self.branches[1:], 1):
            if not (wanted := self._wanted(facts)):
                continue
            rows = facts.rows(
                source,
                self.chosen.get(facts.path),
                keys=[each.name for each in self.keys],
                metrics=self.metrics,
                conditions=[condition] if condition else self._conditions(facts),
            )
            name = f"of_{facts.name}"
            found.append(Joined(name if len(name.encode()) <= _LONGEST else f"of_relation_{number}", rows, wanted))
        return tuple(found)

    def _wanted(self, facts: Facts) -> tuple[Metric, ...]:
        return tuple(metric for metric in facts.metrics if metric.name in self.metrics)

    def _conditions(self, facts: Facts) -> list[Condition]:
        """Return what keeps facts out that belong to no row of the source."""
        if self.variant == Variant.LATERAL:
            return [_equal("s", f"{BY}{self.key}")]
        if facts.back is None:  # grouped from the source
            return []
        if is_filtered(self.source) and (self.has_groups or not is_cut(self.source)):
            return [self._of_source]
        if not self.has_groups:  # they join with nothing
            return []
        return [_linked if facts.back.is_sound else self._of_source]

    def _of_source(self, key: str) -> Q:
        return Q(**{f"{key}__in": self.source.order_by().values("pk")})


def _linked(key: str) -> Q:
    return Q(**{f"{key}__isnull": False})


def _of_page(key: str) -> Any:
    return _compared(key, Value(KEYS))


def _equal(rows: str, column: str) -> Condition:
    return lambda key: _compared(key, RawSQL(str(identifier([rows, column])), ()))  # noqa: S611 - names of our own


def _compared(key: str, other: Any) -> Func:
    template, output = "%(expressions)s", BooleanField()
    return Func(F(key), other, template=template, arg_joiner=" = ", output_field=output)
