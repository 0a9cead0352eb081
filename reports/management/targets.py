"""The report or template that a command was asked for: a report's name, a template's, or a file's path."""

from __future__ import annotations

from pathlib import Path

from reports.errors import NotRegistered, TemplateNotFound, listed, near
from reports.loader import Template, find_template, template_names
from reports.registry import get_report, registered
from reports.report import Report


def find_target(text: str) -> type[Report]:
    """Return the report class; for a template that no report has, one made for it.

    Raises:
        NotRegistered: No report has the name.
        TemplateNotFound: No template has the name, or the file is in no template folder.
        TemplateError: The template's header is not of the grammar.
    """
    if text in registered():
        return get_report(text)
    if not text.endswith(".sql"):
        names = (*registered(), *template_names())
        raise NotRegistered(
            f"no report is called {text!r} (there are: {listed(registered())}).{near(text, names)}"
            " A template is named as in 'app_label/name.sql', a file by its path."
        )
    template = _template(text)
    found = [report for report in registered().values() if report.template == template.name]
    if len(found) > 1:
        named = listed(report.get_name() for report in found)
        raise NotRegistered(f"{len(found)} reports have the template {template.name!r}: {named}. Name one.")
    return found[0] if found else _report_of(template)


def _template(text: str) -> Template:
    try:
        return find_template(text)
    except TemplateNotFound:
        path = Path(text)
        if not path.is_file():
            raise
    for name in template_names():
        if name.endswith(path.name) and find_template(name).path.samefile(path):
            return find_template(name)
    raise TemplateNotFound(
        f"{text}: the file is in no template folder, or one before it has a template of that name. Templates stand in"
        " <app>/sql/<app_label>/ and in the folders of REPORTS['TEMPLATE_DIRS']."
    )


def _report_of(template: Template) -> type[Report]:
    """Return a class for a template that no report has. Its name is the template's: ``app_label.name``."""
    *folders, file = template.name.removesuffix(".sql").split("/")
    words = "".join(word[:1].upper() + word[1:] for word in file.replace("-", "_").replace(".", "_").split("_"))
    class_name = words if words.isidentifier() else f"Report{words}"
    name = template.header.name or file.replace("-", "_").replace(".", "_")
    if folders and "." not in name:
        name = f"{folders[0].replace('-', '_')}.{name}"
    return type(class_name, (Report,), {"template": template.name, "name": name, "__module__": __name__})
