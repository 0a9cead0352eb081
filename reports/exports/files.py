"""Files that are there whole or not at all, bytes that are written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file for bytes that takes the path's place when the block ends, and vanishes when the block raises.

    It is written beside the path, synced and renamed. It has the mode of the file that it replaces, else that of a new
    file under the process's umask. A symbolic link stays, and its target is replaced.

    Raises:
        OSError: The folder is not there, not writable or full, or the path is a folder, a device or a pipe.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():  # the error of opening would name a file that nobody asked for
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
    mode = _mode(target)
    # A name has at most 255 bytes, and a character at most 4.
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.part")
    # With the narrower mode from the first: who opens it before chmod could read on.
    opener = partial(os.open, mode=0o666 if mode is None else mode & 0o600)
    with open(part, "xb", opener=opener) as file:
        try:
            if mode is not None:
                part.chmod(mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
            file.close()  # what is open cannot be renamed everywhere
            part.replace(target)
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise
    _sync_folder(target.parent)


def write_whole(file: BinaryIO, data: bytes) -> None:
    """Write bytes to a file. An unbuffered one may take some of them and say so in place of an error.

    Raises:
        OSError: It did not take them all.
    """
    taken = file.write(data)
    while isinstance(file, io.RawIOBase) and taken != len(data):
        if not taken:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        data = data[taken:]
        taken = file.write(data)


def _mode(target: Path) -> int | None:
    """Return the permissions of a file that is to be replaced, None when there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{target} is a folder")
    if not stat.S_ISREG(mode):  # the rename would take a device away from everybody
        raise OSError(f"{target} is a device or a pipe; open it and give the file")
    return mode & 0o777


def _sync_folder(folder: Path) -> None:
    """Make the new name itself last, where a folder can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
