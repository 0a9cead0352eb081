"""Stopping what runs on a connection from outside, where PostgreSQL's ``statement_timeout`` does not count."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock, Timer
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

# Seconds that a cancelled statement has to end.
GRACE = 5.0
# Of 64 KiB each, more than a socket holds.
_BUFFERS = 1024
_IDLE = (TransactionStatus.IDLE, TransactionStatus.INTRANS)


class Deadline:
    """Cancels what runs on a connection once ``seconds`` have passed, or when another thread says so.

    A backend that waits for its reader ignores a cancel. ``cuts`` is for it: when the block has not ended within the
    grace either, the connection's socket is shut down, which ends both sides.
    """

    def __init__(self, driver: psycopg.Connection[Any], seconds: float, *, cuts: bool = False) -> None:
        self.has_passed = self.has_cut = False
        self._driver = driver
        self._lock, self._ended, self._is_cancelled = Lock(), Event(), False
        self._timer = Timer(max(seconds, 0), self._stop)
        self._timer.daemon = True
        self._cuts = cuts
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        if self._cuts:
            # A descriptor of its own: the driver may close its one, and the number may be another file's by then.
            self._socket = socket.fromfd(self._driver.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        with self._lock:  # a cancel that is under way is waited for
            self._ended.set()
            if self._socket is not None:
                self._socket.close()
        if self._is_cancelled:
            _absorb_cancel(self._driver)

    def cancel(self) -> None:
        """Cancel what runs; nothing after the block's end. Any thread may call it."""
        with self._lock:
            if not self._ended.is_set():
                self._is_cancelled = True
                with suppress(psycopg.Error):  # an unreachable server; the socket is the last resort
                    self._driver.cancel_safe(timeout=GRACE)

    def _stop(self) -> None:
        with self._lock:
            self.has_passed = not self._ended.is_set()
        self.cancel()
        if self._socket is None or self._ended.wait(GRACE):
            return
        with self._lock:
            if not self._ended.is_set():
                self.has_cut = True
                _cut(self._socket)


def _cut(connected: socket.socket) -> None:
    """Shut a connection down, so that its other side notices while it waits to write.

    Over TCP it would wait for ever for room in our buffer: what is there is thrown away first.
    """
    with suppress(OSError):  # nothing more to read: the driver's sockets do not block
        for _ in range(_BUFFERS):
            if not connected.recv(1 << 16):
                break
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _absorb_cancel(driver: psycopg.Connection[Any]) -> None:
    """Let a cancel that is still on its way meet a statement of ours, not the caller's next one."""
    if driver.info.transaction_status in _IDLE:
        with suppress(psycopg.errors.QueryCanceled):
            psycopg.ClientCursor(driver).execute("SELECT pg_sleep(0.01)")
