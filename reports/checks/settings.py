"""The setting ``REPORTS``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from reports import conf


def check_settings() -> Iterator[checks.CheckMessage]:
    """E010: a value that a setting does not take. W009: a folder of ``TEMPLATE_DIRS`` that there is not."""
    for read in (conf.timeout, conf.export_timeout, conf.slow, conf.template_dirs):
        try:
            value = read()
        except ImproperlyConfigured as error:
            yield checks.Error(str(error), id="reports.E010")
            continue
        if isinstance(value, tuple):
            yield from (_absent(folder) for folder in value if not folder.is_dir())


def _absent(folder: Path) -> checks.CheckMessage:
    problem = f"REPORTS['TEMPLATE_DIRS'] names {str(folder)!r}; there is no such folder."
    return checks.Warning(problem, hint="No template is found there. Make it, or take it out.", id="reports.W009")
