"""Where a fault is, and what user code raised, in the words of a message."""

from __future__ import annotations

import traceback
from pathlib import Path

import django
import psycopg

import reports
from reports.errors import TemplateError

_LIBRARIES = tuple(f"{Path(str(file)).parent}/" for file in (django.__file__, psycopg.__file__, reports.__file__))


def placed(file: object, line: int | None, problem: str) -> str:
    """Return ``file:line: problem``."""
    return str(TemplateError.at(str(file), line, problem))


def raised(error: Exception, what: str) -> str:
    """Return which error ``what`` raised and where: the last line outside of Django, psycopg and this package.

    The error's own text may quote anything, so it is left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames
    place = f" at {own[-1].filename}:{own[-1].lineno}" if own else ""
    return f"{what} raised {type(error).__name__}{place}."
