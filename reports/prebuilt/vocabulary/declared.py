"""What the prebuilt reports have in common: the vocabulary of class attributes, and the columns that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import FieldError
from django.db import models

from reports.binding import SQL
from reports.errors import DeclarationError
from reports.header import Column, Example
from reports.loader import Template
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.asking import Asking
from reports.prebuilt.vocabulary.attributes import Check
from reports.prebuilt.vocabulary.definition import check_class
from reports.prebuilt.vocabulary.dimensions import Dimension, named, read_dimensions
from reports.prebuilt.vocabulary.facts import as_queryset, check_one_branch
from reports.prebuilt.vocabulary.metrics import Metric, Ratio, read_metric
from reports.prebuilt.vocabulary.names import check_columns, check_given
from reports.prebuilt.vocabulary.problems import read_all
from reports.prebuilt.vocabulary.selection import Dimensions, Metrics, Output, read_outputs
from reports.prebuilt.vocabulary.sources import checked_source

_T = TypeVar("_T")
_MATERIALIZED = {True: SQL("MATERIALIZED"), False: SQL("NOT MATERIALIZED"), None: SQL("")}


class Prebuilt(Asking):
    """A report over a model: subclasses say what, a template of this package says how.

    An attribute of the vocabulary is asked for by a request when the form declares a field of its name; an empty value
    leaves the class's. Metrics and dimensions come from those that the class lists; one that is not asked for is NULL
    in every row, so that the columns are the same for every request.
    """

    source: ClassVar[type[models.Model] | models.QuerySet[Any] | None] = None
    metrics: ClassVar[Mapping[str, Any]] = {}
    dimensions: ClassVar[Sequence[str] | Mapping[str, Any]] = ()
    materialized: ClassVar[bool | None] = None
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ()

    # The attributes that the class knows, each with what it may be. Subclasses add theirs.
    vocabulary: ClassVar[Mapping[str, Check]] = {
        "source": attributes.source,
        "metrics": attributes.metrics,
        "dimensions": attributes.dimensions,
        "materialized": attributes.optional(attributes.flag),
    }
    # What the template itself groups by, which no dimension may be called.
    reserved: ClassVar[frozenset[str]] = frozenset()
    # How often the SQL may read a table of the source or of a metric's relations.
    scans: ClassVar[int] = 1

    # What a run was given: the cleaned parameters, for ``get_source()`` and the like.
    given: Mapping[str, Any] = MappingProxyType({})

    # What is read of the attributes, once for each class.
    _read: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._read = {}
        check_class(cls, Prebuilt, cls.vocabulary)

    # For subclasses.

    def get_source(self) -> type[models.Model] | models.QuerySet[Any]:
        """Return the model or queryset whose rows count. For subclasses: ask ``self.user`` and ``self.given``."""
        if self.source is None:
            raise DeclarationError(f"{type(self).__qualname__}: source must be set.")
        return self.source

    def get_shape(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        """Return what the template sees besides ``get_context()``. For the classes of this package.

        Args:
            given: The cleaned parameters.
        """
        return {}

    @classmethod
    def read_columns(cls) -> Iterable[Column]:
        """Yield the report's columns. For the classes of this package."""
        return ()

    @classmethod
    def readings(cls) -> Sequence[Callable[[], Any]]:
        """Return what reads an attribute and may fail, so that all faults are told. For the classes of this package."""
        return [cls.read_dimensions, cls.read_outputs]

    # What Report asks.

    @classmethod
    def is_abstract(cls) -> bool:
        """Return whether the class has no template, or no source."""
        return super().is_abstract() or cls.source is None

    @classmethod
    def get_columns(cls) -> tuple[Column, ...]:
        """Return the columns that come of the class's attributes; of a project's own template those of its header.

        Raises:
            DeclarationError: They do not fit the models or one another; names the class.
        """
        columns = cls.kept("columns", cls._columns)
        return cls.get_header().columns or columns

    @classmethod
    def _columns(cls) -> tuple[Column, ...]:
        """Read the columns, and whatever else may be wrong, to tell of all of it."""
        try:
            read_all(
                [
                    lambda: check_given("metric", cls.metrics),
                    lambda: check_given("dimension", named(cls.dimensions), cls.reserved),
                ]
            )
            return check_columns(read_all([lambda: tuple(cls.read_columns()), *cls.readings()])[0])
        except DeclarationError as error:
            raise DeclarationError(*[f"{cls.__qualname__}: {problem}" for problem in error.problems]) from None

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the class's ordering, else that of its key, else that of all its columns but the metrics."""
        columns = cls.get_columns()
        names = tuple(column.name for column in columns if column.pk)
        metrics = {*cls.metrics}
        return tuple(cls.ordering) or names or tuple(each.name for each in columns if each.name not in metrics)

    @classmethod
    def get_examples(cls) -> tuple[Example, ...]:
        """Return the class's ``examples``, and those of a project's own template."""
        return *map(Example, cls.examples), *super().get_examples()

    def _context(self, template: Template, params: Mapping[str, Any] | None) -> dict[str, object]:
        context = super()._context(template, params)
        self.get_columns()  # a wrong declaration is told as such
        materialized = _MATERIALIZED[self.asked(context, "materialized")]
        try:
            run = copy(self)  # the report itself remembers nothing of a run
            run.given = context
            shape = run.get_shape(context)
        except FieldError as error:  # rows of get_source() that lack an annotation of the class's source
            raise DeclarationError(f"{type(self).__qualname__}: {error}") from None
        return {**context, "materialized": materialized, **shape}

    # What the classes of this package ask.

    def rows_of_source(self) -> models.QuerySet[Any]:
        """Return the source as a queryset that can be grouped; see ``rows_of``."""
        return self.rows_of(self.get_source(), self.declared_source(), "get_source()")

    def rows_of(self, given: Any, declared: models.QuerySet[Any], hook: str) -> models.QuerySet[Any]:
        """Return what a project's method gave as a queryset that can be grouped.

        Raises:
            DeclarationError: It is none, or of another model than the class declares, or of another database.
        """
        using = self._alias(self.get_template())
        try:
            return checked_source(given, declared, using=using, hook=hook)
        except DeclarationError as error:
            raise DeclarationError(f"{type(self).__qualname__}: {error}") from None

    @classmethod
    def declared_source(cls) -> models.QuerySet[Any]:
        """Return the class's source as a queryset, for what is known without a user."""
        if cls.source is None:
            raise DeclarationError("source must be set.")
        return as_queryset(cls.source)

    @classmethod
    def read_dimensions(cls) -> tuple[Dimension, ...]:
        """Return the class's dimensions in their order."""
        return cls.kept("dimensions", lambda: read_dimensions(cls.declared_source(), cls.dimensions))

    @classmethod
    def read_metrics(cls) -> tuple[Metric, ...]:
        """Return the class's metrics in their order, ratios left out. All are over one relation to many at most."""
        source = cls.declared_source()
        given = {name: value for name, value in cls.metrics.items() if not isinstance(value, Ratio)}
        found = read_all([partial(read_metric, source, name, value) for name, value in given.items()])
        check_one_branch(source, given)
        return tuple(found)

    @classmethod
    def has_key(cls, *others: Dimension) -> bool:
        """Return whether the dimensions, and others beside them, can be of the rows' key: none is NULL or left out."""
        is_chosen = "dimensions" in cls.get_form_class().base_fields
        return not is_chosen and not any(each.null for each in (*others, *cls.read_dimensions()))

    @classmethod
    def check_metrics(cls) -> None:
        """Refuse a class without metrics.

        Raises:
            DeclarationError: It has none.
        """
        if not cls.metrics:
            raise DeclarationError("metrics must be set.")

    @classmethod
    def kept(cls, name: str, read: Callable[[], _T]) -> _T:
        """Return what reading the class's attributes gives, read once for the class."""
        if name not in cls._read:
            cls._read[name] = read()
        found: _T = cls._read[name]
        return found

    @classmethod
    def read_outputs(cls) -> tuple[Output, ...]:
        """Return the columns of the class's metrics and ratios, in their order."""
        return cls.kept("outputs", lambda: read_outputs(cls.metrics, cls.read_metrics()))

    @classmethod
    def metric_columns(cls) -> Iterator[Column]:
        """Yield the report's columns for its metrics and ratios."""
        can_be_left_out = "metrics" in cls.get_form_class().base_fields
        for output in cls.read_outputs():
            never_null = output.metrics[0].empty is not None and not output.is_ratio and not can_be_left_out
            yield Column(output.name, output.type, null=not never_null)

    def asked_metrics(self, given: Mapping[str, Any]) -> Metrics:
        """Return the metrics of a run.

        Raises:
            ParamsError: A request asks for one that the class does not list.
        """
        names = self.asked_names(given, "metrics", self.metrics)
        return Metrics(tuple(replace(output, is_asked=output.name in names) for output in self.read_outputs()))

    def asked_dimensions(self, given: Mapping[str, Any]) -> Dimensions:
        """Return the dimensions of a run.

        Raises:
            ParamsError: A request asks for one that the class does not list.
        """
        every = self.read_dimensions()
        return Dimensions(every, self.asked_names(given, "dimensions", [each.name for each in every]))
