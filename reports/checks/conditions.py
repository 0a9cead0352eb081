"""Conditions that are false for a value that is given."""

from __future__ import annotations

from collections.abc import Iterator

from django import forms
from django.core import checks

from reports.checks.examples import is_plain
from reports.checks.places import placed
from reports.checks.subject import Subject
from reports.params import choice_values

_DOUBTFUL = (forms.IntegerField, forms.DurationField, forms.BooleanField)  # 0 and False are values of these


def check_conditions(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E003: a number or boolean parameter that a template takes for a condition."""
    for found in sorted(subject.reading.conditions):
        field = subject.parameters.get(found.name)
        if field is not None and _may_be_false(field):
            hint = f"Write {{% if {found.written} is given %}}, which is false for None and empty only"
            only_true = f"; or {{% if {found.written} is true %}}" if isinstance(field, forms.BooleanField) else ""
            of = "" if found.written == found.name else f" of the parameter {found.name!r}"
            yield checks.Error(
                placed(found.file, found.line, f"{{% if {found.written} %}} leaves out 0 and false{of}."),
                hint=f"{hint}{only_true}.",
                obj=subject.report,
                id="reports.E003",
            )


def _may_be_false(field: forms.Field) -> bool:
    """Return whether a value that is given may be 0 or False. A project's own code is not asked."""
    if not isinstance(field, forms.TypedChoiceField):
        return isinstance(field, _DOUBTFUL)
    return is_plain(field) and any(_is_false(field, choice) for choice in choice_values(field.choices))


def _is_false(field: forms.TypedChoiceField, choice: object) -> bool:
    try:
        return choice not in field.empty_values and not field.clean(choice)
    except (forms.ValidationError, ArithmeticError):
        return False
