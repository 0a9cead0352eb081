"""Reports joined from real models; that the answers are right is in test_differential.py."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.db import ProgrammingError, connection
from django.db.models import Count, F, FilteredRelation, Q, QuerySet, Sum, Value
from django.db.models.sql import Query
from django.db.models.sql.datastructures import Join
from django.test.utils import CaptureQueriesContext

import reports
from reports.source import ReportQuery
from tests.models import Figure, FigureRow, Region, Store, Tag
from tests.reports import FigureInstances, Figures, Transfers


@pytest.fixture
def stores(db: None) -> Any:
    for number in (1, 2, 3):
        Store.objects.create(pk=number, name=f"store {number}")
    for number, store in enumerate((1, 1, 2), start=1):
        month = datetime.date(2026, number, 1)
        Figure.objects.create(pk=number, store_id=store, month=month, revenue=number * 10, orders=number, label="a")
    return Store.objects.all()


def sql_of(queryset: Any) -> str:
    return str(queryset.query.get_compiler("default").as_sql()[0])


def figures(**params: object) -> reports.Rows:
    return FigureInstances().run(params)


# What is refused.


@pytest.mark.parametrize("rows", [Figures().run, Store.objects.all, list, Figures])
def test_join_takes_rows_with_a_model(rows: Any) -> None:
    for call in (
        lambda: reports.join(Store.objects.all(), rows()),
        lambda: reports.join(Store.objects.all(), x=rows()),
    ):
        with pytest.raises(TypeError, match=r"join\(\) takes rows of a report with a model, not "):
            call()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.values("store"),
        lambda rows: rows.values_list("store"),
        lambda rows: rows.values("store").annotate(Sum("revenue")),
        lambda rows: rows.annotate(n=Count("store__tags")),
        lambda rows: rows.union(rows),
    ],
)
def test_join_takes_rows_with_the_columns_of_their_model(change: Any) -> None:
    message = "join() takes rows with the columns of their model: no values(), aggregates or unions."

    with pytest.raises(TypeError, match=re.escape(message)):
        reports.join(Store.objects.all(), change(figures()))


def test_join_refuses_a_query_of_a_foreign_class() -> None:
    class ForeignQuery(Query):
        pass

    queryset = Store.objects.all()
    queryset.query = ForeignQuery(Store)

    with pytest.raises(TypeError, match="cannot extend a query of the class ForeignQuery"):
        reports.join(queryset, figures())


def test_named_rows_need_a_relation() -> None:
    message = "current: Tag has 0 relations to FigureRow (none); annotate current=FilteredRelation(…) first."

    with pytest.raises(ValueError, match=re.escape(message)):
        reports.join(Tag.objects.all(), current=figures())


def test_named_rows_need_one_relation() -> None:
    message = "Store has 2 relations to TransferRow (transfers_in, transfers_out); annotate moved=FilteredRelation(…)"

    with pytest.raises(ValueError, match=re.escape(message)):
        reports.join(Store.objects.all(), moved=Transfers().run())


def test_name_of_a_field_is_refused_by_django() -> None:
    with pytest.raises(ValueError, match="'name' conflicts with a field on the model"):
        reports.join(Store.objects.all(), name=figures())


def test_without_join_the_report_is_no_table(stores: Any) -> None:
    with pytest.raises(ProgrammingError, match="report_tests_figures"):
        list(stores.filter(figure_rows__label="a"))


# What is joined.


def test_one_of_several_relations_by_filtered_relation(stores: Any) -> None:
    queryset = stores.annotate(sent=FilteredRelation("transfers_out"), got=FilteredRelation("transfers_in"))
    rows = Transfers().run()

    joined: Any = reports.join(queryset, sent=rows, got=rows.filter(amount__gt=15))

    assert list(joined.values_list("id").annotate(Sum("sent__amount"), Sum("got__amount")).order_by("id")) == [
        (1, 40, None),
        (2, 20, None),
        (3, None, 100 // 2),
    ]


def test_positional_rows_lead_every_relation(stores: Any) -> None:
    joined: Any = reports.join(stores, Transfers().run(), figures(least=15))

    assert joined.filter(transfers_out__target=2).get().pk == 1
    assert (
        joined.filter(transfers_in__source__figure_rows__revenue=20).order_by("pk").values_list("pk", flat=True)[0] == 2
    )


def test_join_leaves_its_arguments_alone(stores: Any) -> None:
    queryset, rows = stores.filter(tags=None), figures(least=15).filter(label="a")
    before = sql_of(queryset), sql_of(rows)

    reports.join(queryset, rows, current=rows).filter(current__label="a", figure_rows__label="a")

    assert (sql_of(queryset), sql_of(rows)) == before
    assert type(queryset.query) is Query


def test_join_is_one_query_and_lazy(stores: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        joined: Any = reports.join(stores, current=figures(), previous=figures(least=15)).filter(current__id=2)
    assert len(queries) == 0

    with CaptureQueriesContext(connection) as queries:
        assert [store.pk for store in joined] == [1]
    assert len(queries) == 1


def test_join_keeps_the_querysets_kind(stores: Any) -> None:
    class Stores(QuerySet[Store]):
        pass

    joined: Any = reports.join(Stores(Store), figures())

    assert type(joined) is Stores
    assert type(joined.query) is ReportQuery
    assert list(reports.join(stores.values_list("pk", flat=True), figures())) == [1, 2, 3]
    assert reports.join(stores.values_list("pk", named=True), figures())[0]._fields == ("pk",)


def test_rows_as_they_are_stand_there_without_a_sub_select() -> None:
    joined: Any = reports.join(Store.objects.all(), current=figures(least=15).order_by("-revenue"))
    joined = joined.filter(current__id=1)

    assert sql_of(joined).count("SELECT") == 2
    assert 'ORDER BY "report' not in sql_of(joined)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.filter(orders__gt=1), [2, 3]),
        (lambda rows: rows.exclude(orders__gt=1), [1]),
        (lambda rows: rows.order_by("-revenue")[:1], [3]),
        (lambda rows: rows.order_by("-revenue").filter(store__name="store 1")[:1], [2]),
        (lambda rows: rows.order_by("store_id", "-id").distinct("store_id"), [2, 3]),
        (lambda rows: rows.annotate(double=F("revenue") * 2).filter(double=20), [1]),
        (lambda rows: rows.annotate(text=Value("%")), [1, 2, 3]),
        (lambda rows: rows.only("label").filter(orders=3), [3]),
        (lambda rows: rows.select_related("store").filter(orders=3), [3]),
        (lambda rows: rows.reverse()[:2], [2, 3]),
        (lambda rows: rows.extra(where=["orders = 2"]), [2]),
        (lambda rows: rows.none(), []),
        (lambda rows: rows.filter(pk__in=[]), []),
    ],
)
def test_filters_and_slices_of_the_rows_are_kept(change: Any, expected: list[int], stores: Any) -> None:
    rows = change(figures())

    by_name = reports.join(stores, chosen=rows).values_list("chosen__id", flat=True)
    by_relation = reports.join(stores, rows).values_list("figure_rows__id", flat=True)

    assert sorted(key for key in by_name if key) == expected
    assert sorted(key for key in by_relation if key) == expected
    assert set(reports.join(stores, chosen=rows).values_list("pk", flat=True)) == {1, 2, 3}  # a LEFT JOIN


def test_conditions_of_a_filtered_relation_are_kept(stores: Any) -> None:
    queryset = stores.annotate(good=FilteredRelation("figure_rows", condition=Q(figure_rows__orders__gt=1)))

    joined: Any = reports.join(queryset, good=figures(least=5)).values_list("pk", "good__id").order_by("pk")

    assert list(joined) == [(1, 2), (2, 3), (3, None)]


def test_joined_again_by_name_the_last_counts(stores: Any) -> None:
    joined: Any = reports.join(reports.join(stores, current=figures()), current=figures(least=25))

    assert list(joined.filter(current__isnull=False).values_list("current__id", flat=True)) == [3]


def test_joins_made_before_and_after(stores: Any) -> None:
    """FROM items that Django made before join() become ours, also the report's own."""
    north = Region.objects.create(name="north")
    stores.filter(pk=1).update(region=north)
    queryset = stores.filter(region__name="north", figure_rows__orders=2)

    joined: Any = reports.join(queryset, figures())

    assert joined.filter(region__stores__figure_rows__orders=1).get().pk == 1
    assert not any(type(item) is Join for item in joined.query.alias_map.values())
    assert any(type(item) is Join for item in queryset.query.alias_map.values())


def test_or_of_slices_keeps_what_was_joined(stores: Any) -> None:
    joined: Any = reports.join(figures(least=5), Transfers().run())

    combined = joined.order_by("-pk")[:2] | figures(least=5).filter(pk=1)

    assert [row.pk for row in combined.filter(store__transfers_out__target=2)] == [1, 2]


def test_rows_join_rows(stores: Any) -> None:
    """A report's rows are a queryset too, and can be joined with another report through their store."""
    joined: Any = reports.join(figures(least=5), Transfers().run())

    assert list(joined.filter(store__transfers_out__target=2).values_list("pk", flat=True)) == [1, 2]
    assert isinstance(joined, reports.Rows)
    assert isinstance(joined[0], FigureRow)


def test_name_of_a_join_is_no_tables_name(stores: Any) -> None:
    """A relation called like a real table leaves that table alone."""
    Figure.objects.create(id=99, store_id=1, month="2026-01-01", revenue=1)

    joined: Any = reports.join(stores, tests_figure=figures(least=1000))

    assert joined.filter(figures__isnull=False).count() == stores.filter(figures__isnull=False).count() > 0
