"""Indexes that make a report's statement faster, measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from reports.errors import ReportError
from reports.guard import reports_in, timeout
from reports.indexes.candidates import Candidate, candidates
from reports.indexes.series import Advised, Series
from reports.indexes.tables import Table, read_tables
from reports.indexes.trials import Statement
from reports.rows import Rows

MOST_ROWS = 1_000_000
MOST_TRIALS = 5

_Pair = tuple[Table, Candidate]


class AdviceRefused(ReportError):
    """Indexes cannot be tried on this connection, or on none of the tables."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What indexes would do for a statement.

    ``indexes`` help, the best first; ``tried`` do not: SQL and the reason. ``reasons`` has for each table without a
    candidate why, and ``refused`` those whose candidates were not tried.
    """

    milliseconds: float
    cost: float
    indexes: tuple[Advised, ...]
    tried: tuple[tuple[str, str], ...]
    reasons: Mapping[str, str]
    refused: Mapping[str, str]


def advise(rows: Rows, *, most_rows: int = MOST_ROWS) -> Advice:
    """Return which indexes would make the statement that reads these rows faster.

    Each is built in a transaction that is rolled back. Until then writers of its table wait: as long as building it and
    running the statement twice take. Each of these is under the report's timeout.

    Args:
        rows: Of a report. They are read several times.
        most_rows: No index is tried on a larger table.

    Raises:
        AdviceRefused: No index can be tried.
        QueryError: PostgreSQL refused the statement itself.
    """
    connection = connections[rows.db]
    _check(connection)
    plan = rows.plan(analyze=True)
    found, reasons = candidates(plan)
    tables = read_tables(connection, {(candidate.schema, candidate.table) for candidate in found})
    pairs = [(tables[candidate.schema, candidate.table], candidate) for candidate in found]
    needed, needless = _sifted(pairs)
    refused = {table.label: reason for table, _ in needed if (reason := table.refusal(most_rows))}
    wanted = [(table, candidate) for table, candidate in needed if table.label not in refused]
    if refused and not wanted:
        raise AdviceRefused("\n".join(f"no index is tried on {name}: {why}." for name, why in sorted(refused.items())))
    if not wanted:
        return Advice(plan.milliseconds or 0.0, plan.cost, (), (), reasons | needless, refused)
    series = Series(_statement(rows, connection))
    for table, candidate in wanted[:MOST_TRIALS]:
        series.run(table, candidate)
    indexes, tried = series.results()
    return Advice(series.milliseconds, plan.cost, indexes, tried, reasons | needless, refused)


def _sifted(pairs: Sequence[_Pair]) -> tuple[list[_Pair], dict[str, str]]:
    """Return the candidates that could gain something, and for each table that has none of them the reason."""
    found = [(table, candidate, table.needless(candidate)) for table, candidate in pairs]
    needed = [(table, candidate) for table, candidate, reason in found if reason is None]
    labels = {table.label for table, _ in needed}
    return needed, {table.label: reason for table, _, reason in found if reason and table.label not in labels}


def _check(connection: BaseDatabaseWrapper) -> None:
    """Refuse connections on which nothing can be created."""
    if connection.vendor != "postgresql":
        raise AdviceRefused(f"the database {connection.alias!r} is {connection.vendor}; reports need PostgreSQL.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
        is_standby, is_read_only = cursor.fetchone()
    if is_standby:
        raise AdviceRefused(f"the database {connection.alias!r} is a standby, on which no index can be built.")
    if is_read_only:
        raise AdviceRefused(f"transactions on {connection.alias!r} are read only, and no index can be built in one.")


def _statement(rows: Rows, connection: Any) -> Statement:
    sql, params = rows.query.get_compiler(connection=connection).as_sql()
    return Statement(connection, sql, params, timeout(reports_in(sql)))
