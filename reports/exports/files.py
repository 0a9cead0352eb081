"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file for bytes that takes the path's place when the block ends, and vanishes when the block raises.

    It is written beside the path, synced and renamed. It has the mode of the file that it replaces, else that of a new
    file under the process's umask. A symbolic link stays, and its target is replaced.

    Raises:
        OSError: The folder is not there, not writable or full, or the path is a folder.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder")
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}.part")  # a name has at most 255 bytes
    with part.open("xb") as file:
        try:
            with suppress(FileNotFoundError):
                part.chmod(target.stat().st_mode & 0o777)
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


def _sync_folder(folder: Path) -> None:
    """Make the new name itself last, where a folder can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
