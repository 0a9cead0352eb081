"""Parameters whose text becomes SQL."""

from __future__ import annotations

from collections.abc import Iterator

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core import checks
from django.utils.choices import BaseChoiceIterator

from reports.checks.places import placed
from reports.checks.subject import Subject


def check_sql_text(subject: Subject) -> Iterator[checks.CheckMessage]:
    """E006: a parameter that is not limited to declared choices reaches ``sqlsafe`` or ``identifier``."""
    for reach in sorted(subject.reading.reaches):
        field = subject.parameters.get(reach.name)
        if field is None or _is_limited(field, knows_choices=subject.knows_parameters):
            continue
        how = "a ChoiceField with choices=[…]"
        if subject.line_of(reach.name):  # required, because there is no SQL text of no value
            how = f"'-- param: {reach.name} text required choices=a|b default=a'"
        yield checks.Error(
            placed(
                reach.file,
                reach.line,
                f"the parameter {reach.name!r} reaches the filter {reach.filter} and is not limited to choices.",
            ),
            hint=f"Declare it as {how}, so that only these become SQL text; or bind it: {{{{ {reach.name} }}}}.",
            obj=subject.report,
            id="reports.E006",
        )


def _is_limited(field: forms.Field, *, knows_choices: bool) -> bool:
    if isinstance(field, SimpleArrayField):
        return _is_limited(field.base_field, knows_choices=knows_choices)
    if not isinstance(field, forms.ChoiceField) or isinstance(field, forms.ModelChoiceField):
        return False
    # Choices that a function or the form's __init__ gives are not known here, but they are choices.
    return not knows_choices or isinstance(field.choices, BaseChoiceIterator) or bool(field.choices)
