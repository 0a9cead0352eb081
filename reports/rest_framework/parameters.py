"""A report's parameters as the keys of a query string, read from its form without a database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.postgres.forms import SplitArrayWidget

from reports import Report
from reports.rest_framework.form_schemas import Choice, Schema, choices_of, default_of, field_schema
from reports.rest_framework.query_keys import takes_several


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key of the query string. ``several`` says whether it may be repeated, for a list that is not divided by commas.

    ``choices_from`` is the model of choices that are rows, which are not listed.
    """

    name: str
    schema: Schema
    required: bool = False
    default: Any = None
    label: str = ""
    help_text: str = ""
    several: bool = False
    choices: list[Choice] | None = None
    choices_from: str | None = None

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return bool(self.schema["type"] == "array")

    @property
    def description(self) -> str:
        """Label, help and the choices whose labels say more than their values."""
        texts = [self.label.rstrip(".") if self.help_text else self.label, self.help_text]
        lines = [f"* `{value}` - {label}" for value, label in self.choices or () if str(value) != label]
        return "\n\n".join(filter(None, (". ".join(filter(None, texts)), "\n".join(lines))))


def parameters_of(report: type[Report]) -> list[Parameter]:
    """Return the parameters of a report in the order of its form.

    They are those of the form's class: what its ``__init__`` does for a user is not seen.
    """
    form_class = report.get_form_class()
    prefix = getattr(form_class, "prefix", None)
    return [
        parameter
        for name, field in form_class.base_fields.items()
        for parameter in _parameters(f"{prefix}-{name}" if prefix else name, field)
    ]


def _parameters(key: str, field: forms.Field) -> Iterator[Parameter]:
    parts = _parts(field)
    if parts is not None:
        for suffix, schema in parts:
            yield Parameter(key + suffix, schema, label=str(field.label or ""), help_text=str(field.help_text or ""))
        return
    schema, several = field_schema(field), takes_several(field)
    if schema["type"] == "array" and not several and getattr(field, "delimiter", ",") != ",":
        schema = {"type": "string"}
    queryset = getattr(field, "queryset", None)
    yield Parameter(
        key,
        schema,
        required=field.required and field.initial is None,  # an absent one has its initial value
        default=default_of(field),
        several=several,
        choices=choices_of(field),
        choices_from=queryset.model._meta.label if queryset is not None else None,
        label=str(field.label or ""),
        help_text=str(field.help_text or ""),
    )


def _parts(field: forms.Field) -> list[tuple[str, Schema]] | None:
    """Return suffix and schema of each key of a widget that reads several; None for one key."""
    widget: Any = field.widget
    if isinstance(widget, SplitArrayWidget):
        return [(f"_{index}", field_schema(field.base_field)) for index in range(widget.size)]  # type: ignore[attr-defined]
    if isinstance(widget, forms.MultiWidget):
        fields = getattr(field, "fields", ())
        schemas = [field_schema(one) for one in fields] if len(fields) == len(widget.widgets) else None
        return [
            (suffix, schemas[place] if schemas else {"type": "string"})
            for place, suffix in enumerate(widget.widgets_names)  # type: ignore[attr-defined]
        ]
    return None
