"""Run Django's own tests with the wrapper that rewrites statements, and without: every result must be the same.

    python -m scripts.with_postgres -- python -m scripts.django_suite [--strategy grouped ...] [--packages queries ...]

The tests are those of the installed Django's source distribution, which is downloaded once. Their tables hold so few
rows that a choice by cost and time is left to chance: each strategy is therefore also forced upon every statement that
allows it. In the run ``shadow`` every rewriting is run beside its statement and their rows are compared.

The exit code is not 0 when a test ends otherwise than without the wrapper, or rows differ; what a run printed is in
``.django-suite/``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reports.rewrite.rewriting import Strategy
from scripts.django_suite_packages import PACKAGES, WIDER
from scripts.django_suite_runner import WITHOUT, WRAPPERS
from scripts.django_suite_source import FOLDER, suite
from scripts.django_suite_wrapper import COUNTS
from scripts.environment import CHECKOUT

DEFAULT = [name for name in WRAPPERS if name != Strategy.ORIGINAL]


@dataclass
class Run:
    """All tests once: without the wrapper, with a strategy forced, or with the one that is ``chosen`` by cost."""

    name: str
    tests: dict[str, list[list[str]]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0

    @property
    def log(self) -> Path:
        return FOLDER / f"django-{version('django')}-{self.name}.log"

    def go(self, packages: list[str]) -> None:
        """Run them; raise SystemExit if Django's runner wrote no result."""
        result = self.log.with_suffix(".json")
        result.unlink(missing_ok=True)
        environment = os.environ | {
            "DJANGO_SUITE_RESULT": str(result),
            "DJANGO_SUITE_RUN": self.name,
            "PYTHONPATH": str(CHECKOUT),
        }
        options = ["--settings", "scripts.django_suite_settings", "--noinput", "--parallel", "1"]
        started = time.monotonic()
        with self.log.open("w") as log:
            done = subprocess.run(
                [sys.executable, "runtests.py", *options, *packages],
                cwd=suite(),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        self.seconds = time.monotonic() - started
        if not result.exists():
            raise SystemExit(f"{self.name}: runtests.py exited with {done.returncode} and no result, see {self.log}")
        written = json.loads(result.read_text())
        self.tests, self.counts = written["outcomes"], written["counts"]
        print(f"{self.name}: {len(self.tests)} tests in {self.seconds:.0f} s", flush=True)


def differences(without: Run, run: Run) -> Iterator[str]:
    """Give a line for each test that ended otherwise than without the wrapper, or ran in one of the two alone."""
    for name in sorted(without.tests.keys() | run.tests.keys()):
        expected, got = (tests.get(name, [["not run", ""]]) for tests in (without.tests, run.tests))
        # Only outcomes are compared: the texts of errors may hold addresses.
        if [outcome for outcome, _ in expected] != [outcome for outcome, _ in got]:
            yield f"{run.name}: {name}: {told(got)}; without the wrapper: {told(expected)}"


def faults(without: Run, run: Run) -> Iterator[str]:
    """Give a line for all that is wrong with a run; what rewrites nothing, or is never asked, would differ nowhere."""
    yield from differences(without, run)
    if not run.tests:
        yield f"{run.name}: no test was run"
    if not run.counts["seen"]:
        yield f"{run.name}: the wrapper saw no statement"
    if run.counts["differing"]:
        yield f"{run.name}: {run.counts['differing']} rewritings gave other rows, see {run.log}"


def told(outcomes: list[list[str]]) -> str:
    return ", ".join(f"{outcome} ({why})" if why else outcome for outcome, why in outcomes)


def table(runs: list[Run]) -> str:
    """Return what ran and what came of it, a line for each run, and below it why statements were not rewritten."""
    columns = ("tests", "passed", "failed", "skipped", "seconds", *COUNTS)
    lines = ["run".ljust(12) + "".join(f"{name:>12}" for name in columns)]
    for run in runs:
        ended = Counter(outcomes[0][0] for outcomes in run.tests.values())
        failed = ended["failed"] + ended["error"] + ended["passed unexpectedly"]
        numbers = len(run.tests), ended["passed"] + ended["failed as expected"], failed, ended["skipped"], run.seconds
        cells = [f"{number:12.0f}" for number in numbers] + [f"{run.counts.get(name, ''):>12}" for name in COUNTS]
        lines.append((run.name.ljust(12) + "".join(cells)).rstrip())
    for run in runs:
        refused: dict[str, int] = run.counts.get("by reason", {})
        reasons = sorted(refused.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += [f"{run.name}: refused {count:6}: {reason}" for reason, count in reasons]
    return "\n".join(lines)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run Django's own tests with the wrapper and without.")
    parser.add_argument("--strategy", nargs="+", choices=WRAPPERS, default=DEFAULT, help="a run for each")
    parser.add_argument("--packages", nargs="+", metavar="PACKAGE", default=PACKAGES, help="of Django's folder tests/")
    parser.add_argument("--wider", action="store_true", help="with all other packages that read by the ORM")
    parser.add_argument("--parallel", type=int, choices=(1, 2), default=2, help="how many runs at a time")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    suite()
    runs = [Run(name) for name in (WITHOUT, *chosen.strategy)]
    packages = [*chosen.packages, *(WIDER if chosen.wider else ())]
    print(f"Django {version('django')}: {' '.join(packages)}", flush=True)
    with ThreadPoolExecutor(chosen.parallel) as pool:
        list(pool.map(lambda run: run.go(packages), runs))
    print(table(runs))
    without, *others = runs
    found = [fault for run in others for fault in faults(without, run)]
    print("\n".join(found) or "every test has the same outcome in every run")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
