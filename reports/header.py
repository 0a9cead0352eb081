"""The ``-- key: value`` lines at the top of a template.

A header begins on the file's first line and goes on while lines begin with ``-- ``. Keys are in lower case; a line
``--   more text`` continues the one above it. A leading comment in which no line begins with one of the keys is an
ordinary comment, and the template has no header; one of the keys below it, before the statement, is an error.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, TypeVar

from reports.conf import LONGEST, seconds_of
from reports.errors import TemplateError, listed, near

KEYS = ("column", "doc", "example", "name", "ordering", "param", "tags", "timeout")
ONCE = ("doc", "name", "ordering", "tags", "timeout")

_LINE = re.compile(r"-- (?P<key>[a-z_]+):(?:\s+(?P<value>.*))?$")
_STRAY = re.compile(r"--\s*([a-z_]+):")
_BEFORE_STATEMENT = re.compile(r"\s+|--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_IDENTIFIER = re.compile(r"[^\W\d]\w*$")
REPORT_NAME = re.compile(r"(?:[^\W\d]\w*\.)?[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Column:
    """A declared result column: ``column: NAME TYPE [pk] [null] [fk=app.Model] [unit=…] [label="…"]``."""

    name: str
    type: str
    pk: bool = False
    null: bool = False
    fk: str | None = None
    unit: str | None = None
    label: str | None = None
    line: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Param:
    """A declared parameter: ``param: NAME TYPE [required] [list] [choices=a|b] [default=…]``."""

    name: str
    type: str
    required: bool = False
    list: bool = False
    choices: str | None = None
    default: str | None = None
    line: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Example:
    """Parameters with which the report can be run: ``example: {"opened_from": "2026-01-01"}``."""

    params: Mapping[str, Any]
    line: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """What a template says of itself.

    ``timeout`` is in seconds; ``lines`` counts the header's lines in the file; ``places`` has the line of each key
    that may stand once.
    """

    doc: str = ""
    name: str | None = None
    params: tuple[Param, ...] = ()
    columns: tuple[Column, ...] = ()
    ordering: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    timeout: float | None = None
    tags: tuple[str, ...] = ()
    lines: int = 0
    places: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)


_Declared = TypeVar("_Declared", Column, Param)


@dataclass(slots=True)
class _Draft:
    """The header being read, with the place that an error names."""

    file: str
    line: int = 0
    values: dict[str, Any] = field(default_factory=dict)

    def error(self, problem: str) -> TemplateError:
        return TemplateError.at(self.file, self.line, problem)


def parse_header(source: str, file: str = "<template>") -> Header:
    """Read the header of a template's text.

    Raises:
        TemplateError: A key, flag or value is not of the grammar; names file and line.
    """
    block = list(_leading_comment(source))
    keys = [match["key"] for text in block if (match := _LINE.match(text))]
    draft = _Draft(file)
    if not any(key in KEYS or near(key, KEYS) for key in keys):
        _refuse_stray_entries(source, draft, "a header begins on the file's first line, and this {!r} is below it.")
        return Header()
    below = "the header ended before this {!r}; leave no line out, write '-- key: value'."
    _refuse_stray_entries(source, draft, below, after=len(block))
    entries = _entries(block, draft)
    for line, key, value in entries:
        draft.line = line
        _READ[key](draft, value)
    places = {key: line for line, key, _ in entries if key in ONCE}
    return Header(**draft.values, lines=len(block), places=places)


def _refuse_stray_entries(source: str, draft: _Draft, problem: str, *, after: int = 0) -> None:
    """Refuse an entry in a comment before the statement, below these lines: where it stands, nothing reads it."""
    end = 1 if source.startswith("\ufeff") else 0
    while part := _BEFORE_STATEMENT.match(source, end):
        stray, draft.line = _STRAY.match(part[0]), source.count("\n", 0, end) + 1
        if stray and stray[1] in KEYS and draft.line > after:
            raise draft.error(problem.format(stray[1]))
        end = part.end()


def _leading_comment(source: str) -> Iterator[str]:
    for text in source.removeprefix("\ufeff").split("\n"):  # splitlines() knows more ends of a line than SQL does
        if not text.startswith("-- "):
            return
        yield text.rstrip()


def _entries(block: list[str], draft: _Draft) -> list[tuple[int, str, str]]:
    """Return (line, key, value) for each entry, continuation lines joined."""
    entries: list[tuple[int, str, str]] = []
    for number, text in enumerate(block, start=1):
        draft.line = number
        match = _LINE.match(text)
        if match and match["key"] in KEYS:
            if match["key"] in ONCE and any(key == match["key"] for _, key, _ in entries):
                raise draft.error(f"the header key {match['key']!r} stands here a second time.")
            entries.append((number, match["key"], (match["value"] or "").strip()))
        elif match:
            raise draft.error(
                f"unknown header key {match['key']!r} (allowed: {listed(KEYS)}).{near(match['key'], KEYS)}"
            )
        elif text.startswith("--   ") and entries:
            line, key, value = entries[-1]
            entries[-1] = (line, key, f"{value} {text[5:].strip()}".strip())
        else:
            raise draft.error(
                f"not a header line: {text!r}. Write '-- key: value', continue a value with '--   text',"
                " and put other comments below the header, after an empty line."
            )
    return entries


# One function per key. Each reads the value into the draft.


def _read_doc(draft: _Draft, value: str) -> None:
    draft.values["doc"] = value


def _read_name(draft: _Draft, value: str) -> None:
    if not REPORT_NAME.fullmatch(value):
        raise draft.error(f"{value!r} is not a report name; write name or app_label.name.")
    draft.values["name"] = value


def _read_param(draft: _Draft, value: str) -> None:
    _append(draft, "params", _declaration(draft, value, Param))


def _read_column(draft: _Draft, value: str) -> None:
    _append(draft, "columns", _declaration(draft, value, Column))


def _read_names(key: str, draft: _Draft, value: str) -> None:
    draft.values[key] = tuple(name.strip() for name in value.split(",") if name.strip())


def _read_example(draft: _Draft, value: str) -> None:
    try:
        example = json.loads(value)
    except ValueError as error:
        raise draft.error(f"the example is not JSON: {error}.") from error
    if not isinstance(example, dict):
        raise draft.error(f"the example must be a JSON object of parameters, not {value!r}.")
    draft.values["examples"] = (*draft.values.get("examples", ()), Example(example, draft.line))


def _read_timeout(draft: _Draft, value: str) -> None:
    seconds = seconds_of(value)
    if seconds is None:
        raise draft.error(f"{value!r} is not a timeout; write for example 500ms, 5s or 2min, at most {LONGEST}s.")
    draft.values["timeout"] = seconds


_READ: Mapping[str, Callable[[_Draft, str], None]] = {
    "doc": _read_doc,
    "name": _read_name,
    "param": _read_param,
    "column": _read_column,
    "ordering": partial(_read_names, "ordering"),
    "tags": partial(_read_names, "tags"),
    "example": _read_example,
    "timeout": _read_timeout,
}


def _append(draft: _Draft, key: str, item: Column | Param) -> None:
    items = draft.values.get(key, ())
    if any(item.name == other.name for other in items):
        raise draft.error(f"{item.name!r} is declared a second time.")
    draft.values[key] = (*items, item)


def _declaration(draft: _Draft, value: str, kind: type[_Declared]) -> _Declared:
    """Read ``NAME TYPE [flag] [key=value]``; the type may be of several words (``double precision``)."""
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise draft.error(f"{value!r}: {error}.") from error
    flags: list[str] = [f.name for f in fields(kind) if f.type == "bool"]
    keys: list[str] = [f.name for f in fields(kind) if f.type != "bool" and f.name not in ("name", "type", "line")]
    # A flag's word may be the name.
    start = next((i for i, word in enumerate(words) if (i and word in flags) or "=" in word), len(words))
    if start < 2 or not _IDENTIFIER.match(words[0]):
        raise draft.error(f"{value!r} does not begin with a name and a type of PostgreSQL, as in 'opened_at date'.")
    given: dict[str, Any] = {}
    for word in words[start:]:
        key, equals, text = word.partition("=")
        allowed = keys if equals else flags
        if key not in allowed:
            every = (*flags, *(f"{name}=" for name in keys))
            raise draft.error(f"unknown word {word!r} in {value!r} (allowed: {listed(every)}).{near(key, every)}")
        if key in given:
            raise draft.error(f"{key!r} stands twice in {value!r}.")
        given[key] = text if equals else True
    if given.get("pk") and given.get("null"):
        raise draft.error(f"{value!r} is a key and null; a key has no NULL.")
    return kind(name=words[0], type=" ".join(words[1:start]).lower(), line=draft.line, **given)
