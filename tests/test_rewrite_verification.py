"""What comparing a statement with its rewritten form tells, and on what data."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import DataError, ProgrammingError, connection, transaction
from django.db.models import Count, F, Sum, Value
from django.db.models.functions import Coalesce, Lower

from reports.rewrite.compiled import compile_queryset
from reports.rewrite.proof import verifying
from reports.rewrite.proof.verification import Verification
from reports.rewrite.proof.verifying import Order, verify
from reports.rewrite.querysets.consolidated import consolidate
from reports.rewrite.rewriting import Reason, Refusal, Strategy
from reports.rewrite.sending import instrument
from reports.rewrite.sending.decisions import Decision, Decisions
from tests.models import Buyer, Figure, Sale, Store
from tests.subqueries import of_sales

FORCED = [Strategy.GROUPED, Strategy.MATERIALIZED, Strategy.LATERAL]
MOMENT = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)


def board() -> Any:
    return Buyer.objects.annotate(
        open=of_sales(Count("*"), kind="open"),
        closed=Coalesce(of_sales(Count("*"), kind="closed"), 0),
        amount=of_sales(Sum("amount")),
    )


def fill() -> None:
    Buyer.objects.bulk_create(Buyer(pk=pk, name=f"n{pk % 3}") for pk in range(1, 21))
    Sale.objects.bulk_create(
        Sale(pk=pk, buyer_id=pk % 17 + 1, kind=("open", "closed", None)[pk % 3], amount=pk, quantity=pk % 5)
        for pk in range(1, 101)
    )


@pytest.fixture
def sold(db: None) -> None:
    fill()


@pytest.fixture
def committed(transactional_db: None) -> None:
    """Rows that other sessions see."""
    fill()


@pytest.fixture
def other(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A second session."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as session:
        session.autocommit = True
        yield session


def compared(before: str, after: str, **order: Any) -> Verification:
    return verify(connection, (before, ()), (after, ()), strategy=Strategy.GROUPED, order=Order(**order))


# Querysets.


@pytest.mark.usefixtures("sold")
@pytest.mark.parametrize("strategy", FORCED)
def test_verify_of_each_strategy(strategy: Strategy):
    found = consolidate(board().order_by("pk"), strategy=strategy).verify()

    assert found
    assert found.is_equal
    assert found.is_sent
    assert (found.strategy, found.rows, found.ordered, found.differences) == (strategy, 20, True, ())
    assert found.scans_before == {"tests_buyer": 1, "tests_sale": 60}
    assert found.scans_after["tests_buyer"] == 1
    # PostgreSQL may inline the grouped one, and go to the table once for each outer row.
    assert found.scans_after["tests_sale"] in {Strategy.MATERIALIZED: {1}, Strategy.LATERAL: {20}}.get(
        strategy, {1, 20}
    )
    assert found.milliseconds_before is not None
    assert found.milliseconds_after is not None
    assert found.cost_before is not None
    assert found.cost_after is not None
    assert found.refusals == ()


@pytest.mark.usefixtures("sold")
def test_verify_of_a_page():
    found = consolidate(board().order_by("name", "pk")[5:10], strategy=Strategy.PAGED).verify()

    assert (found.is_equal, found.strategy, found.rows) == (True, Strategy.PAGED, 5)
    assert found.scans_after == {"tests_buyer": 1, "tests_sale": 5}


@pytest.mark.usefixtures("sold")
@pytest.mark.parametrize("chosen", FORCED)
def test_verify_compares_what_would_be_sent(chosen: Strategy, monkeypatch: pytest.MonkeyPatch):
    """What was decided for the statement, and no other choice, which another timing could have made."""
    monkeypatch.setattr(instrument, "decisions", Decisions())
    monkeypatch.setattr(instrument, "choose", lambda ways, questions, strategy: ways.decision(chosen))
    rows = consolidate(board())
    list(rows)
    monkeypatch.setattr(instrument, "choose", lambda *_: pytest.fail("it is decided already"))

    found = rows.verify()

    assert (found.is_equal, found.strategy, found.is_sent) == (True, chosen, True)


@pytest.mark.usefixtures("sold")
def test_verify_of_what_is_not_sent_compares_the_best(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instrument, "decisions", Decisions())
    monkeypatch.setattr(instrument, "choose", lambda *_: Decision(reason="the original is faster"))

    found = consolidate(board()).verify()

    assert found.is_equal
    assert found.strategy in FORCED
    assert not found.is_sent
    assert str(found).endswith("\nIt is sent as it was: the original is faster.")


@pytest.mark.usefixtures("sold")
def test_verify_of_the_original_compares_the_best_candidate():
    found = consolidate(board(), strategy=Strategy.ORIGINAL).verify()

    assert found.is_equal
    assert found.strategy in FORCED
    assert not found.is_sent


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (Buyer.objects.all(), "nothing in it can share a scan."),
        (Buyer.objects.none(), "Django knows that there are no rows, and sends nothing."),
    ],
)
def test_verify_where_nothing_is_rewritten(rows: Any, told: str):
    found = consolidate(rows).verify()

    assert found.is_equal
    assert found.strategy == Strategy.ORIGINAL
    assert str(found) == f"Nothing to compare, the statement is sent as it was: {told}"


@pytest.mark.django_db
def test_verify_tells_what_is_refused():
    rows = consolidate(board().select_for_update())

    with transaction.atomic():
        found = rows.verify()

    assert found.strategy == Strategy.ORIGINAL
    assert str(Reason.LOCKS) in str(found)


@pytest.mark.usefixtures("sold")
def test_verify_leaves_no_trace():
    rows = consolidate(board())
    wrappers = [*connection.execute_wrappers]

    verification = rows.verify()

    assert verification.is_equal
    assert rows._result_cache is None
    assert connection.execute_wrappers == wrappers
    assert Buyer.objects.count() == 20


@pytest.mark.usefixtures("sold")
def test_verify_is_not_itself_rewritten():
    """Within the wrapper, the original is the original."""
    seen: list[str] = []

    def wrapper(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute("SELECT 1", None, *rest[1:])

    with connection.execute_wrapper(wrapper):
        assert consolidate(board(), strategy=Strategy.GROUPED).verify().is_equal

    assert seen == []


# The data of one moment.


@pytest.mark.usefixtures("committed")
def test_outside_a_transaction_it_is_one_snapshot(
    other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
):
    """A row that another session commits between the two is not seen."""
    run = verifying._run

    def running(*args: Any) -> Any:
        found = run(*args)
        other.execute("INSERT INTO tests_sale (id, buyer_id, kind) SELECT max(id) + 1, 1, 'open' FROM tests_sale")
        return found

    monkeypatch.setattr(verifying, "_run", running)
    rows = consolidate(board(), strategy=Strategy.GROUPED)

    found = rows.verify()
    with transaction.atomic():
        torn = rows.verify()

    assert (found.is_equal, found.is_snapshot) == (True, True)
    assert (torn.is_equal, torn.is_snapshot) == (False, False)
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert "in your transaction, which is no snapshot: what others committed between the two" in str(torn)


@pytest.mark.usefixtures("committed")
def test_in_a_repeatable_transaction_it_is_one_snapshot():
    with transaction.atomic():
        connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        found = consolidate(board(), strategy=Strategy.GROUPED).verify()

    assert found.is_equal
    assert found.is_snapshot


@pytest.mark.usefixtures("committed")
def test_it_is_read_only():
    with pytest.raises(Exception, match="read-only") as raised:
        compared("SELECT nextval('tests_sale_id_seq')", "SELECT 1")

    assert isinstance(raised.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.django_db
def test_time_of_the_snapshot():
    begun = datetime.datetime.now(tz=datetime.UTC)

    found = compared("SELECT 1", "SELECT 1")

    assert found.taken_at is not None
    assert abs(found.taken_at - begun) < datetime.timedelta(minutes=5)


# What PostgreSQL refuses.


@pytest.mark.parametrize("fixture", ["db", "transactional_db"])
def test_rewritten_statement_that_fails_is_a_difference(fixture: str, request: pytest.FixtureRequest):
    """The transaction goes on, and nothing that a value may be in is told."""
    request.getfixturevalue(fixture)

    found = compared("SELECT 1 WHERE 'secret' = 'secret'", "SELECT 'secret'::int")

    assert not found
    assert found.differences == ("PostgreSQL refused the rewritten statement: InvalidTextRepresentation, 22P02",)
    assert Buyer.objects.count() == 0


@pytest.mark.parametrize("fixture", ["db", "transactional_db"])
@pytest.mark.parametrize(("sql", "error"), [("SELECT 1/0", DataError), ("SELECT nothing", ProgrammingError)])
def test_original_that_fails_raises(fixture: str, sql: str, error: type[Exception], request: pytest.FixtureRequest):
    request.getfixturevalue(fixture)

    with pytest.raises(error):
        compared(sql, "SELECT 1")

    assert Buyer.objects.count() == 0


# Order and ties.

FIRST = "SELECT a, b FROM (VALUES (1, 'x'), (1, 'y'), (2, 'z')) t (a, b)"
TIED = "SELECT a, b FROM (VALUES (1, 'y'), (1, 'x'), (2, 'z')) t (a, b)"
OTHER = "SELECT a, b FROM (VALUES (2, 'z'), (1, 'x'), (1, 'y')) t (a, b)"
LAST = "SELECT a, b FROM (VALUES (1, 'x'), (1, 'y'), (2, 'w')) t (a, b)"
SHIFTED = "SELECT a, b FROM (VALUES (1, 'x'), (1, 'y'), (1, 'z')) t (a, b)"
WRONG = "SELECT a, b FROM (VALUES (1, 'x'), (1, 'x'), (2, 'z')) t (a, b)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("after", "order", "is_equal", "hint"),
    [
        (OTHER, {}, True, ""),
        (TIED, {"is_ordered": True, "keys": (0,)}, True, ""),
        (TIED, {"is_ordered": True}, False, "Has the ordering ties?"),
        (OTHER, {"is_ordered": True, "keys": (0,)}, False, "the same 3 rows in another order"),
        (LAST, {"is_ordered": True, "keys": (0,)}, False, "1 of 3 rows differ"),
        (LAST, {"is_ordered": True, "keys": (0,), "is_cut": True}, False, "are tied at the slice's end"),
        (SHIFTED, {"is_ordered": True, "keys": (0,), "is_cut": True}, False, "1 of 3 rows differ"),
        (WRONG, {"is_cut": True}, False, "a slice without an ordering"),
        (f"{FIRST} WHERE a = 1", {"is_ordered": True, "keys": (0,), "is_cut": True}, False, "(3 before, 2 after)"),
    ],
)
def test_order(after: str, order: dict[str, Any], is_equal: bool, hint: str):
    found = compared(FIRST, after, **order)

    assert found.is_equal == is_equal
    assert hint in str(found)
    assert ("tied at the slice's end" in str(found)) == ("tied" in hint)


@pytest.mark.django_db
def test_a_difference_in_the_middle_is_no_tie():
    three = "SELECT a, b FROM (VALUES (1, 'x'), (2, {}), (3, 'z')) t (a, b)"

    found = compared(three.format("'a'"), three.format("'b'"), is_ordered=True, keys=(0,), is_cut=True)

    assert "1 of 3 rows differ (3 before, 3 after)\n- (2, 'a')\n+ (2, 'b')\n" in str(found)
    assert "tied" not in str(found)


COUNT = of_sales(Count("*"))
ORDERS: list[tuple[Any, Order]] = [
    (Buyer.objects.all(), Order()),
    (Buyer.objects.order_by("name"), Order(True, (1,))),
    (Buyer.objects.order_by("name")[:3], Order(True, (1,), True)),
    (Buyer.objects.all()[1:], Order(is_cut=True)),
    (Buyer.objects.order_by("-name", "pk"), Order(True, (1, 0))),
    (Buyer.objects.annotate(n=COUNT).order_by("n"), Order(True, (4,))),
    (Buyer.objects.annotate(n=COUNT).values("n").order_by(F("n").desc(nulls_last=True)), Order(True, (0,))),
    (Buyer.objects.annotate(n=COUNT).values("n").order_by("-n", "name"), Order(True)),
    (Buyer.objects.alias(n=COUNT).order_by("n"), Order(True)),
    (Buyer.objects.order_by(Lower("name")), Order(True)),
    (Buyer.objects.annotate(low=Lower("name")).order_by("low", "pk"), Order(True, (4, 0))),
    (Buyer.objects.values("name").annotate(n=Count("*")).order_by("-n"), Order(True, (1,))),
    (Buyer.objects.values("name").union(Buyer.objects.values("region")).order_by("name"), Order(True, (0,))),
    (Buyer.objects.annotate(v=Value(1)).order_by("v", "pk"), Order(True, (4, 0))),
    (Buyer.objects.order_by("?"), Order(True)),
    (Buyer.objects.extra(select={"one": "1"}, order_by=["one"]), Order(True, (0,))),
    (Figure.objects.all(), Order(True, (0,))),
    (Store.objects.select_related("region").order_by("region__name"), Order(True, (4,))),
    (Sale.objects.order_by("buyer__name"), Order(True)),
]


@pytest.mark.parametrize(("rows", "order"), ORDERS, ids=lambda value: str(getattr(value, "query", ""))[-40:])
def test_places_of_the_ordering(rows: Any, order: Order):
    compiled = compile_queryset(rows)

    assert compiled is not None
    assert compiled.order == order


def test_compiling_changes_nothing():
    """Django joins what a queryset is ordered by when it compiles."""
    rows = Sale.objects.filter(kind="open").order_by("buyer__name")
    before = dict(rows.query.alias_refcount)

    compiled = compile_queryset(rows)

    assert compiled is not None
    assert compiled == compile_queryset(rows)
    assert compiled.text == compiled.sql.replace("%s", "$1")
    assert rows.query.alias_refcount == before


def test_nothing_to_compile():
    assert compile_queryset(Buyer.objects.none()) is None
    assert compile_queryset(Buyer.objects.filter(pk__in=[])) is None


# Scans.


@pytest.mark.django_db
def test_scans_of_a_partitioned_table():
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE parted (a int) PARTITION BY LIST (a);"
            "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);"
            "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2)"
        )

    found = compared("SELECT a FROM parted UNION ALL SELECT a FROM parted WHERE false", "SELECT a FROM parted")

    assert found.scans_before == found.scans_after == {"parted": 1}


@pytest.mark.django_db
def test_statements_without_tables():
    found = compared("SELECT 1", "SELECT 1")

    assert (found.scans_before, found.scans_after) == ({}, {})
    assert "Scans" not in str(found)


# Text.


def test_text_of_an_equal_one():
    found = Verification(
        Strategy.GROUPED, True, 1234, True, (), {"b": 1, "a": 6000}, {"b": 1, "a": 1}, 821.04, 135.2, 1000, 30.5, MOMENT
    )

    assert str(found) == (
        "grouped: equal, 1,234 rows in the same order. This proves it for the data of this moment, for no other.\n"
        "Scans: a 6,000 → 1, b 1 → 1.\n"
        "Time: 821.0 ms → 135.2 ms; cost 1,000.00 → 30.50.\n"
        "One snapshot, of 2026-03-04 05:06:07+00:00."
    )


def test_text_of_a_difference():
    found = Verification(Strategy.LATERAL, False, 1, differences=("1 of 1 rows differ",), taken_at=MOMENT)

    assert str(found) == "lateral: not equal.\n1 of 1 rows differ\nOne snapshot, of 2026-03-04 05:06:07+00:00."
    assert not found


def test_text_of_one_that_is_not_sent():
    refusals = (Refusal(Reason.LOCKS, "SELECT 'secret'"), Refusal(Reason.LOCKS, "SELECT 2"), Refusal(Reason.WINDOW, ""))

    assert str(Verification(Strategy.ORIGINAL, True, refusals=refusals)) == (
        "Nothing to compare, the statement is sent as it was: it locks rows; the subquery has a window function."
    )
    multiplied = (Refusal(Reason.DIFFERENT_RESULT, "", "COUNT(a.id)"),)
    told = str(Verification(Strategy.ORIGINAL, True, reason=str(Reason.DIFFERENT_RESULT), refusals=multiplied))
    assert told == f"Nothing to compare, the statement is sent as it was: {multiplied[0]}."  # once
    assert str(Verification(Strategy.ORIGINAL, True)) == (
        "Nothing to compare, the statement is sent as it was: no two of its subqueries can share a scan."
    )


def test_repr_holds_no_rows():
    assert "secret" not in repr(Verification(Strategy.GROUPED, False, differences=("- ('secret',)",)))
