"""A report: a template, its parameters and its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, router

from reports import rendering
from reports.conf import LONGEST, is_seconds
from reports.describe import describe_columns
from reports.environment import environment
from reports.errors import TemplateError, listed
from reports.header import REPORT_NAME, Column, Example, Header
from reports.loader import Template, find_template
from reports.param_fields import build_form
from reports.params import bound_form, clean_params
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from reports.unmanaged import make_read_only

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Report:
    """A named SQL template as a class; its result is a QuerySet.

    Subclasses in an app's ``reports.py`` are registered as ``app_label.snake_case``. A subclass may override the
    methods ``get_…()``: ``get_context`` above all.
    """

    # What is declared.
    template: ClassVar[str] = ""
    name: ClassVar[str] = ""
    model: ClassVar[type[models.Model] | None] = None
    ordering: ClassVar[Sequence[str]] = ()
    timeout: ClassVar[float | None] = None
    Params: ClassVar[type[forms.Form] | None] = None
    permission_required: ClassVar[str | Sequence[str]] = ()

    _name: ClassVar[str | None] = None
    # The row model of columns that nothing declares, with the template and the SQL text that have these columns.
    _described: ClassVar[tuple[tuple[Template, str], type[models.Model]] | None] = None
    # The row model made from the header, with the template it was made from.
    _made: ClassVar[tuple[Template, type[models.Model]] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._made = cls._name = cls._described = None
        if isinstance(cls.ordering, str):
            raise TypeError(f"{cls.__qualname__}.ordering is {cls.ordering!r}; it must be a list of names.")
        if cls.name and not REPORT_NAME.fullmatch(cls.name):
            raise TypeError(f"{cls.__qualname__}.name is {cls.name!r}; it must be name or app_label.name.")
        if cls.timeout is not None and not is_seconds(cls.timeout):
            raise TypeError(
                f"{cls.__qualname__}.timeout is {cls.timeout!r}; it must be a number of seconds above 0,"
                f" at most {LONGEST}."
            )
        if cls.model is not None:
            make_read_only(cls.model, f"{cls.__qualname__}.model")

    def __init__(self, *, user: Any = None, using: str | None = None) -> None:
        """Take the user that ``get_context()`` may ask, and the database alias; None asks the routers."""
        self.user = user
        self.using = using

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.get_name()}>"

    # Running.

    def run(self, params: Mapping[str, Any] | None = None) -> Rows:
        """Return the rows, lazily: nothing runs until they are read.

        Args:
            params: A mapping from code, whose keys must all be parameters; or a QueryDict, whose other keys are left
                to paging and tracking. An absent parameter has its field's ``initial``.

        Raises:
            ParamsError: Every wrong parameter, by name.
            TemplateError: The template cannot be rendered; names file and line.
        """
        template = self.get_template()
        source = self._source(template, self._context(template, params), self._alias(template))
        model = self._row_model(template, source)
        ordering = self.get_ordering() if self.model else ()  # a row model has it in its Meta
        return Rows.of(source, model, ordering=ordering, using=self.using)

    def query(self, params: Mapping[str, Any] | None = None) -> rendering.Query:
        """Return the SQL and its parameters, without a database; see ``run``."""
        template = self.get_template()
        return rendering.render(template.name, self._context(template, params), using=self._alias(template))

    def form(self, data: Mapping[str, Any] | None = None) -> forms.Form:
        """Return the form of the parameters for a page: bound to data, or unbound."""
        form_class, kwargs = self.get_form_class(), self.get_form_kwargs()
        return form_class(**kwargs) if data is None else bound_form(form_class, data, kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Return further arguments of the form, such as the user whose choices it offers. For subclasses."""
        return {}

    def get_context(self) -> Mapping[str, object]:
        """Return what the template sees besides the parameters; QuerySets become sub-selects. For subclasses."""
        return {}

    @classmethod
    def has_permission(cls, user: Any) -> bool:
        """Return whether a user may run the report where all are listed. For subclasses.

        By default one who is logged in and active and has each ``permission_required``.
        """
        names = [cls.permission_required] if isinstance(cls.permission_required, str) else cls.permission_required
        return bool(user and user.is_authenticated and user.is_active and user.has_perms(names))

    @classmethod
    def example_user(cls) -> Any:
        """Return the user as whom examples are run by ``check --database`` and in tests. For subclasses."""

    @classmethod
    def get_name(cls) -> str:
        """Return ``app_label.snake_case``, or the ``name`` that the class sets, the app label put before it."""
        if cls._name is None:
            name = cls.__dict__.get("name") or _WORD.sub("_", cls.__name__).lower()
            config = apps.get_containing_app_config(cls.__module__)
            label = config.label if config else cls.__module__.partition(".")[0]
            cls._name = name if "." in name else f"{label}.{name}"
        return cls._name

    @classmethod
    def get_title(cls) -> str:
        """Return the first line of the docstring, else of the header's ``doc``, else the name."""
        doc = cls.__dict__.get("__doc__") or cls.get_header().doc
        return (doc.strip() or cls.get_name()).splitlines()[0]

    @classmethod
    def get_template(cls) -> Template:
        """Return the template, read anew when its file has changed."""
        return find_template(cls.template)

    @classmethod
    def get_header(cls) -> Header:
        """Return the template's header."""
        return cls.get_template().header

    @classmethod
    def get_timeout(cls) -> float | None:
        """Return the seconds a statement may run: the class's, else the header's; None for the setting."""
        return cls.timeout if cls.timeout is not None else cls.get_header().timeout

    @classmethod
    def get_ordering(cls) -> tuple[str, ...]:
        """Return the default ordering: the class's, else the header's."""
        return tuple(cls.ordering) or cls.get_header().ordering

    @classmethod
    def get_form_class(cls) -> type[forms.Form]:
        """Return the form of the parameters: the class's ``Params``, else one made from the header's ``param:`` lines.

        Raises:
            TemplateError: Both declare parameters, or a parameter has the name of a template function.
        """
        template = cls.get_template()
        file, declared = str(template.path), template.header.params
        if cls.Params is not None and declared:
            raise TemplateError.at(
                file, None, f"parameters are declared twice, here and in {cls.__qualname__}.Params; keep one of them."
            )
        form_class = cls.Params or build_form(declared, file=file)
        taken = sorted(set(form_class.base_fields) & set(environment().globals))
        if taken:
            raise TemplateError.at(file, None, f"parameters may not have the names of functions: {listed(taken)}.")
        return form_class

    @classmethod
    def get_columns(cls) -> tuple[Column, ...]:
        """Return the columns that the header declares."""
        return cls.get_header().columns

    @classmethod
    def get_examples(cls) -> tuple[Example, ...]:
        """Return the parameters with which the header says that the report can be run."""
        return cls.get_header().examples

    @classmethod
    def is_abstract(cls) -> bool:
        """Return whether the class is no report that can be run: it has no template."""
        return not cls.template

    @classmethod
    def get_row_model(cls) -> type[models.Model] | None:
        """Return the class of the rows; None when nothing declares it and no query has been described yet."""
        return cls._declared_model(cls.get_template()) or (cls._described[1] if cls._described else None)

    # Inside.

    def _context(self, template: Template, params: Mapping[str, Any] | None) -> dict[str, object]:
        """Return what the template sees: the cleaned parameters and ``get_context()``."""
        cleaned = clean_params(
            self.get_form_class(), params or {}, report=self.get_name(), kwargs=self.get_form_kwargs()
        )
        context = self.get_context()
        both = sorted(set(cleaned) & set(context))
        if both:
            problem = f"get_context() of {type(self).__name__} gives names of parameters: {listed(both)}."
            raise TemplateError.at(str(template.path), None, problem)
        return {**cleaned, **context}

    def _source(self, template: Template, context: Mapping[str, object], alias: str) -> TemplateSource:
        """Return what stands in the FROM clause of the rows."""
        query = rendering.render(template.name, context, using=alias)
        count = rendering.render(template.count, context, using=alias) if template.count else None
        return TemplateSource(self.get_name(), query, self.get_timeout(), count)

    def _alias(self, template: Template) -> str:
        """Return the database alias that sub-selects are compiled for."""
        model = self._declared_model(template)
        return self.using or (router.db_for_read(model) if model else DEFAULT_DB_ALIAS)

    def _row_model(self, template: Template, source: TemplateSource) -> type[models.Model]:
        """Return the class of the rows. Columns that nothing declares are those of one SQL text, and of no other."""
        if (declared := self._declared_model(template)) is not None:
            return declared
        cls, sql = type(self), source.query.sql
        described = cls._described
        if described is None or described[0] != (template, sql):
            model = cls._make_row_model(template, describe_columns(source, using=self._alias(template)))
            described = cls._described = (template, sql), model
        return described[1]

    @classmethod
    def _declared_model(cls, template: Template) -> type[models.Model] | None:
        if cls.model is not None:
            return cls.model
        if cls._made is None or cls._made[0] is not template:
            columns = cls.get_columns()
            if not columns:
                return None
            cls._made = template, cls._make_row_model(template, columns)
        return cls._made[1]

    @classmethod
    def _make_row_model(cls, template: Template, columns: Sequence[Column]) -> type[models.Model]:
        return build_row_model(cls.get_name(), columns, ordering=cls.get_ordering(), file=str(template.path))
