"""Findings in the statements that a project sends while it is developed: to the log, with the line of Python.

Once per shape and place. No value is logged: the advice has ``...`` where they stand.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from reports.connecting import on_every_connection, put_first
from reports.rewrite.advice.advising import advised
from reports.rewrite.advice.places import place
from reports.rewrite.rewriting import Finding
from reports.rewrite.sending.decisions import pattern
from reports.rewrite.sql.numbered import Unreadable, numbered
from reports.rewrite.statements import LONGEST, rewrite
from reports.source import MARK

log = logging.getLogger("reports.repeated")

# A list of values, however many: the statement is the same one.
_LIST = re.compile(r"\(%s(?:, %s)+\)")
# Statements remembered: what was read, and what was told.
_MOST = 500


def findings_in(sql: object, params: Any) -> tuple[Finding, ...]:
    """Return what a statement repeats or multiplies, as the driver gets it; nothing where it cannot be read.

    A statement is read once per shape; one in which nothing can repeat is not read at all.
    """
    if not isinstance(sql, str) or not _is_suspect(sql) or not (params is None or isinstance(params, (list, tuple))):
        return ()
    return _read(sql, len(params) if params else None, pattern(params or None))


def warn(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement and log what is found in it: an ``execute_wrapper``. It raises nothing of its own."""
    result = execute(sql, params, many, context)
    try:
        if settings.DEBUG and not many and (findings := findings_in(sql, params)):
            _tell(sql, findings)
    except Exception:  # the rows are there, and a warning is no reason to lose them
        log.debug("a statement could not be looked through", exc_info=True)
    return result


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Look through the statements of a PostgreSQL connection: a receiver of ``connection_created``.

    It comes first in the list: it sees each statement as the project sends it, before anything rewrites it.
    """
    put_first(connection, warn)


def install_everywhere() -> None:
    """Look through the statements of the connections open in this thread, and of all to come."""
    on_every_connection(install, "reports.repeated")


def shape(sql: str) -> str:
    """Return a statement in which each list of values has one length."""
    return _LIST.sub("(%s)", sql)


class _Told:
    """What was logged, the longest ago forgotten first. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: OrderedDict[tuple[str, str | None], None] = OrderedDict()

    def is_first(self, sql: str, line: str | None) -> bool:
        """Return whether this shape has not been logged for this place."""
        key = (shape(sql), line)
        with self._lock:
            if key in self._keys:
                return False
            self._keys[key] = None
            if len(self._keys) > _MOST:
                self._keys.popitem(last=False)
            return True

    def forget(self) -> None:
        with self._lock:
            self._keys.clear()


told = _Told()


def _tell(sql: str, findings: Sequence[Finding]) -> None:
    line = place()
    if told.is_first(sql, line):
        for finding in findings:
            log.warning("%s", replace(finding, line=line))


def _is_suspect(sql: str) -> bool:
    """Return whether Django may have written two subqueries, or aggregates over two joins."""
    if len(sql) > LONGEST or MARK in sql:
        return False
    return sql.count("(SELECT") > 1 or (sql.count(" JOIN ") > 1 and " GROUP BY " in sql)


@lru_cache(maxsize=_MOST)
def _read(sql: str, count: int | None, same: tuple[int, ...] | None) -> tuple[Finding, ...]:
    try:
        return advised(rewrite(numbered(sql, count), same=same, findings_only=True), same=same)
    except Unreadable:
        return ()
