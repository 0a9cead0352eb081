"""Make a virtual environment with all that pyproject.toml names, or find it made already.

    python -m scripts.environment FOLDER

Needs nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


def make_environment(folder: Path, interpreter: str, requirements: list[str]) -> Path:
    """Return the environment's interpreter, with the requirements (arguments of ``pip install``) installed.

    A stamp in the folder tells what it was made from, so a second call costs nothing. A lock lets one process install
    while others wait.
    """
    python = folder / "bin" / "python"
    stamp = folder / "made-from"
    wanted = fingerprint(interpreter, requirements)
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
            print(f"Installing into {folder.name}: once, and again when its requirements change.", flush=True)
            install(folder, interpreter, requirements)
            stamp.write_text(wanted)
    return python


def install(folder: Path, interpreter: str, requirements: list[str]) -> None:
    """Make the environment anew, so that nothing is in it that is no longer asked for."""
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([interpreter, "-m", "venv", str(folder)], check=False)
    if made.returncode:
        raise SystemExit(f"{interpreter} cannot make a virtual environment. On Debian: apt install python3-venv")
    # Only errors are shown. Most modules are never imported, so Python compiles what it needs when it needs it.
    options = ["--disable-pip-version-check", "-qq", "install", "--no-compile"]
    pip = [str(folder / "bin" / "python"), "-m", "pip", *options]
    # Older ones do not know dependency groups, and the venv's own is as old as the interpreter.
    for arguments in (["pip>=25.1"], requirements):
        if subprocess.run([*pip, *arguments], cwd=CHECKOUT, check=False).returncode:
            raise SystemExit(f"pip could not install {' '.join(arguments)}; its message is above.")


def fingerprint(interpreter: str, requirements: list[str]) -> str:
    """Return what changes when the environment must be made anew; the settings of linters do not matter."""
    version = subprocess.run([interpreter, "-VV"], check=True, capture_output=True, text=True).stdout
    tables = [pyproject().get(name) for name in ("build-system", "project", "dependency-groups")]
    made_from = [str(CHECKOUT), version, requirements, tables, (CHECKOUT / "setup.py").read_text()]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def pyproject() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def project() -> dict[str, list[str]]:
    """Return the requirements of the package itself under "" and of each extra under its name."""
    table = pyproject()["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def main() -> None:
    extras = ",".join(name for name in project() if name)
    requirements = ["--group", "dev", "--editable", f".[{extras}]"]
    make_environment(CHECKOUT / sys.argv[1], sys.executable, requirements)


if __name__ == "__main__":
    main()
