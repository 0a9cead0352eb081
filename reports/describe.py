"""Columns and types as PostgreSQL sees them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from reports.header import Column
from reports.source import TemplateSource


def describe_columns(source: TemplateSource, *, using: str) -> tuple[Column, ...]:
    """Return the columns of a report's query, all nullable and none a key, by asking PostgreSQL. No row is read.

    Raises:
        SynchronousOnlyOperation: In async code; declare the columns there.
        QueryError: PostgreSQL refuses the query.
    """
    connection: Any = connections[using]
    try:
        with connection.cursor() as cursor:
            sql, params = source.as_sql(None, connection)
            cursor.execute(f"SELECT * FROM ({sql}\n) AS report LIMIT 0", params)  # noqa: S608 - values are bound
            found = [
                (column.name, column.type_code, cursor.pgresult.fmod(i)) for i, column in enumerate(cursor.description)
            ]
            cursor.execute(
                "SELECT format_type(oid, modifier) FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS"
                " asked (oid, modifier, position) ORDER BY position",
                [[oid for _, oid, _ in found], [modifier for _, _, modifier in found]],
            )
            types = [row[0] for row in cursor.fetchall()]
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(
            f"report {source.report!r} declares no columns, so PostgreSQL must be asked once, which async code cannot"
            " do. Write the columns in the template's header, as '-- column: NAME TYPE'."
        ) from error
    return tuple(Column(name, kind, null=True) for (name, _, _), kind in zip(found, types, strict=True))
