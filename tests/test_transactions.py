"""Several statements of reports in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction
from psycopg.pq import TransactionStatus

from reports import QueryError, transactions
from reports.transactions import together
from tests.models import Region, Store
from tests.reports import Faulty, SettingsSeen, SlowRows, Undeclared
from tests.sessions import MODES, from_outside, modes, setting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def isolation() -> Iterator[None]:
    """Everything is as before, after each test."""
    before = setting("statement_timeout"), setting("default_transaction_read_only")
    yield
    assert (setting("statement_timeout"), setting("default_transaction_read_only")) == before
    assert connection.connection.info.transaction_status == TransactionStatus.IDLE
    Store.objects.create(name="written")


def seen() -> tuple[str, str]:
    (row,) = SettingsSeen().run()
    return row["read_only"], row["timeout"]


def other_timeout() -> str:
    return str(SlowRows().run({"rows": 1})[0]["timeout"])


@pytest.mark.usefixtures("isolation")
def test_statements_see_the_same_data():
    Region.objects.create(name="a")
    rows = Undeclared().run()
    with together(connection):
        before = rows.count()
        from_outside("INSERT INTO tests_store (name) VALUES ('b') RETURNING id")
        from_outside(
            "INSERT INTO tests_figure (store_id, month, revenue, label)"
            " SELECT id, '2026-01-01', 1, 'x' FROM tests_store RETURNING id"
        )
        assert rows.count() == before == 0

    assert rows.count() == 1


@modes
def test_statements_are_read_only_under_their_own_timeouts(mode: Callable[[], Any]):
    with mode(), together(connection):
        assert [seen(), other_timeout(), seen(), seen()] == [("on", "7s"), "300ms", ("on", "7s"), ("on", "7s")]


@pytest.mark.usefixtures("isolation")
def test_transaction_is_one_for_all(monkeypatch: pytest.MonkeyPatch):
    sent: list[str] = []
    real = transactions._at_once

    def noted(driver: Any, sql: str) -> None:
        sent.append(sql)
        real(driver, sql)

    monkeypatch.setattr(transactions, "_at_once", noted)
    with together(connection):
        seen()
        seen()

    assert sent == [
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT set_config('statement_timeout', '7000', true)",
        "ROLLBACK",
    ]


@pytest.mark.usefixtures("isolation")
def test_failed_statement_leaves_the_others():
    with together(connection):
        assert seen() == ("on", "7s")
        with pytest.raises(QueryError):
            list(Faulty().run())
        assert seen() == ("on", "7s")


@pytest.mark.usefixtures("isolation")
def test_failure_of_the_block_ends_the_transaction():
    with suppress(ZeroDivisionError), together(connection):
        seen()
        raise ZeroDivisionError


@pytest.mark.usefixtures("isolation")
def test_block_without_a_statement_sends_nothing():
    connection.close()
    with together(connection):
        pass


@pytest.mark.usefixtures("isolation")
def test_lost_connection_is_replaced():
    with together(connection):
        seen()
        from_outside("SELECT pg_terminate_backend(%s)", connection.connection.info.backend_pid)
        with pytest.raises(QueryError):
            seen()
        assert seen() == ("on", "7s")


def test_transaction_of_the_caller_goes_on():
    with transaction.atomic():
        Store.objects.create(name="a")
        with together(connection):
            seen()
        Store.objects.create(name="b")

    assert Store.objects.count() == 2
    assert set(MODES) == {"autocommit", "atomic", "no_autocommit"}
