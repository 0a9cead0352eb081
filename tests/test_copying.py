"""A COPY under the rules of the guard: what it leaves behind, how it ends, who sees it."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from reports import QueryError, QueryTimeout, copy_cursors, copying, report_executed, timers
from reports.exports import stream_csv
from tests.exporting import all_ended, exported, rows_of
from tests.models import Region
from tests.reports import Faulty, Figures, SettingsSeen, SlowRows, Writes
from tests.sessions import from_outside, modes, setting

pytestmark = pytest.mark.django_db(transaction=True)


def endless(**options: Any) -> Any:
    """Return rows without an end in sight; in FROM, PostgreSQL would write them to the disk first."""
    return rows_of("SELECT generate_series(1, 2000000000) AS id", id="integer", **options)


def status() -> TransactionStatus:
    driver: psycopg.Connection[Any] = connections["default"].connection
    return driver.info.transaction_status


@contextmanager
def received() -> Iterator[list[Any]]:
    found: list[Any] = []

    def receive(**kwargs: Any) -> None:
        found.append(kwargs)

    report_executed.connect(receive)
    try:
        yield found
    finally:
        report_executed.disconnect(receive)


# Settings.


@modes
@pytest.mark.parametrize("is_safe", [True, False])
def test_copy_is_read_only_and_has_no_statement_timeout(mode: Callable[[], Any], is_safe: bool):
    """The role's or session's own timeout does not count either."""
    with mode():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '54321', %s)", [mode is not nullcontext])

        assert exported(SettingsSeen().run(), header=None, spreadsheet_safe=is_safe) == b"on,0,\n"

        assert (setting("transaction_read_only"), setting("statement_timeout")) == ("off", "54321ms")
        Region.objects.create(name="written")
        assert Region.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")
    assert status() == TransactionStatus.IDLE


@modes
def test_copy_cannot_write(mode: Callable[[], Any]):
    with mode():
        with pytest.raises(QueryError, match="25006"):
            exported(Writes().run())
        Region.objects.create(name="written")


def test_nothing_runs_before_the_first_read():
    with CaptureQueriesContext(connection) as queries:
        stream = stream_csv(SlowRows().run({"rows": 3}), header=None)
        assert len(queries) == 0
        stream.close()
        assert list(stream) == []
    assert len(queries) == 0


# Who sees it.


def test_copy_is_one_query_for_django():
    with CaptureQueriesContext(connection) as queries:
        exported(SlowRows().run({"rows": 2, "text": "it's"}), spreadsheet_safe=False)

    (query,) = queries
    assert query["sql"].startswith("COPY (SELECT ")
    assert query["sql"].endswith("\n) TO STDOUT (FORMAT csv, ENCODING 'UTF8')")
    assert "'it''s'" in query["sql"]


def test_time_of_the_logged_query_is_that_until_the_first_bytes(caplog: pytest.LogCaptureFixture):
    with CaptureQueriesContext(connection) as queries, caplog.at_level(logging.DEBUG, "django.db.backends"):
        exported(SlowRows().run({"rows": 1, "seconds": 0.2}))

    assert float(queries[0]["time"]) >= 0.2
    assert [record.duration >= 0.2 for record in caplog.records if "COPY" in record.getMessage()] == [True]  # type: ignore[attr-defined]


def test_wrappers_of_the_project_see_the_copy():
    seen: list[Any] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params, many, context["connection"].alias))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        exported(rows_of("SELECT %s::int AS id", 7, id="integer"), spreadsheet_safe=False)

    assert seen == [
        (
            'COPY (SELECT "report_tests__exported"."id" FROM (/* report=tests.exported */ SELECT %s::int AS id\n)'
            " \"report_tests__exported\"\n) TO STDOUT (FORMAT csv, ENCODING 'UTF8')",
            (7,),
            False,
            "default",
        )
    ]


@modes
def test_wrapper_may_refuse_a_copy(mode: Callable[[], Any]):
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        raise PermissionError("no exports")

    with mode():
        with connection.execute_wrapper(refuse), pytest.raises(PermissionError, match="no exports"):
            exported(SettingsSeen().run())
        Region.objects.create(name="written")
    assert status() == TransactionStatus.IDLE


def test_wrapper_that_lets_nothing_through_makes_no_empty_file():
    with connection.execute_wrapper(lambda *args: None), pytest.raises(QueryError, match="driver or the connection"):
        exported(SettingsSeen().run())


@modes
def test_wrapper_that_fails_after_the_statement(mode: Callable[[], Any]):
    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        execute(sql, params, many, context)
        raise RuntimeError("afterwards")

    with mode():
        with connection.execute_wrapper(fail), pytest.raises(RuntimeError, match="afterwards"):
            exported(endless())
        Region.objects.create(name="written")
    assert all_ended()


def test_signal_has_the_rows_and_the_time_of_the_database():
    with received() as found:
        stream = stream_csv(SlowRows().run({"rows": 3, "seconds": 0.05}), header="names")
        for _ in stream:
            time.sleep(0.3)

    (told,) = found
    assert (told["report"], told["alias"], told["rows"], told["sender"]) == (
        "tests.slow_rows", "default", 3, type(connections["default"]),
    )  # fmt: skip
    assert 150 <= told["milliseconds"] < 400
    assert stream.rows == 3


def test_signal_counts_rows_and_not_lines():
    with received() as found:
        exported(rows_of(r"SELECT E'a\nb\n' AS id FROM generate_series(1, 5)", id="text"))

    assert [told["rows"] for told in found] == [5]


def test_signal_of_a_copy_that_fails_or_is_given_up_has_no_rows():
    with received() as found:
        with pytest.raises(QueryError):
            exported(Faulty().run())
        stream = stream_csv(endless())
        next(stream)
        stream.close()

    assert [(told["report"], told["rows"]) for told in found] == [("tests.faulty", None), ("tests.exported", None)]


def test_slow_copy_is_logged(settings: Any, caplog: pytest.LogCaptureFixture):
    settings.REPORTS = {"SLOW": 0.01}

    exported(SlowRows().run({"rows": 2, "seconds": 0.02}))

    (record,) = [record for record in caplog.records if record.name == "reports.slow"]
    assert record.getMessage().endswith(" ms on default: 2 rows")


def test_copy_is_known_in_pg_stat_activity():
    """Also behind a SELECT that is longer than what is shown there."""
    stream = stream_csv(rows_of("SELECT generate_series(1, 2000000000) AS id, 'a' AS a", id="integer", a="text"))
    next(stream)

    try:
        shown = from_outside("SELECT query FROM pg_stat_activity WHERE datname = current_database()")
        assert any(query.startswith("/* report=tests.exported */ COPY (") for (query,) in shown)
    finally:
        stream.close()


# Errors.


def test_error_before_the_first_bytes_names_the_line():
    with pytest.raises(QueryError) as caught:
        exported(Faulty().run())

    assert caught.value.sqlstate == "42883"
    assert (caught.value.report, caught.value.line) == ("tests.faulty", 9)
    assert str(caught.value.file).endswith("tests/sql/tests/faulty.sql")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("is_safe", [True, False])
@modes
def test_error_in_the_middle_is_raised(mode: Callable[[], Any], is_safe: bool):
    """What was read is whole lines; what follows is the error, and the connection goes on."""
    rows = rows_of(
        "SELECT n AS id, 1 / (150000 - n) AS x FROM generate_series(1, 200000) AS n", id="integer", x="integer"
    )
    parts: list[bytes] = []

    with mode():
        with pytest.raises(QueryError, match="22012"):
            parts.extend(stream_csv(rows, header=None, spreadsheet_safe=is_safe))
        Region.objects.create(name="written")

    data = b"".join(parts)
    assert 0 < data.count(b"\n") < 150000
    assert b"ERROR" not in data
    assert status() == TransactionStatus.IDLE


def test_backend_that_is_gone_is_an_error():
    stream = stream_csv(endless())
    next(stream)
    assert connection.connection is not None
    from_outside("SELECT pg_terminate_backend(%s)", connection.connection.info.backend_pid)

    with pytest.raises(QueryError) as caught:
        list(stream)

    assert caught.value.sqlstate in (None, "57P01")
    assert Region.objects.count() == 0


def test_copy_in_a_broken_transaction_is_refused():
    with transaction.atomic():
        connection.needs_rollback = True
        with pytest.raises(TransactionManagementError):
            exported(SettingsSeen().run())
        connection.needs_rollback = False


def test_copy_in_a_thread_that_does_not_own_the_connection_is_refused(monkeypatch: pytest.MonkeyPatch):
    caught: list[BaseException] = []
    wrapper = connections["default"]

    def read() -> None:
        try:
            copying.Copy(wrapper, "SELECT 1", (), options="FORMAT csv", report="x").read()
        except DatabaseError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()

    assert "can only be used in that same thread" in str(caught[0])


# Timeouts.


@modes
def test_report_timeout_bounds_the_time_until_the_first_bytes(mode: Callable[[], Any]):
    with mode():
        with pytest.raises(QueryTimeout, match=r"report 'tests.slow_rows': stopped after its timeout of 0.3 s\."):
            exported(SlowRows().run({"rows": 1, "seconds": 20}))
        Region.objects.create(name="written")
    assert all_ended()


def test_report_timeout_does_not_bound_the_rest():
    """A slow reader of many rows is no slow query; nor is a query that gives its rows bit by bit."""
    rows = rows_of(
        "SELECT n AS id, repeat('x', 100000) AS a FROM generate_series(1, 200) AS n",
        id="integer",
        a="text",
        seconds=1,
    )
    size = 0
    for part in stream_csv(rows, header=None):
        time.sleep(0.01)
        size += len(part)

    assert size == 200 * 100002 + 9 + 90 * 2 + 101 * 3


@pytest.mark.parametrize("is_reading", [True, False], ids=["reading", "pausing"])
@modes
def test_export_timeout_bounds_the_whole(mode: Callable[[], Any], is_reading: bool, settings: Any):
    settings.REPORTS = {"EXPORT_TIMEOUT": 0.4}

    def read() -> None:
        stream = stream_csv(endless())
        next(stream)
        if not is_reading:
            time.sleep(0.6)
        deque(stream, maxlen=0)

    with mode():
        with pytest.raises(QueryTimeout, match=r"stopped after its timeout of 0.4 s\."):
            read()
        Region.objects.create(name="written")
    assert all_ended()


def test_export_timeout_ends_a_backend_whose_reader_does_not_read(settings: Any, monkeypatch: pytest.MonkeyPatch):
    """It waits for the client and ignores the cancel: the connection goes, and the reader hears why."""
    settings.REPORTS = {"EXPORT_TIMEOUT": 0.5}
    monkeypatch.setattr(timers, "GRACE", 0.2)
    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda self, timeout: None)
    stream = stream_csv(endless())
    next(stream)
    time.sleep(1.5)

    assert all_ended()
    with pytest.raises(QueryTimeout, match=r"stopped after its timeout of 0.5 s\."):
        list(stream)
    assert Region.objects.count() == 0


# Giving up.


@modes
@pytest.mark.parametrize("way", ["close", "forget", "break"])
def test_copy_that_is_given_up_ends(mode: Callable[[], Any], way: str):
    """The backend stops, the transaction of the caller goes on."""
    with mode():
        Region.objects.create(name="before")
        stream: Any = stream_csv(endless())
        if way == "break":
            for _ in stream_csv(endless()):
                break
        else:
            next(stream)
        if way == "close":
            stream.close()
            assert list(stream) == []
        del stream
        gc.collect()

        assert all_ended()
        Region.objects.create(name="after")
        assert Region.objects.count() == 2
    assert status() == TransactionStatus.IDLE


def test_copy_is_given_up_by_ctrl_c():
    stream = stream_csv(rows_of("SELECT 1 AS id, pg_sleep(20)::text AS a", id="integer", a="text"))
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            next(stream)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)

    assert all_ended()
    assert Region.objects.count() == 0


def test_copy_that_cannot_be_cancelled_loses_its_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copy_cursors, "GRACE", 0.2)
    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda self, timeout: None)
    stream = stream_csv(endless())
    next(stream)
    driver = connection.connection

    stream.close()

    assert driver is not None
    assert driver.closed
    assert Region.objects.count() == 0
    assert connection.connection is not driver


# Others on the same connection.

OTHERS: dict[str, Callable[[], Any]] = {
    "query": Region.objects.count,
    "report": lambda: list(SettingsSeen().run()),
    "iterator": lambda: list(Region.objects.all().iterator()),
    "export": lambda: exported(SettingsSeen().run()),
    "count": Figures().run().count,
    "savepoint": lambda: connection.savepoint() or Region.objects.count(),  # there is none in autocommit
}


@modes
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_statements_are_refused_while_a_copy_is_read(mode: Callable[[], Any], other: Callable[[], Any]):
    rows = rows_of("SELECT n AS id FROM generate_series(1, 100000) AS n", id="integer")
    with mode():
        stream = stream_csv(rows, header=None)
        parts = [next(stream)]

        with pytest.raises(QueryError) as caught:
            other()

        assert caught.value.args == (
            "report 'tests.exported' is being exported on the connection 'default': read the export to its end or close"
            " it before the next statement.",
        )
        assert b"".join([*parts, *stream]).count(b"\n") == 100000  # the stream itself is not disturbed
        Region.objects.create(name="after")


def test_connection_that_is_closed_ends_the_copy():
    stream = stream_csv(endless())
    next(stream)
    connection.close()
    assert Region.objects.count() == 0
    driver = connection.connection

    with pytest.raises(QueryError):
        list(stream)

    assert connection.connection is driver
    assert Region.objects.count() == 0
    assert all_ended()


def test_transaction_that_ends_before_the_copy():
    """The commit fails, Django gives the connection up, and the reader is told."""
    stream = stream_csv(endless())
    with pytest.raises(DatabaseError), transaction.atomic():
        next(stream)

    with pytest.raises(QueryError):
        list(stream)
    assert Region.objects.count() == 0
    assert all_ended()


# Chunks.


def test_chunks_are_neither_rows_nor_the_whole():
    connection.close()  # the driver's buffer is as large as the longest row was
    rows = rows_of("SELECT n AS id FROM generate_series(1, 200000) AS n", id="integer")

    parts = list(stream_csv(rows, header=None))

    assert b"".join(parts) == b"".join(b"%d\n" % n for n in range(1, 200001))
    assert 3 < len(parts) < 100
    assert max(map(len, parts)) < 1 << 18


def test_rows_that_come_slowly_are_handed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copy_cursors, "_PATIENCE", 0.05)
    rows = rows_of(
        "SELECT n AS id, repeat('x', 9000) || pg_sleep(0.2 + n * 0)::text AS a FROM generate_series(1, 4) AS n",
        id="integer",
        a="text",
    )

    assert len(list(stream_csv(rows, header=None))) >= 3
