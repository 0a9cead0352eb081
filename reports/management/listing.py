"""What reports there are and what each takes: as text, and as data for JSON."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.contrib.postgres.forms import HStoreField, SimpleArrayField
from django.utils.choices import CallableChoiceIterator

from reports import Report
from reports.errors import TemplateError
from reports.header import Column
from reports.param_fields import ListParam

# A field's type in a word. The first class that fits counts.
_WORDS: tuple[tuple[type[forms.Field], str], ...] = (
    (forms.SplitDateTimeField, "date and time"),
    (forms.DateTimeField, "date and time"),
    (forms.DateField, "date"),
    (forms.TimeField, "time"),
    (forms.DurationField, "duration"),
    (forms.FloatField, "number"),
    (forms.DecimalField, "number"),
    (forms.IntegerField, "integer"),
    (forms.UUIDField, "uuid"),
    (forms.NullBooleanField, "boolean"),
    (forms.BooleanField, "boolean"),
    (forms.JSONField, "json"),
    (HStoreField, "json"),
)
_MOST_CHOICES = 20


def list_text(reports: Mapping[str, type[Report]], width: int, program: str) -> Iterator[str]:
    """Yield the lines of a list: each report's name, title and parameters. No database is asked."""
    if not reports:
        yield "There are no reports. A report is a class in an app's reports.py, or a template with a name: line."
        return
    for name, report in reports.items():
        yield name
        try:
            title = report.get_title()
            yield from _wrapped("" if title == name else title, width, 4)
            yield from parameter_lines(report.get_form_class().base_fields, width, 6)
        except TemplateError as error:
            yield from _wrapped(f"cannot be run: {error}", width, 4)
    yield ""
    yield f"{program} NAME --help shows what a report takes; {program} NAME key=value … runs it."


def list_data(reports: Mapping[str, type[Report]]) -> list[dict[str, Any]]:
    """Return the list as data; a report whose template is broken has an ``error``. No database is asked."""
    return [_report_data(name, report) for name, report in reports.items()]


def page_text(report: Report, width: int, program: str) -> Iterator[str]:
    """Yield the lines of a report's page: title, doc, parameters, columns and examples as command lines."""
    header, name = report.get_header(), report.get_name()
    yield name
    title = report.get_title()
    if title != name and not header.doc.startswith(title.rstrip(".")):
        yield from _wrapped(title, width, 4)
    yield from _wrapped(header.doc, width, 4)
    fields = report.form().fields
    yield from ("", "parameters:" if fields else "It takes no parameters.")
    yield from parameter_lines(fields, width, 2)
    if columns := report.get_columns():
        yield from ("", "columns:")
        longest = max(len(column.name) for column in columns)
        for column in columns:
            yield from _entry(column.name, longest, _column_text(column), width, 2)
    if ordering := ", ".join(report.get_ordering()):
        yield from ("", *_wrapped(f"ordering: {ordering}", width, 0))
    examples = [_command(program, name, example.params) for example in report.get_examples()]
    yield from ("", "examples:") if examples else ()
    yield from (f"  {example}" for example in examples)


def parameter_lines(fields: Mapping[str, forms.Field], width: int, indent: int) -> Iterator[str]:
    """Yield a line for each parameter, wrapped: its name, type or choices, whether it is required, its default."""
    longest = max(map(len, fields), default=0)
    for name, field in fields.items():
        yield from _entry(name, longest, _field_text(field), width, indent)


def _field_text(field: forms.Field) -> str:
    data = _field_data(field)
    words = data["type"]
    if data["choices"]:
        words = " | ".join(data["choices"][:_MOST_CHOICES]) + (" | …" if len(data["choices"]) > _MOST_CHOICES else "")
    parts = [f"list of {words}" if data["list"] else words]
    if data["required"] and data["default"] is None:
        parts.append("required")
    if data["default"] is not None:
        parts.append(f"default {_shown(data['default'])}")
    return ", ".join(parts) + (f": {data['help']}" if data["help"] else "")


def _field_data(field: forms.Field) -> dict[str, Any]:
    several = isinstance(
        field, (ListParam, SimpleArrayField, forms.MultipleChoiceField, forms.ModelMultipleChoiceField)
    )
    default = field.initial() if callable(field.initial) else field.initial
    return {
        "type": _type(field),
        "list": several,
        "required": field.required,
        "default": list(map(str, default)) if isinstance(default, (list, tuple)) else _text(default),
        "choices": _choices(field),
        "help": str(field.help_text or ""),
    }


def _type(field: forms.Field) -> str:
    if isinstance(field, ListParam):
        return _type(field.item)
    if isinstance(field, SimpleArrayField):
        return _type(field.base_field)
    if isinstance(field, forms.ModelChoiceField):
        return f"key of {field.queryset.model._meta.label}" if field.queryset is not None else "key"
    if isinstance(field, forms.ChoiceField):
        return "choice"
    return next((word for kind, word in _WORDS if isinstance(field, kind)), "text")


def _choices(field: forms.Field) -> list[str] | None:
    """Return the values that can be chosen; None where there is no choice, or a database would be asked for it."""
    if not isinstance(field, forms.ChoiceField) or isinstance(field, forms.ModelChoiceField):
        return None
    if isinstance(field.choices, CallableChoiceIterator):
        return None
    pairs: list[tuple[Any, Any]] = []
    choices: Any = field.choices
    for value, label in choices:
        pairs += label if isinstance(label, (list, tuple)) else [(value, label)]
    return [str(value) for value, _ in pairs if value not in (None, "")]


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _shown(default: str | list[str]) -> str:
    return default if isinstance(default, str) else ",".join(default)


def _report_data(name: str, report: type[Report]) -> dict[str, Any]:
    try:
        fields = report.get_form_class().base_fields
        return {
            "name": name,
            "title": report.get_title(),
            "template": report.template,
            "parameters": [{"name": key, **_field_data(field)} for key, field in fields.items()],
            "columns": [
                {"name": each.name, "type": each.type, "pk": each.pk, "null": each.null, "unit": each.unit}
                for each in report.get_columns()
            ],
        }
    except TemplateError as error:
        return {"name": name, "template": report.template, "error": str(error)}


def _column_text(column: Column) -> str:
    words = [column.type, "key" if column.pk else "", "may be null" if column.null else ""]
    words += [f"in {column.unit}" if column.unit else "", f"a {column.fk}" if column.fk else ""]
    return ", ".join(filter(None, words))


def _command(program: str, name: str, params: Mapping[str, Any]) -> str:
    """Return the command line of an example."""
    words = [program, name]
    for key, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            words.append(shlex.quote(f"{key}={'' if item is None else item}"))
    return " ".join(words)


def _entry(name: str, longest: int, text: str, width: int, indent: int) -> Iterator[str]:
    left = f"{'':{indent}}{name:<{longest}}  "
    yield from _wrapped(text, max(width, len(left) + 20), len(left), left)


def _wrapped(text: str, width: int, indent: int, first: str | None = None) -> list[str]:
    space = " " * indent
    # A file's name stays whole.
    wrapper = textwrap.TextWrapper(width, first or space, space, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(text)
