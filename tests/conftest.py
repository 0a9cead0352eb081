from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from hypothesis import HealthCheck, is_hypothesis_test, settings

from reports import copy_cursors, timers

if TYPE_CHECKING:
    from tests.rewriting import Fake

# A busy machine is no fault of what is tested.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for a statement that was cancelled: a disk that stands still for seconds loses no connection."""
    monkeypatch.setattr(copy_cursors, "GRACE", 60.0)
    monkeypatch.setattr(timers, "GRACE", 60.0)


@pytest.fixture
def forget() -> Iterator[None]:
    """Begin without decisions how statements are sent, and leave none."""
    from tests.rewriting import forgotten  # with the parser, which few tests need

    with forgotten():
        yield


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, forget: None) -> Fake:
    """Say how statements are rewritten, in place of the rewriter."""
    from reports.rewrite.sending import choosing
    from tests.rewriting import Fake

    found = Fake()
    monkeypatch.setattr(choosing, "rewrite", found)
    return found


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Say how to get a database, in place of a page of connection errors."""
    if not os.environ.get("DATABASE_URL"):
        pytest.exit("DATABASE_URL is not set. Run `make test`, which starts a PostgreSQL of its own.", returncode=4)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the oracles. With the server's binding, leave out what asks no database: it was run with the client's."""
    for item in items:
        if item.path.name.startswith("test_prebuilt_") and is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("oracle")
    if not connection.settings_dict["OPTIONS"]["server_side_binding"]:
        return
    asks = {item: _asks_a_database(item) for item in items}
    config.hook.pytest_deselected(items=[item for item in items if not asks[item]])
    items[:] = [item for item in items if asks[item]]


def _asks_a_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not {"db", "transactional_db"}.isdisjoint(names)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what became of the generated chains of annotations; the counts of several workers are added."""
    reports = [report for group in ("passed", "failed") for report in terminalreporter.getreports(group)]
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(dict(report.user_properties).get("chains", {}))
    if counts:
        terminalreporter.write_sep("=", "chains of annotations")
        terminalreporter.write_line(", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()))
        terminalreporter.write_line(f"folded: {counts['folded'] / counts['chains']:.1%} of the chains")


def pytest_report_header() -> str:
    binding = "server" if connection.settings_dict["OPTIONS"]["server_side_binding"] else "client"
    return f"parameters are bound by the {binding}"
