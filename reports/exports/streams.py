"""Bytes of an export, for a ``for`` and for an ``async for``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from asgiref.sync import sync_to_async

from reports.copying import Copy

Begin = Callable[[], tuple[bytes, Copy | None]]
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _State:
    copy: Copy | None = None
    rows: int | None = None


class ByteStream:
    """An iterator of bytes and an asynchronous one. Nothing runs before the first read.

    Asynchronous reads run in the thread of the database connection, never in that of the event loop. Who stops before
    the end says ``close()``, ``aclose()`` after asynchronous reads; then PostgreSQL stops too. A cancelled task does so
    by itself. ``begin`` gives what comes first and the COPY that follows it, None when there are no rows.
    """

    def __init__(self, begin: Begin) -> None:
        # The generator does not know the stream: without a cycle, a stream that is forgotten is closed at once.
        self._state = _State()
        self._parts = _parts(begin, self._state)

    @property
    def rows(self) -> int | None:
        """The number of rows, None until all is read."""
        return self._state.rows

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Give the rest up; the connection is free afterwards. In the thread that has read."""
        self._parts.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        part: bytes | None = await self.in_thread(next, self._parts, None)
        if part is None:
            raise StopAsyncIteration
        return part

    async def aclose(self) -> None:
        """Give the rest up; the connection is free afterwards."""
        await sync_to_async(self.close)()

    async def in_thread(self, call: Callable[..., _Result], *args: Any) -> _Result:
        """Return what a call that may read from here returns, made in the connection's thread.

        When the task is cancelled, PostgreSQL is stopped at once, also while that thread waits for it.
        """
        try:
            return await sync_to_async(call)(*args)
        except asyncio.CancelledError:
            await asyncio.shield(self._stop())
            raise

    async def _stop(self) -> None:
        loop = asyncio.get_running_loop()
        closing = loop.create_task(self.aclose())  # runs after the read under way: there is one thread for both
        while not closing.done():
            if self._state.copy is not None:
                await loop.run_in_executor(None, self._state.copy.cancel)
            await asyncio.wait([closing], timeout=1)  # then once more: the first may have come before the statement
        closing.result()


def _parts(begin: Begin, state: _State) -> Generator[bytes, None, None]:
    head, state.copy = begin()
    if state.copy is None:
        state.rows = 0
        if head:
            yield head
        return
    try:
        part = state.copy.read()
        if head or part:
            yield head + part
        while part := state.copy.read():
            yield part
        state.rows = state.copy.rows
    finally:
        state.copy.close()
