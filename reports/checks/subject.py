"""What the checks of one report look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import unwrap
from types import CodeType, FunctionType

from django import forms
from django.apps import AppConfig, apps
from django.db import models

from reports.checks.reading import Reading
from reports.header import Header
from reports.loader import Template
from reports.registry import registered
from reports.report import Report


def reports_of(app_configs: Sequence[AppConfig] | None) -> list[type[Report]]:
    """Return the registered reports of these apps; None stands for all, those outside of every app too."""
    reports = registered().values()
    if app_configs is None:
        return list(reports)
    return [report for report in reports if apps.get_containing_app_config(report.__module__) in app_configs]


@dataclass(frozen=True, slots=True)
class Subject:
    """A report, its template, the form of its parameters, what its templates read, and the class of its rows.

    ``model`` is None when neither a class nor the header says what the columns are.
    """

    report: type[Report]
    template: Template
    form_class: type[forms.Form]
    reading: Reading
    model: type[models.Model] | None

    @property
    def file(self) -> str:
        return str(self.template.path)

    @property
    def header(self) -> Header:
        return self.template.header

    @property
    def parameters(self) -> Mapping[str, forms.Field]:
        """The fields that the form declares."""
        return self.form_class.base_fields

    @property
    def knows_parameters(self) -> bool:
        """False when the form's ``__init__`` may add fields and choices that it does not declare."""
        return self.form_class.__init__ is forms.Form.__init__

    def line_of(self, parameter: str) -> int | None:
        """Return the line of a ``param:`` of the header."""
        return next((param.line for param in self.header.params if param.name == parameter), None)

    def mentioned(self) -> set[str]:
        """Return every text and name in the code of the report's and the form's own methods."""
        return mentioned_in(self.report) | mentioned_in(self.form_class)


def mentioned_in(cls: type) -> set[str]:
    """Return every text and name in the code of a class's methods, those of Django and this package left out."""
    found: set[str] = set()
    for parent in cls.__mro__:
        if parent is not object and not parent.__module__.startswith(("django.", "reports.")):
            found = found.union(*map(_strings, codes_of(parent)))
    return found


def codes_of(cls: type) -> Iterator[CodeType]:
    """Yield the code of each method and property that a class has itself."""
    for value in vars(cls).values():
        function = unwrap(getattr(value, "__func__", getattr(value, "fget", value)))
        if isinstance(function, FunctionType):
            yield function.__code__


def _strings(constant: object) -> set[str]:
    if isinstance(constant, str):
        return {constant}
    if isinstance(constant, CodeType):
        return {*constant.co_names, *constant.co_varnames}.union(*map(_strings, constant.co_consts))
    return set().union(*map(_strings, constant)) if isinstance(constant, (tuple, frozenset)) else set()
