"""A Django form from a template's ``param:`` lines, whose types are PostgreSQL's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from django import forms
from django.utils import timezone

from reports.errors import TemplateError, listed, near
from reports.header import Param
from reports.types import SYNONYMS, parse_type

_BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "f": False, "no": False, "n": False, "off": False, "0": False}


class BooleanSelect(forms.NullBooleanSelect):
    """Hands every value on, for the field to refuse. Django's takes those it does not know for none."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name)


class BooleanParam(forms.NullBooleanField):
    """True, false or not given, in PostgreSQL's words. Django's BooleanField takes an absent value for false."""

    widget = BooleanSelect
    default_error_messages = {"invalid": "Enter true or false."}

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]
        word = str(value).strip().lower()
        if value is None or word in ("", "unknown"):  # the latter is the widget's word
            return None
        if word not in _BOOLEANS:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return _BOOLEANS[word]

    def validate(self, value: Any) -> None:
        if value is None and self.required:
            raise forms.ValidationError(self.error_messages["required"], code="required")


class NaiveDateTimeParam(forms.DateTimeField):
    """A date and time without a zone: PostgreSQL would move one that has a zone to the session's."""

    def to_python(self, value: Any) -> datetime | None:
        found = super().to_python(value)
        return timezone.make_naive(found) if found and timezone.is_aware(found) else found


class ListInput(forms.TextInput):
    """One text input for several values, divided by commas; repeated keys of a query string count as well."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.getlist(name) if hasattr(data, "getlist") else data.get(name)

    def format_value(self, value: Any) -> str | None:
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else super().format_value(value)


class ListParam(forms.Field):
    """A list of values, each cleaned by the field of one. Text is divided at commas, but not the items of a list."""

    widget = ListInput
    default_error_messages = {"invalid": "Enter a list of values."}

    def __init__(self, item: forms.Field, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item

    def to_python(self, value: Any) -> list[Any]:
        parts: list[Any] = []
        for part in value if isinstance(value, (list, tuple, set, frozenset)) else [value]:
            if isinstance(part, (list, tuple, set, frozenset)):
                parts.extend(part)
            elif isinstance(part, str):
                parts.extend(word.strip() for word in part.split(","))
            else:
                parts.append(part)
        if any(isinstance(part, (list, tuple, set, frozenset, dict, bytes)) for part in parts):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return [self.item.clean(part) for part in parts if part not in (None, "")]


FIELDS: Mapping[str, Any] = {
    "bigint": partial(forms.IntegerField, min_value=-(2**63), max_value=2**63 - 1),
    "boolean": BooleanParam,
    "character varying": forms.CharField,
    "date": forms.DateField,
    "double precision": forms.FloatField,
    "integer": partial(forms.IntegerField, min_value=-(2**31), max_value=2**31 - 1),
    "interval": forms.DurationField,
    "json": forms.JSONField,
    "jsonb": forms.JSONField,
    "numeric": forms.DecimalField,
    "real": forms.FloatField,
    "smallint": partial(forms.IntegerField, min_value=-(2**15), max_value=2**15 - 1),
    "text": forms.CharField,
    "time": forms.TimeField,
    "timestamp": NaiveDateTimeParam,
    "timestamptz": forms.DateTimeField,
    "uuid": forms.UUIDField,
}


@lru_cache(maxsize=1024)
def build_form(params: tuple[Param, ...], *, file: str) -> type[forms.Form]:
    """Return the form class of declared parameters, its fields in their order.

    Raises:
        TemplateError: A type has no form field, or a choice or default is not of its type; names the file and the
            parameter.
    """
    return type("Params", (forms.Form,), {param.name: _field(param, file) for param in params})


def _field(param: Param, file: str) -> forms.Field:
    single = _single(param, file)
    kwargs: dict[str, Any] = {"required": param.required, "initial": param.default}
    if param.list and param.default is not None:
        kwargs["initial"] = [word.strip() for word in param.default.split(",")]
    field = single
    if param.choices is not None:
        field = _choice_field(param, single, file, kwargs)
    elif param.list:
        field = ListParam(single, **kwargs)
    else:
        single.required, single.initial = param.required, param.default
    if param.default is not None:
        _check(field, kwargs["initial"], f"the default {param.default!r}", param, file)
    return field


def _choice_field(param: Param, single: forms.Field, file: str, kwargs: dict[str, Any]) -> forms.Field:
    values = [value.strip() for value in str(param.choices).split("|")]
    for value in values:
        _check(single, value, f"the choice {value!r}", param, file)
    choices = [(value, value) for value in values]
    if param.list:
        return forms.TypedMultipleChoiceField(choices=choices, coerce=single.clean, **kwargs)
    blank = [] if param.required else [("", "")]
    return forms.TypedChoiceField(choices=[*blank, *choices], coerce=single.clean, empty_value=None, **kwargs)


def _check(field: forms.Field, value: Any, what: str, param: Param, file: str) -> None:
    """Refuse, when the report is checked, what would otherwise be a caller's error at each run."""
    try:
        field.clean(value)
    except forms.ValidationError as error:
        problem = f"parameter {param.name!r}: {what} is refused: {' '.join(error.messages)}"
        raise TemplateError.at(file, param.line, problem) from error


def _single(param: Param, file: str) -> forms.Field:
    """Return the field of one value."""
    kind = parse_type(param.type)
    if kind.name not in FIELDS or kind.dimensions:
        names = (*FIELDS, *(word for word, name in SYNONYMS.items() if name in FIELDS))
        raise TemplateError.at(
            file,
            param.line,
            f"parameter {param.name!r} has the unknown type {param.type!r} (allowed: {listed(names)})."
            f"{near(str(kind), names)}",
        )
    if kind.sizes and kind.name in ("text", "character varying"):
        return forms.CharField(required=False, max_length=kind.sizes[0])
    if kind.digits:
        return forms.DecimalField(required=False, max_digits=kind.digits[0], decimal_places=kind.digits[1])
    field: forms.Field = FIELDS[kind.name](required=False)
    return field
