"""The statements of one database as ``pg_stat_statements`` counted them, on PostgreSQL 15 to 18."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management import CommandError
from django.db import DatabaseError, transaction

from reports.errors import listed
from reports.management.exit_codes import DATABASE

VIEW = "pg_stat_statements"
HIDDEN = "<insufficient privilege>"
_SETUP = (
    "In postgresql.conf, shared_preload_libraries = 'pg_stat_statements' and a restart of the server; then, in this"
    " database, CREATE EXTENSION pg_stat_statements."
)
_NOT_LOADED = "55000"
_NOT_ALLOWED = "42501"
# What the search path finds goes first: where the extension may not be read, an owner can give a view of that name.
_FIND = """
SELECT coalesce(to_regclass(%s)::text, (
    SELECT format('%%I.%%I', nspname, extname)
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = %s
))
"""
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
# A statement has a row for each user, and one more for when a function sent it.
_READ = """
SELECT queryid, min(query) FILTER (WHERE query <> '{hidden}'), count(*) FILTER (WHERE query = '{hidden}'),
       sum(calls)::bigint, sum({time})::float8, sum(rows)::bigint
FROM {view}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY queryid
ORDER BY 5 DESC, 1
"""
_INFO = "SELECT dealloc, stats_reset FROM {view}_info"


@dataclass(frozen=True, slots=True)
class Counted:
    """A statement's text, with ``$1`` for each constant, how often it was called, and its milliseconds in all."""

    queryid: int
    text: str
    calls: int
    milliseconds: float
    rows: int

    @property
    def mean(self) -> float:
        """Milliseconds of a call."""
        return self.milliseconds / max(self.calls, 1)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted, the longest time first.

    ``milliseconds`` is the time of all statements of the database; ``hidden`` counts those whose text this role may not
    read, ``hidden_milliseconds`` is their time. ``lost`` counts texts that the server gave up, ``evicted`` how often
    it forgot rare statements since ``since``; both of these are None where it does not say.
    """

    statements: tuple[Counted, ...]
    milliseconds: float
    hidden: int
    hidden_milliseconds: float
    lost: int
    evicted: int | None
    since: datetime | None


def read_statistics(connection: Any) -> Statistics:
    """Return what ``pg_stat_statements`` has counted in this database.

    Raises:
        CommandError: It is not there, not loaded, or this role may not read it; says what to do.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [VIEW, VIEW])
        (view,) = cursor.fetchone()
        if view is None:
            raise CommandError(f"the database has no {VIEW}. {_SETUP}", returncode=DATABASE)
        cursor.execute(_COLUMNS, [view])
        names = {name for (name,) in cursor.fetchall()}
    time = next((name for name in ("total_exec_time", "total_time") if name in names), None)
    lacking = {"calls", "dbid", "query", "queryid", "rows"} - names
    if time is None or lacking:
        missing = listed({*lacking, *(() if time else ("total_exec_time",))})
        raise CommandError(f"{view} has no columns {missing}.", returncode=DATABASE)
    rows = _asked(connection, _READ.format(view=view, time=time, hidden=HIDDEN))
    try:
        ((evicted, since),) = _asked(connection, _INFO.format(view=view))
    except (CommandError, DatabaseError, ValueError):  # a view of one's own has none beside it
        evicted = since = None
    return _statistics(rows, evicted, since)


def _asked(connection: Any, sql: str) -> list[Any]:
    try:
        # An error must not break the caller's transaction.
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state == _NOT_LOADED:
            raise CommandError(
                f"{VIEW} is there, but the server has not loaded it. {_SETUP}", returncode=DATABASE
            ) from error
        if state == _NOT_ALLOWED:
            raise CommandError(f"this role may not read {VIEW}. {right(connection)}", returncode=DATABASE) from error
        raise


def right(connection: Any) -> str:
    """Return the statement that lets this role read all texts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_user)")
        (role,) = cursor.fetchone()
    return f"GRANT pg_read_all_stats TO {role}."


def _statistics(rows: list[Any], evicted: int | None, since: datetime | None) -> Statistics:
    hidden = [row for row in rows if row[2] and row[1] is None]
    known = [row for row in rows if row[1] is not None]
    return Statistics(
        tuple(Counted(queryid or 0, text, calls, time, count) for queryid, text, _, calls, time, count in known),
        sum(row[4] for row in rows),
        sum(row[2] for row in hidden),
        sum(row[4] for row in hidden),
        len(rows) - len(known) - len(hidden),
        evicted,
        since,
    )
