"""Which of the ways to write a statement is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from reports.rewrite.rewriting import KeyPair, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.sending import choosing
from reports.rewrite.sending.choosing import Ways, choose, ways_of
from reports.rewrite.sending.decisions import Decision, Kept
from reports.rewrite.sending.measuring import Questions
from reports.rewrite.sql.numbered import Sendable
from tests.models import Region
from tests.sessions import modes, setting

ORIGINAL, GROUPED, MATERIALIZED, LATERAL, PAGED = Strategy


class Answers:
    """What PostgreSQL would answer. A time of None is too long, an exception is raised."""

    def __init__(self, costs: Mapping[Strategy, Any], times: Mapping[Strategy, Any], seconds: float = 5.0) -> None:
        self.costs, self.times, self.seconds = costs, times, seconds
        self.timed: list[tuple[Strategy, float]] = []

    def cost(self, statement: Sendable) -> float:
        return float(self._answer(self.costs[Strategy(statement.sql)]))

    def milliseconds(self, statement: Sendable, seconds: float) -> Any:
        way = Strategy(statement.sql)
        taken = self.times[way]
        self.timed.append((way, round(seconds, 3)))
        if isinstance(taken, list):
            taken = taken.pop(0) if len(taken) > 1 else taken[0]
        self.seconds -= seconds if taken is None else min(taken / 1000, seconds) if isinstance(taken, float) else 0
        return self._answer(taken)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


def ways(*others: Strategy, is_limited: bool = False) -> Ways:
    return Ways({way: Sendable(way.value, ()) for way in (ORIGINAL, *others)}, is_limited=is_limited)


def chosen(found: Ways, answers: Any, strategy: Strategy | None = None) -> tuple[Strategy, str]:
    decision = choose(found, answers, strategy)
    assert (decision.sent is None) == (decision.strategy is ORIGINAL)
    return decision.strategy, str(decision.reason)


def test_least_cost_by_far_is_not_timed():
    answers = Answers({ORIGINAL: 1000, GROUPED: 99, LATERAL: 2000}, {})

    assert chosen(ways(GROUPED, LATERAL), answers) == (GROUPED, "")


def test_original_of_least_cost_by_far():
    answers = Answers({ORIGINAL: 10, GROUPED: 101}, {})

    assert chosen(ways(GROUPED), answers) == (ORIGINAL, "the original is as fast, or nearly")


@pytest.mark.parametrize(("taken", "expected"), [(89.0, GROUPED), (91.0, ORIGINAL), (300.0, ORIGINAL)])
def test_near_costs_are_timed(taken: float, expected: Strategy):
    answers = Answers({ORIGINAL: 100, GROUPED: 1000}, {ORIGINAL: 1000.0, GROUPED: 10 * taken})

    assert chosen(ways(GROUPED), answers)[0] is expected
    assert [way for way, _ in answers.timed] == [GROUPED, ORIGINAL, GROUPED]


def test_limited_statement_is_timed_against_the_original():
    """By cost alone it would be the grouped one."""
    answers = Answers({ORIGINAL: 1e6, GROUPED: 10, LATERAL: 1e6}, {ORIGINAL: 150.0, GROUPED: 350.0})

    assert chosen(ways(GROUPED, LATERAL, is_limited=True), answers)[0] is ORIGINAL
    assert [way for way, _ in answers.timed] == [GROUPED, ORIGINAL, GROUPED]


def test_cold_cache_does_not_decide():
    """The first one reads from the disk what the next finds in memory."""
    answers = Answers({ORIGINAL: 100, GROUPED: 90}, {ORIGINAL: 100.0, GROUPED: [400.0, 40.0]})

    assert chosen(ways(GROUPED), answers)[0] is GROUPED


def test_short_statements_are_timed_three_times():
    """The first time is noise: the best of each counts."""
    answers = Answers({ORIGINAL: 100, GROUPED: 90}, {ORIGINAL: [20.0, 9.0, 8.0], GROUPED: [30.0, 30.0, 5.0]})

    assert chosen(ways(GROUPED), answers)[0] is GROUPED
    assert [way for way, _ in answers.timed] == [GROUPED, ORIGINAL, GROUPED] + [GROUPED, ORIGINAL] * 2


def test_of_those_that_take_about_the_same_the_cheapest():
    costs = {ORIGINAL: 900, GROUPED: 200, MATERIALIZED: 300, LATERAL: 100}
    answers = Answers(costs, {ORIGINAL: 900.0, GROUPED: 108.0, MATERIALIZED: 100.0, LATERAL: 120.0})

    assert chosen(ways(GROUPED, MATERIALIZED, LATERAL), answers)[0] is GROUPED


def test_fastest_of_several():
    costs = {ORIGINAL: 100, GROUPED: 90, MATERIALIZED: 80, LATERAL: 95}
    answers = Answers(costs, {ORIGINAL: 100.0, GROUPED: 60.0, MATERIALIZED: 50.0, LATERAL: 70.0})

    assert chosen(ways(GROUPED, MATERIALIZED, LATERAL), answers)[0] is MATERIALIZED
    assert [way for way, _ in answers.timed] == [MATERIALIZED, GROUPED, LATERAL, ORIGINAL, MATERIALIZED]


def test_bad_one_is_stopped_soon():
    """At three times the best, and never before 50 ms; the first ones have an equal part of the seconds."""
    answers = Answers({ORIGINAL: 100, GROUPED: 50, LATERAL: 60}, {ORIGINAL: None, GROUPED: 40.0, LATERAL: None})

    assert chosen(ways(GROUPED, LATERAL), answers)[0] is GROUPED
    assert answers.timed[:4] == [(GROUPED, 1.25), (LATERAL, 0.12), (ORIGINAL, 0.12), (GROUPED, 0.12)]
    assert answers.timed[4:] == [(GROUPED, 0.12), (GROUPED, 0.12)]  # it alone has a time

    answers = Answers({ORIGINAL: 100, GROUPED: 50}, {ORIGINAL: 1.0, GROUPED: 0.1})
    choose(ways(GROUPED), answers, None)  # type: ignore[arg-type]
    assert answers.timed[1] == (ORIGINAL, 0.05)


@pytest.mark.parametrize(
    ("costs", "is_limited", "expected"),
    [
        ({ORIGINAL: 100, GROUPED: 50}, False, (GROUPED, "")),
        ({ORIGINAL: 100, GROUPED: 150}, False, (ORIGINAL, "the original is as fast, or nearly")),
        (
            {ORIGINAL: 100, GROUPED: 50},
            True,
            (ORIGINAL, "it ends after some rows, and none of its rewritings could be measured in time"),
        ),
    ],
)
def test_nothing_ends_in_time(costs: Any, is_limited: bool, expected: tuple[Strategy, str]):
    answers = Answers(costs, {ORIGINAL: None, GROUPED: None})

    assert chosen(ways(GROUPED, is_limited=is_limited), answers) == expected
    assert answers.seconds == pytest.approx(0)


def test_original_alone_ends_in_time():
    answers = Answers({ORIGINAL: 100, GROUPED: 50}, {ORIGINAL: 900.0, GROUPED: None})

    assert chosen(ways(GROUPED), answers)[0] is ORIGINAL


def test_no_time_left():
    answers = Answers({ORIGINAL: 100, GROUPED: 50}, {}, seconds=0.0)

    assert chosen(ways(GROUPED), answers)[0] is GROUPED
    assert answers.timed == []


def test_rewriting_that_postgresql_refuses(caplog: pytest.LogCaptureFixture):
    answers = Answers({ORIGINAL: 100, GROUPED: psycopg.errors.SyntaxError("secret"), LATERAL: 1}, {})

    assert chosen(ways(GROUPED, LATERAL), answers)[0] is LATERAL
    assert chosen(ways(GROUPED), answers) == (ORIGINAL, "PostgreSQL refuses its rewritings")
    assert caplog.messages == ["PostgreSQL refuses a rewriting (grouped, 42601): grouped"] * 2


@pytest.mark.parametrize(
    "times",
    [
        {GROUPED: psycopg.errors.DivisionByZero("secret"), ORIGINAL: 50.0},
        {GROUPED: psycopg.errors.DivisionByZero("secret"), ORIGINAL: None},
        {GROUPED: [1.0, psycopg.errors.DivisionByZero("secret")], ORIGINAL: 50.0},
    ],
)
def test_rewriting_that_fails_when_timed(caplog: pytest.LogCaptureFixture, times: Any):
    answers = Answers({ORIGINAL: 100, GROUPED: 50}, times)

    assert chosen(ways(GROUPED), answers)[0] is ORIGINAL
    assert caplog.messages == ["a rewriting fails (grouped, 22012): grouped"]


@pytest.mark.parametrize(
    "answers",
    [
        Answers({ORIGINAL: psycopg.errors.UndefinedTable("x"), GROUPED: 1}, {}),
        Answers({ORIGINAL: 1, GROUPED: psycopg.OperationalError("lost")}, {}),
        Answers({ORIGINAL: 1, GROUPED: psycopg.errors.AdminShutdown("ended")}, {}),
        Answers({ORIGINAL: 1, GROUPED: 1}, {GROUPED: 1.0, ORIGINAL: psycopg.errors.DivisionByZero("x")}),
        Answers({ORIGINAL: 1, GROUPED: 1}, {GROUPED: psycopg.OperationalError("lost")}),
    ],
)
def test_original_refused_or_connection_lost(answers: Any):
    with pytest.raises(psycopg.Error):
        choose(ways(GROUPED), answers, None)


@pytest.mark.parametrize(
    ("others", "strategy", "expected"),
    [
        ([GROUPED, MATERIALIZED, LATERAL], GROUPED, GROUPED),
        ([GROUPED, MATERIALIZED, LATERAL], MATERIALIZED, MATERIALIZED),
        ([GROUPED, MATERIALIZED, LATERAL], LATERAL, LATERAL),
        ([GROUPED, MATERIALIZED, LATERAL], ORIGINAL, ORIGINAL),
        ([GROUPED], MATERIALIZED, GROUPED),
        ([LATERAL], MATERIALIZED, LATERAL),
        ([LATERAL], GROUPED, ORIGINAL),
        ([GROUPED], LATERAL, ORIGINAL),
        ([LATERAL, PAGED], PAGED, PAGED),
        ([GROUPED, LATERAL], PAGED, LATERAL),
        ([GROUPED], PAGED, ORIGINAL),
    ],
)
def test_strategy_asked_for_is_not_timed(others: list[Strategy], strategy: Strategy, expected: Strategy):
    answers = Answers(dict.fromkeys(Strategy, 1), {})

    assert chosen(ways(*others), answers, strategy)[0] is expected
    assert answers.timed == []


def test_the_original_asked_for_is_not_planned():
    assert chosen(ways(GROUPED), Answers({}, {}), ORIGINAL) == (ORIGINAL, "the original was asked for")


def test_strategy_asked_for_that_postgresql_refuses():
    answers = Answers({ORIGINAL: 1, GROUPED: psycopg.errors.SyntaxError("x")}, {})

    assert chosen(ways(GROUPED), answers, GROUPED) == (ORIGINAL, "PostgreSQL refuses its rewritings")


def test_original_alone_asks_nothing():
    found = Ways({ORIGINAL: Sendable("x", ())}, Reason.WINDOW)

    assert choose(found, None, None) == Decision(reason=Reason.WINDOW)  # type: ignore[arg-type]


# With PostgreSQL.


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Any]]]:
    """Let ``rewrite`` give what the test says; the list is what it was called with."""

    def fake(**fields: Any) -> list[Any]:
        asked: list[Any] = []

        def rewrite(text: str, *, same: Any = None) -> Rewriting:
            asked.append((text, same))
            return Rewriting(text, **fields)

        monkeypatch.setattr(choosing, "rewrite", rewrite)
        return asked

    return fake  # type: ignore[return-value]


def questions(params: Any = None, seconds: float = 60.0) -> Questions:
    connection.ensure_connection()
    return Questions(connection, connection.connection.cursor(), params, seconds)


def test_statement_is_numbered_and_sent_back(faked: Any):
    asked = faked(candidates={LATERAL: "SELECT $3, '%', $1, $1"}, may_raise=True, is_limited=True)

    found = ways_of("SELECT %s, '%%', %s, %s", ["a", "b", "a"], None)  # type: ignore[arg-type]

    assert asked == [("SELECT $1, '%', $2, $3", (0, 1, 0))]
    assert found.statements == {
        ORIGINAL: Sendable("SELECT %s, '%%', %s, %s", (0, 1, 2)),
        LATERAL: Sendable("SELECT %s, '%%', %s, %s", (2, 0, 0)),
    }
    assert (found.may_raise, found.is_limited) == (True, True)


def test_statement_without_values_has_its_percent_signs(faked: Any):
    asked = faked(candidates={LATERAL: "SELECT '%s' % 2"})

    found = ways_of("SELECT '%s' %% 2", None, None)  # type: ignore[arg-type]

    assert asked == [("SELECT '%s' %% 2", None)]
    assert found.statements[LATERAL] == Sendable("SELECT '%s' % 2", ())


@pytest.mark.parametrize(
    ("sql", "params", "reason"),
    [
        ("SELECT %(name)s", [1], Reason.UNREADABLE),
        ("SELECT %s, %s", [1], Reason.UNREADABLE),
        ("SELECT '", None, Reason.UNREADABLE),
        ("SELECT 1 FOR UPDATE", None, Reason.LOCKS),
        ("SELECT 1 for  no key\n update OF x", [], Reason.LOCKS),
        ("SELECT 1 FOR KEY SHARE", [], Reason.LOCKS),
        ("SELECT 1 FOR SHARE SKIP LOCKED", [], Reason.LOCKS),
    ],
)
def test_statement_that_is_not_rewritten(sql: str, params: Any, reason: str):
    found = ways_of(sql, params, None)  # type: ignore[arg-type]

    assert (list(found.statements), found.reason) == ([ORIGINAL], reason)


def test_refusal_is_the_reason(faked: Any):
    faked(refusals=(Refusal(Reason.WINDOW, "x"), Refusal(Reason.LOCKS, "y")))
    assert ways_of("SELECT 1", None, None).reason is Reason.WINDOW  # type: ignore[arg-type]

    faked()
    assert ways_of("SELECT 1", None, None).reason is Kept.NOTHING  # type: ignore[arg-type]


TABLES = """CREATE TEMPORARY TABLE typed (i int, b bigint, n numeric(5, 2), m numeric, v varchar(10), t text,
 c text COLLATE "C", d name, ci text COLLATE "POSIX", u uuid, "odd %" int) ON COMMIT DROP"""


@pytest.mark.django_db
@pytest.mark.parametrize("params", [None, [], [7]], ids=repr)
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("i", "i", True),
        ("i", '"odd %"', True),
        ("i", "b", False),
        ("n", "m", True),
        ("v", "t", False),
        ("t", "t", True),
        ("t", "c", False),
        ("c", "ci", False),
        ("t", "d", False),
        ("u", "u", True),
    ],
)
def test_types_and_collations_of_keys(one: str, other: str, expected: bool, params: Any):
    """Asked of empty tables, so that no row's value tells."""
    where = " WHERE y.i = $1" if params else ""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)

    pairs = [KeyPair("SELECT u FROM typed", "SELECT u FROM typed")] * 2
    pairs += [KeyPair(f"SELECT x.{one} FROM typed x", f"SELECT y.{other} FROM typed y{where}")]

    assert questions(params).same_types(pairs) is expected


@pytest.mark.django_db
def test_keys_of_different_types_leave_lateral(faked: Any):
    keys = (KeyPair("SELECT id FROM tests_region", "SELECT name FROM tests_region"),)

    faked(candidates={GROUPED: "a", MATERIALIZED: "b", LATERAL: "c"}, keys=keys)
    assert list(ways_of("SELECT 1", None, questions()).statements) == [ORIGINAL, LATERAL]

    faked(candidates={GROUPED: "a", MATERIALIZED: "b"}, keys=keys)
    found = ways_of("SELECT 1", None, questions())
    assert (list(found.statements), found.reason) == ([ORIGINAL], Reason.KEY_TYPES)


@pytest.mark.django_db(transaction=True)
@modes
def test_questions_leave_nothing_behind(mode: Callable[[], Any]):
    """Read only, under a timeout, and both put back; errors break no transaction."""
    timeout = "SELECT current_setting('transaction_read_only'), setting::int, %s FROM pg_settings WHERE name = %s"
    seen = Sendable(timeout, (1, 0))

    with mode():
        if mode is transaction.atomic:
            Region.objects.create(name="kept")
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '54321', %s)", [mode is transaction.atomic])
        asked = questions(["statement_timeout", "x"], 59)
        ((read_only, milliseconds, value),) = asked.rows(seen)
        assert (read_only, value) == ("on", "x")
        assert 0 < milliseconds <= 59_000
        with pytest.raises(psycopg.errors.DivisionByZero):
            asked.rows(Sendable("SELECT 1 / 0", ()))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            asked.rows(Sendable("INSERT INTO tests_region (name) VALUES ('a') RETURNING id", ()))
        with pytest.raises(psycopg.errors.UndefinedColumn):
            asked.cost(Sendable("SELECT nothing", ()))
        assert asked.milliseconds(Sendable("SELECT pg_sleep(60)", ()), 0.01) is None
        assert asked.cost(Sendable("SELECT %s", (0,))) == pytest.approx(0.01)
        assert 0 < (asked.milliseconds(Sendable("SELECT pg_sleep(0.01)", ()), 60) or 0) < 60_000
        assert (setting("transaction_read_only"), setting("statement_timeout")) == ("off", "54321ms")
        assert Region.objects.count() == (1 if mode is transaction.atomic else 0)
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")


@pytest.mark.django_db(transaction=True)
def test_questions_do_not_count_for_django(django_assert_num_queries: Any):
    asked = questions()

    with django_assert_num_queries(0):
        asked.cost(Sendable("SELECT 1", ()))


@pytest.mark.django_db(transaction=True)
def test_slow_original_is_left_early(faked: Any, caplog: pytest.LogCaptureFixture):
    """The seconds for one decision are held, whatever its statements take."""
    caplog.set_level(logging.DEBUG, "reports.rewrite")
    faked(candidates={GROUPED: "SELECT 1 AS one FROM pg_sleep(0.001)"})
    asked = questions(seconds=60)

    decision = choose(ways_of("SELECT 1 AS one FROM pg_sleep(60)", None, asked), asked, None)

    assert decision.strategy is GROUPED
    assert asked.seconds > 40
