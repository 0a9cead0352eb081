"""Bytes of an export, for a ``for`` and for an ``async for``."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, TypeVar

from asgiref.sync import sync_to_async

from reports.copying import Copy
from reports.errors import ExportError
from reports.exports.files import atomic_file, write_whole

# Makes of a COPY's bytes, each part of which ends at a row's end, those that are sent. It yields nothing before it has
# asked for the first part: then an error of the query comes before any byte.
Encode = Callable[[Iterator[bytes]], Iterator[bytes]]
# The COPY, None when there are no rows, and what is made of its bytes.
Begin = Callable[[], tuple[Copy | None, Encode]]
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _State:
    copy: Copy | None = None
    rows: int | None = None


class ByteStream:
    """An iterator of bytes and an asynchronous one. Nothing runs before the first read.

    Asynchronous reads run in the thread of the database connection, never in that of the event loop. Who stops before
    the end says ``close()``, ``aclose()`` after asynchronous reads; then PostgreSQL stops too. A cancelled task does so
    by itself.
    """

    def __init__(self, begin: Begin) -> None:
        # The generator does not know the stream: without a cycle, a stream that is forgotten is closed at once.
        self._state = _State()
        self._parts = _parts(begin, self._state)
        self._first: bytes | None = None
        self._is_dropped = False

    @property
    def rows(self) -> int | None:
        """The number of rows, None until all is read."""
        return self._state.rows

    @property
    def is_unread(self) -> bool:
        """Whether the first bytes were read by ``start()`` and by nobody else."""
        return self._first is not None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._is_dropped:
            raise ExportError("the export was given up when its request ended; make it again.")
        first, self._first = self._first, None
        return first or next(self._parts)

    def start(self) -> None:
        """Read the first bytes; the next read gives them. What is wrong with the query is raised here."""
        self._first = self._first or next(self._parts, None)

    def write_to(self, file: BinaryIO | str | os.PathLike[str]) -> int:
        """Write all to a file open for bytes, or to a path; return the number of rows.

        A path appears, or is replaced, when all is written.
        """
        if isinstance(file, io.TextIOBase):
            raise TypeError("the file is open for text; an export is written as bytes: open it with the mode 'wb'.")
        if isinstance(file, (str, os.PathLike)):
            with atomic_file(file) as opened:
                return self.write_to(opened)
        with closing(self):
            for part in self:
                write_whole(file, part)
        return self.rows or 0

    def close(self) -> None:
        """Give the rest up; the connection is free afterwards. In the thread that has read."""
        self._parts.close()

    def drop(self) -> None:
        """Close it, unless all was read, because its request has ended. Who reads on gets an error, not an end."""
        if self.rows is None:
            self.close()
            self._first, self._is_dropped = None, True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        part: bytes | None = await self.in_thread(next, self, None)
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
    state.copy, encode = begin()
    copy = state.copy
    try:
        yield from filter(None, encode(_chunks(copy)))
        state.rows = copy.rows if copy else 0
    finally:
        if copy is not None:
            copy.close()


def _chunks(copy: Copy | None) -> Iterator[bytes]:
    while copy is not None and (part := copy.read()):
        yield part
