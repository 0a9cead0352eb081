"""Where statements are rewritten: within a block, or on every connection that ``REPORTS["REWRITE"]`` names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncContextDecorator, ContextDecorator, suppress
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from reports import conf
from reports.connecting import on_every_connection
from reports.rewrite.rewriting import Strategy, check_strategy
from reports.rewrite.sending.instrument import Rewriter

_everywhere = Rewriter()


def consolidated(using: str | None = None, *, strategy: Strategy | str | None = None, shadow: float = 0.0) -> Block:
    """Return a block, ``with`` or ``async with``, also a decorator, within which statements are rewritten.

    It reaches the connections of its thread to PostgreSQL, open or not yet. Of nested blocks the inner one counts.

    Args:
        using: One database; None is all.
        strategy: Send this one, unmeasured, where there is one; None chooses by cost and one timing.
        shadow: Send every statement as it was, and compare this share of them, from 0 to 1, with what would be sent.

    Raises:
        TypeError: It decorates without parentheses.
        ValueError: There is no such strategy, or no such share.
    """
    if callable(using):
        raise TypeError("the decorator has no parentheses; write @consolidated().")
    strategy = check_strategy(strategy)
    if isinstance(shadow, bool) or not isinstance(shadow, int | float) or not 0 <= shadow <= 1:
        raise ValueError(f"shadow is {shadow!r}; it must be a share of the statements, from 0 to 1.")
    return Block(using, strategy, shadow)


class Block(ContextDecorator, AsyncContextDecorator):
    """What ``consolidated()`` returns."""

    def __init__(self, using: str | None, strategy: Strategy | None, shadow: float) -> None:
        self._using, self._strategy, self._shadow = using, strategy, shadow
        self._rewriter = Rewriter(strategy, shadow)
        self._entered: list[list[BaseDatabaseWrapper]] = []

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:  # type: ignore[override]  # one for both
        decorator = AsyncContextDecorator if iscoroutinefunction(function) else ContextDecorator
        return decorator.__call__(self, function)

    def _recreate_cm(self) -> Block:
        return Block(self._using, self._strategy, self._shadow)  # threads call one decorated function

    def __enter__(self) -> None:
        found = connections.all() if self._using is None else [connections[self._using]]
        self._entered.append([connection for connection in found if connection.vendor == "postgresql"])
        for connection in self._entered[-1]:
            connection.execute_wrappers.append(self._rewriter)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._entered.pop():
            with suppress(ValueError):  # somebody else has emptied the list
                connection.execute_wrappers.remove(self._rewriter)

    async def __aenter__(self) -> None:
        # In the thread that async queries run in: connections belong to threads.
        await sync_to_async(self.__enter__)()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await sync_to_async(self.__exit__)(kind, error, trace)


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Rewrite the statements of a connection that the settings name: a receiver of ``connection_created``.

    It comes after the guard, and before what a block has added: the last one counts.
    """
    wrappers = connection.execute_wrappers
    with suppress(ImproperlyConfigured):  # a check says it
        if connection.vendor == "postgresql" and connection.alias in conf.rewrite() and _everywhere not in wrappers:
            blocks = [place for place, wrapper in enumerate(wrappers) if isinstance(wrapper, Rewriter)]
            wrappers.insert(min(blocks, default=len(wrappers)), _everywhere)


def install_everywhere() -> None:
    """Rewrite the statements of the connections that the settings name: those open in this thread, and all to come."""
    on_every_connection(install, "reports.rewrite")
