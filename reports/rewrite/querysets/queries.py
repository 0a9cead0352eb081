"""A query whose statements go through the rewriting wrapper, one by one, and nothing else of its connection.

Django's compiler executes; its class here puts the wrapper on the connection for that moment. So prefetches and what
other querysets send stay as they are. Of several wrappers on one connection the last one acts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler

from reports.rewrite.querysets.derived import Derived, derive
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.instrument import Rewriter


class ConsolidatedQuery(Derived, Query):
    """A query that is sent rewritten. Django clones the ``strategy`` with it; UPDATE and DELETE have other classes."""

    strategy: Strategy | None = None

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        compiler: Any = super().get_compiler(*args, **kwargs)
        compiler.__class__ = derive(_Compiler, compiler.__class__)
        return compiler

    def get_aggregation(self, using: Any, aggregate_exprs: Any) -> Any:
        # Django may put the query into another one, an AggregateQuery, whose compiler is not ours.
        with _rewriting(connections[using], self.strategy):
            return super().get_aggregation(using, aggregate_exprs)


class _Compiler(SQLCompiler):
    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        query: Any = self.query
        with _rewriting(self.connection, query.strategy):
            return super().execute_sql(*args, **kwargs)


@contextmanager
def _rewriting(connection: Any, strategy: Strategy | None) -> Iterator[None]:
    """Rewrite what is sent within the block."""
    rewriter = Rewriter(strategy)
    connection.execute_wrappers.append(rewriter)
    try:
        yield
    finally:
        # Django's execute_wrapper() would take the last one: a connection that opens within the block gets the guard.
        connection.execute_wrappers.remove(rewriter)
