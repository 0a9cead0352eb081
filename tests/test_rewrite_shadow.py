"""Shadow mode: every statement is sent as it was, and what would have been sent is compared with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, OuterRef, Subquery

from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.counts import tally
from reports.rewrite.sending.installation import consolidated
from reports.rewrite.sending.shadow import is_due
from tests.models import Region, Store
from tests.rewriting import FAILING, GOOD, ORIGINAL, PARAMS, SQL, Fake, run
from tests.sessions import modes, setting

pytestmark = pytest.mark.django_db(transaction=True)

SAME = "SELECT 'original', $1::int, $2::int"
SHADOW = "reports.rewrite.shadow"


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == SHADOW]


@pytest.mark.parametrize(
    ("share", "due"),
    [
        (1, list(range(1, 21))),
        (0.5, [1, *range(2, 21, 2)]),
        (0.1, [1, 10, 20]),
        (0.3, [1, 4, 7, 10, 14, 17, 20]),
        (0.01, [1]),
    ],
)
def test_share(share: float, due: list[int]):
    assert [number for number in range(1, 21) if is_due(number, share)] == due


@modes
def test_difference_is_logged_without_values(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    fake.gives(GOOD, Strategy.GROUPED)

    with mode(), consolidated(shadow=1):
        Region.objects.create(name="kept")
        assert run(params=[31415926, 2]) == ("original", 31415926, 2)
        assert (Region.objects.count(), setting("transaction_read_only")) == (1, "off")

    assert messages(caplog) == [f"grouped differs on default: 1 of 1 rows differ (1 before, 1 after): {SQL}"]
    assert [record.levelno for record in caplog.records if record.name == SHADOW] == [logging.ERROR]
    assert (tally().compared, tally().differing, tally().rewritten) == (1, 1, 0)


@modes
def test_equal_rows_say_nothing(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    fake.gives(SAME)

    with mode(), consolidated(shadow=1):
        assert [run(), run()] == [ORIGINAL, ORIGINAL]

    assert messages(caplog) == []
    assert (tally().compared, tally().differing, len(fake.asked)) == (2, 0, 1)
    assert tally().refused == {"shadow mode sends every statement as it was": 2}


def test_every_candidate_is_compared(fake: Fake, caplog: pytest.LogCaptureFixture):
    fake.fields = {"candidates": {Strategy.GROUPED: GOOD, Strategy.MATERIALIZED: SAME, Strategy.LATERAL: GOOD}}

    with consolidated(shadow=1):
        run()

    assert [message.split()[0] for message in messages(caplog)] == ["grouped", "lateral"]
    assert tally().compared == 3


def test_share_of_each_shape(fake: Fake):
    fake.gives(SAME)

    with consolidated(shadow=0.25):
        for _ in range(8):
            run()
        for _ in range(3):
            run(params=[7, 7])

    assert tally().compared == 4


@modes
def test_failing_candidate_is_logged(fake: Fake, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    fake.fields = {"candidates": {Strategy.GROUPED: FAILING, Strategy.LATERAL: GOOD}}

    with mode(), consolidated(shadow=1):
        Region.objects.create(name="kept")
        assert (run(), Region.objects.count()) == (ORIGINAL, 1)

    failed, differs = messages(caplog)
    assert failed.startswith("a rewriting (grouped) fails with 22012: SELECT 'rewritten', %s::int, %s::int / (")
    assert differs.startswith("lateral differs on default: ")


def test_slow_candidate_is_stopped(fake: Fake, settings: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, SHADOW)
    settings.REPORTS = {"REWRITE_MEASURE": 0.3}
    fake.gives(f"{SAME} FROM pg_sleep(60)")

    with consolidated(shadow=1):
        assert run() == ORIGINAL

    assert messages(caplog) == [
        "not compared, it took too long (lateral): SELECT 'original', %s::int, %s::int FROM pg_sleep(60)"
    ]


ORDERED = "SELECT n, (SELECT %s::int), (SELECT %s::int) FROM generate_series(1, 3) AS n ORDER BY n"


@pytest.mark.parametrize(
    ("sql", "candidate", "is_limited", "expected"),
    [
        (
            ORDERED,
            "SELECT n, $1::int, $2::int FROM generate_series(1, 3) AS n ORDER BY n DESC",
            False,
            "lateral differs on default: the same 3 rows in another order, 2 of them at another place; rows equal under"
            f" its ORDER BY may take one another's place: {ORDERED}",
        ),
        (
            ORDERED.removesuffix(" ORDER BY n"),
            "SELECT n, $1::int, $2::int FROM generate_series(1, 3) AS n ORDER BY n DESC",
            False,
            None,
        ),
        (
            "SELECT n, (SELECT %s::int), (SELECT %s::int) FROM (SELECT * FROM generate_series(1, 3) AS n ORDER BY n) x",
            "SELECT n, $1::int, $2::int FROM generate_series(1, 3) AS n ORDER BY n DESC",
            False,
            None,
        ),
        (
            f"{ORDERED} LIMIT 2",
            "SELECT n, $1::int, $2::int FROM generate_series(2, 3) AS n ORDER BY n",
            True,
            "lateral differs on default: 1 of 2 rows differ (2 before, 2 after); the statement ends after some rows,"
            f" and rows equal under its ORDER BY may take one another's place: {ORDERED} LIMIT 2",
        ),
        (
            "SELECT random(), (SELECT %s::int), (SELECT %s::int)",
            "SELECT random(), $1::int, $2::int",
            False,
            None,
        ),
    ],
)
def test_order_and_chance(
    fake: Fake, caplog: pytest.LogCaptureFixture, sql: str, candidate: str, is_limited: bool, expected: str | None
):
    fake.gives(candidate, is_limited=is_limited)

    with consolidated(shadow=1):
        run(sql)

    assert messages(caplog) == ([expected] if expected else [])
    assert tally().compared == 1


def test_statement_whose_rows_come_in_any_order(fake: Fake, caplog: pytest.LogCaptureFixture):
    """The original's own rows change places, and still a lost row is told."""
    sql = (
        "SELECT n, (SELECT %s::int), (SELECT %s::int) FROM (SELECT * FROM generate_series(1, 99) n ORDER BY random()) x"
    )
    fake.gives("SELECT n, $1::int, $2::int FROM generate_series(1, 98) AS n")

    with consolidated(shadow=1):
        run(sql)

    assert messages(caplog) == [f"lateral differs on default: 1 of 99 rows differ (99 before, 98 after): {sql}"]


def test_comparing_that_breaks_is_not_noticed(
    fake: Fake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr("reports.rewrite.sending.shadow.compare", broken)

    with consolidated(shadow=1):
        assert run() == ORIGINAL

    assert "not rewritten, RuntimeError at " in caplog.text
    assert "secret" not in caplog.text


def test_plans_are_not_compared(fake: Fake):
    with consolidated(shadow=1), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {SQL}", PARAMS)
        assert "Result" in cursor.fetchone()[0]

    assert tally().compared == 0


def test_shadow_stays_one_query(fake: Fake, django_assert_num_queries: Any):
    with consolidated(shadow=1), django_assert_num_queries(1):
        run()


@modes
def test_real_rewritings_are_equal(forget: None, mode: Callable[[], Any], caplog: pytest.LogCaptureFixture):
    with mode():
        regions = [Region.objects.create(name=str(number)) for number in range(4)]
        Store.objects.bulk_create(Store(name="ab"[n % 2], region=regions[n % 3]) for n in range(20))
        found = Store.objects.filter(region=OuterRef("pk")).order_by().values("region")
        rows = Region.objects.annotate(
            all_stores=Subquery(found.annotate(number=Count("*")).values("number")),
            named_a=Subquery(found.filter(name="a").annotate(number=Count("*")).values("number")),
        ).order_by("-id")

        with consolidated(shadow=1):
            assert list(rows.values_list("all_stores", "named_a")) == [(None, None), (6, 3), (7, 3), (7, 4)]

    assert (tally().compared, tally().differing, messages(caplog)) == (3, 0, [])
