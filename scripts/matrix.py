"""Run the tests on every supported pair of Python and Django that this machine's interpreters allow.

    python -m scripts.with_postgres -- python -m scripts.matrix

Each pair has its own virtual environment and its own test database; two run at a time. The package is not installed in
them: they test the bare checkout. The pair of the interpreter that runs this is left out: `make test` tests it.

The newest Django is tested whole with the newest Python, as `make test` tests the oldest pair. The others run what
compares a report with a real table and what tries hostile values; with the server's binding on the oldest Python
that has every Django, for that binding is Django's and the driver's matter.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from scripts.environment import CHECKOUT, make_environment, project

DJANGOS: dict[tuple[int, ...], tuple[str, ...]] = {
    (3, 11): ("5.2",),
    (3, 12): ("5.2", "6.0", "6.1"),
    (3, 13): ("5.2", "6.0", "6.1"),
    (3, 14): ("5.2", "6.0", "6.1"),
}
ENVIRONMENTS = CHECKOUT / ".venvs"
AT_A_TIME = 2

_VERSION = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.version_info.releaselevel)"
_LIBRARIES = "import django, psycopg; print(django.__version__, psycopg.__version__)"


@dataclass
class Cell:
    """One pair of Python and Django, and what came of it."""

    interpreter: str
    python: str
    django: str
    is_whole: bool
    with_server: bool
    psycopg: str = "?"
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"py{self.python}-django{self.django}".replace(".", "")

    def run(self) -> None:
        """Test with parameters bound by the client, then what depends on that with the server's."""
        some = "(differential or injection) and not once"
        started = time.monotonic()
        try:
            python = self.make_environment()
            self.pytest(python, "not once and (differential or not oracle)" if self.is_whole else some, "client")
            if self.with_server:
                self.pytest(python, some, "server")
        except (SystemExit, OSError, subprocess.CalledProcessError) as error:
            self.faults.append(str(error))
        self.seconds = time.monotonic() - started
        print(f"{self.name}: {'failed' if self.faults else 'passed'} after {self.seconds:.0f} s", flush=True)

    def make_environment(self) -> Path:
        requirements = [wanted for names in project().values() for wanted in names]
        series = f"Django~={self.django}.0"
        python = make_environment(
            ENVIRONMENTS / self.name, self.interpreter, [*requirements, series, "--group", "test"]
        )
        output = subprocess.run([python, "-c", _LIBRARIES], check=True, capture_output=True, text=True).stdout
        self.django, self.psycopg = output.split()
        return python

    def pytest(self, python: Path, marks: str, binding: str) -> None:
        database = f"test_{self.name}".replace("-", "_")
        environment = os.environ | {
            "PYTHONPATH": str(CHECKOUT),
            "SERVER_SIDE_BINDING": str(int(binding == "server")),
            "TEST_DATABASE_NAME": database,
        }
        arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks]
        done = subprocess.run(
            [python, *arguments],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        last_line = done.stdout.rstrip().rpartition("\n")[2]
        for number, outcome in re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed)", last_line):
            self.counts[outcome.rstrip("s") if outcome.startswith("error") else outcome] += int(number)
        # 5, no test selected, is a failure too: a misspelt mark must not pass for a tested binding.
        if done.returncode:
            self.faults.append(f"{binding} binding: pytest exited with {done.returncode}")
            print(f"==== {self.name}, parameters bound by the {binding}\n{done.stdout}", flush=True)


def interpreters() -> dict[tuple[int, ...], tuple[str, tuple[int, ...]]]:
    """Return the newest usable interpreter of each supported series, with its full version."""
    found: dict[tuple[int, ...], tuple[str, tuple[int, ...]]] = {}
    for path in candidates():
        # pyenv's shims exist for versions that are not active, and then only complain.
        probe = subprocess.run([path, "-c", _VERSION], check=False, capture_output=True, text=True)
        *numbers, level = probe.stdout.split() or [""]
        version = tuple(map(int, numbers))
        series = version[:2]
        if probe.returncode == 0 and level == "final" and series in DJANGOS:
            found[series] = max(found.get(series, (path, version)), (path, version), key=lambda pair: pair[1])
    return dict(sorted(found.items()))


def candidates() -> Iterator[str]:
    """Give every path that may be an interpreter: on PATH, and where pyenv and uv keep theirs."""
    yield sys.executable
    names = ["python3", *(f"python{major}.{minor}" for major, minor in DJANGOS)]
    folders = [Path(folder) for folder in os.get_exec_path()]
    for folder in folders:
        yield from (str(folder / name) for name in names if os.access(folder / name, os.X_OK))
    for pyenv in {Path.home() / ".pyenv", *(folder.parent for folder in folders if folder.name == "shims")}:
        yield from map(str, pyenv.glob("versions/3.*/bin/python"))
    yield from map(str, Path.home().glob(".local/share/uv/python/*/bin/python"))


def table(cells: list[Cell]) -> str:
    """Return what ran and what came of it, a line for each cell."""
    lines = [f"{'python':9}{'django':9}{'psycopg':9}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}  result"]
    for cell in cells:
        failed = cell.counts["failed"] + cell.counts["error"]
        lines.append(
            f"{cell.python:9}{cell.django:9}{cell.psycopg:9}{cell.counts['passed']:8}{failed:8}"
            f"{cell.counts['skipped']:9}{cell.seconds:9.0f}  {'; '.join(cell.faults) or 'passed'}"
        )
    return "\n".join(lines)


def main() -> int:
    found = interpreters()
    for series in DJANGOS.keys() - found.keys():
        print(f"Python {'.'.join(map(str, series))}: not on this machine")
    tested = sys.version_info[:2], version("django").rpartition(".")[0]
    print(f"Python {sys.version_info[0]}.{sys.version_info[1]} with Django {tested[1]}: tested by make test")
    newest = max(found)
    asked = min(series for series in found if len(DJANGOS[series]) == len(DJANGOS[newest]))
    cells = [
        Cell(
            *(path, ".".join(map(str, numbers)), django),
            is_whole=series == newest and django == DJANGOS[series][-1],
            with_server=series == asked,
        )
        for series, (path, numbers) in found.items()
        for django in DJANGOS[series]
        if (series, django) != tested
    ]
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # the longest first
        list(pool.map(Cell.run, sorted(cells, key=lambda cell: not cell.is_whole)))
    print(table(cells))
    failed = sum(bool(cell.faults) for cell in cells)
    print(f"{len(cells) - failed} passed, {failed} failed")
    return int(failed > 0 or not cells)


if __name__ == "__main__":
    sys.exit(main())
