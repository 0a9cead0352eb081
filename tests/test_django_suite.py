"""How runs of Django's own tests are started, read and compared; no test of Django's is run here."""

from __future__ import annotations

import io
import tarfile
import unittest
from pathlib import Path

import pytest
from django.db import connection

from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.counts import tally
from reports.rewrite.sending.instrument import Rewriter
from scripts import django_suite, django_suite_source
from scripts.django_suite import Run, differences, faults, table
from scripts.django_suite_runner import Result, error, outcomes
from scripts.django_suite_wrapper import COUNTS, Wrapped

pytestmark = pytest.mark.once

PASSED = [["passed", ""]]
DATABASE_ERROR = """Traceback (most recent call last):
  File "a.py", line 1, in execute
psycopg.errors.SyntaxError: first
LINE 1: SELECT

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in test
    raise error
django.db.utils.ProgrammingError: second
LINE 1: SELECT
              ^
"""
# What stands for Django's runtests.py: it says how it was called.
RUNTESTS = """
import json, os, sys
from pathlib import Path
print("said by the tests")
result = {"outcomes": {" ".join(sys.argv[1:]): [["passed", ""]]}, "counts": {"seen": os.environ["DJANGO_SUITE_RUN"]}}
Path(os.environ["DJANGO_SUITE_RESULT"]).write_text(json.dumps(result))
sys.exit(1)
"""


def result_of(case: type[unittest.TestCase]) -> Result:
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(io.StringIO(), resultclass=Result).run(suite)
    assert isinstance(result, Result)
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for ``.django-suite``."""
    for module in (django_suite, django_suite_source):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "suite")
        monkeypatch.setattr(module, "version", lambda name: "9.9")
    return tmp_path / "suite"


def test_outcomes_of_each_kind():
    class Case(unittest.TestCase):
        def test_passes(self):
            pass

        def test_fails(self):
            self.fail("so it is")

        def test_errs(self):
            raise ValueError("bad")

        def test_skips(self):
            self.skipTest("not here")

        @unittest.expectedFailure
        def test_fails_as_expected(self):
            self.fail("known")

        @unittest.expectedFailure
        def test_passes_unexpectedly(self):
            pass

        def test_subtests(self):
            for number in range(3):
                with self.subTest(number=number, address=object()):
                    if number != 1:
                        self.fail(f"{number} != 1")

    found = {name.rpartition(".")[2]: outcome for name, outcome in outcomes(result_of(Case)).items()}

    assert found == {
        "test_passes": [("passed", "")],
        "test_fails": [("failed", "AssertionError: so it is")],
        "test_errs": [("error", "ValueError: bad")],
        "test_skips": [("skipped", "not here")],
        "test_fails_as_expected": [("failed as expected", "AssertionError: known")],
        "test_passes_unexpectedly": [("passed unexpectedly", "")],
        "test_subtests": [("failed", "AssertionError: 0 != 1"), ("failed", "AssertionError: 2 != 1")],
    }


def test_outcomes_of_a_class_that_is_not_set_up():
    class Case(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            raise ValueError("no data")

        def test_never_runs(self):
            pass

    [(name, outcome)] = outcomes(result_of(Case)).items()

    assert name.startswith("setUpClass (")
    assert outcome == [("error", "ValueError: no data")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (DATABASE_ERROR, "django.db.utils.ProgrammingError: second"),
        ("Database has feature(s) x", "Database has feature(s) x"),
        ("", ""),
    ],
)
def test_error_is_the_last_that_was_raised(text: str, line: str):
    assert error(text) == line


def test_differences_none_where_only_texts_differ():
    without = Run("without", {"a": PASSED, "b": [["failed", "<object at 0x1>"]]})
    forced = Run("grouped", {"b": [["failed", "<object at 0x2>"]], "a": PASSED})

    assert list(differences(without, forced)) == []


def test_differences_name_each_test():
    without = Run("without", {"a": PASSED, "b": PASSED, "c": [["failed", "x"], ["failed", "y"]], "d": PASSED})
    forced = Run("grouped", {"a": [["error", "E: z"]], "c": [["failed", "x"]], "d": PASSED, "e": PASSED})

    assert list(differences(without, forced)) == [
        "grouped: a: error (E: z); without the wrapper: passed",
        "grouped: b: not run; without the wrapper: passed",
        "grouped: c: failed (x); without the wrapper: failed (x), failed (y)",
        "grouped: e: passed; without the wrapper: not run",
    ]


def test_run_calls_runtests_and_reads_its_result(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its exit code says only that some test failed, which one may without the wrapper too."""
    folder.mkdir()
    (tmp_path / "runtests.py").write_text(RUNTESTS)
    monkeypatch.setattr(django_suite, "suite", lambda: tmp_path)
    run = Run("lateral")

    run.go(["queries", "lookup"])

    [name] = run.tests
    assert name == "--settings scripts.django_suite_settings --noinput --parallel 1 queries lookup"
    assert run.counts == {"seen": "lateral"}
    assert run.log.read_text() == "said by the tests\n"


def test_run_without_a_result_is_no_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder.mkdir()
    (tmp_path / "runtests.py").write_text("import sys; sys.exit(3)")
    monkeypatch.setattr(django_suite, "suite", lambda: tmp_path)
    run = Run("lateral")
    run.log.with_suffix(".json").write_text("of an earlier run")

    with pytest.raises(SystemExit) as raised:
        run.go(["queries"])

    assert str(raised.value) == f"lateral: runtests.py exited with 3 and no result, see {run.log}"


def test_suite_is_unpacked_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def download(django: str, target: Path) -> Path:
        asked.append(django)
        (tmp_path / "runtests.py").write_text("the tests")
        with tarfile.open(target / "django.tar.gz", "w:gz") as files:
            files.add(tmp_path / "runtests.py", f"django-{django}/tests/runtests.py")
        return target / "django.tar.gz"

    monkeypatch.setattr(django_suite_source, "download", download)

    assert [(django_suite_source.suite() / "runtests.py").read_text() for _ in range(2)] == ["the tests"] * 2
    assert asked == ["9.9"]
    assert [path.name for path in folder.iterdir()] == ["django-9.9"]


def test_table_has_outcomes_counts_and_reasons():
    without = Run("without", {"a": PASSED, "b": [["error", "x"]], "c": [["skipped", "y"]]}, seconds=9.6)
    counts = dict.fromkeys(COUNTS, 1) | {"by reason": {"few": 1, "many": 20}}
    grouped = Run("grouped", {"a": [["failed as expected", "x"]], "b": [["passed unexpectedly", ""]]}, counts, 10.2)

    assert [" ".join(line.split()) for line in table([without, grouped]).splitlines()] == [
        "run tests passed failed skipped seconds"
        " statements selects seen shapes rewritten refused failed compared differing",
        "without 3 1 1 1 10",
        "grouped 2 1 1 0 10 1 1 1 1 1 1 1 1 1",
        "grouped: refused 20: many",
        "grouped: refused 1: few",
    ]


def test_faults_none():
    assert list(faults(Run("without", {"a": PASSED}), Run("shadow", {"a": PASSED}, {"seen": 1, "differing": 0}))) == []


def test_faults_of_a_run_that_proves_nothing(folder: Path):
    run = Run("shadow", {}, {"seen": 0, "differing": 2})

    assert list(faults(Run("without"), run)) == [
        "shadow: no test was run",
        "shadow: the wrapper saw no statement",
        f"shadow: 2 rewritings gave other rows, see {folder}/django-9.9-shadow.log",
    ]


@pytest.mark.django_db
def test_wrapped_connection_counts_each_statement_once():
    """A connection is announced again when it is opened again."""
    database = connection.copy()
    wrapped = Wrapped(Rewriter(Strategy.ORIGINAL))
    before = tally().seen
    try:
        for _ in range(2):
            wrapped.add(database)
        with database.cursor() as cursor:
            for sql in ("SELECT 1", "(SELECT 1)", "SELECT 1", "SHOW timezone"):
                cursor.execute(sql)
    finally:
        database.close()

    counts = wrapped.counts()
    assert counts.keys() >= {*COUNTS, "by reason"}
    assert (counts["statements"], counts["selects"], counts["seen"] - before) == (4, 2, 4)
