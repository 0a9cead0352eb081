"""What PostgreSQL refuses, told with the template line, the name it stopped at and the nearest one that exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from django.db import connections

from reports.checks.faults import Fault
from reports.checks.places import placed
from reports.errors import QueryError, QueryTimeout, listed
from reports.rendering import Query

_NO_COLUMN, _NO_TABLE = "42703", "42P01"
_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_NAME = re.compile(rf"{_PART}(?:\s*\.\s*{_PART})*")
_PARTS = re.compile(_PART)
_ALIAS = re.compile(rf"\bAS\s+({_PART})|({_PART})\s+AS\s*\(", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]+)"')
_NEAR = 0.6
_MOST_NAMES = 40

_COLUMNS = """
    SELECT c.relname, a.attname
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relname = ANY(%s) AND c.relkind = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
      AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    ORDER BY c.relname, a.attnum"""
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = ANY(%s) AND pg_table_is_visible(oid) AND relnamespace <> 'pg_catalog'::regnamespace"""
_KINDS = ["r", "v", "m", "p", "f"]


def refusal(error: QueryError, report: str, query: Query, *, using: str) -> Fault:
    """Return the fault for an error of PostgreSQL; its own words only as a hint, and only without a bound value."""
    file, line = (error.file, error.line) if error.file else (_file(query), None)
    head = placed(file, line, f"report {report!r}: ")
    if isinstance(error, QueryTimeout):
        return Fault(
            "W021", f"{head}not checked, because PostgreSQL took longer than the timeout.", "Raise its timeout."
        )
    name = _name_at(query.sql, error.offset)
    if name and error.sqlstate == _NO_COLUMN:
        return _missing_column(head, name, error, query, using)
    if name and error.sqlstate == _NO_TABLE:
        return _missing_table(head, name, error, query, using)
    at = f" at {'.'.join(name)!r}" if name else ""
    kind = type(_driver_error(error)).__name__
    text = f"{head}PostgreSQL refuses it{at}, with the error {error.sqlstate} ({kind})."
    words = _own_words(error, query)
    hint = f"PostgreSQL says: {words}." if words else "Its words would show a value; run the report to see them."
    return Fault("E020", text, hint)


def _file(query: Query) -> str:
    """Return the file whose text comes first, for an error without a place: a value's, or that of a run."""
    file, _ = query.lines.at(0) or ("", None)
    return file


def _name_at(sql: str, offset: int | None) -> tuple[str, ...] | None:
    """Return the parts of the name at a place in the text, as PostgreSQL reads them."""
    found = _NAME.match(sql, offset) if offset is not None else None
    return tuple(map(_unquoted, _PARTS.findall(found[0]))) if found else None


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()


def _is_written(error: QueryError, word: str) -> bool:
    """Return whether the template line has the name; else a QuerySet or ``table()`` put it there."""
    lines = Path(str(error.file)).read_text(encoding="utf-8-sig").split("\n")
    return word.lower() in lines[(error.line or 1) - 1].lower()


def _missing_column(head: str, name: tuple[str, ...], error: QueryError, query: Query, using: str) -> Fault:
    tables: dict[str, list[str]] = {}
    for table, column in _asked(using, _COLUMNS, [sorted(_words(query)), _KINDS]):
        tables.setdefault(table, []).append(column)
    aliases = {_unquoted(column or table) for column, table in _ALIAS.findall(query.sql)}
    known = aliases.union(*tables.values())
    word = name[-1]
    hinted = [found.rpartition(".")[2] for found in _QUOTED.findall(_diagnosis(error).message_hint or "")]
    best = next((found for found in hinted if found in known and found != word), None) or nearest(word, known - {word})
    owners = [table for table, columns in tables.items() if best in columns]
    of = f" of {owners[0]}" if owners else ""
    did = f" Did you mean {best!r}{of}?" if best else ""
    shown = {table: tables[table] for table in owners} or tables
    hint = "; ".join(f"{table} has the columns {_some(columns)}" for table, columns in shown.items())
    if not _is_written(error, word):
        did, hint = f" It comes from {{{{ … }}}}.{did}", f"A model differs from its table: {hint}"
    text = f"{head}there is no column {'.'.join(name)!r}.{did}"
    return Fault("E021", text, f"{hint}." if hint else "The query reads no table.")


def _missing_table(head: str, name: tuple[str, ...], error: QueryError, query: Query, using: str) -> Fault:
    whole = ".".join(name)
    if whole not in (_diagnosis(error).message_primary or ""):  # a column of a table that is not in FROM
        whole = name[0]
    aliases = {_unquoted(column or table) for column, table in _ALIAS.findall(query.sql)}
    tables = {row[0] for row in _asked(using, _TABLES, [_KINDS])}
    best = nearest(whole.rpartition(".")[2], (aliases | tables) - {whole})
    did = f" Did you mean {best!r}?" if best else ""
    hint = 'Name tables by model, which follows a rename: {{ table("app_label.Model") }}.'
    return Fault("E021", f"{head}there is no table {whole!r}.{did}", hint)


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the likeliest of the names, also where the words in it changed places; None when none is near."""
    likeness: Mapping[str, float] = {
        name: max(_ratio(word, name), _ratio(_sorted_words(word), _sorted_words(name))) for name in sorted(names)
    }
    best = max(likeness, key=likeness.__getitem__, default=None)
    return best if best is not None and likeness[best] >= _NEAR else None


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _sorted_words(name: str) -> str:
    return "_".join(sorted(name.lower().split("_")))


def _words(query: Query) -> set[str]:
    return {_unquoted(part) for part in _PARTS.findall(query.sql)}


def _some(names: list[str]) -> str:
    return listed(names) if len(names) <= _MOST_NAMES else f"{', '.join(sorted(names)[:_MOST_NAMES])}, …"


def _asked(using: str, sql: str, params: list[Any]) -> list[Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _driver_error(error: QueryError) -> Any:
    cause: Any = error.__cause__
    return cause if hasattr(cause, "diag") else getattr(cause, "__cause__", None)


def _diagnosis(error: QueryError) -> Any:
    return _driver_error(error).diag


def _own_words(error: QueryError, query: Query) -> str | None:
    """Return PostgreSQL's message; None when a bound value may be in it."""
    driver_error = _driver_error(error)
    words = driver_error.diag.message_primary if hasattr(driver_error, "diag") else None
    values = {str(value) for value in _flat(query.params)} - {""}
    if not words or any(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words) for value in values):
        return None
    return str(words)


def _flat(value: Any) -> Iterable[Any]:
    value = getattr(value, "obj", value)  # jsonb
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, (list, tuple)):
        return [value]
    return [part for item in value for part in _flat(item)]
