"""A report as PostgreSQL sees it: its columns, and its parameters with the types that PostgreSQL infers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.apps import apps
from django.db import models

from reports import rendering
from reports.describe import describe_query
from reports.errors import ReportError, TemplateError, listed
from reports.header import Column
from reports.management.probes import name_of, plain, probed
from reports.management.variables import Variable, find_variables
from reports.report import Report
from reports.row_models import check_names
from reports.samples import ALL, Case, cases_of
from reports.types import parse_type

_NAME = re.compile(r"[^\W\d]\w*")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``type`` is None when nothing tells it, ``field`` when no form declares the parameter.

    ``text`` is a value of one that becomes text of the statement, None for the others.
    """

    name: str
    type: str | None
    is_list: bool
    is_required: bool
    field: forms.Field | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found of a report.

    ``context`` has the names that ``get_context()`` gives, or must give, with the models of its QuerySets; None for
    anything else.
    """

    report_class: type[Report]
    columns: tuple[Column, ...]
    parameters: tuple[Parameter, ...]
    context: Mapping[str, type[models.Model] | None]


def inspect_report(report_class: type[Report], *, using: str) -> Inspection:
    """Return what PostgreSQL and the template tell of a report. Nothing is executed, and no value is sent.

    The template is rendered with all its parameters and, for those that it left out then, with none but the required.
    Its columns keep what the header or the model declares of them; others are nullable.

    Raises:
        TemplateError: The template cannot be rendered without a context or a value that nothing gives, or it returns
            columns that cannot be declared.
        QueryError: PostgreSQL refuses the query; names file and line.
    """
    return _Inspector(report_class, using).inspection()


class _Inspector:
    def __init__(self, report_class: type[Report], using: str) -> None:
        self.report_class, self.using = report_class, using
        self.template = report_class.get_template()
        self.variables = find_variables(self.template.name)
        self.report = report_class(user=report_class.example_user(), using=using)
        self.fields = self.report.form().fields
        self.context = dict(self.report.get_context())
        known = {*self.fields, *self.context}
        self.undeclared = [variable for variable in self.variables.values() if variable.name not in known]
        self.values: dict[str, Any] = {}
        for example in reversed(self.template.header.examples):
            self.values |= example.params

    def inspection(self) -> Inspection:
        least, most = self._cases()
        self._check_undeclared()
        described, kinds = self._described(most, with_optional=True)
        columns = tuple(self._merged(described))
        if self.report_class.model is None:
            check_names(columns, str(self.template.path))
        names = [*self.fields, *(variable.name for variable in self.undeclared if not variable.is_table)]
        if not set(names) <= set(kinds):
            with suppress(ReportError):  # it may need an optional parameter all the same
                kinds = {**self._described(least, with_optional=False)[1], **kinds}
        given = {name: getattr(value, "model", None) for name, value in self.context.items()}
        tables = {variable.name: _model_called(variable.name) for variable in self.undeclared if variable.is_table}
        return Inspection(
            self.report_class,
            columns,
            tuple(self._parameter(name, kinds.get(name)) for name in names),
            given | tables,
        )

    def _cases(self) -> tuple[Case, Case]:
        """Return the parameters without the optional ones, and all of them."""
        cases = cases_of(self.report_class, using=self.using)
        most = next((case for case in cases if case.label == ALL), cases[0])
        if not most.can_run:
            raise TemplateError.at(
                str(self.template.path),
                None,
                f"no value was found for the required parameters {listed(most.missing)}. Give one in the header:"
                " -- example: {…}",
            )
        return cases[0], most

    def _check_undeclared(self) -> None:
        """Refuse names for which no value can be made up."""
        tables = [found for found in self.undeclared if found.is_table and _model_called(found.name) is None]
        texts = [found for found in self.undeclared if found.is_text and found.name not in self.values]
        advice = [
            f"{_shown(tables)} must come from get_context(): write the report's class, and inspect it by its name"
        ]
        advice = advice if tables else []
        if texts:
            advice.append(
                f"{_shown(texts)} becomes text of the statement: give a value in the header, -- example: {{…}}"
            )
        if advice:
            first = min((*tables, *texts), key=lambda found: found.line)
            raise TemplateError.at(first.file, first.line, f"{'; '.join(advice)}.")

    def _described(self, case: Case, *, with_optional: bool) -> tuple[tuple[Column, ...], dict[str, str]]:
        """Return the columns, and the parameters' types as far as this rendering binds them."""
        context = self.report._context(self.template, case.params)
        for name in self.fields:
            if not (name in self.variables and self.variables[name].is_text):
                context[name] = probed(name, context[name]) if context[name] is not None else None
        context |= {found.name: self._made_up(found, with_optional) for found in self.undeclared}
        query = rendering.render(self.template.name, context, using=self.report._alias(self.template))
        names = [name_of(param) for param in query.params]
        found = describe_query(replace(query, params=tuple(plain(param) for param in query.params)), using=self.using)
        kinds: dict[str, str] = {}
        for bound, kind in zip(names, found.params, strict=True):
            if bound and kind:
                kinds.setdefault(bound, kind)
        return found.columns, kinds

    def _made_up(self, variable: Variable, with_optional: bool) -> Any:
        value = self.values.get(variable.name)
        if variable.is_table:
            model = _model_called(variable.name)
            return model._default_manager.all() if model else None
        if variable.is_optional and not with_optional:
            return None
        if variable.is_text:
            return value
        if variable.is_list and not isinstance(value, list):
            value = [value]
        return probed(variable.name, value)

    def _parameter(self, name: str, kind: str | None) -> Parameter:
        variable, field = self.variables.get(name), self.fields.get(name)
        found = parse_type(kind) if kind else None
        is_list = bool(found and found.dimensions) or bool(variable and variable.is_list)
        required = field.required if field else not (variable and variable.is_optional)
        text = str(self.values.get(name, "")) if variable and variable.is_text else None
        return Parameter(name, found.name if found else None, is_list, required, field, text)

    def _merged(self, columns: tuple[Column, ...]) -> Iterator[Column]:
        _check_selected(str(self.template.path), columns)
        model = self.report_class.model
        declared = {column.name: column for column in (_columns_of(model) if model else self.template.header.columns)}
        for column in columns:
            known = declared.get(column.name, column)
            keeps = parse_type(known.type).holds(parse_type(column.type))
            yield known if keeps else replace(known, type=column.type)


def _check_selected(file: str, columns: Iterable[Column]) -> None:
    names = [column.name for column in columns]
    if not names:
        raise TemplateError.at(file, None, "the query gives no column.")
    nameless = [f"{i} ({name!r})" for i, name in enumerate(names, start=1) if not _NAME.fullmatch(name)]
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    problems = [f"columns whose name no header can hold: {', '.join(nameless)}"] if nameless else []
    problems += [f"several columns of one name: {', '.join(twice)}"] if twice else []
    if problems:
        raise TemplateError.at(file, None, f"the query gives {' and '.join(problems)}. Name each with AS.")


def _columns_of(model: type[models.Model]) -> Iterator[Column]:
    """Return what a model says of its columns; their types are left to PostgreSQL."""
    for field in model._meta.concrete_fields:
        related = field.related_model._meta.label if isinstance(field.related_model, type) else None
        has_label = field.verbose_name != field.name.replace("_", " ")
        label = str(field.verbose_name) if has_label else None
        yield Column(str(field.column), "", field.primary_key, field.null, related, label=label)


def _shown(variables: list[Variable]) -> str:
    return ", ".join(f"{{{{ {found.name} }}}}" for found in variables)


def _model_called(name: str) -> type[models.Model] | None:
    """Return the model whose table a name stands for: ``tickets`` for Ticket, ``employee_loads`` for EmployeeLoad."""
    found = []
    for model in apps.get_models():
        snake = _WORD.sub("_", model.__name__).lower()
        plural = str(model._meta.verbose_name_plural).lower().replace(" ", "_")
        if name in (snake, f"{snake}s", plural, model._meta.db_table) and model._meta.managed:
            found.append(model)
    return found[0] if len(found) == 1 else None
