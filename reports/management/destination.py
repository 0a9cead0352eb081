"""Where ``manage.py report`` writes: standard output, or a file that is replaced only when all is written."""

from __future__ import annotations

import codecs
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.core.management import CommandError

from reports.exports.files import atomic_file, write_whole
from reports.management.text_table import printable


class Sink(Protocol):
    """Takes bytes of UTF-8."""

    def write(self, data: bytes, /) -> object: ...


class TextSink:
    """Bytes for a stream of a command, which takes text. A terminal gets control characters escaped, not obeyed."""

    def __init__(self, stream: Any, *, escaped: bool) -> None:
        self._stream, self._escaped = stream, escaped
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, data: bytes, /) -> int:
        text = self._decoder.decode(data)
        if self._escaped:
            text = printable(text, keep="\n\t").replace("\\r\n", "\n")
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding), ending="")
        return len(data)


class BinarySink:
    """Bytes for a stream of bytes. That of ``python -u`` is unbuffered and may take a part of them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> int:
        write_whole(self._stream, data)
        return len(data)


def check_output(path: Path) -> list[str]:
    """Return why a file cannot be written, a sentence each."""
    try:
        return _refusals(path)
    except OSError as error:  # a name too long, a folder that may not be searched
        return [f"{str(path)!r} cannot be written: {error.strerror}."]


def _refusals(path: Path) -> list[str]:
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir():
        return [f"{str(path)!r} is a folder."]
    if not folder.is_dir():
        return [f"there is no folder {str(path.parent)!r} to write {path.name!r} to."]
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return [f"{str(path)!r} is a device or a pipe; send standard output there, with > in the shell."]
    if path.exists() and not os.access(path, os.W_OK):
        return [f"{str(path)!r} is write-protected."]
    if not os.access(folder, os.W_OK):
        return [f"no permission to write to the folder {str(path.parent)!r}."]
    return []


@contextmanager
def opened(path: Path | None, stdout: Any) -> Iterator[Sink]:
    """Give what takes the output: the file, or standard output.

    Raises:
        CommandError: It cannot be written. A reader of a pipe who went away is Python's BrokenPipeError.
    """
    try:
        if path is None:
            yield _standard_output(stdout)
            stdout.flush()
        else:
            with atomic_file(path) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot write {path or 'standard output'}: {error.strerror or error}.") from error


def columns(stdout: Any) -> int:
    """Return how many characters a line of the terminal has; 80 where there is none."""
    return max(shutil.get_terminal_size().columns, 40) if stdout.isatty() else 80


def _standard_output(stdout: Any) -> Sink:
    if getattr(stdout, "_out", stdout) is None:  # as Python starts when the shell has closed it
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    binary: Any = getattr(stdout, "buffer", None)
    if binary is None or stdout.isatty():
        return TextSink(stdout, escaped=stdout.isatty())
    stdout.flush()
    return BinarySink(binary)
