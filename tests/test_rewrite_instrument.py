"""What the wrapper sends, what it leaves alone, and that nobody notices when a rewriting fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.test.utils import CaptureQueriesContext
from psycopg import sql as composing

from reports.rewrite.rewriting import Reason, Strategy
from reports.rewrite.sending import instrument
from reports.rewrite.sending.counts import Tally, tally
from reports.rewrite.sending.decisions import Decision, Kept
from reports.rewrite.sending.installation import consolidated
from reports.rewrite.sending.instrument import Rewriter, may_repeat
from tests.models import Region, Store
from tests.reports import Figures
from tests.rewriting import FAILING, GOOD, ORIGINAL, PARAMS, REWRITTEN, SQL, Fake, run
from tests.sessions import modes, setting

pytestmark = pytest.mark.django_db(transaction=True)

LATERAL = Strategy.LATERAL
SERVER_SIDE = connection.settings_dict["OPTIONS"]["server_side_binding"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT (SELECT 1), (SELECT 2)", True),
        ("SELECT EXISTS(SELECT 1) AS a, EXISTS(SELECT 2) AS b", True),
        ("SELECT COUNT(DISTINCT a), SUM(DISTINCT b) FROM t", True),
        ("SELECT (SELECT 1)", False),
        ("SELECT DISTINCT COUNT(DISTINCT a) FROM t", False),
        ("", False),
        (b"(SELECT (SELECT", False),
        (composing.SQL("(SELECT (SELECT"), False),
    ],
    ids=repr,
)
def test_may_repeat(sql: Any, expected: bool):
    assert may_repeat(sql) is expected


@modes
@pytest.mark.parametrize("may_raise", [True, False])
def test_rewritten_statement_is_sent(fake: Fake, mode: Callable[[], Any], may_raise: bool):
    """Its values are in its own order, and the statement is decided once."""
    fake.gives(GOOD, may_raise=may_raise)

    with mode(), consolidated(strategy=LATERAL):
        assert [run(), run(), run(params=(5, 6))] == [REWRITTEN, REWRITTEN, ("rewritten", 6, 5)]

    assert fake.asked == ["SELECT 'original', (SELECT $1::int), (SELECT $2::int)"]
    assert run() == ORIGINAL
    assert tally() == Tally(3, 3, {}, 0, 1, 0, 0)


def test_faster_one_is_chosen(fake: Fake, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "reports.rewrite")
    slow = "SELECT 'original', (SELECT %s::int), (SELECT %s::int) FROM pg_sleep(0.5)"

    with consolidated():
        assert (run(slow), run(slow)) == (REWRITTEN, REWRITTEN)

    assert len(fake.asked) == 1
    assert caplog.messages == [f"lateral: {slow}"]


def test_slower_one_is_not_chosen(fake: Fake, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "reports.rewrite")
    fake.gives(f"{GOOD} FROM pg_sleep(0.5)")

    with consolidated():
        assert (run(), run()) == (ORIGINAL, ORIGINAL)

    assert len(fake.asked) == 1
    assert tally().refused == {"the original is as fast, or nearly": 2}
    assert caplog.messages == [f"not rewritten, the original is as fast, or nearly: {SQL}"]


def test_equal_values_make_another_shape(fake: Fake):
    with consolidated(strategy=LATERAL):
        run(params=[1, 2])
        run(params=[3, 4])
        run(params=[5, 5])
        run(params=[6, 6])
        run("SELECT (SELECT 1), (SELECT 1)", None)
        run("SELECT (SELECT 1), (SELECT 1)", [])

    assert len(fake.asked) == 4


@pytest.mark.parametrize("strategy", [None, *Strategy])
def test_strategies_are_decided_each(fake: Fake, strategy: Strategy | None):
    with consolidated(strategy=LATERAL):
        run()
    with consolidated(strategy=strategy):
        run()

    assert len(fake.asked) == (1 if strategy is LATERAL else 2)


# A rewriting that fails.


@modes
def test_failing_rewriting_is_not_noticed(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    fake.gives(FAILING, may_raise=True)

    with mode(), consolidated(strategy=LATERAL):
        Region.objects.create(name="before")
        assert run(params=[1, 31415926]) == ("original", 1, 31415926)
        assert (run(), run()) == (ORIGINAL, ORIGINAL)
        Region.objects.create(name="after")
        assert Region.objects.count() == 2
        assert connection.connection.info.transaction_status != psycopg.pq.TransactionStatus.INERROR

    assert len(fake.asked) == 1
    assert caplog.messages == [
        "a rewritten statement (lateral) failed on default with 22012 (DivisionByZero); it is not rewritten again:"
        f" {SQL}"
    ]
    assert tally() == Tally(6, 0, {"its rewriting failed when it was sent": 2}, 1, 1, 0, 0)


def test_failing_rewriting_within_an_outer_savepoint(fake: Fake):
    fake.gives(FAILING, may_raise=True)

    with transaction.atomic(), consolidated(strategy=LATERAL):
        Region.objects.create(name="outer")
        with transaction.atomic():
            Region.objects.create(name="inner")
            assert run() == ORIGINAL
    assert Region.objects.count() == 2


def test_rewriting_that_was_said_not_to_fail(fake: Fake):
    """Without a savepoint there is no second try in a transaction, and the error is PostgreSQL's own."""
    fake.gives(FAILING)

    with consolidated(strategy=LATERAL):
        with pytest.raises(DatabaseError, match="division by zero"), transaction.atomic():
            run()
        assert run() == ORIGINAL
        instrument.decisions.clear()
        assert run() == ORIGINAL  # in autocommit there is


@modes
def test_rewriting_that_no_plan_is_made_of(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    """It is never sent: asking for a plan tells."""
    fake.gives("SELECT 'rewritten', $1::int / 0 FROM nowhere")

    with mode(), consolidated(strategy=LATERAL):
        Region.objects.create(name="a")
        assert (run(), run(), Region.objects.count()) == (ORIGINAL, ORIGINAL, 1)

    assert caplog.messages == [
        "PostgreSQL refuses a rewriting (lateral, 42P01): SELECT 'rewritten', %s::int / 0 FROM nowhere"
    ]
    assert tally().refused == {"PostgreSQL refuses its rewritings": 2}


@modes
def test_cancelled_statement_is_not_sent_again(fake: Fake, mode: Callable[[], Any]):
    fake.gives(f"{GOOD} FROM pg_sleep(60)", may_raise=True)

    with mode(), consolidated(strategy=LATERAL):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 100")
        with pytest.raises(OperationalError, match="statement timeout"):
            run()
        assert (run(), setting("statement_timeout")) == (ORIGINAL, "100ms")
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


@pytest.fixture
def fail() -> str:
    """The name of a function in the session that raises what one says."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION pg_temp.fail(code text) RETURNS int LANGUAGE plpgsql VOLATILE"
            " AS $$ BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = code; END $$"
        )
    return "pg_temp.fail"


@modes
def test_transaction_that_must_begin_again(fake: Fake, mode: Callable[[], Any], fail: str):
    """No fault of the text: the error is the caller's, and the shape stays."""
    fake.gives(f"SELECT {fail}('40001'), $1::int, $2::int", may_raise=True)

    with mode(), consolidated(strategy=LATERAL):
        for _ in range(2):
            with pytest.raises(OperationalError) as caught:
                run()
            assert isinstance(caught.value.__cause__, psycopg.errors.SerializationFailure)

    assert tally().failed == 0


@pytest.mark.parametrize("code", ["53200", "42883", "XX000", "22P02"])
def test_any_other_error_is_sent_again(fake: Fake, fail: str, code: str):
    fake.gives(f"SELECT {fail}('{code}'), $1::int, $2::int", may_raise=True)

    with transaction.atomic(), consolidated(strategy=LATERAL):
        assert run() == ORIGINAL


def test_lost_connection_is_not_tried_again(fake: Fake):
    fake.gives("SELECT pg_terminate_backend(pg_backend_pid()), $1::int, $2::int", may_raise=True)
    sent = Mock(side_effect=lambda execute, *args: execute(*args))

    with consolidated(strategy=LATERAL), connection.execute_wrapper(sent), pytest.raises(OperationalError):
        run()

    assert sent.call_count == 1
    connection.close()
    assert run() == ORIGINAL


def test_errors_of_other_wrappers_are_theirs(fake: Fake):
    raised = Mock(side_effect=DatabaseError("blocked"))

    with (
        consolidated(strategy=LATERAL),
        connection.execute_wrapper(raised),
        pytest.raises(DatabaseError, match="blocked"),
    ):
        run()

    assert raised.call_count == 1


@modes
def test_error_of_ours_is_not_noticed(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    fake.before = Mock(side_effect=RuntimeError("secret"))

    with mode(), consolidated():
        assert (run(), run()) == (ORIGINAL, ORIGINAL)

    assert len(fake.asked) == 1
    (message,) = caplog.messages
    assert message.startswith("not rewritten, RuntimeError at ")
    assert message.endswith(f": {SQL}")
    assert tally().refused == {"it could not be decided": 2}
    assert caplog.records[0].exc_info is None


def test_wrong_setting_is_not_noticed(fake: Fake, settings: Any, caplog: pytest.LogCaptureFixture):
    settings.REPORTS = {"REWRITE_AGE": "long"}

    with consolidated():
        assert run() == ORIGINAL

    assert "not rewritten, ImproperlyConfigured at " in caplog.text


@modes
def test_wrong_statement_fails_as_ever(fake: Fake, mode: Callable[[], Any]):
    """Nothing is remembered of it: it may be the values."""
    wrong = "SELECT (SELECT nothing), (SELECT %s::int)"

    with mode(), consolidated():
        with pytest.raises(ProgrammingError, match="nothing"), transaction.atomic():
            run(wrong, [1])
        assert Region.objects.count() == 0

    assert len(instrument.decisions) == 0
    assert tally().refused == {"it could not be decided": 1}


# What is left alone.


def called(sql: Any, params: Any = None, *, many: bool = False, **context: Any) -> Mock:
    """Return the function that the wrapper called with a statement."""
    execute = Mock(return_value="result")
    with connection.cursor() as cursor:
        found = {"connection": connection, "cursor": cursor, **context}
        assert Rewriter(LATERAL)(execute, sql, params, many, found) == "result"
    return execute


@pytest.mark.parametrize(
    ("sql", "params", "reason"),
    [
        (SQL, {"a": 1}, Kept.PARAMS),
        (SQL, range(2), Kept.PARAMS),
        (SQL, [1] * 501, Kept.PARAMS),
        (f"SELECT 1 FROM (/* report=a.b */ {SQL}) AS x", PARAMS, Reason.REPORT),
        (composing.SQL(SQL), PARAMS, None),
        ("SELECT (SELECT 1)", None, None),
        (f"{SQL} {'x' * 50_000}", PARAMS, None),
    ],
)
def test_statement_left_alone(fake: Fake, sql: Any, params: Any, reason: str | None):
    called(sql, params).assert_called_once()

    assert fake.asked == []
    assert tally().refused == ({reason: 1} if reason else {})


def test_many_statements_are_left_alone(fake: Fake):
    execute = called(SQL, [PARAMS], many=True)

    assert execute.call_args.args[:3] == (SQL, [PARAMS], True)
    assert fake.asked == []


@pytest.mark.parametrize(("vendor", "driver"), [("sqlite", None), ("postgresql", Mock())])
def test_other_databases_are_left_alone(fake: Fake, vendor: str, driver: Any):
    other = Mock(vendor=vendor, execute_wrappers=[], needs_rollback=False)

    called(SQL, PARAMS, connection=other, cursor=Mock(cursor=Mock(connection=driver)))

    assert (fake.asked, tally().refused) == ([], {"it does not go to PostgreSQL by psycopg 3": 1})


def test_locking_statement_is_left_alone(fake: Fake):
    Region.objects.create(name="a")

    with transaction.atomic(), consolidated(strategy=LATERAL):
        assert run(f"{SQL} FROM tests_region FOR UPDATE") == ORIGINAL

    assert tally().refused == {"it locks rows": 1}


def test_report_is_left_alone(fake: Fake):
    with consolidated(strategy=LATERAL):
        assert list(Figures().run().exclude(pk__in=Figures().run().exclude(pk__in=Figures().run()))) == []

    assert (fake.asked, tally().refused) == ([], {"it reads a report, whose SQL is its author's": 1})


def test_broken_transaction_is_left_alone(fake: Fake):
    with transaction.atomic(), consolidated():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            run()
    with transaction.atomic(), consolidated():
        with pytest.raises(ProgrammingError):
            run("SELECT nothing", None)
        with pytest.raises(DatabaseError) as caught:
            run()
        assert isinstance(caught.value.__cause__, psycopg.errors.InFailedSqlTransaction)
        transaction.set_rollback(True)

    assert fake.asked == []


def test_closed_connection_fails_as_ever(fake: Fake):
    with consolidated(), connection.cursor() as cursor:
        connection.connection.close()
        with pytest.raises((InterfaceError, OperationalError)):
            cursor.execute(SQL, PARAMS)
    connection.close()


def test_read_only_transaction(fake: Fake):
    fake.gives(GOOD, may_raise=True)

    with transaction.atomic(), consolidated(strategy=LATERAL):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        assert (run(), setting("transaction_read_only")) == (REWRITTEN, "on")


# One query, for Django.


@pytest.mark.parametrize("strategy", [None, LATERAL])
def test_statement_stays_one_query(fake: Fake, strategy: Strategy | None, django_assert_num_queries: Any):
    fake.gives(GOOD, may_raise=True)

    with transaction.atomic(), consolidated(strategy=strategy), django_assert_num_queries(1):
        run()


def test_queries_show_what_was_sent(fake: Fake):
    """With the server's binding Django writes down what it was given, before any wrapper."""
    with consolidated(strategy=LATERAL), CaptureQueriesContext(connection) as captured:
        run()

    (query,) = captured.captured_queries
    assert query["sql"] == (
        "SELECT 'original', (SELECT 1::int), (SELECT 2::int)" if SERVER_SIDE else "SELECT 'rewritten', 2::int, 1::int"
    )


# EXPLAIN and server-side cursors.


@pytest.mark.parametrize(
    "prefix",
    [
        "EXPLAIN ",
        "EXPLAIN (FORMAT JSON) ",
        "EXPLAIN (FORMAT TEXT, ANALYZE true)",
        "EXPLAIN ANALYZE ",
        "EXPLAIN ANALYZE VERBOSE ",
    ],
)
def test_explain_is_of_what_would_run(fake: Fake, prefix: str):
    sent = Mock(side_effect=lambda execute, *args: execute(*args))

    with consolidated(strategy=LATERAL), connection.execute_wrapper(sent):
        run(prefix + SQL)
        assert run() == REWRITTEN

    assert sent.call_args_list[0].args[1:3] == (prefix + "SELECT 'rewritten', %s::int, %s::int", (2, 1))
    assert len(fake.asked) == 1


def chunked(sql: str = SQL) -> Any:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, PARAMS)
        return cursor.fetchone()


@modes
def test_server_side_cursor_takes_what_was_decided(fake: Fake, mode: Callable[[], Any]):
    with mode(), consolidated():
        assert chunked() == ORIGINAL
        assert fake.asked == []
        instrument.decisions.keep(("default", None, SQL, (0, 1)), decision(may_raise=False), 60)
        assert chunked() == REWRITTEN
        instrument.decisions.keep(("default", None, SQL, (0, 1)), decision(may_raise=True), 60)
        assert chunked() == ORIGINAL

    assert tally().refused == {"it is read by a server-side cursor": 2}


@modes
def test_server_side_cursor_with_a_strategy(fake: Fake, mode: Callable[[], Any]):
    with mode(), consolidated(strategy=LATERAL):
        assert chunked() == REWRITTEN


def test_server_side_cursor_whose_rewriting_fails(fake: Fake):
    fake.gives(FAILING)

    with consolidated(strategy=LATERAL):
        assert (chunked(), chunked()) == (ORIGINAL, ORIGINAL)


def decision(*, may_raise: bool) -> Decision:
    with consolidated(strategy=LATERAL):
        run()
    found = instrument.decisions.get(("default", LATERAL, SQL, (0, 1)))
    assert found is not None
    return Decision(found.sent, "", may_raise, LATERAL)


# Threads.


def test_threads_do_not_wait_for_one_that_decides(fake: Fake):
    """They send the original meanwhile, and nobody measures twice."""
    deciding, others_done = threading.Event(), threading.Event()
    found: list[Any] = []

    def wait() -> None:
        deciding.set()
        assert others_done.wait(60)

    def send() -> None:
        with consolidated(strategy=LATERAL):
            found.append(run())
        connection.close()

    fake.before = wait
    first, *others = (threading.Thread(target=send) for _ in range(5))
    first.start()
    assert deciding.wait(60)
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert found == [ORIGINAL] * 4
    others_done.set()
    first.join()

    assert found == [ORIGINAL] * 4 + [REWRITTEN]
    assert len(fake.asked) == 1
    assert tally().refused == {"another thread is deciding": 4}


def test_threads_share_decisions(fake: Fake):
    found: list[Any] = []

    def send() -> None:
        with consolidated(strategy=LATERAL):
            found.extend(run() for _ in range(20))
        connection.close()

    with consolidated(strategy=LATERAL):
        run()
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [REWRITTEN] * 80
    assert (len(fake.asked), tally().rewritten) == (1, 81)


# Real rewritings.


@pytest.mark.parametrize("strategy", [None, *Strategy])
@modes
def test_queryset_gives_the_same_rows(forget: None, mode: Callable[[], Any], strategy: Strategy | None):
    with mode():
        regions = [Region.objects.create(name=str(number)) for number in range(4)]
        Store.objects.bulk_create(Store(name="ab"[n % 2], region=regions[n % 3]) for n in range(20))
        rows = Region.objects.annotate(a=stores("a"), b=stores("b")).order_by("id")
        expected = list(rows)
        seen = [(row.a, row.b) for row in expected]

        with consolidated(strategy=strategy), CaptureQueriesContext(connection) as captured:
            for _ in range(2):
                found = list(rows.all())
                assert (found, [(row.a, row.b) for row in found]) == (expected, seen)
            assert rows.filter(a__gt=1).count() == 3
            assert list(rows.values_list("a", "b").iterator(2)) == seen

    assert len(captured) == 4
    assert seen == [(4, 3), (3, 4), (3, 3), (0, 0)]
    assert tally().failed == 0
    if strategy not in (None, Strategy.ORIGINAL):
        assert tally().rewritten >= 3


def stores(name: str) -> Any:
    found = Store.objects.filter(region=OuterRef("pk"), name=name).order_by().values("region")
    return Coalesce(Subquery(found.annotate(number=Count("*")).values("number")), 0)
