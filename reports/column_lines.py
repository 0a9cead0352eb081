"""A column as the line of a header that declares it."""

from __future__ import annotations

from reports.header import Column


def column_line(column: Column) -> str:
    """Return the line of a header that declares a column."""
    words = [column.name, quoted(column.type) if '"' in column.type else column.type]
    words += [flag for flag in ("pk", "null") if getattr(column, flag)]
    words += [f"fk={column.fk}"] if column.fk else []
    words += [f"{key}={quoted(value)}" for key in ("unit", "label") if (value := getattr(column, key)) is not None]
    return f"-- column: {' '.join(words)}"


def quoted(text: str) -> str:
    """Return a word of a header's line, in quotes where it needs them."""
    if not any(character.isspace() or character in "\"'\\" for character in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
