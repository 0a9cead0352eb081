"""What is wrong with rows: values that are missing, and values that occur more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django.db import models
from django.db.models import CompositePrimaryKey, Count, Max, Min, Q, TextField, UUIDField
from django.db.models.functions import Cast
from django.db.models.lookups import IsNull, Regex

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.ranged import Ranged
from reports.prebuilt.shapes.measured import check_counted, count_of
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, flag, nothing, optional, whole
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimensions
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import Metric, Part, type_words

_TEXTS = ("character", "character varying", "citext", "text")
_BLANK = r"\A\s*\Z"


class OfFields(Ranged):
    """A report about fields of the source, which are named, or given by name with expressions, as dimensions are."""

    fields: ClassVar[Any] = ()

    vocabulary: ClassVar[Mapping[str, Check]] = {**Ranged.vocabulary, "fields": attributes.dimensions}

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_fields, cls.check_range]

    @classmethod
    def read_fields(cls) -> tuple[Dimension, ...]:
        """Return the fields as what can be grouped by.

        Raises:
            DeclarationError: Names all that lead nowhere or to many, or are no names. Without the class's name.
        """
        return cls.kept("fields", lambda: read_dimensions(cls.declared_source(), cls.given_fields(), what="field"))

    @classmethod
    def given_fields(cls) -> Sequence[str] | Mapping[str, Any]:
        """Return the fields that the class names."""
        found: Sequence[str] | Mapping[str, Any] = cls.fields
        return found


class MissingValues(OfFields):
    """In how many rows a field has no value. One row per field, or per field and dimensions.

    ``fields`` are by default those of the model that may be NULL, and with ``blank`` the texts. A request may ask for
    some of them. ``blank`` counts a text that is empty or only white space as missing. A field across a relation is
    missing where there is no related row.
    """

    template = "prebuilt/missing_values.sql"

    blank: ClassVar[bool] = False

    vocabulary: ClassVar[Mapping[str, Check]] = {**OfFields.vocabulary, "blank": flag, "metrics": nothing}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the field, the dimensions, and how many rows there are and have none."""
        if not cls.read_fields():
            raise DeclarationError("no field of the source may be NULL; name fields.")
        has_key = cls.has_key()
        yield Column("field", "text", pk=has_key)
        yield from (dimension.column(pk=has_key) for dimension in cls.read_dimensions())
        yield Column("rows", "bigint")
        yield Column("missing", "bigint")
        yield Column("share", "numeric", null=True)

    @classmethod
    def given_fields(cls) -> Sequence[str] | Mapping[str, Any]:
        """Return the fields that the class names, else those of the model that may be missing."""
        may_be_blank = cls.blank or "blank" in cls.get_form_class().base_fields
        return super().given_fields() or [
            field.attname
            for field in cls.declared_source().model._meta.concrete_fields
            if field.null or (may_be_blank and isinstance(field, (models.CharField, models.TextField)))
        ]

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        dimensions, blank, count = self.asked_dimensions(given), self.asked(given, "blank"), count_of("pk")
        asked = self.asked_names(given, "fields", [each.name for each in self.read_fields()])
        fields = [each for each in self.read_fields() if each.name in asked]
        missing = {f"missing_{number}": _missing(each, blank=blank) for number, each in enumerate(fields, start=1)}
        parts = tuple(Part(name, Count("pk", filter=condition)) for name, condition in missing.items())
        keys = {each.name: each.expression for each in dimensions}
        metrics = (*count.metrics, Metric("missing", "bigint", 0, "sum", parts))
        return {
            "dimensions": dimensions,
            "facts": grouped(self.rows_in_range(given), keys, metrics),
            "fields": [(each.name, part) for each, part in zip(fields, missing, strict=True)],
        }


class Duplicates(OfFields):
    """Which values of ``fields`` occur in more than one row. One row per combination, those of most rows first.

    ``first_key`` and ``last_key`` are the smallest and the largest key of its rows. NULL is equal to nothing, as in a
    unique constraint: rows that have one are left out. Without ``nulls_distinct`` all NULLs are equal. Expressions as
    ``{"email": Lower("email")}`` say what else is.
    """

    template = "prebuilt/duplicates.sql"
    ordering = ("-rows", "first_key")

    nulls_distinct: ClassVar[bool] = True
    limit: ClassVar[int | None] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **OfFields.vocabulary,
        "dimensions": nothing,
        "limit": optional(whole(1, 1_000_000)),
        "nulls_distinct": flag,
    }

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_key, partial(check_counted, cls)]

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the fields, the count of their rows, the keys of the first and the last, and the metrics."""
        if not cls.read_fields():
            raise DeclarationError("fields is not set; name what should occur once.")
        can_be_null = not cls.nulls_distinct or "nulls_distinct" in cls.get_form_class().base_fields
        for each in cls.read_fields():
            yield Column(each.name, each.type, null=each.null and can_be_null, fk=each.fk)
        yield Column("rows", "bigint")
        kind = cls.read_key()
        yield Column("first_key", kind, pk=True)
        yield Column("last_key", kind)
        yield from cls.metric_columns()

    @classmethod
    def read_key(cls) -> str:
        """Return the type of the source's key.

        Raises:
            DeclarationError: It is of several columns, which have no smallest value.
        """
        key = cls.declared_source().model._meta.pk
        kind = None if isinstance(key, CompositePrimaryKey) else type_words(key)
        if kind is None:
            raise DeclarationError("the source's key is of several columns, which have no smallest and largest value.")
        return kind.name

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        fields, metrics, rows = self.read_fields(), self.asked_metrics(given), self.rows_in_range(given)
        if self.asked(given, "nulls_distinct"):
            for each in fields:
                rows = rows.filter(IsNull(each.expression, False))
        count = count_of("pk")
        keys = {each.name: each.expression for each in fields}
        ends = (_end("first", Min, rows.model._meta.pk), _end("last", Max, rows.model._meta.pk))
        return {
            "facts": grouped(rows, keys, (*count.metrics, *ends, *metrics.needed)),
            "fields": [each.name for each in fields],
            "limit": self.asked(given, "limit"),
            "metrics": [count, *metrics],
        }


def _missing(field: Dimension, *, blank: bool) -> Any:
    """Return the condition under which a field has no value."""
    is_missing = IsNull(field.expression, True)
    if not blank or field.type not in _TEXTS:
        return is_missing
    return Q(is_missing) | Q(Regex(field.expression, _BLANK))


def _end(name: str, aggregate: Any, key: Any) -> Metric:
    expression = aggregate("pk")
    if isinstance(key, UUIDField):  # min() of a uuid is new in PostgreSQL 18; its text has the same order
        expression = Cast(aggregate(Cast("pk", TextField())), UUIDField())
    return Metric(f"{name}_key", "", None, None, (Part(f"{name}_of_keys", expression),))
