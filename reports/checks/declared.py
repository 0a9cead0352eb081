"""The columns that PostgreSQL gives against those that the header or the model declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections

from reports.checks.faults import Fault
from reports.checks.refusals import nearest
from reports.column_lines import column_line
from reports.errors import listed
from reports.header import Column
from reports.loader import Template
from reports.report import Report
from reports.types import Type, parse_type

# Each holds those before it. A filter on a field that is too narrow finds no row for a greater number.
_INTEGERS = ("smallint", "integer", "bigint")
# Python has one float and one str.
_FLOATS = ("real", "double precision")
_STRINGS = ("text", "character varying", "character", "citext", "name", '"char"')


@dataclass(frozen=True, slots=True)
class _Declared:
    """A declared column. ``place`` is ``file:line`` or the model's field, ``line`` the header's declaration."""

    name: str
    kind: Type
    place: str
    line: Column | None = None


def compared(report: type[Report], template: Template, columns: Sequence[Column], *, using: str) -> Iterator[Fault]:
    """Yield what differs between the columns of a query and the declared ones. Their order does not matter.

    Keys and NOT NULL are not compared: only the rows could tell.
    """
    declared = {column.name: column for column in _declared(report, template, using)}
    if not declared:
        return
    given = {column.name: column for column in columns}
    for name, count in Counter(column.name for column in columns).items():
        if count > 1:
            yield Fault("E023", f"{template.path}: the query gives {count} columns {name!r}.", "Name each with AS.")
    extra = set(given) - set(declared)
    for name, column in declared.items():
        if name in given:
            yield from _compared_type(column, given[name])
            continue
        best = nearest(name, extra)
        extra -= {best}
        did = f" Did you mean {best!r}?" if best else ""
        text = f"{column.place}: the query gives no column {name!r} (it gives: {listed(given)}).{did}"
        yield Fault("E023", text, _hint(column, given.get(best or "")))
    for name in sorted(extra):
        where = f"Add the line: {column_line(given[name])}" if not report.model else "Add a field to the model"
        text = f"{template.path}: the query gives a column {name!r} that is not declared, so no row has it."
        yield Fault("W023", text, f"{where}, or leave it out of the query.")


def _declared(report: type[Report], template: Template, using: str) -> Iterator[_Declared]:
    if report.model is None:
        for column in report.get_columns():
            place = f"{template.path}:{column.line}" if column.line else str(template.path)
            yield _Declared(column.name, parse_type(column.type), place, column)
        return
    connection: Any = connections[using]
    for field in report.model._meta.concrete_fields:
        kind = field.db_type(connection)
        if kind is not None:
            place = f"{report.model._meta.label}.{field.name} ({type(field).__name__})"
            yield _Declared(str(field.column), parse_type(kind), place)


def _compared_type(column: _Declared, given: Column) -> Iterator[Fault]:
    kind = parse_type(given.type)
    if _fits(column.kind, kind):
        return
    text = f"{column.place}: column {column.name!r} is declared as {column.kind}, and PostgreSQL gives {kind}."
    yield Fault("E024", text, _hint(column, given))


def _fits(declared: Type, given: Type) -> bool:
    """Return whether a field of the declared type reads the same value, and filters find it. Sizes do not matter."""
    one, other = replace(declared, sizes=()), replace(given, sizes=())
    if one.holds(other):
        return True
    if one.dimensions or other.dimensions:
        return False
    if one.name in _INTEGERS and other.name in _INTEGERS:
        return _INTEGERS.index(one.name) >= _INTEGERS.index(other.name)
    return any(one.name in alike and other.name in alike for alike in (_FLOATS, _STRINGS))


def _hint(column: _Declared, given: Column | None) -> str:
    cast = f"{column.name}::{column.kind}"
    if column.line is None:
        return f"Change the model's field, or the template: {cast} AS {column.name}."
    if given is None:
        return "Remove the line, or select the column."
    return f"Write the line: {column_line(replace(column.line, name=given.name, type=given.type))}"
