"""The settings, one function each, read when called: ``REPORTS = {"TIMEOUT": 10}`` in the project's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from reports.errors import listed, near

NAMES = (
    "EXPORT_TIMEOUT",
    "REWRITE",
    "REWRITE_AGE",
    "REWRITE_MEASURE",
    "SLOW",
    "TEMPLATE_DIRS",
    "TIMEOUT",
    "WARN_REPEATED",
    "XLSX_ROWS",
)
# PostgreSQL holds statement_timeout in 31 bits of milliseconds: 24 days.
LONGEST = 2_147_483
# What an XLSX sheet holds below its header.
MOST_XLSX_ROWS = 1_048_575
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min)$")


def template_dirs() -> tuple[Path, ...]:
    """Return ``TEMPLATE_DIRS``: folders searched after the apps' own; default none."""
    value = _setting("TEMPLATE_DIRS", ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(folder, (str, Path)) for folder in value):
        raise ImproperlyConfigured(f"REPORTS['TEMPLATE_DIRS'] is {value!r}; it must be a list of folders.")
    return _paths(tuple(value))


def timeout() -> float:
    """Return ``TIMEOUT``: seconds one statement of a report may run; default 30; a header's ``timeout:`` wins."""
    return _seconds("TIMEOUT", 30.0)


def export_timeout() -> float:
    """Return ``EXPORT_TIMEOUT``: seconds one export may take, the reader's time with it; default 600."""
    return _seconds("EXPORT_TIMEOUT", 600.0)


def slow() -> float:
    """Return ``SLOW``: seconds from which a statement is logged to ``reports.slow``; default 1."""
    return _seconds("SLOW", 1.0)


def xlsx_rows() -> int:
    """Return ``XLSX_ROWS``: the most rows of an XLSX file; default 100 000. Nothing is sent before all are there."""
    value = _setting("XLSX_ROWS", 100_000)
    if type(value) is not int or not 1 <= value <= MOST_XLSX_ROWS:
        raise ImproperlyConfigured(
            f"REPORTS['XLSX_ROWS'] is {value!r}; it must be a whole number from 1 to {MOST_XLSX_ROWS}."
        )
    return value


def rewrite() -> tuple[str, ...]:
    """Return ``REWRITE``: the aliases whose statements ``reports.rewrite`` rewrites; True is all, default none."""
    value = _setting("REWRITE", False)
    if isinstance(value, bool):
        return tuple(settings.DATABASES) if value else ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(alias, str) for alias in value):
        raise ImproperlyConfigured(
            f"REPORTS['REWRITE'] is {value!r}; it must be True, False or a list of aliases of DATABASES."
        )
    if unknown := sorted(set(value) - set(settings.DATABASES)):
        raise ImproperlyConfigured(
            f"REPORTS['REWRITE'] names no database: {', '.join(map(repr, unknown))} (DATABASES:"
            f" {listed(settings.DATABASES)}).{near(unknown[0], settings.DATABASES)}"
        )
    return tuple(value)


def rewrite_age() -> float:
    """Return ``REWRITE_AGE``: seconds after which it is chosen again how a statement is sent; default a day."""
    return _seconds("REWRITE_AGE", 86_400.0)


def rewrite_measure() -> float:
    """Return ``REWRITE_MEASURE``: seconds that choosing for one statement may take; default 5."""
    return _seconds("REWRITE_MEASURE", 5.0)


def warn_repeated() -> bool:
    """Return ``WARN_REPEATED``: log, under DEBUG, each statement that repeats subqueries; default True."""
    value = _setting("WARN_REPEATED", True)
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"REPORTS['WARN_REPEATED'] is {value!r}; it must be True or False.")
    return value


def is_seconds(value: object) -> bool:
    """Return whether a value can be a timeout: a number above 0 and at most ``LONGEST``."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LONGEST


def seconds_of(text: str) -> float | None:
    """Return the seconds that a timeout's text says, as in ``500ms``, ``5s``, ``2min``; None when it is none."""
    match = _DURATION.match(text)
    seconds = float(match["number"]) * _SECONDS[match["unit"]] if match else None
    return seconds if is_seconds(seconds) else None


@lru_cache(maxsize=8)
def _paths(folders: tuple[str | Path, ...]) -> tuple[Path, ...]:
    return tuple(map(Path, folders))  # each run asks, and a Path takes a microsecond


def _seconds(name: str, default: float) -> float:
    value = _setting(name, default)
    if not is_seconds(value):
        raise ImproperlyConfigured(
            f"REPORTS[{name!r}] is {value!r}; it must be a number of seconds above 0, at most {LONGEST}."
        )
    return float(value)


def _setting(name: str, default: Any) -> Any:
    values: Any = getattr(settings, "REPORTS", {})
    if not isinstance(values, Mapping):
        raise ImproperlyConfigured(f"REPORTS is {values!r}; it must be a dict of settings ({listed(NAMES)}).")
    for key in values:
        if key not in NAMES:
            raise ImproperlyConfigured(
                f"REPORTS has the unknown key {key!r} (allowed: {listed(NAMES)}).{near(str(key), NAMES)}"
            )
    return values.get(name, default)
