"""However the package comes to a machine, it holds what it should and finds its own templates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PROBE = """
import importlib.resources, importlib.util
from reports.loader import package_folder
spec = importlib.util.find_spec("reports.sql")
print(package_folder())
print(importlib.resources.files("reports.sql") if spec else None)
print(*sorted(path.relative_to(package_folder()).as_posix() for path in package_folder().rglob("*.sql")))
"""

pytestmark = pytest.mark.once


def run(*arguments: object, cwd: Path, pythonpath: Path | None = None) -> str:
    """Run Python on the arguments and return what it prints; nothing of the surroundings leads it to the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    if pythonpath:
        environment["PYTHONPATH"] = str(pythonpath)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the checkout with one more template, in a folder of its own that has no ``__init__.py``."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("reports", "sql"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(CHECKOUT / name, copy / name)
    template = copy / "sql" / "packaging" / "probe.sql"
    template.parent.mkdir()
    template.write_text("SELECT 1 AS one\n")
    return copy


def install(*arguments: object, source: Path, target: Path) -> None:
    """Install without a download: the requirements are here, as is the build backend."""
    pip = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--no-compile", "--no-index", "--target", target, *arguments, cwd=source)


def templates(source: Path) -> str:
    return " ".join(sorted(path.relative_to(source / "sql").as_posix() for path in (source / "sql").rglob("*.sql")))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--no-index", "--wheel-dir", folder, ".", cwd=source)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_the_package_and_nothing_else(source: Path, wheel: Path):
    modules = {path.relative_to(source).as_posix() for path in (source / "reports").rglob("*.py")}

    names = set(zipfile.ZipFile(wheel).namelist())

    assert {name.split("/")[0].partition("-")[0] for name in names} == {"reports", "django_sql_reports"}
    assert modules | {"reports/py.typed", "reports/sql/__init__.py"} <= names
    assert {f"reports/sql/{name}" for name in templates(source).split()} <= names
    assert {f"reports/sql/{name}.sql" for name in ("packaging/probe", "prebuilt/macros/metrics")} <= names
    assert not [name for name in names if "tests" in name or "/test_" in name]


def test_wheel_finds_its_templates(source: Path, wheel: Path, tmp_path: Path):
    site = tmp_path / "site"
    install(wheel, source=source, target=site)

    folder, resources, names = run("-c", PROBE, cwd=tmp_path, pythonpath=site).splitlines()

    assert Path(folder) == Path(resources) == site / "reports" / "sql"
    assert names == templates(source)


def test_editable_install_finds_its_templates(source: Path, tmp_path: Path):
    site = tmp_path / "site"
    install("--editable", source, source=source, target=site)
    # An editable install is a .pth file, which Python reads in site folders only. This environment's own site folder is
    # given as a plain path: it may hold an editable install of the checkout.
    paths = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
    probe = f"import site, sys; site.addsitedir({str(site)!r}); sys.path.extend({paths!r})\n{PROBE}"

    folder, resources, names = run("-I", "-S", "-c", probe, cwd=tmp_path).splitlines()

    assert Path(folder) == Path(resources) == source / "sql"
    assert names == templates(source)


def test_bare_clone_finds_its_templates(source: Path, tmp_path: Path):
    folder, _, names = run("-c", PROBE, cwd=tmp_path, pythonpath=source).splitlines()

    assert Path(folder) == source / "sql"
    assert names == templates(source)
