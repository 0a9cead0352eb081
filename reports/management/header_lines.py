"""A template's ``column:`` lines, written into its file."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reports.column_lines import column_line
from reports.errors import TemplateError
from reports.header import Column, Header, parse_header

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")  # an empty match at the end is no line
_KEY = re.compile(r"-- ([a-z_]+):")
_BOM = "\ufeff"


def write_columns(path: Path, columns: Sequence[Column]) -> bool:
    """Write the columns into the header of a template's file; return whether the file had to be changed.

    They take the place of the lines that are there, else they follow ``doc``, ``name`` and ``param``. A line that says
    the same already is kept as it is written. The file is replaced as a whole, under its own mode.

    Raises:
        TemplateError: The header is not of the grammar, or a column cannot be written in it.
        OSError: The file cannot be read or replaced.
    """
    path = path.resolve()  # a link stays a link
    before = path.read_bytes().decode("utf-8")
    after = with_columns(before, columns, file=str(path))
    if after == before:
        return False
    _replace(path, after)
    return True


def with_columns(text: str, columns: Sequence[Column], *, file: str) -> str:
    """Return a template's text with these columns in its header, every other character as it was."""
    header = _header(text, file)
    if header.columns == tuple(columns):
        return text
    mark = _BOM if text.startswith(_BOM) else ""
    lines = [line for line in _LINE.findall(text.removeprefix(_BOM)) if line]
    end = next((line[len(line.rstrip("\r\n")) :] for line in lines), "") or "\n"
    entries = _entries(lines[: header.lines])
    written = {column: "".join(entries[column.line or 0]) for column in header.columns}
    wanted = [written.get(column) or f"{column_line(column)}{end}" for column in columns]
    first, rest = _split(entries, header)
    behind = lines[header.lines :]
    if not header.lines and behind and behind[0].startswith("-- "):
        wanted.append(end)  # a comment of another kind
    changed = mark + "".join([*first, *wanted, *rest, *behind])
    if _header(changed, file).columns != tuple(columns):
        raise TemplateError.at(file, None, "these columns cannot be written into a header.")
    return changed


def _header(text: str, file: str) -> Header:
    return parse_header(re.sub(r"\r\n?", "\n", text), file)


def _entries(lines: list[str]) -> dict[int, list[str]]:
    """Return the lines of each entry, those that continue it among them, by the number of the first."""
    entries: dict[int, list[str]] = {}
    number = 0
    for position, line in enumerate(lines, start=1):
        number = position if _KEY.match(line) else number
        entries.setdefault(number, []).append(line)
    return entries


def _split(entries: dict[int, list[str]], header: Header) -> tuple[list[str], list[str]]:
    """Return the header's lines before and behind the place of the columns, without the column lines."""
    columns = {column.line for column in header.columns}
    place = min((line for line in columns if line), default=0)
    if not place:
        heads = [
            number for number, lines in entries.items() if lines[0].startswith(("-- doc:", "-- name:", "-- param:"))
        ]
        place = max(heads, default=0) + 1
    first = [line for number, lines in entries.items() if number < place and number not in columns for line in lines]
    rest = [line for number, lines in entries.items() if number >= place and number not in columns for line in lines]
    return first, rest


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
