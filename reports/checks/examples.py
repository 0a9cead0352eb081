"""Examples that the report's form would refuse, as far as it can be told without a database."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType

from django import forms
from django.core import checks
from django.utils.choices import BaseChoiceIterator

from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.errors import ParamsError, listed, near
from reports.header import Example
from reports.params import clean_params

_STANDARD = ("builtins", "datetime", "decimal", "uuid")
_OURS = ("django.", "reports.")
_FUNCTIONS = (type, BuiltinFunctionType, FunctionType, MethodType)


def check_examples(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E008: an example has a key that is no parameter, a value that is refused, or lacks a required one."""
    if not subject.knows_parameters:
        return
    for example in subject.report.get_examples():
        for name, problem in _faults(subject, example):
            yield checks.Error(
                placed(subject.file, example.line, f"the example is refused: {name}: {problem}"),
                hint="An example is a JSON object of parameters with which the report can be run.",
                obj=subject.report,
                id="reports.E008",
            )


def _faults(subject: Subject, example: Example) -> Iterator[tuple[str, str]]:
    fields = subject.parameters
    for name in example.params:
        if name not in fields:
            yield name, f"there is no such parameter (there are: {listed(fields)}).{near(name, fields)}"
    plain = {
        name: field
        for name, field in fields.items()
        if is_plain(field) and (name in example.params or not callable(field.initial))
    }
    given = {name: value for name, value in example.params.items() if name in plain}
    try:
        clean_params(type("Example", (forms.Form,), plain), given, report=subject.report.get_name())
    except ParamsError as error:
        for name, messages in error.message_dict.items():
            yield name, " ".join(messages) + (f" Allowed: {error.allowed[name]}." if name in error.allowed else "")


def is_plain(field: forms.Field) -> bool:
    """Return whether a field cleans a value by Django's code and ours alone: a project's own may ask a database."""
    if not type(field).__module__.startswith(_OURS) or isinstance(field, forms.ModelChoiceField):
        return False
    if isinstance(getattr(field, "choices", None), BaseChoiceIterator):  # a function gives them
        return False
    if not all(_is_known(part) for part in (*field.validators, getattr(field, "coerce", str))):
        return False
    inner = [getattr(field, "base_field", None), getattr(field, "item", None), *getattr(field, "fields", ())]
    return all(is_plain(part) for part in inner if isinstance(part, forms.Field))


def _is_known(function: object) -> bool:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, forms.Field):
        return is_plain(owner)
    kind = function if isinstance(function, _FUNCTIONS) else type(function)
    module = str(kind.__module__)
    return module in _STANDARD or module.startswith(_OURS)
