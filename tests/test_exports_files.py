from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from reports.exports.files import atomic_file, write_whole


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", [str, Path])
def test_file_appears_when_it_is_whole(tmp_path: Path, kind: type):
    path = tmp_path / "a.csv"

    with atomic_file(kind(path)) as file:
        file.write(b"one")
        assert not path.exists()
        file.write(b"two")

    assert path.read_bytes() == b"onetwo"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_file_that_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]):
    (tmp_path / "old").write_text("old")

    def fail(path: Path) -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise error

    for name in ("old", "new"):
        with pytest.raises(error):
            fail(tmp_path / name)

    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_new_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int):
    with atomic_file(tmp_path / "a"):
        pass

    assert mode(tmp_path / "a") == 0o666 & ~umask


def test_replaced_file_keeps_its_mode(tmp_path: Path, umask: int):
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)

    with atomic_file(tmp_path / "a") as file:
        file.write(b"new")

    assert (mode(tmp_path / "a"), (tmp_path / "a").read_text()) == (0o640, "new")


def test_link_stays_a_link(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "target")

    with atomic_file(tmp_path / "link") as file:
        file.write(b"x")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "target").read_bytes() == b"x"
    assert names(tmp_path / "folder") == ["target"]


def test_file_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """After a power failure the name must not lead to nothing."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        steps.append(
            "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes"
        )
        fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)

    with atomic_file(tmp_path / "a") as file:
        file.write(b"123")

    assert steps == ["3 bytes", "rename", "folder"]


def test_folder_is_no_file(tmp_path: Path):
    with pytest.raises(IsADirectoryError, match=f"{tmp_path} is a folder"), atomic_file(tmp_path):
        pass
    assert names(tmp_path) == []


def test_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "no" / "a"):
        pass


@pytest.mark.parametrize("name", ["a" * 255, "中" * 85, "💶" * 63])
def test_name_of_the_greatest_length(tmp_path: Path, name: str):
    with atomic_file(tmp_path / name) as file:
        file.write(b"x")

    assert names(tmp_path) == [name]


def test_device_and_pipe_are_not_replaced(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(OSError, match="is a device or a pipe"), atomic_file(path):
            pass

    assert (tmp_path / "pipe").is_fifo()
    assert Path("/dev/null").is_char_device()


def test_links_in_a_circle(tmp_path: Path):
    (tmp_path / "a").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"), atomic_file(tmp_path / "a"):
        pass

    assert (tmp_path / "a").is_symlink()


def test_file_is_never_more_open_than_the_one_it_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int):
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o640)
    seen: list[int] = []
    monkeypatch.setattr(Path, "chmod", lambda path, mode: seen.append(stat.S_IMODE(path.stat().st_mode)))

    with atomic_file(tmp_path / "a"):
        pass

    assert seen == [0o600]


def test_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError) as caught, atomic_file(tmp_path / "nodir" / "a"):
        pass

    assert caught.value.filename == str(tmp_path / "nodir")


class Sparing(io.RawIOBase):
    """An unbuffered file that takes three bytes at a time, and no more than there is room for."""

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, b""

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        taken = data[: min(3, self.room - len(self.taken))]
        self.taken += taken
        return len(taken) or None


def test_unbuffered_file_gets_all_the_bytes():
    file = Sparing(10)

    write_whole(cast(BinaryIO, file), b"0123456789")

    assert file.taken == b"0123456789"


def test_unbuffered_file_that_takes_no_more():
    with pytest.raises(BlockingIOError):
        write_whole(cast(BinaryIO, Sparing(5)), b"0123456789")


def test_file_that_tells_no_count():
    class Silent(io.BytesIO):
        def write(self, data: object) -> None:  # type: ignore[override]
            super().write(data)  # type: ignore[arg-type]

    file = Silent()
    write_whole(file, b"0123")

    assert file.getvalue() == b"0123"
