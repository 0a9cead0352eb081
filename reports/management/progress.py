"""A line on a terminal that says how much has been written, and how fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reports.management.destination import Sink

# Seconds between two lines: as often as an eye can follow.
_EVERY = 0.1
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Meter:
    """Hands bytes on and counts them; tells a terminal, when given one."""

    def __init__(self, sink: Sink, terminal: Any = None) -> None:
        self._sink, self._terminal = sink, terminal
        self._begun = time.perf_counter()
        self._told, self._shown = 0.0, 0
        self.bytes = 0

    @property
    def seconds(self) -> float:
        """Seconds since the meter was made."""
        return time.perf_counter() - self._begun

    def write(self, data: bytes, /) -> int:
        self._sink.write(data)
        self.bytes += len(data)
        if self._terminal is not None and self.seconds - self._told >= _EVERY:
            self._told = self.seconds
            self._show(f"{size(self.bytes)}, {size(self.bytes / self._told)}/s, {self._told:.0f} s")
        return len(data)

    def wait(self) -> None:
        """Say that there is nothing yet."""
        self._show("waiting for the first row")

    def clear(self) -> None:
        """Take the line away."""
        self._show("")

    def _show(self, text: str) -> None:
        if self._terminal is not None:
            before, self._shown = self._shown, len(text)  # at once: who interrupts leaves a line to take away
            self._terminal.write(f"\r{' ' * before}\r{text}", style_func=str, ending="")
            self._terminal.flush()


@contextmanager
def metered(sink: Sink, terminal: Any = None) -> Iterator[Meter]:
    """Give a meter before the sink; its line is gone afterwards, also after an error."""
    meter = Meter(sink, terminal)
    try:
        meter.wait()
        yield meter
    finally:
        meter.clear()


def size(count: float) -> str:
    """Return a number of bytes in a fitting unit: ``12.3 MB``."""
    for unit, word in _UNITS:
        if count >= unit:
            return f"{count / unit:,.1f} {word}"
    return f"{count:.0f} bytes"
