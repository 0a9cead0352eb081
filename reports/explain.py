"""Plans from PostgreSQL: by EXPLAIN, under the guard like the statement itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from reports.plan import Plan

_PARTITIONS = """
SELECT asked.schema || '.' || asked.name, array_agg(parent_schema.nspname || '.' || parent.relname)
FROM unnest(%s::text[], %s::text[]) AS asked (schema, name)
JOIN pg_namespace AS child_schema ON child_schema.nspname = asked.schema
JOIN pg_class AS child
  ON child.relnamespace = child_schema.oid AND child.relname = asked.name AND child.relispartition
CROSS JOIN pg_partition_ancestors(child.oid) AS above
JOIN pg_class AS parent ON parent.oid = above AND parent.oid <> child.oid
JOIN pg_namespace AS parent_schema ON parent_schema.oid = parent.relnamespace
GROUP BY asked.schema, asked.name
"""


def explain(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any], *, analyze: bool = False, timing: bool = True
) -> Plan:
    """Return the plan of a statement. ``analyze`` runs it; without ``timing`` the clock is not read at each row.

    Raises:
        QueryError: PostgreSQL refused a report's statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(_head(analyze=analyze, timing=timing) + sql, params)
        (output,) = cursor.fetchone()
    return _plan(connection, output)


def explain_queryset(queryset: models.QuerySet[Any, Any], *, analyze: bool = False) -> Plan:
    """Return the plan of the statement that reads a queryset; ``analyze`` runs it.

    Where Django knows that there are no rows and runs no statement, it is the plan of a query without rows.

    Raises:
        QueryError: PostgreSQL refused a report's statement.
    """
    connection: Any = connections[queryset.db]
    try:
        sql, params = queryset.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        sql, params = queryset.query.get_compiler(connection=connection, elide_empty=False).as_sql()
    return explain(connection, sql, params, analyze=analyze)


@contextmanager
def explaining(connection: BaseDatabaseWrapper, *, analyze: bool = False) -> Iterator[list[Plan]]:
    """Explain the statements of the block instead of running them, and give their plans; the block sees no rows."""
    outputs: list[Any] = []
    plans: list[Plan] = []

    def instead(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(_head(analyze=analyze) + sql, params, many, context)
        outputs.append(context["cursor"].fetchone()[0])
        return result

    # Outermost: the guard must see the statement that PostgreSQL gets, for its errors name places in it.
    connection.execute_wrappers.insert(0, instead)
    try:
        yield plans
    finally:
        connection.execute_wrappers.remove(instead)
    plans += [_plan(connection, output) for output in outputs]


def _head(*, analyze: bool, timing: bool = True) -> str:
    # VERBOSE says the schemas, and what each worker of a parallel plan did.
    options = ["FORMAT JSON", "VERBOSE", "SUMMARY"]
    if analyze:
        options += ["ANALYZE", "BUFFERS", f"TIMING {'ON' if timing else 'OFF'}"]
    return f"EXPLAIN ({', '.join(options)}) "


def json_of(value: Any) -> Any:
    """Return PostgreSQL's JSON as data: Django's connections leave it as text, others do not."""
    return json.loads(value) if isinstance(value, str) else value


def _plan(connection: Any, output: Any) -> Plan:
    (found,) = json_of(output)
    plan = Plan.of(found)
    tables = {(node.schema, node.relation) for node in plan.nodes if node.relation}
    # Our own question goes to the driver's connection: for Django a plan is one query.
    with psycopg.ClientCursor(connection.connection) as cursor:
        cursor.execute(_PARTITIONS, [[schema for schema, _ in tables], [name for _, name in tables]])
        return replace(plan, partitions={name: tuple(above) for name, above in cursor.fetchall()})
