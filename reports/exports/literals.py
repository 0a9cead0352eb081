"""Texts of our own in SQL."""

from __future__ import annotations


def literal(text: str) -> str:
    """Return a text as a literal of a statement that is executed with parameters; never for a value somebody bound."""
    # E'…' means the same whatever standard_conforming_strings says; a single % would be a placeholder.
    return "E'" + text.replace("\\", r"\\").replace("'", "''").replace("%", "%%") + "'"
