from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.models import Count, Exists, Max, OuterRef
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from reports import QueryError, QueryTimeout, Rows, report_executed, transactions
from reports.guard import guard, install
from tests.models import Region, Store
from tests.reports import Faulty, Figures, Sets, SettingsSeen, SlowRows, Writes
from tests.sessions import from_outside, modes, setting

pytestmark = pytest.mark.django_db(transaction=True)


# Every way in which a report's statement comes to be executed, as a function from rows to the rows' settings.
PATHS: dict[str, Callable[[Rows], Any]] = {
    "iterated": lambda rows: [(row["read_only"], row["timeout"]) for row in rows],
    "values": lambda rows: list(rows.values_list("read_only", "timeout")),
    "sliced": lambda rows: [(row["read_only"], row["timeout"]) for row in rows[:1]],
    "first": lambda rows: [(row["read_only"], row["timeout"]) for row in [rows.first()] if row],
    "aggregate": lambda rows: [tuple(rows.aggregate(a=Max("read_only"), b=Max("timeout")).values())],
    "aggregate_of_slice": lambda rows: [tuple(rows[:5].aggregate(a=Max("read_only"), b=Max("timeout")).values())],
    "union": lambda rows: list(
        rows.values_list("read_only", "timeout").union(rows.values_list("read_only", "timeout"))
    ),
    "real_union": lambda rows: list(
        Region.objects.none().values_list("name", "name").union(rows.values_list("read_only", "timeout"))
    ),
    "subquery": lambda rows: [
        (store.read_only, store.timeout)
        for store in Store.objects.annotate(read_only=rows.values("read_only")[:1], timeout=rows.values("timeout")[:1])
    ],
    "server_side_cursor": lambda rows: [(row["read_only"], row["timeout"]) for row in rows.iterator(1)],
    "server_side_values": lambda rows: list(rows.values_list("read_only", "timeout").iterator(1)),
}


async def _by_async_for(rows: Rows) -> list[tuple[str, str]]:
    return [(row["read_only"], row["timeout"]) async for row in rows]


def _by_cursor(rows: Rows) -> list[tuple[str, str]]:
    sql, params = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(sql, params)
        return [(row[0], row[1]) for row in cursor]


PATHS |= {"sql": _by_cursor, "async": async_to_sync(_by_async_for)}


@modes
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_guard_reaches_every_path(mode: Callable[[], Any], path: Callable[[Rows], Any]):
    """Read only, and under the timeout of the template's header, however the report is reached."""
    Store.objects.create(name="a")

    with mode():
        if mode is not nullcontext:
            Store.objects.all().exists()
        assert path(SettingsSeen().run()) == [("on", "7s")]


@modes
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_guard_leaks_nothing(mode: Callable[[], Any], path: Callable[[Rows], Any]):
    """Afterwards the timeout is the caller's own, writing is possible, and nothing is left open."""
    Store.objects.create(name="a")

    with mode():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '54321', %s)", [mode is not nullcontext])
        path(SettingsSeen().run())

        assert (setting("transaction_read_only"), setting("statement_timeout")) == ("off", "54321ms")
        Region.objects.create(name="written")
        assert Region.objects.count() == 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors")
            assert cursor.fetchone() == (0,)
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_guard_lets_a_commented_statement_write():
    """What comes first is a comment of the project's, and the report's own stands further on."""
    Region.objects.create(name="a")
    sql, params = SettingsSeen().run().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"/* route */ UPDATE tests_region SET name = 'b' WHERE EXISTS ({sql})", params)
        assert cursor.rowcount == 1


@pytest.fixture
def pooled() -> Iterator[Any]:
    """The alias ``pooled``: a pool of one connection to the same database."""
    settings = copy.deepcopy(connection.settings_dict)
    settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 5}
    wrapper: Any = type(connections["default"])(settings, alias="pooled")
    connections["pooled"] = wrapper
    yield wrapper
    wrapper.close()
    wrapper.close_pool()
    del connections["pooled"]


@pytest.mark.parametrize("path", PATHS.keys() - {"subquery", "real_union"})
def test_guard_leaves_a_pooled_connection_as_it_was(pooled: Any, path: str):
    """The one connection of the pool comes back in the state in which it was lent."""
    assert PATHS[path](SettingsSeen(using="pooled").run()) == [("on", "7s")]
    with pytest.raises(QueryTimeout):
        list(SlowRows(using="pooled").run({"rows": 100, "seconds": 0.05}))
    pid = pooled.connection.info.backend_pid
    pooled.close()

    with pooled.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("off", "0")
        assert pooled.connection.info.backend_pid == pid


def test_guard_is_one_query_for_django(django_assert_num_queries: Any):
    for mode in (nullcontext, transaction.atomic):
        with mode(), django_assert_num_queries(1):
            list(SettingsSeen().run())


def test_guard_takes_two_round_trips(monkeypatch: pytest.MonkeyPatch):
    """At most three extra round trips to the server for a statement."""
    sent = []
    command = transactions.command

    def record(driver: Any, sql: str) -> Any:
        sent.append(sql)
        return command(driver, sql)

    monkeypatch.setattr(transactions, "command", record)
    monkeypatch.setattr(transactions, "_at_once", record)

    list(SettingsSeen().run())
    with transaction.atomic():
        list(SettingsSeen().run())

    assert sent == [
        "BEGIN READ ONLY; SELECT set_config('statement_timeout', '7000', true)",
        "ROLLBACK",
        "SAVEPOINT sql_reports; SELECT set_config('transaction_read_only', 'on', true),"
        " set_config('statement_timeout', '7000', true)",
        "ROLLBACK TO SAVEPOINT sql_reports; RELEASE SAVEPOINT sql_reports",
    ]


def test_guard_leaves_other_statements_alone():
    with CaptureQueriesContext(connection) as captured:
        assert setting("transaction_read_only") == "off"
    assert len(captured) == 1


def test_guard_lets_real_rows_be_changed_through_a_report():
    """An UPDATE that chooses its rows by a report must write; it is not guarded."""
    region = Region.objects.create(name="a")

    changed = Region.objects.filter(Exists(SettingsSeen().run().filter(read_only=OuterRef("name")))).update(name="b")
    assert changed == 0
    assert Region.objects.filter(~Exists(SettingsSeen().run().filter(read_only="x"))).update(name="b") == 1
    region.refresh_from_db()
    assert region.name == "b"


@modes
def test_guard_refuses_writing(mode: Callable[[], Any]):
    with mode():
        with pytest.raises(QueryError) as caught:
            list(Writes().run())
        assert caught.value.sqlstate == "25006"
        Region.objects.create(name="still possible")


@modes
@pytest.mark.parametrize("server_side", [False, True], ids=["full", "server_side"])
def test_guard_timeout(mode: Callable[[], Any], server_side: bool):
    """QueryTimeout long before the end of the query, and the connection goes on."""
    rows = SlowRows().run({"rows": 100, "seconds": 0.05})

    with mode():
        begun = time.perf_counter()
        with pytest.raises(QueryTimeout) as caught:
            list(rows.iterator(50) if server_side else rows)
        taken = time.perf_counter() - begun

        assert caught.value.args == ("report 'tests.slow_rows': stopped after its timeout of 0.3 s.",)
        assert 0.3 <= taken < 2.5
        assert Region.objects.count() == 0
        Region.objects.create(name="written")
    assert next(iter(SettingsSeen().run()))["timeout"] == "7s"


def test_guard_times_each_fetch_not_their_sum():
    """A slow reader of a server-side cursor is not a slow query."""
    rows = SlowRows().run({"rows": 14, "seconds": 0.03})

    with transaction.atomic():
        assert len(list(rows.iterator(2))) == 14


def test_guard_stops_a_held_cursor_at_commit():
    """Outside a transaction PostgreSQL runs a cursor WITH HOLD at COMMIT, where statement_timeout does not count."""
    begun = time.perf_counter()
    with pytest.raises(QueryTimeout):
        next(iter(SlowRows().run({"rows": 100, "seconds": 0.05}).iterator(1)))

    assert 0.3 <= time.perf_counter() - begun < 2.5
    assert [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)] == []


def test_guard_takes_the_settings_timeout():
    with override_settings(REPORTS={"TIMEOUT": 2.5}):
        rows = SettingsSeen().run()
        SettingsSeen.timeout = 1.25
        try:
            faster = SettingsSeen().run()
        finally:
            SettingsSeen.timeout = None
        assert next(iter(rows))["timeout"] == "7s"
        assert next(iter(faster))["timeout"] == "1250ms"
        assert Figures().run().count() == 0


def test_guard_takes_the_longest_timeout_of_several_reports():
    seen = SettingsSeen().run().values_list("timeout")
    slow = SlowRows().run({"rows": 1}).values_list("timeout")

    assert set(seen.union(slow)) == {("7s",)}


@modes
def test_guard_error_names_report_and_template_line(mode: Callable[[], Any]):
    """SQLSTATE, report and template line; no value and not the driver's text, which stays on __cause__."""
    with mode():
        with pytest.raises(QueryError) as caught:
            list(Faulty().run({"word": "s3cret\nvalue"}))
        error = caught.value
        path = str(Faulty.get_template().path)
        assert error.args == (f"report 'tests.faulty': PostgreSQL's error 42883 (UndefinedFunction) at {path}:9.",)
        assert (error.report, error.sqlstate, error.file, error.line) == ("tests.faulty", "42883", path, 9)
        assert isinstance(error.__cause__, DatabaseError)
        assert setting("transaction_read_only") == "off"


def test_guard_error_without_a_position():
    rows = SettingsSeen().run({"seconds": "-1"}).annotate(n=Count("*") / 0)

    with pytest.raises(QueryError) as caught:
        list(rows)
    assert caught.value.args == ("report 'tests.settings_seen': PostgreSQL's error 22012 (DivisionByZero).",)


def test_guard_after_a_lost_connection(django_assert_num_queries: Any):
    """A killed backend is a QueryError without values, and outside a transaction the next query works."""
    list(SettingsSeen().run())
    pid = connection.connection.info.backend_pid
    timer = threading.Timer(0.2, lambda: from_outside("SELECT pg_terminate_backend(%s)", pid))
    timer.start()
    with pytest.raises(QueryError) as caught:
        list(SettingsSeen().run({"seconds": 3}))
    timer.join()

    assert "server" not in str(caught.value)
    assert next(iter(SettingsSeen().run()))["read_only"] == "on"


def test_unreachable_database_is_a_clear_error_without_values():
    """Django's OperationalError: it names the place, no parameter, and other connections go on."""
    settings = copy.deepcopy(connection.settings_dict) | {"HOST": "127.0.0.1", "PORT": "1"}
    for name in ("host", "port", "hostaddr"):
        settings["OPTIONS"].pop(name, None)
    connections["nowhere"] = type(connections["default"])(settings, alias="nowhere")
    try:
        with pytest.raises(OperationalError, match=r"127\.0\.0\.1") as caught:
            list(SlowRows(using="nowhere").run({"rows": 1, "text": "s3cret"}))
    finally:
        del connections["nowhere"]

    assert "s3cret" not in str(caught.value)
    assert next(iter(SettingsSeen().run()))["read_only"] == "on"


def test_abandoned_iterators_leave_nothing_open():
    """Two server-side cursors in turn, both given up half way, in and out of a transaction."""
    for mode in (nullcontext, transaction.atomic):
        with mode():
            first: Any = SlowRows().run({"rows": 9}).iterator(2)
            second: Any = SlowRows().run({"rows": 9}).iterator(2)
            assert [next(first)["n"], next(second)["n"], next(first)["n"], next(second)["n"]] == [1, 1, 2, 2]
            first.close()
            assert len(list(second)) == 7
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_cursors")
                assert cursor.fetchone() == (0,)
            assert (setting("transaction_read_only"), setting("statement_timeout")) == ("off", "0")


def test_guard_tag_is_seen_in_pg_stat_activity():
    """Also when the tag would stand beyond the part of the statement that PostgreSQL shows."""
    seen: list[str] = []

    def look() -> None:
        seen.extend(row[0] for row in from_outside("SELECT query FROM pg_stat_activity WHERE pid = %s", pid))

    rows = SettingsSeen().run({"seconds": 0.5})
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    long = rows.annotate(**{f"a_rather_long_name_{i}": Count("read_only") for i in range(40)})
    for read in (rows, long):
        timer = threading.Timer(0.2, look)
        timer.start()
        list(read)
        timer.join()
    assert len(seen) == 2
    assert all("/* report=tests.settings_seen */" in text for text in seen)


def test_guard_signal():
    received: list[dict[str, Any]] = []

    def receive(**kwargs: Any) -> None:
        received.append(kwargs)

    report_executed.connect(receive)
    try:
        list(SlowRows().run({"rows": 3}))
        list(SlowRows().run({"rows": 3}).iterator(2))
        with transaction.atomic():
            list(SlowRows().run({"rows": 3}).iterator(2))
    finally:
        report_executed.disconnect(receive)

    assert [(item["report"], item["alias"], item["rows"]) for item in received] == [
        ("tests.slow_rows", "default", 3)
    ] * 3
    assert all(0 < item["milliseconds"] < 1000 and item["sender"] is type(connections["default"]) for item in received)


@override_settings(REPORTS={"SLOW": 0.05})
def test_guard_logs_slow_reports(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="reports.slow"):
        list(SlowRows().run({"rows": 1, "text": "s3cret"}))
        list(SlowRows().run({"rows": 2, "seconds": 0.05, "text": "s3cret"}))

    assert [record.name for record in caplog.records] == ["reports.slow"]
    assert caplog.messages[0].startswith("report tests.slow_rows took 1")
    assert caplog.messages[0].endswith(" ms on default: 2 rows")


def test_guard_undoes_what_a_report_sets():
    """set_config(…, false) inside a report ends with it: the transaction is rolled back."""
    for mode in (nullcontext, transaction.atomic):
        with mode():
            assert [row["value"] for row in Sets().run({"name": "work_mem", "to": "12345kB"})] == ["12345kB"]
            assert setting("work_mem") != "12345kB"


def test_guard_read_only_cannot_be_switched_off():
    with pytest.raises(QueryError) as caught:
        list(Sets().run({"name": "transaction_read_only", "to": "off"}))
    assert caught.value.sqlstate == "25001"


def test_guard_knows_reports_from_comments_that_look_alike():
    """Somebody's own comment is no report: what the statement does, such as taking a lock, is not rolled back."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(4711) /* report=sales */")
        cursor.execute("SELECT 1 /* report=monthly-sales */")
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("server_side", [False, True], ids=["full", "server_side"])
@pytest.mark.parametrize("mode", [nullcontext, transaction.atomic])
def test_guard_cancelled_while_it_prepares(mode: Callable[[], Any], server_side: bool, monkeypatch: pytest.MonkeyPatch):
    """The caller's own timeout strikes in the guard's settings: nothing stays open or broken."""
    monkeypatch.setattr(transactions, "_timeout", lambda execution: "pg_sleep(1)")

    with mode():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '200', %s)", [mode is not nullcontext])
        rows = SettingsSeen().run()
        with pytest.raises(QueryError) as caught:
            list(rows.iterator() if server_side else rows)
        assert caught.value.sqlstate == "57014"
        assert setting("transaction_read_only") == "off"
        Region.objects.create(name="written")
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_guard_in_a_broken_transaction():
    """Django's own error, and the transaction stays broken for its owner."""
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            list(SettingsSeen().run())


def test_guard_keeps_the_callers_uncommitted_rows():
    with transaction.atomic():
        Region.objects.create(name="x")
        seen = SettingsSeen().run()
        list(seen)
        assert Region.objects.filter(Exists(seen.filter(read_only="on"))).count() == 1


def test_install_puts_the_guard_first_and_once():
    install(connection)
    install(connection)

    assert connection.execute_wrappers.count(guard) == 1
    assert connection.execute_wrappers[0] is guard


def test_install_only_on_postgresql():
    class Other:
        vendor = "sqlite"
        execute_wrappers: list[Any] = []

    install(Other())  # type: ignore[arg-type]

    assert Other.execute_wrappers == []


def test_guard_leaves_executemany_and_composed_statements_alone():
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO tests_region (name) VALUES (%s) /* report=tests.x */", [["a"], ["b"]])
        cursor.execute(psycopg.sql.SQL("SELECT count(*) FROM tests_region"))
        assert cursor.fetchone() == (2,)
