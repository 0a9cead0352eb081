"""Lines of tests that messages name."""

from __future__ import annotations

from pathlib import Path


def line_of(file: str, comment: str) -> int:
    """Return the number of the line that ends with a comment; ``file`` is a test's ``__file__``."""
    lines = Path(file).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {comment}"))
