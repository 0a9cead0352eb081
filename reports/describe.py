"""Columns and parameters with their types, as PostgreSQL sees them. No row is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction
from psycopg.adapt import PyFormat, Transformer
from psycopg.postgres import types
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from reports.columns import NAMES
from reports.errors import QueryError, TemplateError
from reports.header import Column
from reports.rendering import Query
from reports.source import TemplateSource
from reports.statement import Lines
from reports.types import Type, instead, parse_type

_PLACEHOLDER = re.compile("(%[s%])")
_NUMBERED = re.compile(r"\$(\d+)")
# What may succeed once PostgreSQL knows the types of values: a function or operator that several types have, or none.
_UNDECIDED = ("42725", "42883", "42804", "42P18")
_INDETERMINATE = "42P18"
# Extensions may be in any schema; without its name theirs are the words of a header.
_EXTENSIONS = ("citext", "geography", "geometry", "hstore", "ltree")
# A domain stands for the type below it, through other domains. The last value is that type of an array's items, NULL
# when they are of no domain.
_ASK = """
WITH RECURSIVE domain (oid, kind, modifier) AS (
    SELECT pg_type.oid, kind.oid, pg_type.typtypmod
    FROM pg_type JOIN pg_type AS kind ON kind.oid = pg_type.typbasetype AND kind.typtype <> 'd'
    UNION ALL
    SELECT pg_type.oid, domain.kind, domain.modifier FROM domain JOIN pg_type ON pg_type.typbasetype = domain.oid
), asked AS (
    SELECT coalesce(domain.kind, oid) AS oid, coalesce(domain.modifier, asked.modifier) AS modifier, position
    FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS asked (oid, modifier, position) LEFT JOIN domain USING (oid)
)
SELECT format_type(asked.oid, asked.modifier), item.typname, coalesce(below.typtype, item.typtype, 'p'),
       coalesce(item.oid <> kind.oid, false), format_type(domain.kind, domain.modifier)
FROM asked
LEFT JOIN pg_type AS kind ON kind.oid = asked.oid
LEFT JOIN pg_type AS item ON item.oid = CASE WHEN kind.typcategory = 'A' THEN kind.typelem ELSE kind.oid END
LEFT JOIN domain ON domain.oid = item.oid
LEFT JOIN pg_type AS below ON below.oid = domain.kind
ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class Description:
    """What PostgreSQL says of a query: its columns, and for each ``%s`` the type it infers, None when it cannot."""

    columns: tuple[Column, ...]
    params: tuple[str | None, ...]


def describe_columns(source: TemplateSource, *, using: str) -> tuple[Column, ...]:
    """Return the columns of a report's query, all nullable and none a key, by asking PostgreSQL.

    An enum is ``text``, a domain its type.

    Raises:
        SynchronousOnlyOperation: In async code; declare the columns there.
        QueryError: PostgreSQL refuses the query.
        TemplateError: Columns are of types that a report cannot return; says for each what to write.
    """
    connection: Any = connections[using]
    try:
        with connection.cursor() as cursor:
            sql, params = source.as_sql(None, connection)
            cursor.execute(f"SELECT * FROM ({sql}\n) AS report LIMIT 0", params)  # noqa: S608 - values are bound
            found = [
                (column.name, column.type_code, cursor.pgresult.fmod(i)) for i, column in enumerate(cursor.description)
            ]
            return _columns(cursor, found, source.query.lines)
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(
            f"report {source.report!r} declares no columns, so PostgreSQL must be asked once, which async code cannot"
            " do. Write the columns in the template's header, as '-- column: NAME TYPE'."
        ) from error


def describe_query(query: Query, *, using: str) -> Description:
    """Return the columns and the types of the parameters, by preparing the query. It is not executed.

    No value is sent. Where a function or operator cannot be chosen without one, the types of the values in
    ``query.params`` are sent, as at run time. The statement is the unnamed one: nothing stays in the session.

    Raises:
        QueryError: PostgreSQL refuses the query; says why, with file and line.
        TemplateError: Columns are of types that a report cannot return; says for each what to write.
    """
    connection: Any = connections[using]
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    described, unknown = _prepared(connection, query)
    oids = [(described.param_type(i), -1) for i in range(described.nparams)]
    found = [
        ((described.fname(i) or b"").decode(), described.ftype(i), described.fmod(i)) for i in range(described.nfields)
    ]
    with connection.cursor() as cursor:
        columns = _columns(cursor, found, query.lines)
        kinds = [kind for kind, _ in _types(cursor, oids)]
    return Description(columns, tuple(None if i in unknown else str(kind) for i, kind in enumerate(kinds)))


def _prepared(connection: Any, query: Query) -> tuple[PGresult, set[int]]:
    """Return the description of the prepared query, and which parameters PostgreSQL cannot tell the type of."""
    oids, has_sent_types = [0] * len(query.params), False
    unknown: set[int] = set()
    while True:
        try:
            return _attempt(connection, query, oids), unknown
        except psycopg.Error as error:
            number = _NUMBERED.search(error.diag.message_primary or "")
            if error.sqlstate in _UNDECIDED and not has_sent_types:
                has_sent_types = True
                oids = [_type_of(connection, value) for value in query.params]
            elif error.sqlstate == _INDETERMINATE and number:
                unknown.add(int(number[1]) - 1)
                oids[int(number[1]) - 1] = types["text"].oid
            else:
                _refuse(error, query)


def _attempt(connection: Any, query: Query, oids: Sequence[int]) -> PGresult:
    text, _ = _numbered(query.sql)
    pgconn = connection.connection.pgconn
    result: PGresult
    with transaction.atomic(using=connection.alias):  # an error must not break the caller's transaction
        for result in (pgconn.prepare(b"", text.encode(), oids), pgconn.describe_prepared(b"")):
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result, encoding="utf-8")
    return result


def _type_of(connection: Any, value: object) -> int:
    """Return the number of the type as which the driver would send a value, 0 for none."""
    try:
        return 0 if value is None else Transformer(connection.connection).get_dumper(value, PyFormat.TEXT).oid
    except psycopg.ProgrammingError:
        return 0


def _refuse(error: psycopg.Error, query: Query) -> NoReturn:
    """Raise the QueryError for what PostgreSQL said. No value was sent, so that its own words hold none."""
    position = int(error.diag.statement_position or 0)
    file, line = query.lines.at(_numbered(query.sql)[1][position - 1]) or (None, None) if position else (None, None)
    place = f"{file}:{line}: " if file else ""
    hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
    found = QueryError(f"{place}PostgreSQL's error {error.sqlstate}: {error.diag.message_primary}.{hint}")
    found.sqlstate, found.file, found.line = error.sqlstate, file, line
    raise found from error


def _numbered(sql: str) -> tuple[str, list[int]]:
    """Return the text with ``$1``, ``$2``, … for each ``%s``, and for each of its characters the place in ``sql``."""
    pieces: list[str] = []
    places: list[int] = []
    offset = count = 0
    for part in _PLACEHOLDER.split(sql):
        count += part == "%s"
        text = {"%s": f"${count}", "%%": "%"}.get(part, part)
        pieces.append(text)
        places += range(offset, offset + len(part)) if text == part else [offset] * len(text)
        offset += len(part)
    return "".join(pieces), places


def _columns(cursor: Any, found: Sequence[tuple[str, int, int]], lines: Lines) -> tuple[Column, ...]:
    kinds = _types(cursor, [(oid, modifier) for _, oid, modifier in found])
    named = [(name, *kind) for (name, _, _), kind in zip(found, kinds, strict=True)]
    problems = [
        f"column {name!r} is of the type {kind}: {advice.format(name=name)}" for name, kind, advice in named if advice
    ]
    if problems:
        file, line = lines.at(0) or (None, None)
        raise TemplateError.at(file, line, f"a report cannot return these columns: {'; '.join(problems)}.")
    return tuple(Column(name, str(kind), null=True) for name, kind, _ in named)


def _types(cursor: Any, asked: Sequence[tuple[int, int]]) -> list[tuple[Type, str | None]]:
    """Return the types of these numbers and modifiers, each with what to write when no column can be of it."""
    cursor.execute(_ASK, [[oid for oid, _ in asked], [modifier for _, modifier in asked]])
    return [_found(*row) for row in cursor.fetchall()]


def _found(words: str, item: str | None, category: str, is_array: bool, below: str | None) -> tuple[Type, str | None]:
    """Return what a row of the catalogue says. ``category`` is ``pg_type.typtype``, ``below`` the type of a domain."""
    kind = Type(item, dimensions=int(is_array)) if item in _EXTENSIONS else parse_type(words)
    if category == "e" and not is_array:
        return Type("text"), None
    of_items = parse_type(below or "text")
    if category == "c" or of_items.dimensions:
        return kind, instead(Type("record", dimensions=int(is_array)))
    if kind.name in NAMES:
        return kind, None
    # The driver knows no array of the project's own types, and gives its text.
    cast = str(of_items) if of_items.name in NAMES else "text"
    return kind, instead(kind) or instead(Type(of_items.name, dimensions=1)) or instead(kind, cast)
