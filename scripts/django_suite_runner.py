"""Django's test runner, which also writes down what came of each test, and what the wrapper did.

It works in the process of Django's own ``runtests.py``; ``scripts/django_suite.py`` starts it and reads what it writes.
"""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created
from django.test.runner import DiscoverRunner

from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.instrument import Rewriter
from scripts.django_suite_wrapper import Wrapped

WITHOUT = "without"
"""The run in which statements are sent as they are."""
WRAPPERS = {
    "chosen": Rewriter(),
    **{strategy.value: Rewriter(strategy) for strategy in Strategy},
    "shadow": Rewriter(shadow=1.0),
}
"""The other runs: by the choice of cost and time, by one strategy, and with each rewriting compared beside."""

Outcomes = dict[str, list[tuple[str, str]]]


class Result(unittest.TextTestResult):
    """Knows also which tests were started: unittest keeps no list of those that passed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.started: list[str] = []

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        self.started.append(test.id())
        super().startTest(test)


class Runner(DiscoverRunner):
    """Runs the tests as ``DJANGO_SUITE_RUN`` says, and writes the result into the file ``DJANGO_SUITE_RESULT``."""

    wrapped: Wrapped | None = None

    def setup_databases(self, **options: Any) -> Any:
        rewriter = WRAPPERS.get(os.environ["DJANGO_SUITE_RUN"])
        if rewriter:
            self.wrapped = Wrapped(rewriter)
            connection_created.connect(self.wrapped.add)
        return super().setup_databases(**options)

    def get_resultclass(self) -> type[Result]:
        return Result

    def run_suite(self, suite: unittest.TestSuite, **options: Any) -> unittest.TextTestResult:
        result = super().run_suite(suite, **options)
        assert isinstance(result, Result)
        written = {"outcomes": outcomes(result), "counts": self.wrapped.counts() if self.wrapped else {}}
        Path(os.environ["DJANGO_SUITE_RESULT"]).write_text(json.dumps(written))
        return result


def outcomes(result: Result) -> Outcomes:
    """Return what came of each test, and why; a test with subtests has an outcome for each that did not pass.

    What goes wrong in setUpClass has a name of its own.
    """
    found: Outcomes = {name: [] for name in result.started}
    lists = {
        "failed": result.failures,
        "error": result.errors,
        "skipped": result.skipped,
        "failed as expected": result.expectedFailures,
        "passed unexpectedly": [(test, "") for test in result.unexpectedSuccesses],
    }
    for outcome, tests in lists.items():
        for test, why in tests:
            # A subtest's own name may hold the address of an object, which is another in each run.
            name = getattr(test, "test_case", test).id()
            found.setdefault(name, []).append((outcome, error(why)))
    return {name: noted or [("passed", "")] for name, noted in found.items()}


def error(text: str) -> str:
    """Return the line of a traceback that names the error, above what PostgreSQL adds; of another text, its first."""
    lines = text.rpartition("Traceback (most recent call last):\n")[2].splitlines()
    return next((line for line in lines if line and not line.startswith(" ")), "")
