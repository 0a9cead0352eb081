"""What was found of a report as Python text: its class with the form, an unmanaged model, a TypedDict."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from keyword import iskeyword
from typing import Any

from django import forms

from reports import param_fields
from reports.management.field_text import field_name, field_text, needs_postgres_app, quoted
from reports.management.inspection import Inspection, Parameter
from reports.management.python_types import IMPORTS, python_type

_STANDARD = ("import datetime", "from collections", "from decimal", "from typing", "from uuid")
_THIRD = ("from django", "from psycopg")
_INDENT = "    "
_WIDTH = 110


class PythonText:
    """The text of one report's Python, with the imports that it needs."""

    def __init__(self, found: Inspection) -> None:
        self.found = found
        self.template = found.report_class.get_template()
        self.name = re.sub(r"\W", "", found.report_class.__name__)
        self.imports: set[str] = set()

    def text(self) -> str:
        """Return the imports and the three classes.

        Raises:
            TemplateError: A column can have no field; names the file and the column.
        """
        classes = [list(self._report()), list(self._model()), list(self._typed_dict())]
        bodies = ["\n".join(lines) for lines in classes]
        return "\n\n\n".join(["\n\n".join(self._import_groups()), *bodies]) + "\n"

    def _import_groups(self) -> Iterator[str]:
        rest = set(self.imports)
        for beginnings in (
            _STANDARD,
            _THIRD,
            ("",),
        ):  # no group is empty: TypedDict, models and Report are always there
            group = {line for line in rest if line.startswith(beginnings)}
            rest -= group
            yield "\n".join(_joined(group))

    # The report.

    def _report(self) -> Iterator[str]:
        self.imports.add("from reports import Report")
        yield f"class {self.name}(Report):"
        yield from _docstring(self.template.header.doc or self.found.report_class.get_title())
        yield ""
        yield f"{_INDENT}template = {quoted(self.template.name)}"
        if self.template.header.params:
            yield f"{_INDENT}# The header declares the parameters."
        elif self.found.parameters:
            self.imports.add("from django import forms")
            yield ""
            yield f"{_INDENT}class Params(forms.Form):"
            for parameter in self.found.parameters:
                yield f"{_INDENT * 2}{self._form_field(parameter)}"
        if self.found.context:
            yield ""
            self.imports.add("from collections.abc import Mapping")
            yield f"{_INDENT}def get_context(self) -> Mapping[str, object]:"
            yield f"{_INDENT * 2}# What the user may see: filter these by self.user."
            yield f"{_INDENT * 2}return {{"
            for name, model in self.found.context.items():
                if model:
                    self.imports.add(f"from {model.__module__} import {model.__name__}")
                value = f"{model.__name__}.objects.all()" if model else "..."
                yield f"{_INDENT * 3}{quoted(name)}: {value},"
            yield f"{_INDENT * 2}}}"

    def _form_field(self, parameter: Parameter) -> str:
        options = [] if parameter.is_required else ["required=False"]
        initial = getattr(parameter.field, "initial", None)
        if isinstance(initial, (bool, int, float)):
            options.append(f"initial={initial!r}")
        elif isinstance(initial, str):
            options.append(f"initial={quoted(initial)}")
        head = self._form_class(param_fields.FIELDS.get(parameter.type or "", param_fields.FIELDS["text"]))
        if parameter.text is not None:
            head = "forms.ChoiceField"
            options = [f"choices=[{', '.join(_choices(parameter.text, parameter.field))}]", *options]
        elif parameter.is_list:
            self.imports.add("from reports.param_fields import ListParam")
            options = [f"{head}()", *options]
            head = "ListParam"
        notes = [_note(parameter)]
        declared = type(parameter.field).__name__
        if parameter.field and declared != head.removeprefix("forms."):
            notes.append(f"declared as {declared}")
        note = ", ".join(filter(None, notes))
        return f"{parameter.name} = {head}({', '.join(options)})" + (f"  # {note}" if note else "")

    def _form_class(self, factory: Any) -> str:
        kind: Any = factory.func if isinstance(factory, partial) else factory
        if kind.__module__.startswith("django."):
            return f"forms.{kind.__name__}"
        self.imports.add(f"from {kind.__module__} import {kind.__name__}")
        return str(kind.__name__)

    # The model.

    def _model(self) -> Iterator[str]:
        columns = self.found.columns
        keys = [column for column in columns if column.pk]
        self.imports.add("from django.db import models")
        yield f"# For instances in place of dicts: model = {self.name}Row in the report, and no column: lines."
        if needs_postgres_app(columns, file=self._file):
            yield '# Some of its fields need "django.contrib.postgres" in INSTALLED_APPS.'
        yield f"class {self.name}Row(models.Model):"
        key = keys[0] if keys else next((column for column in columns if column.name == "id"), columns[0])
        if len(keys) > 1:
            names = ", ".join(quoted(field_name(column)) for column in keys)
            yield f"{_INDENT}pk = models.CompositePrimaryKey({names})"
        for column in columns:
            is_key = column is key and len(keys) < 2
            text, imports = field_text(
                replace(column, null=False) if is_key else column, is_key=is_key, file=self._file
            )
            self.imports |= imports
            if is_key and not keys:
                yield f"{_INDENT}# Django needs a key, and no column is declared as pk: this one must be unique."
            yield f"{_INDENT}{text}"
        yield ""
        yield f"{_INDENT}class Meta:"
        yield f"{_INDENT * 2}managed = False"

    @property
    def _file(self) -> str:
        return str(self.template.path)

    # The TypedDict.

    def _typed_dict(self) -> Iterator[str]:
        self.imports.add("from typing import TypedDict")
        kinds = {column.name: python_type(column) for column in self.found.columns}
        words = {word for kind in kinds.values() for word in re.findall(r"\w+", kind)}
        self.imports |= {line for word, line in IMPORTS.items() if word in words}
        yield "# The rows as dicts, for type checkers."
        # A keyword is no attribute, and an attribute called as a type hides it.
        if any(iskeyword(name) or name in words for name in kinds):
            yield f"{self.name}Dict = TypedDict("
            yield f"{_INDENT}{quoted(f'{self.name}Dict')},"
            yield f"{_INDENT}{{"
            yield from (f"{_INDENT * 2}{quoted(name)}: {kind}," for name, kind in kinds.items())
            yield f"{_INDENT}}},"
            yield ")"
            return
        yield f"class {self.name}Dict(TypedDict):"
        for name, kind in kinds.items():
            yield f"{_INDENT}{name}: {kind}"


def _choices(value: str, field: forms.Field | None) -> list[str]:
    """Return what may stand in the statement: what the field declares, else the one value that is known."""
    pairs: Any = field.choices if isinstance(field, forms.ChoiceField) else [(value, value)]
    return [f"({quoted(str(choice))}, {quoted(str(label))})" for choice, label in pairs]


def _note(parameter: Parameter) -> str:
    if parameter.text is not None:
        return "" if parameter.field else "text of the statement: list all that may stand there"
    if parameter.type is None:
        return "PostgreSQL cannot tell its type"
    return "" if parameter.type in param_fields.FIELDS else parameter.type


def _docstring(text: str) -> list[str]:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"' if text.endswith('"') else '"')
    escaped = escaped.replace('"""', '\\"\\"\\"')
    if len(escaped) <= _WIDTH:
        return [f'{_INDENT}"""{escaped}"""']
    first, *rest = textwrap.wrap(escaped, _WIDTH)
    return [f'{_INDENT}"""{first}', *(f"{_INDENT}{line}" for line in rest), f'{_INDENT}"""']


def _joined(lines: set[str]) -> list[str]:
    """Return import lines, those of one module as one line: ``import`` first, then ``from`` by module."""
    names: dict[str, list[str]] = {}
    plain = sorted(line for line in lines if line.startswith("import "))
    for line in sorted(lines - set(plain)):
        module, _, name = line.removeprefix("from ").partition(" import ")
        names.setdefault(module, []).append(name)
    return [*plain, *(f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names))]
