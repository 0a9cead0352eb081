"""Raw parameter values to cleaned ones, by the report's Django form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from reports.errors import ParamsError, listed, near

# What a field accepts, in a few words, for messages. The first class that fits counts.
_ACCEPTED: tuple[tuple[type[forms.Field], str], ...] = (
    (forms.DateTimeField, "a date and time such as 2026-01-31 13:45"),
    (forms.DateField, "a date such as 2026-01-31"),
    (forms.TimeField, "a time such as 13:45"),
    (forms.DurationField, "a duration such as 3 days or 04:30:00"),
    (forms.FloatField, "a number"),
    (forms.DecimalField, "a number"),
    (forms.IntegerField, "a whole number"),
    (forms.UUIDField, "a UUID"),
    (forms.NullBooleanField, "true or false"),
    (forms.BooleanField, "true or false"),
)

_SEVERAL = (forms.SelectMultiple, forms.CheckboxSelectMultiple, forms.MultipleHiddenInput)


def bound_form(form_class: type[forms.Form], params: Mapping[str, Any]) -> forms.Form:
    """Return the form bound to raw parameters. A parameter that is absent has its field's ``initial``."""
    data: MultiValueDict[str, Any] = MultiValueDict()
    form = form_class(data)
    for name, field in form.fields.items():
        present = [key for key in _keys(name, field) if key in params]
        for key in present:
            if isinstance(params, QueryDict):
                data.setlist(key, params.getlist(key))
            elif key == name:
                _set(data, name, field, params[name])
            else:
                data[key] = params[key]
        if not present and (initial := form.get_initial_for_field(field, name)) is not None:
            _set(data, name, field, initial)
    return form


def clean_params(form_class: type[forms.Form], params: Mapping[str, Any], *, report: str) -> dict[str, Any]:
    """Return the cleaned values, one for each field of the form.

    Args:
        params: A mapping from code, in which every key must be a field's; or a QueryDict from a browser, in which
            other keys (paging, tracking) are left alone.

    Raises:
        ParamsError: Everything that is wrong, by parameter name; an unknown name with the nearest known one.
    """
    form = bound_form(form_class, params)
    errors: dict[str, list[Any]] = dict(form.errors.as_data())
    allowed = {name: hint for name in errors if (hint := _accepted(form.fields.get(name)))}
    if not isinstance(params, QueryDict):
        errors |= _unknown(form, params)
        errors |= {name: ["Enter one value, not a list."] for name in params if _is_list_for_text(form, name, params)}
    if not errors:
        return form.cleaned_data
    error = ParamsError(errors)
    error.report, error.allowed = report, allowed
    raise error


def _keys(name: str, field: forms.Field) -> list[str]:
    """Return the keys a field is read from: its name, or one key for each input of a MultiWidget."""
    if isinstance(field.widget, forms.MultiWidget):
        suffixes: list[str] = field.widget.widgets_names  # type: ignore[attr-defined]
        return [name, *(name + suffix for suffix in suffixes)]
    return [name]


def _set(data: MultiValueDict[str, Any], name: str, field: forms.Field, value: Any) -> None:
    """Put a Python value where the field's widget looks for it."""
    if isinstance(field, forms.ModelChoiceField) or (isinstance(field, forms.JSONField) and not isinstance(value, str)):
        value = field.prepare_value(value)
    if isinstance(field.widget, forms.MultiWidget):
        for key, part in zip(_keys(name, field)[1:], field.widget.decompress(value) or (), strict=True):
            data[key] = part
    elif isinstance(field.widget, _SEVERAL) and _is_list(value):
        data.setlist(name, list(value))
    elif value is not None:
        data[name] = value


def _unknown(form: forms.Form, params: Mapping[str, Any]) -> dict[str, list[Any]]:
    known = {key for name, field in form.fields.items() for key in _keys(name, field)}
    return {
        str(name): [f"No such parameter (there are: {listed(form.fields)}).{near(str(name), form.fields)}"]
        for name in params
        if name not in known
    }


def _is_list_for_text(form: forms.Form, name: str, params: Mapping[str, Any]) -> bool:
    """Return whether a text field, which takes the str() of anything, was given a list."""
    field = form.fields.get(name)
    takes_lists = isinstance(field, forms.JSONField) or hasattr(field, "base_field")
    return isinstance(field, forms.CharField) and not takes_lists and _is_list(params[name])


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, dict))


def _accepted(field: forms.Field | None) -> str | None:
    """Return in a few words what a field accepts. Choices that come from a database are not read."""
    if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
        values = [str(value) for value in _choice_values(field.choices) if value not in (None, "")]
        return ", ".join(values[:20]) + (", …" if len(values) > 20 else "")
    return next((words for kind, words in _ACCEPTED if isinstance(field, kind)), None)


def _choice_values(choices: Any) -> Iterable[Any]:
    for value, label in choices:
        if isinstance(label, (list, tuple)):
            yield from _choice_values(label)
        else:
            yield value
