"""A report whose template is no file yet, and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import rendering
from reports.header import parse_header
from reports.loader import Template
from reports.report import Report
from reports.rows import Rows
from reports.source import TemplateSource


class Unwritten(Report):
    """A report that has its template's text at hand."""

    _unwritten: Template

    @classmethod
    def get_template(cls) -> Template:
        return cls._unwritten

    def _source(self, template: Template, context: Mapping[str, object], alias: str) -> TemplateSource:
        query = rendering.render_string(template.source, context, using=alias)
        return TemplateSource(self.get_name(), query, self.get_timeout())


def report_class(name: str, text: str, *, template: str, path: Path) -> type[Report]:
    """Return a class for a template's text. ``template`` is its name, ``path`` its file, for messages.

    Raises:
        TemplateError: The header is not of the grammar.
    """
    header = parse_header(text, str(path))
    source = "\n" * header.lines + "\n".join(text.split("\n")[header.lines :])
    found = Template(template, path, header, source)
    class_name = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return type(class_name, (Unwritten,), {"template": template, "_unwritten": found, "__module__": __name__})


def rows_of(report: type[Report], using: str) -> Rows:
    """Return the rows with the defaults of its parameters, as tuples of its columns.

    Raises:
        TemplateError: The template cannot be rendered, or a column can be no field.
    """
    rows: Any = report(using=using).run()
    names = {field.column: field.attname for field in rows.model._meta.concrete_fields}
    found: Rows = rows.values_list(*(names[column.name] for column in report.get_columns()))
    return found
