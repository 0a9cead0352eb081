"""What one request asks of the database: the reports it runs, and the statements that repeat subqueries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from reports import guard
from reports.connecting import on_every_connection, put_first
from reports.execution import report_executed
from reports.toolbar import plans

if has_parser := find_spec("sqlglot") is not None:
    from reports.rewrite.advice.places import place
    from reports.rewrite.advice.warnings import findings_in, shape

log = logging.getLogger("reports.toolbar")


@dataclass(slots=True)
class Executed:
    """A statement of a report. ``rows`` is None when it failed; ``token`` that under which its plan can be had."""

    report: str
    alias: str
    milliseconds: float
    rows: int | None
    line: str | None
    token: str | None


@dataclass(slots=True)
class Found:
    """A finding, and how often its statement was sent from that line."""

    kind: str
    tables: str
    count: int
    is_wrong: bool
    line: str | None
    advice: str | None
    times: int = 1


@dataclass(slots=True)
class Recording:
    """What is known of the request under way."""

    reports: list[Executed] = field(default_factory=list)
    _found: dict[tuple[str, str | None, int], Found] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def stats(self) -> dict[str, Any]:
        """Return it as the toolbar keeps it: text and numbers, no value that was bound."""
        return {
            "reports": [asdict(each) for each in self.reports],
            "milliseconds": sum(each.milliseconds for each in self.reports),
            "findings": [asdict(each) for each in self._found.values()],
            "has_parser": has_parser,
        }

    def keep(self, sql: str, params: Any, alias: str) -> None:
        """Keep a statement that is about to be sent, if it reads reports and can be explained."""
        names = guard.reports_in(sql)
        token = plans.keep(sql, params, alias) if names and plans.can_be_explained(sql) else None
        for name in names:
            if token:
                self._tokens[name, alias] = token
            else:
                self._tokens.pop((name, alias), None)

    def executed(self, report: str, alias: str, milliseconds: float, rows: int | None) -> None:
        """Note a statement of a report that has ended."""
        line = place() if has_parser else None
        self.reports.append(Executed(report, alias, milliseconds, rows, line, self._tokens.get((report, alias))))

    def look(self, sql: str, params: Any) -> None:
        """Note what is found in a statement that was sent."""
        for number, finding in enumerate(findings_in(sql, params) if has_parser else ()):
            line = place()
            key = (shape(sql), line, number)
            if key in self._found:
                self._found[key].times += 1
                continue
            tables = ", ".join(finding.tables)
            self._found[key] = Found(str(finding.kind), tables, finding.count, finding.is_wrong, line, finding.advice)


current: ContextVar[Recording | None] = ContextVar("current", default=None)
"""The recording of the request that this context answers."""


def watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement and record it: an ``execute_wrapper``. It raises nothing of its own."""
    recording = current.get()
    if recording is None or many or not isinstance(sql, str):
        return execute(sql, params, many, context)
    try:
        recording.keep(sql, params, context["connection"].alias)
    except Exception:  # the statement is to be sent all the same
        log.debug("a statement could not be kept", exc_info=True)
    result = execute(sql, params, many, context)
    try:
        recording.look(sql, params)
    except Exception:  # the rows are there
        log.debug("a statement could not be looked through", exc_info=True)
    return result


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Watch a PostgreSQL connection: a receiver of ``connection_created``. Outermost: before anything is rewritten."""
    put_first(connection, watch)


def install_everywhere() -> None:
    """Watch the connections open in this thread, and all to come; outside a request this notes nothing."""
    on_every_connection(install, "reports.toolbar")
    report_executed.connect(_note, dispatch_uid="reports.toolbar")


def _note(*, report: str, alias: str, milliseconds: float, rows: int | None, **kwargs: Any) -> None:
    recording = current.get()
    if recording is not None:
        recording.executed(report, alias, milliseconds, rows)
