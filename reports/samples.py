"""Sets of parameters with which a report can be tried: its examples, and some made from its form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.postgres.forms import HStoreField, SimpleArrayField, SplitArrayField
from django.core.exceptions import ValidationError

from reports.param_fields import ListParam
from reports.params import choice_values
from reports.report import Report

NO_OPTIONAL = "no optional parameters"
ALL = "all parameters"


@dataclass(frozen=True, slots=True)
class Case:
    """Parameters to try a report with, as ``Report.run`` takes them; ``label`` says for a message which they are.

    ``line`` is the template line of an example that stands in one. ``missing`` has the parameters that belong here and
    for which no value was found; ``can_run`` is False when one of them is required.
    """

    label: str
    params: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    missing: tuple[str, ...] = ()
    can_run: bool = True
    is_example: bool = False


def examples_of(report_class: type[Report]) -> tuple[Case, ...]:
    """Return the report's examples in their order."""
    return tuple(
        Case(
            f"example on line {example.line}" if example.line else f"example {number}",
            example.params,
            example.line,
            is_example=True,
        )
        for number, example in enumerate(report_class.get_examples(), start=1)
    )


def cases_of(report_class: type[Report], *, using: str | None = None) -> tuple[Case, ...]:
    """Return the report with no optional parameters, with all parameters if it has any, and with each example.

    A value is that of an example, else the field's ``initial``, else one of its choices, else made for the field's
    class and tried on the field. Choices of models are read from the database.

    Raises:
        Exception: Whatever the form or ``example_user()`` of the report raises.
    """
    report = report_class(user=report_class.example_user(), using=using)
    form, examples = report.form(), examples_of(report_class)
    known: dict[str, Any] = {}
    # The fullest example first: values of one example fit one another, such as the ends of a period.
    given = [{name: value for name, value in case.params.items() if is_something(value)} for case in examples]
    for params in sorted(given, key=len, reverse=True):
        known = {**params, **known}
    values = {name: known[name] if name in known else _sample(report, name) for name in form.fields}
    missing = tuple(name for name, value in values.items() if value is None)
    needed = {
        name
        for name, form_field in form.fields.items()
        if form_field.required and not is_something(form.get_initial_for_field(form_field, name))
    }
    most = {name: value for name, value in values.items() if value is not None}
    least = {name: value for name, value in most.items() if name in needed}
    lacking = tuple(name for name in missing if name in needed)
    cases = [Case(NO_OPTIONAL, least, missing=lacking, can_run=not lacking)]
    if set(values) > needed:
        cases.append(Case(ALL, most, missing=missing, can_run=not lacking))
    return (*cases, *examples)


def _sample(report: Report, name: str) -> Any:
    """Return a value that the field takes and that is not empty; None when none was found."""
    form = report.form()
    initial = form.get_initial_for_field(form.fields[name], name)
    values = [initial, *_candidates(form.fields[name])]
    if isinstance(initial, bool):  # the default is tried without optional parameters
        values.insert(0, not initial)
    return next((value for value in values if is_something(value) and _accepts(report, name, value)), None)


def is_something(value: object) -> bool:
    """Return whether a raw value is neither None nor empty."""
    return value is not None and value not in ("", [], {}, ())


def _accepts(report: Report, name: str, value: object) -> bool:
    form = report.form({name: value})
    try:
        return is_something(form.fields[name].clean(form[name].data))
    except ValidationError:
        return False


def _candidates(form_field: forms.Field) -> Iterator[Any]:
    """Yield values that a field may take, the likeliest first."""
    if isinstance(form_field, forms.ModelChoiceField):
        yield from _objects(form_field)
    elif isinstance(form_field, forms.ChoiceField):
        values = [value for value in choice_values(form_field.choices) if is_something(value)]
        yield from [values[:2], values[:1]] if isinstance(form_field, forms.MultipleChoiceField) else values
    elif isinstance(form_field, (ListParam, SimpleArrayField, SplitArrayField)):
        yield from _lists(form_field)
    elif isinstance(form_field, forms.MultiValueField):
        yield from map(list, zip(*map(_fitting, form_field.fields), strict=False))
    elif isinstance(form_field, forms.IntegerField):  # FloatField and DecimalField are of it
        yield from _numbers(form_field)
    else:
        yield from next((values for kind, values in _BY_CLASS if isinstance(form_field, kind)), ())
        yield from _texts(form_field)


_BY_CLASS: tuple[tuple[type[forms.Field], tuple[Any, ...]], ...] = (
    (forms.DateTimeField, ("2026-01-15 12:00",)),
    (forms.DateField, (date(2026, 1, 15),)),
    (forms.TimeField, (time(12),)),
    (forms.DurationField, (timedelta(days=1),)),
    (forms.UUIDField, (UUID(int=1),)),
    (HStoreField, ({"a": "1"},)),
    (forms.JSONField, ({"a": 1}, ["a"], 1)),
    (forms.BooleanField, (True,)),
)
_TEXTS = ("a", "1", "A1", "a-b", "a@example.com", "https://example.com/", "127.0.0.1", "2026-01-15", "2026-01", "12:00")
_LONGEST = 1000


def _texts(form_field: forms.Field) -> Iterator[str]:
    yield from _TEXTS
    lengths = {getattr(form_field, "min_length", None), getattr(form_field, "max_length", None)}
    for length in sorted(length for length in lengths if length):
        yield from ("a" * min(length, _LONGEST), "1" * min(length, _LONGEST))


def _numbers(form_field: forms.IntegerField) -> Iterator[Any]:
    yield 1
    limits = (form_field.min_value, form_field.max_value)
    low, high = (limit() if callable(limit) else limit for limit in limits)
    yield from (limit for limit in (low, high) if limit is not None)
    if low is not None and high is not None:
        yield (low + high) / 2
    yield from (0, 2, 10, 100, -1)


def _lists(form_field: ListParam | SimpleArrayField | SplitArrayField) -> Iterator[list[Any]]:
    """Yield two items, so that what a template writes between items is rendered, and as many as there must be."""
    needed = getattr(form_field, "size", None) or getattr(form_field, "min_length", None) or 1
    for value in _fitting(form_field.item if isinstance(form_field, ListParam) else form_field.base_field):
        yield from ([value] * count for count in (max(needed, 2), needed))


def _fitting(form_field: forms.Field) -> Iterator[Any]:
    """Yield the values that a field takes which stands inside another one."""
    for value in _candidates(form_field):
        try:
            form_field.clean(value)
        except (ValidationError, TypeError, ValueError, AttributeError):
            continue
        yield value


def _objects(form_field: forms.ModelChoiceField[Any]) -> Iterator[Any]:
    found = [] if form_field.queryset is None else list(form_field.queryset.all()[:2])
    keys = [form_field.prepare_value(item) for item in found]
    yield from [keys] if isinstance(form_field, forms.ModelMultipleChoiceField) else keys
