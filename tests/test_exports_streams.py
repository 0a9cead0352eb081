"""Reading in a loop and in an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from reports import QueryError, copy_cursors
from reports.exports import stream_csv
from tests.exporting import all_ended, exported, rows_of
from tests.models import Region
from tests.reports import Faulty, Figures

pytestmark = pytest.mark.django_db(transaction=True)


def numbers(count: int = 100000) -> Any:
    return rows_of(f"SELECT generate_series(1, {count}) AS id", id="integer")


def endless() -> Any:
    return numbers(2000000000)


def silent() -> Any:
    """Return rows that take their time to come."""
    return rows_of("SELECT 1 AS id, pg_sleep(20)::text AS a", id="integer", a="text")


def in_loop(call: Callable[[], Awaitable[Any]]) -> Any:
    return async_to_sync(call)()


def test_stream_is_both_iterators():
    stream = stream_csv(numbers())

    assert iter(stream) is stream
    assert aiter(stream) is stream


def test_stream_is_the_same_in_both_ways():
    async def read() -> bytes:
        return b"".join([part async for part in stream_csv(numbers())])

    assert in_loop(read) == exported(numbers())


def test_rows_are_known_at_the_end():
    stream = stream_csv(numbers())
    found = [stream.rows]
    next(stream)
    found.append(stream.rows)
    list(stream)
    assert [*found, stream.rows] == [None, None, 100000]

    empty = stream_csv(Figures().run().none())
    list(empty)
    assert empty.rows == 0


def test_stream_without_header_and_rows_gives_nothing():
    assert list(stream_csv(Figures().run(), header=None)) == []
    assert list(stream_csv(Figures().run().none(), header=None)) == []


def test_event_loop_goes_on_while_the_database_works():
    rows = rows_of("SELECT 1 AS id, pg_sleep(0.5)::text AS a", id="integer", a="text")

    async def read() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        task = asyncio.create_task(tick())
        assert [part async for part in stream_csv(rows, header=None)] == [b'1,""\n']
        task.cancel()
        return ticks

    assert in_loop(read) > 10


def test_reads_are_in_the_thread_of_the_connection(monkeypatch: pytest.MonkeyPatch):
    threads: set[Any] = set()
    read = copy_cursors.CopyCursor.read

    def spy(self: copy_cursors.CopyCursor) -> bytes:
        threads.add(threading.get_ident())
        return read(self)

    monkeypatch.setattr(copy_cursors.CopyCursor, "read", spy)

    async def read_all() -> int:
        assert [part async for part in stream_csv(numbers())]
        return await Region.objects.acount()

    assert in_loop(read_all) == 0
    assert threads == {threading.get_ident()}  # async_to_sync lends its own


def test_errors_reach_the_task():
    async def read() -> None:
        async for _ in stream_csv(Faulty().run()):
            pass

    with pytest.raises(QueryError, match="42883"):
        in_loop(read)


@pytest.mark.parametrize("rows", [endless, silent], ids=["in_the_middle", "before_the_first_bytes"])
def test_cancelled_task_stops_the_backend(rows: Callable[[], Any]):
    async def read() -> float:
        async def consume() -> None:
            async for _ in stream_csv(rows()):
                await asyncio.sleep(0.01)

        task = asyncio.create_task(consume())
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Region.objects.acount() == 0
        return time.monotonic() - begun

    assert in_loop(read) < 30
    assert all_ended()


def test_aclose_frees_the_connection():
    async def read() -> int:
        stream = stream_csv(endless())
        await anext(stream)
        await stream.aclose()
        assert [part async for part in stream] == []
        return await Region.objects.acount()

    assert in_loop(read) == 0
    assert all_ended()


def test_close_before_the_first_read():
    stream = stream_csv(endless())
    stream.close()
    stream.close()

    assert list(stream) == []
