"""The same operation on a queryset and on its consolidated form: same answer, same order, same number of queries."""

from __future__ import annotations

import copy
import datetime
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.paginator import Paginator
from django.db import connection, models, transaction
from django.db.backends.signals import connection_created
from django.db.models import Avg, Count, Exists, F, Max, Min, OuterRef, Prefetch, Q, Sum, Value, Window
from django.db.models.functions import Coalesce, NullIf, Rank
from django.test.utils import CaptureQueriesContext

from reports.guard import guard
from reports.rewrite.finding import find
from reports.rewrite.querysets.consolidated import Consolidated, consolidate
from reports.rewrite.querysets.derived import Derived
from reports.rewrite.rewriting import Kind, Strategy
from reports.rewrite.sending import installation
from reports.rewrite.sending.counts import tally
from reports.rewrite.sending.instrument import Rewriter
from tests.models import Buyer, Sale, Visit
from tests.reports import Figures
from tests.subqueries import of_sales

# The choice, a CTE, and a LATERAL where no page can be cut. The chains ask for all of them.
STRATEGIES = [None, Strategy.GROUPED, Strategy.PAGED, Strategy.ORIGINAL]


class NamedQuerySet(models.QuerySet[Any, Any]):
    def named(self, name: str) -> Any:
        return self.filter(name=name)


def board(manager: Any = Buyer.objects) -> Any:
    """Return buyers with five figures of their sales: the commonest dashboard."""
    return manager.annotate(
        open=of_sales(Count("*"), kind="open"),
        closed=Coalesce(of_sales(Count("*"), kind="closed"), 0),
        amount=of_sales(Sum("amount"), quantity__gt=0),
        mean=of_sales(Avg("quantity")),
        ratio=F("open") * 1.0 / NullIf(F("closed"), 0),
    ).order_by("pk")


@pytest.fixture
def buyers(db: None) -> None:
    """Five buyers: one without sales, one of NULL in every column, ties in names, regions and figures."""
    for pk, (name, region, day) in enumerate(
        [("one", "north", 1), ("two", "north", 1), ("two", None, 2), ("four", "south", None), ("five", "south", 9)], 1
    ):
        joined = datetime.date(2026, 1, day) if day else None
        Buyer.objects.create(pk=pk, name=name, region=region, joined=joined)
        Visit.objects.create(buyer_id=pk, step="seen")
    for buyer, kind, amount, quantity in [
        (1, "open", "1.10", 1),
        (1, "open", "2.20", 2),
        (1, "closed", "3.30", 0),
        (2, "closed", None, None),
        (2, "closed", "-1.00", 3),
        (3, "open", "9.99", 1),
        (3, "closed", "0.01", 7),
        (5, None, None, None),
        (None, "open", "5.00", 5),
    ]:
        Sale.objects.create(buyer_id=buyer, kind=kind, amount=amount and Decimal(amount), quantity=quantity)


def plain(value: Any) -> Any:
    """Return a value with every instance as its attributes, prefetched and cached ones too."""
    if isinstance(value, models.Model):
        state = value._state
        caches = getattr(state, "fields_cache", {}), getattr(value, "_prefetched_objects_cache", {})
        pairs = {name: plain(item) for name, item in vars(value).items() if not name.startswith("_")}
        return type(value).__name__, state.db, state.adding, pairs, [plain(dict(cache)) for cache in caches]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value._fields, *map(plain, value)
    if isinstance(value, (models.QuerySet, list, tuple, set, Iterator)):
        return [plain(item) for item in value]
    return value


def outcome(operation: Callable[[Any], Any], rows: Any) -> tuple[Any, list[str], int]:
    """Return what an operation gives, its statements and how many were rewritten; what it wrote is undone."""
    rewritten = tally().rewritten
    with transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            try:
                result = plain(operation(rows))
            except Exception as error:  # noqa: BLE001 - it is compared
                result = type(error).__name__, str(error)
        transaction.set_rollback(True)
    statements = [re.sub(r"_django_curs_\w+|\bs\d+_x\d+", "name", query["sql"]) for query in queries]
    return result, statements, tally().rewritten - rewritten


def in_async(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the operation run in an event loop."""

    async def run(rows: Any) -> Any:
        return await operation(rows)

    return async_to_sync(run)


async def all_of(rows: Any) -> list[Any]:
    return [row async for row in rows]


async def all_by_chunks(rows: Any) -> list[Any]:
    return [row async for row in rows.aiterator(chunk_size=2)]


def written(method: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """Return an operation that writes, and then reads the table."""
    return lambda rows: (getattr(rows, method)(*args, **kwargs), list(Buyer.objects.order_by("pk").values()))


# The name of each operation is its text. Those of the second dict send no statement that is rewritten.

FOLDED: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "len": len,
    "bool": bool,
    "repr": lambda rows: re.sub(r"^<\w*QuerySet", "<", repr(rows.order_by("pk"))),
    "all": lambda rows: rows.all(),
    "values": lambda rows: rows.values(),
    "values of some": lambda rows: rows.values("name", "ratio", "open"),
    "values_list": lambda rows: rows.values_list("amount", "closed", "mean", "open"),
    "values_list flat": lambda rows: (
        rows.values_list("ratio", flat=True).annotate(o=F("open")).values_list("ratio", "o")
    ),
    "values_list named": lambda rows: rows.values_list("name", "open", "closed", named=True),
    "only": lambda rows: rows.only("name"),
    "defer": lambda rows: rows.defer("name", "region"),
    "iterator of counts": lambda rows: list(rows.values_list("open", "closed").iterator(chunk_size=2)),
    "in_bulk": lambda rows: rows.in_bulk([1, 3, 99]),
    "in_bulk of all": lambda rows: rows.in_bulk(),
    "earliest": lambda rows: rows.earliest("joined", "pk"),
    "latest": lambda rows: rows.filter(joined__isnull=False).latest("joined", "pk"),
    "first": lambda rows: rows.order_by("-open", "pk").first(),
    "last": lambda rows: rows.order_by("-open", "pk").last(),
    "get": lambda rows: rows.get(pk=3),
    "get none": lambda rows: rows.get(pk=99),
    "get several": lambda rows: rows.get(name="two"),
    "filter by two": lambda rows: rows.filter(open__gt=0, closed__gt=0),
    "exclude": lambda rows: rows.exclude(open__gt=1),
    "exclude across": lambda rows: rows.exclude(sales__kind="open"),
    "filter across": lambda rows: rows.filter(sales__kind="open").distinct(),
    "order by annotations": lambda rows: rows.order_by("-ratio", F("amount").asc(nulls_first=True), "pk"),
    "reverse": lambda rows: rows.reverse(),
    "distinct": lambda rows: rows.order_by().values("open", "closed").distinct().order_by("open", "closed"),
    "slice": lambda rows: rows.order_by("-closed", "name", "pk")[1:4],
    "slice with a step": lambda rows: rows[0:5:2],
    "item": lambda rows: rows[2],
    "empty slice": lambda rows: rows[100:110],
    "page": lambda rows: list(Paginator(rows, 2).page(2)),
    "annotate more": lambda rows: rows.annotate(more=F("open") + F("closed"), least=of_sales(Min("amount"))),
    "annotate a window": lambda rows: rows.annotate(rank=Window(Rank(), order_by=F("closed").desc())),
    "alias": lambda rows: rows.alias(both=F("open") + F("closed")).filter(both__gt=1),
    "group": lambda rows: (
        rows.values("region").annotate(n=Count("*"), most=Max("closed"), o=Max("open")).order_by("region")
    ),
    "group by an annotation": lambda rows: (
        rows.order_by().values("open", "closed").annotate(n=Count("pk")).order_by("open", "n")
    ),
    "aggregate": lambda rows: rows.aggregate(Sum("open"), Max("ratio"), n=Count("pk", filter=Q(closed__gt=0))),
    "aggregate of a slice": lambda rows: rows[:3].aggregate(Sum("open"), Sum("closed")),
    "count of two": lambda rows: rows.filter(open__gt=0, closed__gte=0).count(),
    "exists": lambda rows: rows.filter(open__gt=0, closed__gt=0).exists(),
    "exists not": lambda rows: rows.filter(open__gt=99, closed__gt=0).exists(),
    "contains": lambda rows: rows.filter(open__gt=0, closed__gt=0).contains(Buyer(pk=1)),
    "or": lambda rows: rows.filter(open=2) | rows.filter(closed=2),
    "or of a plain one": lambda rows: rows.filter(open=2) | board().filter(closed=2),
    "and": lambda rows: rows.filter(open__gt=0) & rows.filter(closed__gt=0),
    "xor": lambda rows: rows.filter(open__gt=0) ^ rows.filter(closed__gt=0),
    "prefetch": lambda rows: rows.prefetch_related("visits"),
    "prefetch of itself": lambda rows: Visit.objects.order_by("pk").prefetch_related(Prefetch("buyer", rows)),
    "extra": lambda rows: rows.extra(select={"twice": "tests_buyer.id * 2"}),  # type: ignore[unused-ignore]
    "as a filter's values": lambda rows: rows.filter(pk__in=rows.filter(open__gt=0, closed__gt=0).values("pk")),
    "async for": in_async(all_of),
    "acount": in_async(lambda rows: rows.filter(open__gt=0, closed__gt=0).acount()),
    "aget": in_async(lambda rows: rows.aget(pk=1)),
    "afirst": in_async(lambda rows: rows.order_by("-open", "pk").afirst()),
    "aaggregate": in_async(lambda rows: rows.aaggregate(Sum("open"), Sum("closed"))),
    "aiterator of counts": in_async(lambda rows: all_by_chunks(rows.values("open", "closed"))),
    "union": lambda rows: rows.filter(pk=1).union(rows.filter(pk=2)).order_by("pk"),
    "copy": copy.deepcopy,
    "pickle": lambda rows: pickle.loads(pickle.dumps(rows)),
    "pickled query": lambda rows: assigned(rows, pickle.loads(pickle.dumps(rows.query))),
    "using": lambda rows: rows.using("default"),
    "delete of each": lambda rows: (rows.filter(open__gt=0, closed__gt=0).delete(), Buyer.objects.count()),
    "get_or_create": lambda rows: rows.get_or_create(name="one"),
    "explain": lambda rows: bool(re.search("SubPlan|CTE|Join|Aggregate", rows.explain())),
    "explain as json": lambda rows: bool(rows.explain(format="json", verbose=True)),
}
UNFOLDED: dict[str, Callable[[Any], Any]] = {
    "none": lambda rows: rows.none(),
    "count of all": lambda rows: rows.count(),  # Django leaves unused annotations out
    "empty list": lambda rows: rows.filter(pk__in=[]),
    "dates": lambda rows: rows.dates("joined", "month"),
    # A sum may overflow, and a server-side cursor would say so only when its rows are fetched.
    "iterator": lambda rows: list(rows.prefetch_related("visits").iterator(chunk_size=2)),
    "aiterator": in_async(all_by_chunks),
    "one annotation": lambda rows: rows.values("open"),
    "within another": lambda rows: Visit.objects.filter(buyer__in=rows.filter(open__gt=0, closed__gt=0)).order_by("pk"),
    "exists within another": lambda rows: Visit.objects.filter(
        Exists(rows.filter(pk=OuterRef("buyer"), open__gt=0, closed__gt=0).order_by())
    ).order_by("pk"),
    "plain one or it": lambda rows: board().filter(open=2) | rows.filter(closed=2),
    "update": written("update", name="x"),
    "filtered update": lambda rows: written("update", region="x")(rows.filter(open__gt=0, closed__gt=0)),
    "update by an annotation": lambda rows: written("update", name=Value("n"))(rows.filter(closed__gt=0)),
    "bulk_create": written("bulk_create", [Buyer(pk=77, name="new")]),
    "create": written("create", pk=78, name="new"),
    "select_for_update": lambda rows: rows.select_for_update(),
    "update_or_create": lambda rows: rows.filter(closed=1).update_or_create({"region": "x"}, name="one"),
    "raw": lambda rows: list(rows.raw("SELECT id, name FROM tests_buyer ORDER BY id")),
    "wrong field": lambda rows: rows.filter(nothing=1),
    "wrong slice": lambda rows: rows[-1],
}


def assigned(rows: Any, query: Any) -> Any:
    found = rows.all()
    found.query = query
    return found


@pytest.mark.usefixtures("buyers")
@pytest.mark.parametrize("strategy", [Strategy.GROUPED, Strategy.PAGED])
@pytest.mark.parametrize("name", [*FOLDED, *UNFOLDED])
def test_operation_gives_the_same(name: str, strategy: Strategy | None):
    operation = {**FOLDED, **UNFOLDED}[name]
    expected, statements, _ = outcome(operation, board())

    found, sent, rewritten = outcome(operation, consolidate(board(), strategy=strategy))

    assert found == expected
    assert len(sent) == len(statements)
    assert rewritten == (name in FOLDED)


@pytest.mark.usefixtures("buyers")
@pytest.mark.parametrize("strategy", [None, Strategy.ORIGINAL])
@pytest.mark.parametrize("name", [*FOLDED][::5])
def test_operation_that_may_be_sent_as_it_was(name: str, strategy: Strategy | None):
    expected, statements, _ = outcome(FOLDED[name], board())

    found, sent, rewritten = outcome(FOLDED[name], consolidate(board(), strategy=strategy))

    assert found == expected
    assert len(sent) == len(statements)
    if strategy == Strategy.ORIGINAL:
        assert (sent, rewritten) == (statements, 0)


# Classes.


class NamedBuyer(Buyer):
    """A model whose manager has methods of its own."""

    objects = NamedQuerySet.as_manager()

    class Meta:
        proxy = True
        app_label = "tests"


@pytest.mark.usefixtures("buyers")
def test_methods_of_the_manager_stay():
    all_rows: Any = consolidate(NamedBuyer.objects.all(), strategy=Strategy.GROUPED)
    rows = all_rows.named("two").order_by("pk")

    assert {NamedQuerySet, Consolidated} < set(type(rows).__mro__)
    assert type(rows).__name__ == "ConsolidatedNamedQuerySet"
    assert rows.strategy == Strategy.GROUPED
    assert [row.pk for row in rows] == [2, 3]
    assert [type(row) for row in rows] == [NamedBuyer, NamedBuyer]


@pytest.mark.django_db
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "change", [lambda rows: rows, copy.copy, copy.deepcopy, lambda rows: pickle.loads(pickle.dumps(rows))]
)
def test_copies_keep_class_and_strategy(change: Callable[[Any], Any], strategy: Strategy | None):
    rows = change(consolidate(NamedBuyer.objects.all(), strategy=strategy)).filter(pk__gt=0).order_by("pk")[:3]

    assert {NamedQuerySet, Consolidated} < set(type(rows).__mro__)
    assert rows.strategy == strategy
    assert rows.query.strategy == strategy


def test_classes_are_made_once():
    rows, others = consolidate(board()), consolidate(board())

    assert type(rows) is type(others)
    assert type(rows.query) is type(others.query)
    assert type(rows) is not type(consolidate(NamedBuyer.objects.all()))


def test_the_queryset_itself_stays():
    rows = board()

    consolidate(rows)

    assert type(rows) is models.QuerySet
    assert not isinstance(rows.query, Derived)


def test_consolidated_twice():
    """The second time says how; the first one is left as it was."""
    rows = consolidate(board(), strategy="lateral")
    again = consolidate(rows, strategy=Strategy.GROUPED)

    assert type(again) is type(rows)
    assert (rows.strategy, again.strategy) == (Strategy.LATERAL, Strategy.GROUPED)


@pytest.mark.usefixtures("buyers")
def test_nothing_runs_before_the_rows_are_read(django_assert_num_queries: Any):
    with django_assert_num_queries(0):
        rows = consolidate(board()).filter(open__gt=0)
        assert len(rows.findings()) > 0
        assert Strategy.LATERAL in rows.rewriting().candidates

    with django_assert_num_queries(1):
        list(rows)
        list(rows)


@pytest.mark.usefixtures("buyers")
def test_prefetches_of_other_querysets_stay():
    visitors = Visit.objects.filter(pk__gt=0)
    plain_prefetch = Prefetch("buyer", board())
    before = tally().rewritten

    assert len(list(consolidate(visitors, strategy=Strategy.GROUPED).prefetch_related(plain_prefetch))) == 5

    assert tally().rewritten == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "operation",
    [list, lambda rows: rows.count(), lambda rows: rows.explain(), lambda rows: rows.aggregate(F("open"))],
    ids=["list", "count", "explain", "error"],
)
def test_only_its_own_wrapper_is_gone_afterwards(operation: Callable[[Any], Any], settings: Any):
    """Also when the connection opens within, and gets the guard and the one of the settings."""
    settings.REPORTS = {"REWRITE": True}
    connection.close()
    kept = connection.execute_wrappers[:]
    connection.execute_wrappers.clear()
    connection_created.connect(installation.install)
    try:
        with suppress(TypeError):
            operation(consolidate(board(), strategy=Strategy.GROUPED))
        connection.ensure_connection()

        assert connection.execute_wrappers == [guard, installation._everywhere]
    finally:
        connection_created.disconnect(installation.install)
        connection.execute_wrappers[:] = kept


@pytest.mark.usefixtures("buyers")
def test_its_strategy_wins_over_one_of_the_connection():
    with connection.execute_wrapper(Rewriter(Strategy.MATERIALIZED)):
        plans = [
            rows.explain()
            for rows in (
                board(),
                consolidate(board(), strategy=Strategy.LATERAL),
                consolidate(board(), strategy=Strategy.ORIGINAL),
            )
        ]

    assert ["CTE folded_1" in plan for plan in plans] == [True, False, False]
    assert ["SubPlan" in plan for plan in plans] == [False, False, True]


@pytest.mark.usefixtures("buyers")
def test_explain_tells_what_would_run():
    assert "SubPlan" in board().explain()
    assert "SubPlan" not in consolidate(board(), strategy=Strategy.GROUPED).explain()
    assert "CTE folded_1" in consolidate(board(), strategy=Strategy.MATERIALIZED).explain(verbose=True)
    assert "SubPlan" in consolidate(board(), strategy=Strategy.ORIGINAL).explain()


@pytest.mark.usefixtures("db")
def test_rows_of_a_report_are_left_alone():
    rows = Figures().run({"least": "0", "labels": ["a"]})

    with CaptureQueriesContext(connection) as queries:
        assert list(consolidate(rows, strategy=Strategy.GROUPED)) == list(rows)

    assert queries[0]["sql"] == queries[1]["sql"]


# What is refused.


def test_what_is_no_queryset_is_refused():
    for value, problem in [
        (Buyer.objects, "no queryset. Write .all() behind a manager."),
        ([], "list is no queryset."),
        (None, "NoneType is no queryset."),
        (Buyer.objects.raw("SELECT 1"), "raw() is SQL of your own"),
        (Buyer, "ModelBase is no queryset."),
    ]:
        with pytest.raises(TypeError, match=re.escape(problem)):
            consolidate(value)  # type: ignore[arg-type]


def test_strategy_that_is_none_is_refused():
    problem = (
        "strategy is 'grouped by'; it must be None or one of: grouped, lateral, materialized, original, paged."
        " Did you mean 'grouped'?"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        consolidate(board(), strategy="grouped by")


def test_another_database_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "vendor", "sqlite")

    problem = "the database 'default' is sqlite: only statements for PostgreSQL are rewritten."
    for call in (consolidate, find):
        with pytest.raises(TypeError, match=f"^{re.escape(problem)}$"):
            call(board())


# Findings.


def test_find_of_a_queryset_asks_no_database():
    """It has no access to one here."""
    (finding, *others) = find(board().values("open", "closed"))

    assert (finding.kind, finding.tables, finding.count) == (Kind.SHARED, ("tests_sale",), 2)
    assert others == []


@pytest.mark.django_db
def test_find_with_costs():
    queryset = board().values("open", "closed")

    (finding,) = find(queryset, costs=True)

    assert finding.costs is not None
    assert finding.costs[0] == pytest.approx(queryset_cost(queryset))
    assert f"Estimated cost {finding.costs[0]:,.0f} → {finding.costs[1]:,.0f}." in str(finding)
    assert find(Buyer.objects.all(), costs=True) == ()


@pytest.mark.django_db
def test_find_with_costs_of_what_is_not_rewritten():
    multiplied = Buyer.objects.annotate(a=Count("sales"), b=Count("visits"))

    (finding,) = find(multiplied, costs=True)

    assert finding.costs is not None
    assert finding.costs[1] is None
    assert "→" not in str(finding).partition("Instead")[0]


def queryset_cost(queryset: models.QuerySet[Any, Any]) -> float:
    return float(re.findall(r"cost=[\d.]+\.\.([\d.]+)", queryset.explain())[0])


def test_find_in_a_text():
    sql, params = board().values("open", "closed").query.sql_with_params()
    numbers = iter(range(1, len(params) + 1))
    numbered = re.sub("%s", lambda _: f"${next(numbers)}", sql)

    assert [each.kind for each in find(sql)] == [Kind.SHARED]
    assert [each.kind for each in find(numbered)] == [Kind.SHARED]


@pytest.mark.parametrize(
    "statement",
    [
        Buyer.objects.none(),
        Buyer.objects.filter(pk__in=[]),
        Buyer.objects.all(),
        "",
        "not SQL",
        "SELECT 'unclosed",
        "SELECT '%s', '%(name)s', '100%', '$1'",
        "SELECT 1 FROM t WHERE a = %s AND b LIKE '%%s'",
        "DROP TABLE t",
    ],
)
def test_find_nothing(statement: Any):
    assert find(statement) == ()


@pytest.mark.parametrize("statement", [Buyer.objects, None, 1, Buyer.objects.raw("SELECT 1")])
def test_find_refuses_what_is_no_statement(statement: Any):
    with pytest.raises(TypeError):
        find(statement)


def test_a_text_has_no_costs():
    with pytest.raises(TypeError, match="a text has no values"):
        find("SELECT 1", costs=True)


def test_findings_of_values_that_are_equal():
    """Subqueries of equal values are one, written twice; 1 and True are two."""
    same = Buyer.objects.annotate(a=of_sales(Max("kind"), kind="x"), b=F("a"), c=F("a")).values("b", "c")
    ((finding),) = find(same)

    assert finding.kind == Kind.REPEATED
