"""Template names to files: ``helpdesk/department_tickets.sql``.

Searched in this order: ``<app>/sql/<app_label>/`` of every installed app, the folders of
``REPORTS["TEMPLATE_DIRS"]``, this package's own ``sql/``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jinja2
from django.apps import apps

from reports import conf
from reports.errors import TemplateError, TemplateNotFound, near
from reports.header import Header, parse_header

# No part begins with a dot, so there is no way out of a folder.
_NAME = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.sql")


@dataclass(frozen=True, slots=True)
class Template:
    """A template file: its name, place, header, and its text with the header's lines made empty.

    The lines stay, so that a line of ``source`` is the same line of the file. ``count`` is the name of the template
    beside it that counts its rows, ``name.count.sql`` for ``name.sql``; None when there is none.
    """

    name: str
    path: Path
    header: Header
    source: str
    count: str | None = None


def find_template(name: str) -> Template:
    """Return the template of that name, read anew when its file has changed.

    Raises:
        TemplateNotFound: No folder has it, or the name is not a relative ``folder/file.sql``.
        TemplateError: Its header is not of the grammar, or it is not UTF-8.
    """
    # Looking through the folders takes longer than all else of a short report, and the answer seldom changes.
    key = name, conf.template_dirs()
    installed, path = _found.get(key, (None, ""))
    changed = _changed(path) if installed is apps.app_configs else None
    if changed is None:
        path = _search(name)
        changed = _changed(path)
        _found[key] = apps.app_configs, path
    return _read(name, path, changed or 0, _changed(_count_name(path)) is not None)


def template_names() -> list[str]:
    """Return the names of every template that can be found, sorted."""
    return sorted({name for folder, label in _folders() for name in _names_in(folder, label)})


def app_template_names(label: str) -> list[str]:
    """Return the names of the templates in one app's ``sql/<app_label>/``, sorted."""
    return sorted(_names_in(Path(apps.get_app_config(label).path, "sql"), label))


def package_folder() -> Path:
    """Return the folder of this package's own templates.

    A wheel has it inside the package (``reports/sql``); an editable install and a bare clone have it beside the
    package. This is the only place that knows.
    """
    package = Path(__file__).parent
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


def is_ours(template: Template) -> bool:
    """Return whether a template is one of this package's own."""
    return is_our_file(template.path)


def is_our_file(file: str | Path) -> bool:
    """Return whether a template's file is one of this package's own."""
    return Path(file).is_relative_to(package_folder())


class JinjaLoader(jinja2.BaseLoader):
    """Gives Jinja the templates by the same names, for includes and imports."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        try:
            found = find_template(template)
        except TemplateNotFound as error:
            raise jinja2.TemplateNotFound(template) from error  # as "include … ignore missing" expects

        def is_current() -> bool:
            try:
                return find_template(template) is found
            except TemplateError:
                return False

        return found.source, str(found.path), is_current


# Where a template was found, with the app registry's state at that time: tests install other apps.
_found: dict[tuple[str, tuple[Path, ...]], tuple[object, str]] = {}


def _search(name: str) -> str:
    if _NAME.fullmatch(name):
        for folder, label in _folders():
            path = folder / name
            if (label is None or name.startswith(f"{label}/")) and path.is_file():
                return str(path)
    raise TemplateNotFound(f"there is no template {name!r}.{near(name, template_names())}")


def _changed(path: str) -> int | None:
    """Return when a file was changed, in nanoseconds; None when it is gone."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - Path() would cost ten times the call
    except OSError:
        return None


def _count_name(name: str) -> str:
    return f"{name.removesuffix('.sql')}.count.sql"


@lru_cache(maxsize=1024)
def _read(name: str, file: str, changed: int, has_count: bool) -> Template:
    path = Path(file)
    try:
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError.at(str(path), None, f"not UTF-8: {error.reason} at byte {error.start}.") from error
    if "\0" in source:
        raise TemplateError.at(str(path), source[: source.index("\0")].count("\n") + 1, "holds a NUL character.")
    header = parse_header(source, str(path))
    text = "\n" * header.lines + "\n".join(source.split("\n")[header.lines :])
    return Template(name, path, header, text, _count_name(name) if has_count else None)


def _folders() -> Iterator[tuple[Path, str | None]]:
    """Yield (folder, label): with a label, only the sub-folder of that name counts."""
    for config in apps.get_app_configs():
        yield Path(config.path, "sql"), config.label
    for folder in conf.template_dirs():
        yield folder, None
    yield package_folder(), None


def _names_in(folder: Path, label: str | None) -> Iterator[str]:
    for path in (folder / label if label else folder).rglob("*.sql"):
        name = path.relative_to(folder).as_posix()
        if _NAME.fullmatch(name):
            yield name
