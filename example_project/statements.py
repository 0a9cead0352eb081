"""The statements that really went to PostgreSQL, for showing and for measuring."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Statement:
    """One executed statement, its parameters apart from its text."""

    sql: str
    params: tuple[Any, ...]
    milliseconds: float


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Give a list that grows by each statement that runs inside the block."""
    statements: list[Statement] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        started = time.perf_counter()
        result = execute(sql, params, many, context)
        statements.append(Statement(sql, tuple(params or ()), (time.perf_counter() - started) * 1000))
        return result

    with connection.execute_wrapper(record):
        yield statements
