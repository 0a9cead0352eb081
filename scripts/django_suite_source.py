"""Django's own tests, which only its source distribution holds: of exactly the version that is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

from scripts.environment import CHECKOUT

FOLDER = CHECKOUT / ".django-suite"


def suite() -> Path:
    """Return the folder of the tests of the installed Django; the first call downloads them."""
    folder = FOLDER / f"django-{version('django')}"
    if not folder.exists():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as unfinished:
            unpack(download(version("django"), Path(unfinished)), Path(unfinished))
            Path(unfinished, folder.name).rename(folder)
    return folder / "tests"


def download(django: str, folder: Path) -> Path:
    """Return the archive, from the index that pip is configured with."""
    options = ["--disable-pip-version-check", "-qq", "download", "--no-deps", "--no-binary", "Django"]
    pip = [sys.executable, "-m", "pip", *options, "--dest", str(folder), f"Django=={django}"]
    print(f"Downloading the source of Django {django}: once.", flush=True)
    if subprocess.run(pip, check=False).returncode:
        raise SystemExit(f"pip could not download the source of Django {django}; its message is above.")
    return next(folder.glob("*.tar.gz"))


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
