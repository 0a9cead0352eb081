"""The setting ``REPORTS``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from reports import conf


def check_settings() -> Iterator[checks.CheckMessage]:
    """E010: a value that a setting does not take. E014: no sqlglot. W009: no such folder in ``TEMPLATE_DIRS``."""
    seconds = (conf.timeout, conf.export_timeout, conf.slow, conf.rewrite_age, conf.rewrite_measure)
    for read in (*seconds, conf.template_dirs, conf.rewrite, conf.warn_repeated):
        try:
            value = read()
        except ImproperlyConfigured as error:
            yield checks.Error(str(error), id="reports.E010")
            continue
        if read is conf.template_dirs:
            yield from (_absent(folder) for folder in conf.template_dirs() if not folder.is_dir())
        if read is conf.rewrite and value and not find_spec("sqlglot"):
            yield _UNREAD


_UNREAD = checks.Error(
    "REPORTS['REWRITE'] is on, but sqlglot is not installed.",
    hint="No statement is rewritten. pip install 'django-sql-reports[rewrite]'.",
    id="reports.E014",
)


def _absent(folder: Path) -> checks.CheckMessage:
    problem = f"REPORTS['TEMPLATE_DIRS'] names {str(folder)!r}; there is no such folder."
    return checks.Warning(problem, hint="No template is found there. Make it, or take it out.", id="reports.W009")
