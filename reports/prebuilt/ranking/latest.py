"""The latest rows of each row of another model.

There are two forms. Measured over 300 000 rows on PostgreSQL 18, in milliseconds, the latest one and the latest three
of each group (DISTINCT ON, which gives one only, takes as long as the window from five rows per group on):

==============  ==========  ==================================  ===============================
rows per group  window      LATERAL, index of group and date    LATERAL, index of the group only
==============  ==========  ==================================  ===============================
1               320, 342    312, 373                            578, 559
2               262, 272    179, 550                            527, 530
5               185, 214    74, 133                             349, 353
50              135, 136    12, 17                              235, 234
500             140, 126    2, 3                                232, 252
5 000           103, 108    0.3, 0.4                            176, 186
==============  ==========  ==================================  ===============================

Without an index of the group, LATERAL reads the whole table for each group. So the choice asks no statistics: LATERAL
where the model declares an index that begins with the group and the date, at worst twice as slow as the window and at
best three hundred times as fast; else the window, which reads the rows once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.core.exceptions import FieldError
from django.db import models
from django.db.models import F
from django.db.models.constants import LOOKUP_SEP

from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt.dates.dated import Dated
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.attributes import Check, optional, whole
from reports.prebuilt.vocabulary.dimensions import Dimension, read_dimension, read_dimensions
from reports.prebuilt.vocabulary.facts import BY, as_queryset
from reports.prebuilt.vocabulary.paths import explained
from reports.prebuilt.vocabulary.selection import Dimensions


class LatestPerGroup(Dated):
    """The latest ``limit`` rows of the source for each row of another model. One row per row of the source.

    ``group`` is the source's ForeignKey; its model's rows are the groups, or those of the queryset ``outer``.
    ``dimensions`` are fields of that model, ``fields`` those of the source. Latest is by ``date_field``, and of equal
    dates by the key; a row without a date does not count. ``keep_empty`` keeps a group without rows, as one row whose
    rank and fields are NULL. ``lateral`` fixes the form; None chooses it. With LATERAL a plan counts one scan of the
    source for each group, of as many entries of an index as are shown.
    """

    template = "prebuilt/latest_per_group.sql"

    group: ClassVar[str] = ""
    outer: ClassVar[type[models.Model] | models.QuerySet[Any] | None] = None
    fields: ClassVar[Sequence[str] | Mapping[str, Any]] = ()
    limit: ClassVar[int] = 1
    keep_empty: ClassVar[bool] = False
    lateral: ClassVar[bool | None] = None

    vocabulary: ClassVar[Mapping[str, Check]] = {
        **Dated.vocabulary,
        "group": attributes.text,
        "outer": attributes.source,
        "fields": attributes.dimensions,
        "limit": whole(1, 100_000),
        "keep_empty": attributes.flag,
        "lateral": optional(attributes.flag),
    }

    # For subclasses.

    def get_outer(self) -> type[models.Model] | models.QuerySet[Any]:
        """Return the model or queryset whose rows are the groups: ``outer``. For subclasses: ask ``self.user``."""
        return self.declared_outer()

    # What the frame asks.

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the group's key, its dimensions, the rank and the fields."""
        cls.is_of_dates()
        if cls.metrics:
            raise DeclarationError("metrics: the latest rows have none; name what to show of them in fields.")
        if not cls.fields:
            raise DeclarationError("fields must be set: it names what to show of the latest rows.")
        is_key = not cls.keep_empty and "keep_empty" not in cls.get_form_class().base_fields
        yield replace(cls.read_group().column(pk=is_key), null=False)
        yield from (each.column() for each in cls.read_dimensions())
        yield Column("rank", "bigint", pk=is_key, null=not is_key)
        can_be_left_out = not is_key or "fields" in cls.get_form_class().base_fields
        yield from (replace(each.column(), null=each.null or can_be_left_out) for each in cls.read_fields())

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail."""
        return [*super().readings(), cls.read_group, cls.read_fields]

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of the groups' keys and the rank."""
        cls.get_columns()  # a wrong declaration is told as such
        return tuple(cls.ordering) or (cls.read_group().name, "rank")

    @classmethod
    def read_dimensions(cls) -> tuple[Dimension, ...]:
        """Return the dimensions, which are fields of the outer model."""
        return cls.kept("dimensions", lambda: read_dimensions(cls.declared_outer(), cls.dimensions))

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        group, dimensions, fields = self.read_group(), self.asked_dimensions(given), self.asked_fields(given)
        rows = self.dates(given).within(self.rows_of_source())
        order = {"of_date_": F(self.date_field)}  # as no field ends, which may be a key called date
        order |= {f"of_{field.attname}": F(field.attname) for field in rows.model._meta.pk_fields}
        key = self.group_field().target_field.attname
        outer = self.rows_of(self.get_outer(), self.declared_outer(), "get_outer()")
        return {
            "dimensions": dimensions,
            "facts": rows.order_by().values(**_keys((group, *fields)), **order),
            "fields": fields,
            "group": f"{BY}{group.name}",
            "group_name": group.name,
            "has_empty": self.asked(given, "keep_empty"),
            "is_lateral": self.is_lateral(given),
            "limit": self.asked(given, "limit"),
            "order": list(order),
            "outer": outer.order_by().values(**{f"{BY}{group.name}": F(key)}, **_keys(dimensions)),
        }

    # Inside.

    @classmethod
    def group_field(cls) -> models.ForeignKey[Any, Any]:
        """Return the ForeignKey by which the source's rows belong to groups.

        Raises:
            DeclarationError: ``group`` is not set, leads nowhere, or is none.
        """
        if not cls.group:
            raise DeclarationError("group must be set: it names the source's ForeignKey to the groups.")
        query = cls.declared_source().query
        try:
            field: Any = query.names_to_path(cls.group.split(LOOKUP_SEP), query.get_meta(), fail_on_missing=True)[1]
        except FieldError as error:
            raise DeclarationError(f"group: {explained(error, cls.group)}") from None
        if not isinstance(field, models.ForeignKey):
            raise DeclarationError(f"group {cls.group!r} is a {type(field).__name__}; it must be a ForeignKey.")
        return field

    @classmethod
    def read_group(cls) -> Dimension:
        """Return the source's column that names the group."""

        def read() -> Dimension:
            cls.group_field()
            return read_dimension(cls.declared_source(), cls.group.replace(LOOKUP_SEP, "_"), cls.group)

        return cls.kept("group", read)

    @classmethod
    def declared_outer(cls) -> models.QuerySet[Any]:
        """Return the class's groups as a queryset, for what is known without a user.

        Raises:
            DeclarationError: They are not of the model that ``group`` leads to.
        """
        model: Any = cls.group_field().related_model
        outer = as_queryset(model if cls.outer is None else cls.outer)
        if outer.model._meta.concrete_model is not model._meta.concrete_model:
            raise DeclarationError(
                f"outer is of {outer.model._meta.label}, and group {cls.group!r} of {model._meta.label}."
            )
        return outer

    @classmethod
    def read_fields(cls) -> tuple[Dimension, ...]:
        """Return the source's fields to show, in their order."""
        return cls.kept("fields", lambda: read_dimensions(cls.declared_source(), cls.fields, what="field"))

    def asked_fields(self, given: Mapping[str, Any]) -> Dimensions:
        """Return the fields of a run.

        Raises:
            ParamsError: A request asks for one that the class does not list.
        """
        every = self.read_fields()
        return Dimensions(every, self.asked_names(given, "fields", [each.name for each in every]))

    def is_lateral(self, given: Mapping[str, Any]) -> bool:
        """Return whether a run looks up each group's rows: as the class says, else where an index serves it."""
        fixed = self.asked(given, "lateral")
        return self.has_index() if fixed is None else fixed

    @classmethod
    def has_index(cls) -> bool:
        """Return whether the source's model declares an index that begins with the group and the date."""
        options, group = cls.declared_source().model._meta, cls.group_field()
        wanted = [(group.name, group.attname), (cls.date_field,)]
        found = [
            [name for name, _ in index.fields_orders]
            for index in options.indexes
            if index.condition is None and index.suffix in ("idx", "btree")
        ]
        found += [list(each.fields) for each in options.total_unique_constraints]
        found += [list(names) for names in options.unique_together]
        return LOOKUP_SEP not in cls.group and any(
            len(names) > 1 and all(name in known for name, known in zip(names, wanted, strict=False)) for names in found
        )


def _keys(dimensions: Iterable[Dimension]) -> dict[str, Any]:
    return {f"{BY}{each.name}": each.expression for each in dimensions}
