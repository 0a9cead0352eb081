"""A Django form from a template's ``param:`` lines, whose types are PostgreSQL's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from django import forms

from reports.errors import TemplateError, listed, near
from reports.header import Param


class BooleanParam(forms.NullBooleanField):
    """True, false or not given. Django's BooleanField takes an absent value for false."""

    def validate(self, value: Any) -> None:
        if value is None and self.required:
            raise forms.ValidationError(self.error_messages["required"], code="required")


class ListInput(forms.TextInput):
    """One text input for several values, divided by commas; repeated keys of a query string count as well."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.getlist(name) if hasattr(data, "getlist") else data.get(name)

    def format_value(self, value: Any) -> str | None:
        return (
            ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else super().format_value(value)
        )


class ListParam(forms.Field):
    """A list of values, each cleaned by the field of one."""

    widget = ListInput

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
        return [self.item.clean(part) for part in parts if part not in (None, "")]


FIELDS: Mapping[str, Any] = {
    "bigint": partial(forms.IntegerField, min_value=-(2**63), max_value=2**63 - 1),
    "boolean": BooleanParam,
    "date": forms.DateField,
    "double precision": forms.FloatField,
    "integer": partial(forms.IntegerField, min_value=-(2**31), max_value=2**31 - 1),
    "interval": forms.DurationField,
    "jsonb": forms.JSONField,
    "numeric": forms.DecimalField,
    "smallint": partial(forms.IntegerField, min_value=-(2**15), max_value=2**15 - 1),
    "text": forms.CharField,
    "time": forms.TimeField,
    "timestamp": forms.DateTimeField,
    "timestamptz": forms.DateTimeField,
    "uuid": forms.UUIDField,
}
SYNONYMS = {
    "bool": "boolean",
    "character varying": "text",
    "decimal": "numeric",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "json": "jsonb",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "varchar": "text",
}

_SIZED = re.compile(r"(?P<type>[a-z ]+?)\s*\((?P<numbers>\d+(?:\s*,\s*\d+)?)\)$")


@lru_cache(maxsize=1024)
def build_form(params: tuple[Param, ...], *, file: str) -> type[forms.Form]:
    """Return the form class of declared parameters, its fields in their order.

    Raises:
        TemplateError: A type has no form field; names the file, the parameter and the types there are.
    """
    return type("Params", (forms.Form,), {param.name: _field(param, file) for param in params})


def _field(param: Param, file: str) -> forms.Field:
    kwargs: dict[str, Any] = {"required": param.required, "initial": param.default}
    single = _single(param, file)
    if param.choices is not None:
        field = forms.TypedMultipleChoiceField if param.list else forms.TypedChoiceField
        values = [value.strip() for value in param.choices.split("|")]
        blank = [] if param.list or param.required else [("", "")]
        return field(
            choices=[*blank, *((value, value) for value in values)], coerce=single.clean, empty_value=None, **kwargs
        )
    if param.list:
        return ListParam(single, **kwargs)
    single.required, single.initial = param.required, param.default
    return single


def _single(param: Param, file: str) -> forms.Field:
    sized = _SIZED.match(param.type)
    word = sized["type"] if sized else param.type
    name = SYNONYMS.get(word, word)
    if name not in FIELDS:
        names = (*FIELDS, *SYNONYMS)
        raise TemplateError.at(
            file,
            None,
            f"parameter {param.name!r} has the unknown type {param.type!r} (allowed: {listed(names)})."
            f"{near(word, names)}",
        )
    numbers = [int(number) for number in sized["numbers"].split(",")] if sized else []
    if name == "text" and numbers:
        return forms.CharField(required=False, max_length=numbers[0])
    if name == "numeric" and numbers:
        return forms.DecimalField(required=False, max_digits=numbers[0], decimal_places=[*numbers, 0][1])
    field: forms.Field = FIELDS[name](required=False)
    return field
