from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import connection

from reports import timers
from reports.timers import Deadline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def driver() -> Any:
    connection.ensure_connection()
    return connection.connection


def test_deadline_cancels_what_runs(driver: Any):
    with Deadline(driver, 0.1) as deadline, pytest.raises(psycopg.errors.QueryCanceled):
        driver.execute("SELECT pg_sleep(20)")

    assert (deadline.has_passed, deadline.has_cut) == (True, False)
    assert driver.execute("SELECT 1").fetchone() == (1,)


def test_deadline_that_is_not_reached_does_nothing(driver: Any):
    with Deadline(driver, 60, cuts=True) as deadline:
        driver.execute("SELECT 1")

    assert (deadline.has_passed, deadline.has_cut) == (False, False)
    assert not deadline._timer.is_alive() or deadline._timer.finished.is_set()


def test_deadline_that_passes_beside_a_statement_does_not_hit_the_next(driver: Any):
    for _ in range(10):
        with Deadline(driver, 0), suppress(psycopg.errors.QueryCanceled):
            driver.execute("SELECT 1")
        assert driver.execute("SELECT pg_sleep(0.01)::text").fetchone() == ("",)


def test_cancel_comes_from_any_thread(driver: Any):
    with Deadline(driver, 60) as deadline:
        threading.Timer(0.1, deadline.cancel).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            driver.execute("SELECT pg_sleep(20)")

    assert not deadline.has_passed


def test_cancel_after_the_end_does_nothing(driver: Any):
    with Deadline(driver, 60) as deadline:
        pass
    stopper = threading.Timer(0.05, deadline.cancel)
    stopper.start()

    assert driver.execute("SELECT pg_sleep(0.2)::text").fetchone() == ("",)
    stopper.join()


def test_deadline_cuts_a_connection_that_does_not_listen(driver: Any, monkeypatch: pytest.MonkeyPatch):
    """A cancel that has no effect, as with a backend that waits for its reader."""
    monkeypatch.setattr(timers, "GRACE", 0.2)
    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda self, timeout: None)
    begun = time.monotonic()

    with Deadline(driver, 0.1, cuts=True) as deadline, pytest.raises(psycopg.OperationalError):
        driver.execute("SELECT pg_sleep(3)")  # the server goes on to its end: it learns of the cut when it writes

    assert deadline.has_cut
    assert driver.closed
    assert time.monotonic() - begun < 3
    connection.close()


def test_deadline_survives_a_cancel_that_fails(driver: Any, monkeypatch: pytest.MonkeyPatch):
    def fail(self: Any, timeout: float) -> None:
        raise psycopg.OperationalError("unreachable")

    monkeypatch.setattr(psycopg.Connection, "cancel_safe", fail)

    with Deadline(driver, 0):
        assert driver.execute("SELECT pg_sleep(0.1)::text").fetchone() == ("",)
