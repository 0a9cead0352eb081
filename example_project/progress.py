"""Progress on the terminal: a bar where someone watches, one line per finished step in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOBase

from tqdm import tqdm


@contextmanager
def progress(label: str, total: int, stream: TextIOBase, *, unit: str = " rows") -> Iterator[Callable[[int], object]]:
    """Give a function that takes what is done since its last call, in units of the total."""
    if stream.isatty():
        with tqdm(total=total, desc=f"{label:<11}", unit=unit, unit_scale=True) as bar:
            yield bar.update
        return
    started = time.perf_counter()
    yield lambda done: None
    stream.write(f"{label}: {total:,}{unit} in {time.perf_counter() - started:.1f} s\n")
