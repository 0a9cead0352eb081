"""The line of Python that sends a statement."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType

import django

import reports

# Packages installed, and their tests; by the names of folders, for a virtual environment may stand in the project.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_FOREIGN = tuple(
    f"{folder}{os.sep}"
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        str(Path(django.__file__).parent),
        str(Path(reports.__file__).parent),
    }
)


def place() -> str | None:
    """Return the innermost line of the project's own code that is under way: ``shop/views.py:12 in dashboard``.

    Frames of Django, of this package, of the standard library and of what is installed are passed over. Paths are
    relative to the working directory, where they lie below it. None when no frame is left: a thread that only awaits,
    as for the async interface of querysets, knows nothing of who asked.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = _own(code.co_filename)
        # A command's own file is no line that anybody looks for.
        if name is not None and code.co_name != "<module>":
            return f"{name}:{frame.f_lineno} in {code.co_qualname}"
        frame = frame.f_back
    return None


@lru_cache(maxsize=4096)
def _own(file: str) -> str | None:
    """Return a file of the project's as it is shown; None for any other."""
    if file.startswith(("<frozen ", "<string>")) or file.startswith(_FOREIGN):
        return None
    path = Path(file)
    if not _INSTALLED.isdisjoint(path.parts):
        return None
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file
