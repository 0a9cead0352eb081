"""Raw parameter values to cleaned ones, by the report's Django form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Any, NoReturn

from django import forms
from django.contrib.postgres.forms import HStoreField, SimpleArrayField, SplitArrayWidget
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from reports.binding import SURROGATE, JSONList
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
# Fields that take the str() or bool() of anything, also of a list; those in the second line do take lists.
_TEXT = (forms.CharField, forms.BooleanField)
_LISTS = (forms.JSONField, HStoreField, SimpleArrayField)
# What Django's fields raise for values that no browser sends: 5 for a date, 10**400 for a float, JSON 10,000 deep.
_SURPRISES = (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
# The most digits before the point, and behind it. PostgreSQL's numeric holds more, but nobody means them: 1e100000 is
# eight characters of a query string and 100 kB of a statement.
_DIGITS = 1000
_BIGINT = 2**63


def bound_form(
    form_class: type[forms.Form], params: Mapping[str, Any], kwargs: Mapping[str, Any] | None = None
) -> forms.Form:
    """Return the form bound to raw parameters. A parameter that is absent has its field's ``initial``."""
    from_browser = isinstance(params, MultiValueDict)
    data: MultiValueDict[str, Any] = params.copy() if from_browser else MultiValueDict()  # type: ignore[attr-defined]
    form = form_class(data, **(kwargs or {}))
    for name, field in form.fields.items():
        clean = partial(_clean, field, field.clean)
        key = form.add_prefix(name)
        if not (from_browser and _is_sent(data, key, field.widget)):
            absent = from_browser or name not in params
            try:
                _put(data, key, field, form.get_initial_for_field(field, name) if absent else params[name])
            except ValidationError as error:
                clean = partial(_refuse, error)
        field.clean = clean  # type: ignore[method-assign]  # the form's own copy of the field
    return form


def clean_params(
    form_class: type[forms.Form], params: Mapping[str, Any], *, report: str, kwargs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the cleaned values, one for each field of the form.

    Args:
        params: A mapping from code, in which every key must be a field's; or a QueryDict from a browser, in which
            other keys (paging, tracking) are left alone.
        report: The report's name, for messages.
        kwargs: Further arguments of the form.

    Raises:
        ParamsError: Everything that is wrong, by parameter name; an unknown name with the nearest known one.
    """
    form = bound_form(form_class, params, kwargs)
    errors: dict[str, list[Any]] = dict(form.errors.as_data())
    if not isinstance(params, MultiValueDict):
        errors |= _unknown(form, params)
    if not errors:
        return {name: _as_json(form.fields.get(name), value) for name, value in form.cleaned_data.items()}
    error = ParamsError(errors)
    error.report = report
    error.allowed = {name: hint for name in errors if (hint := _accepted(form.fields.get(name)))}
    raise error


def _as_json(field: forms.Field | None, value: Any) -> Any:
    return JSONList(value) if isinstance(value, list) and isinstance(field, forms.JSONField) else value


def _is_sent(data: MultiValueDict[str, Any], key: str, widget: forms.Widget) -> bool:
    """Return whether a browser sent something for a field, under its own key or those of the widget's parts.

    A checkbox or a multiple select cannot tell: such a widget calls nothing omitted, not even from empty data.
    """
    none: MultiValueDict[str, Any] = MultiValueDict()
    can_tell = widget.value_omitted_from_data(none, none, key)
    return key in data or (can_tell and not widget.value_omitted_from_data(data, none, key))


def _put(data: MultiValueDict[str, Any], key: str, field: forms.Field, value: Any) -> None:
    """Put a value from code where the field's widget looks for it.

    Raises:
        ValidationError: The field cannot have such a value.
    """
    if value is None:
        return
    value = list(value) if isinstance(value, (tuple, set, frozenset)) else value
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ValidationError("Enter text, not bytes.", code="bytes")
    if isinstance(value, (list, dict)) and isinstance(field, _TEXT) and not isinstance(field, _LISTS):
        raise ValidationError("Enter one value, not a list.", code="list")
    try:
        _check_storable(value)
        suffixes, shown = _shown(field, value)
    except _SURPRISES as error:
        raise _invalid(field) from error
    if suffixes:
        if len(shown) > len(suffixes):
            raise ValidationError(f"Enter at most {len(suffixes)} values.", code="max_length")
        data.update({key + suffix: part for suffix, part in zip(suffixes, shown, strict=False) if part is not None})
    elif isinstance(field.widget, _SEVERAL) and isinstance(shown, list):
        data.setlist(key, shown)
    else:
        data[key] = shown


def _shown(field: forms.Field, value: Any) -> tuple[Sequence[str], Any]:
    """Return a value as the field's widget shows it; with suffixes of its keys, the list of its parts."""
    widget = field.widget
    if isinstance(field, forms.ModelChoiceField) or (isinstance(field, forms.JSONField) and not isinstance(value, str)):
        value = field.prepare_value(value)
    if isinstance(field, forms.BooleanField):
        hash(value)  # NullBooleanSelect looks it up in a dict
    if isinstance(widget, SplitArrayWidget):
        if not isinstance(value, list):
            raise _invalid(field)
        return [f"_{index}" for index in range(widget.size)], value
    if isinstance(widget, forms.MultiWidget):
        suffixes: list[str] = widget.widgets_names  # type: ignore[attr-defined]
        return suffixes, value if isinstance(value, list) else list(widget.decompress(value) or ())
    return (), value


def _clean(field: forms.Field, clean: Callable[..., Any], *args: Any) -> Any:
    """Clean a value. Whatever is wrong with it is a ValidationError: a value from outside is nobody's bug."""
    try:
        value = clean(*args)
        _check_storable(value)
        if not isinstance(field, forms.JSONField):
            _check_range(value)
    except _SURPRISES as error:
        raise _invalid(field) from error
    return value


def _refuse(error: ValidationError, *args: Any) -> NoReturn:
    raise error


def _invalid(field: forms.Field) -> ValidationError:
    return ValidationError(field.error_messages.get("invalid", _("Enter a valid value.")), code="invalid")


def _check_storable(value: object) -> None:
    if not _is_storable(value):
        raise ValidationError(
            "PostgreSQL cannot store this value (NUL, lone surrogate, NaN, too many digits).", code="unstorable"
        )


def _check_range(value: object) -> None:
    """Refuse whole numbers that no column holds: where SQL wants a bigint, PostgreSQL would fail."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, int) and not -_BIGINT <= item < _BIGINT:
            raise ValidationError(f"Enter a whole number from {-_BIGINT} to {_BIGINT - 1}.", code="out_of_range")


def _is_storable(value: object) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not SURROGATE.search(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() < _DIGITS and -int(value.as_tuple().exponent) <= _DIGITS
    if isinstance(value, dict):
        return all(_is_storable(part) for item in value.items() for part in item)
    return not isinstance(value, list) or all(map(_is_storable, value))


def _unknown(form: forms.Form, params: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        str(name): [f"No such parameter (there are: {listed(form.fields)}).{near(str(name), form.fields)}"]
        for name in params
        if name not in form.fields
    }


def _accepted(field: forms.Field | None) -> str | None:
    """Return in a few words what a field accepts. Choices that come from a database are not read."""
    if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
        values = [str(value) for value in choice_values(field.choices) if value not in (None, "")]
        return ", ".join(values[:20]) + (", …" if len(values) > 20 else "")
    return next((words for kind, words in _ACCEPTED if isinstance(field, kind)), None)


def choice_values(choices: Any) -> Iterable[Any]:
    """Yield the values of a field's choices, those of groups too."""
    for value, label in choices:
        if isinstance(label, (list, tuple)):
            yield from choice_values(label)
        else:
            yield value
