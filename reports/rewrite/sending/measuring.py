"""What PostgreSQL is asked before a statement is rewritten: types of columns, costs, and milliseconds on the real data.

Every question is read only, under a timeout and rolled back, and goes to the driver's connection: for Django a
statement is one query.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from reports.execution import Execution
from reports.explain import json_of
from reports.rewrite.rewriting import KeyPair
from reports.rewrite.sql.numbered import Sendable, sendable
from reports.transactions import rolled_back

# A type without collations makes pg_collation_for() raise. Joined ON false, columns of empty tables have types too.
_SAME = """
SELECT pg_typeof(one.key) = pg_typeof(other.key) AND ({one}) IS NOT DISTINCT FROM ({other})
FROM (SELECT) AS single LEFT JOIN ({inner}) AS one (key) ON false LEFT JOIN ({outer}) AS other (key) ON false
"""
# The name of a collation has itself the collation that it names.
_COLLATION = """
SELECT pg_collation_for({0}.key) COLLATE "C" FROM pg_type WHERE oid = pg_typeof({0}.key) AND typcollation <> 0
"""
# The connection lost or ended, or a transaction that must begin again.
_NO_ANSWERS = ("08", "40", "57P")


def is_answer(error: BaseException | None) -> bool:
    """Return whether PostgreSQL answered that a statement fails, which a second try would not change."""
    sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
    return sqlstate is not None and not sqlstate.startswith(_NO_ANSWERS)


class Questions:
    """The questions about one statement, which take ``seconds`` altogether.

    Args:
        connection: Django's, outside a broken transaction.
        cursor: The driver's cursor that will run the statement.
        params: The statement's values.
    """

    def __init__(self, connection: Any, cursor: Any, params: Sequence[Any] | None, seconds: float) -> None:
        self._connection, self._cursor, self._params = connection, cursor, params
        self._end = time.monotonic() + seconds

    @property
    def seconds(self) -> float:
        """What is left of the seconds."""
        return max(self._end - time.monotonic(), 0.0)

    def same_types(self, pairs: Sequence[KeyPair]) -> bool:
        """Return whether the columns of each pair have one type and one collation."""
        return all(self._is_same(pair) for pair in dict.fromkeys(pairs))

    def _is_same(self, pair: KeyPair) -> bool:
        collations = {side: _COLLATION.format(side) for side in ("one", "other")}
        text = _SAME.format(inner=pair.inner, outer=pair.outer, **collations)
        statement = sendable(text, percent=self._params is not None)
        try:
            return bool(self._ask(statement.sql, self._values(statement), self.seconds))
        except psycopg.ProgrammingError:
            return False  # a column of a CTE, which is not there by itself

    def cost(self, statement: Sendable) -> float:
        """Return the planner's cost.

        Raises:
            psycopg.Error: PostgreSQL refuses the statement.
        """
        return float(self._explain(statement, "FORMAT JSON", self.seconds)["Plan"]["Total Cost"])

    def milliseconds(self, statement: Sendable, seconds: float) -> float | None:
        """Run a statement to its end; return what it took, planning with it; None when that is more than ``seconds``.

        Raises:
            psycopg.Error: The statement failed.
        """
        try:
            found = self._explain(statement, "FORMAT JSON, ANALYZE, TIMING OFF, SUMMARY", seconds)
        except psycopg.errors.QueryCanceled:
            return None
        return float(found["Planning Time"] + found["Execution Time"])

    def rows(self, statement: Sendable) -> list[tuple[Any, ...]]:
        """Return the rows of a statement.

        Raises:
            psycopg.Error: The statement failed, or took too long.
        """
        return self._fetch(statement.sql, self._values(statement), self.seconds)

    def _explain(self, statement: Sendable, options: str, seconds: float) -> Any:
        (found,) = json_of(self._ask(f"EXPLAIN ({options}) {statement.sql}", self._values(statement), seconds))
        return found

    def _values(self, statement: Sendable) -> tuple[Any, ...] | None:
        return None if self._params is None else statement.params(self._params)

    def _ask(self, sql: str, params: Sequence[Any] | None, seconds: float) -> Any:
        return self._fetch(sql, params, seconds)[0][0]

    def _fetch(self, sql: str, params: Sequence[Any] | None, seconds: float) -> list[tuple[Any, ...]]:
        execution = Execution(self._connection, self._cursor, (), sql, timeout=seconds, slow=seconds)
        # The connection's own kind of cursor: with the server's binding PostgreSQL may refuse what it takes otherwise.
        with rolled_back(execution), execution.driver.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()
