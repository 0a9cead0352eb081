"""Rewriting without the rewriter: tests say which candidates a statement has, right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from reports.rewrite.rewriting import Rewriting, Strategy
from reports.rewrite.sending.counts import Tally
from reports.rewrite.sending.instrument import decisions

SQL = "SELECT 'original', (SELECT %s::int), (SELECT %s::int)"
PARAMS = [1, 2]
ORIGINAL = ("original", 1, 2)
REWRITTEN = ("rewritten", 2, 1)
GOOD = "SELECT 'rewritten', $2::int, $1::int"
# PostgreSQL finds it out only when it runs.
FAILING = "SELECT 'rewritten', $2::int, $1::int / (random() * 0)::int"


class Fake:
    """In place of ``rewrite``, with one candidate; ``asked`` are the texts it was given, ``before`` is called first."""

    def __init__(self) -> None:
        self.gives(GOOD)
        self.asked: list[str] = []
        self.before: Callable[[], object] | None = None

    def __call__(self, text: str, *, same: Any = None) -> Rewriting:
        self.asked.append(text)
        if self.before:
            self.before()
        return Rewriting(text, **self.fields)

    def gives(self, text: str, strategy: Strategy = Strategy.LATERAL, **fields: Any) -> None:
        self.fields: dict[str, Any] = {"candidates": {strategy: text}, **fields}


@contextmanager
def forgotten() -> Iterator[None]:
    """Begin without decisions and counts, and leave none."""
    decisions.clear()
    Tally.reset()
    try:
        yield
    finally:
        decisions.clear()
        Tally.reset()


def run(sql: str = SQL, params: Any = PARAMS) -> Any:
    """Send a statement as Django does; return its first row."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()
