"""Template files that are not found, or that have no template beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.apps import AppConfig
from django.core import checks

from reports import conf
from reports.checks.places import placed
from reports.checks.unread import COUNT
from reports.errors import TemplateError, near
from reports.header import Header, parse_header
from reports.loader import app_template_names
from reports.row_models import APP_LABEL


def check_folder(config: AppConfig) -> Iterator[checks.CheckMessage]:
    """W006: a count template without the template whose rows it counts. W007: a template where none is looked for."""
    names = app_template_names(config.label)
    for name in names:
        whole = name.removesuffix(COUNT) + ".sql"
        others = [other for other in names if other != name]
        if name.endswith(COUNT) and whole not in names:
            yield checks.Warning(
                placed(
                    Path(config.path, "sql", name),
                    None,
                    f"there is no template {whole!r} to count.{near(whole, others)}",
                ),
                hint="name.count.sql counts the rows of name.sql, in the same folder.",
                id="reports.W006",
            )
    if config.label != APP_LABEL:  # this package's own folders have no label
        yield from _check_stray(config)


def _check_stray(config: AppConfig) -> Iterator[checks.CheckMessage]:
    folder = Path(config.path, "sql")
    found = [folder / config.label, *conf.template_dirs()]
    for path in sorted(folder.rglob("*.sql")):
        if not any(path.is_relative_to(other) for other in found) and _is_template(path):
            first, *rest = path.relative_to(folder).parts
            misspelt = rest and near(first, [config.label])
            right = Path(folder, config.label, *(rest if misspelt else (first, *rest)))
            yield checks.Warning(
                placed(path, None, "this template is never found."),
                hint=f"Templates stand in {folder / config.label}: move it, for example to {right}.",
                id="reports.W007",
            )


def _is_template(path: Path) -> bool:
    """Return whether a file is meant as a template: other SQL may stand in such a folder."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return "{{" in text or "{%" in text or parse_header(text) != Header()
    except TemplateError:  # a header, with a fault in it
        return True
    except (OSError, ValueError):
        return False
