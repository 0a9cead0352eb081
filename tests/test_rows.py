"""What is particular to the rows of a report; what they share with any QuerySet is in test_differential.py."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import FieldError, ObjectDoesNotExist, SynchronousOnlyOperation
from django.db import connection
from django.db.models import Count, Max, QuerySet, Sum
from django.template import Context, Engine
from django.test.utils import CaptureQueriesContext

from reports import Report, Rows, TemplateError
from tests.models import Figure, FigureRow, Region, Store, Tag
from tests.reports import FigureInstances, Figures, Keyless, Shops, StoreMonths, Undeclared

REPORTS = pytest.mark.parametrize("report", [Figures, FigureInstances])
READ_ONLY = "is not possible: rows of the report {!r} are read only."


@pytest.fixture
def figures(db: None) -> None:
    """Two stores; three figures of the one, two equal ones but for the key, and one of the other."""
    north = Region.objects.create(pk=1, name="north")
    stores = [Store.objects.create(pk=1, name="one", region=north), Store.objects.create(pk=2, name="two")]
    stores[0].tags.set([Tag.objects.create(pk=1, name="new"), Tag.objects.create(pk=2, name="large")])
    january, february = datetime.date(2026, 1, 1), datetime.date(2026, 2, 1)
    for store, month, revenue, orders, label in [
        (1, january, "10.00", 3, "a"),
        (1, january, "20.00", 3, "a"),
        (1, february, "30.00", None, "b"),
        (2, january, "40.00", 4, "a"),
    ]:
        Figure.objects.create(
            pk=Figure.objects.count() + 1, store_id=store, month=month, revenue=revenue, orders=orders, label=label
        )


# Reading only.

WRITES: dict[str, tuple[Any, ...]] = {
    "create": (),
    "acreate": (),
    "bulk_create": ([],),
    "abulk_create": ([],),
    "bulk_update": ([], ["label"]),
    "abulk_update": ([], ["label"]),
    "get_or_create": (),
    "aget_or_create": (),
    "update_or_create": (),
    "aupdate_or_create": (),
    "update": (),
    "aupdate": (),
    "delete": (),
    "adelete": (),
    "select_for_update": (),
}


@REPORTS
@pytest.mark.parametrize("name", WRITES)
def test_writing_is_refused(name: str, report: Any) -> None:
    """Without a database: nothing is tried."""
    rows = report().run()
    report_name = "tests.figures" if rows.gives_dicts else "FigureRow"
    message = f"{name.removeprefix('a')}() " + READ_ONLY.format(report_name)

    for target in (rows, rows.filter(label="a"), rows[:3], rows.values("label"), rows.none()):
        with pytest.raises(TypeError, match=re.escape(message)):
            getattr(target, name)(*WRITES[name])


def test_every_method_that_writes_is_refused() -> None:
    """Also those that a later Django may add."""
    writing = {
        name
        for name, value in vars(QuerySet).items()
        if getattr(value, "alters_data", False) or re.search("create|update|delete|insert", name)
    }
    own = {name for name in writing if getattr(Rows, name) is not getattr(QuerySet, name)}

    # What bulk_create() and update_or_create() are made of; they write nothing themselves.
    parts = {"_batched_insert", "_prepare_for_bulk_create", "_extract_model_params", "_check_bulk_create_options"}
    assert writing - own <= parts
    assert set(WRITES) <= own


def test_template_does_not_call_what_writes() -> None:
    """A template that says {{ rows.delete }} gets nothing, not an error."""
    text = Engine().from_string("[{{ rows.delete }}{{ rows.update }}]").render(Context({"rows": Figures().run()}))

    assert text == "[]"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["save", "asave", "delete", "adelete", "save_base"])
@pytest.mark.parametrize("model", [FigureRow, Figures.get_row_model()], ids=["model", "row_model"])
def test_instances_cannot_be_saved_or_deleted(method: str, model: Any) -> None:
    instance = model(id=1, label="a")
    name = method.removeprefix("a").removesuffix("_base")
    call = getattr(instance, method)
    if method.startswith("a"):
        call = async_to_sync(call)

    with pytest.raises(
        TypeError, match=rf"^{name}\(\) is not possible: {model.__name__} is a row of a report, read only"
    ):
        call()


def test_models_manager_cannot_create() -> None:
    with pytest.raises(TypeError, match="FigureRow is a row of a report, read only"):
        FigureRow.objects.create(id=1)


def test_related_manager_cannot_create() -> None:
    with pytest.raises(TypeError, match="FigureRow is a row of a report, read only"):
        Store(pk=1).figure_rows.create(label="a")


# Dicts.


@pytest.mark.usefixtures("figures")
def test_dicts_have_the_templates_columns_in_its_order_then_annotations() -> None:
    rows = Figures().run()

    names = ["id", "store_id", "month", "revenue", "orders", "label", "seen_at"]
    assert list(rows[0]) == names
    assert list(rows.annotate(double=Sum("revenue") * 2).order_by("id")[0]) == [*names, "double"]
    assert list(rows.only("label", "revenue", "month")[0]) == ["id", "month", "revenue", "label"]
    assert list(rows.in_bulk([1])[1]) == names


@pytest.mark.usefixtures("figures")
def test_rows_are_plain_dicts() -> None:
    assert type(Figures().run()[0]) is dict
    assert type(FigureInstances().run()[0]) is FigureRow


@pytest.mark.usefixtures("figures")
def test_rows_of_either_report_can_be_read_as_dicts_and_as_instances() -> None:
    dicts, instances = Figures().run(), FigureInstances().run()

    assert list(instances.dicts()) == list(dicts)
    assert [(row.pk, row.store_id, row.label) for row in dicts.instances()[1:3]] == [
        (row.pk, row.store_id, row.label) for row in instances[1:3]
    ]
    assert type(dicts.instances().filter(id=1).get()) is dicts.model
    assert type(dicts.instances().dicts()[0]) is dict
    assert type(dicts[0]) is dict


def test_repr_of_unread_rows_reads_them(figures: None) -> None:
    assert repr(Figures().run().only("id")[:1]) == "<Rows [{'id': 1}]>"


@pytest.mark.parametrize("name", ["select_related", "prefetch_related"])
def test_dicts_have_no_related_objects(name: str) -> None:
    message = f"{name}() needs instances, and rows of 'tests.figures' are dicts: declare a model on the report."

    with pytest.raises(TypeError, match=re.escape(message)):
        getattr(Figures().run(), name)("store")
    assert getattr(Figures().run(), name)(None).query.select_related is False


def test_nothing_runs_before_rows_are_read(figures: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = Figures().run({"least": 15}).filter(label="a").order_by("-revenue")[:2]
        iterable: Any = rows._iterable_class(rows)
        iterator = iter(iterable)
    assert len(queries) == 0

    with CaptureQueriesContext(connection) as queries:
        assert [row["id"] for row in iterator] == [4, 2]
        assert [row["id"] for row in rows] == [4, 2]
        assert len(rows) == 2
    assert len(queries) == 2


@REPORTS
def test_errors_are_the_models(report: Any, figures: None) -> None:
    rows = report().run()

    with pytest.raises(ObjectDoesNotExist):
        rows.get(pk=99)
    with pytest.raises(rows.model.MultipleObjectsReturned):
        rows.get(label="a")
    with pytest.raises(FieldError, match="Cannot resolve keyword 'nonsense' into field"):
        rows.filter(nonsense=1)


def test_report_that_fails_does_so_when_read(figures: None) -> None:
    rows = Figures().run().extra(where=["no_such_column = 1"])

    with pytest.raises(Exception, match="42703"):
        list(rows)
    assert Figures().run().count() == 4


def test_or_of_slices_keeps_the_alias() -> None:
    rows = Figures(using="elsewhere").run()

    assert (rows[:2] | rows.filter(label="a")).db == (rows[:2] ^ rows[3:]).db == "elsewhere"


# Keys.


@pytest.mark.usefixtures("figures")
def test_composite_key() -> None:
    rows: Any = StoreMonths().run()
    january, february = datetime.date(2026, 1, 1), datetime.date(2026, 2, 1)
    second = {"store_id": 1, "month": february, "revenue": Decimal("30.00")}

    assert rows[1] == second
    assert rows.get(pk=(1, february)) == second
    assert rows.filter(pk__in=[(1, january), (2, january), (2, february)]).count() == 2
    assert rows.order_by("-pk").first()["store_id"] == 2
    assert rows.in_bulk([(1, february)]) == {(1, february): second}
    assert list(rows.in_bulk()) == [(1, january), (1, february), (2, january)]
    assert [row["store_id"] for row in rows.exclude(store__tags__name="new")] == [2]
    assert rows.exclude(pk=(1, january)).count() == 2
    assert [row["n"] for row in rows.annotate(n=Count("store__tags")).order_by("pk")] == [2, 2, 0]
    assert rows.all()[:2].aggregate(Sum("revenue")) == {"revenue__sum": Decimal("60.00")}
    assert rows.values_list("pk", flat=True)[1] == (1, february)
    assert list((rows[:1] | rows[2:3]).values_list("revenue", flat=True)) == [Decimal("30.00"), Decimal("40.00")]


@pytest.mark.usefixtures("figures")
def test_without_a_key_all_else_is_right() -> None:
    """Two rows are equal in every column; the first column stands for the key only in Django's bookkeeping."""
    rows = Keyless().run()
    ordered = rows.order_by("store_id", "label", "orders")

    assert rows.count() == len(rows.all()) == 4
    assert rows[:3].count() == 3
    assert rows.distinct().count() == len(rows.distinct()) == 3
    assert rows.filter(label="a").count() == 3
    assert rows.filter(store__region__name="north").count() == 3
    assert rows.exclude(label="a").get() == {"store_id": 1, "label": "b", "orders": None}
    assert rows.exists()
    assert rows.aggregate(Sum("orders"), Count("label", distinct=True)) == {"orders__sum": 10, "label__count": 2}
    assert ordered[:2].aggregate(Sum("orders"), Max("label")) == {"orders__sum": 6, "label__max": "a"}
    for refused in (lambda: ordered.only("label"), lambda: ordered.defer("label")):
        with pytest.raises(FieldError, match="use values"):
            refused()
    assert list(ordered.values_list("label", flat=True)) == ["a", "a", "b", "a"]
    assert list(rows.values("label").annotate(n=Count("store")).order_by("label")) == [
        {"label": "a", "n": 3},
        {"label": "b", "n": 1},
    ]
    assert ordered.first() == {"store_id": 1, "label": "a", "orders": 3}
    assert ordered.reverse()[0] == {"store_id": 2, "label": "a", "orders": 4}
    assert rows.union(rows, all=True).count() == 8
    assert rows.union(rows).count() == 3
    assert [row["label"] for row in ordered.iterator(chunk_size=3)] == ["a", "a", "b", "a"]
    assert (rows.filter(label="a") | rows.filter(label="b")).count() == 4
    assert Store.objects.filter(pk__in=rows.filter(label="b").values("store")).get().name == "one"


@pytest.mark.usefixtures("figures")
def test_foreign_key_of_any_column_name() -> None:
    rows = Shops().run()

    assert rows[0] == {"id": 1, "shop": 1, "revenue": Decimal("10.00")}
    assert rows.filter(shop__name="two").count() == rows.filter(shop=2).count() == rows.filter(shop_id=2).count() == 1
    assert rows.order_by("-shop__name")[0]["shop"] == 2
    assert rows.only("shop")[0] == {"id": 1, "shop": 1}
    assert list(rows.values_list("shop", "shop__region__name")[2:]) == [(1, "north"), (2, None)]
    assert rows.exclude(shop__tags__name="new").get()["id"] == 4


# Columns that nothing declares.


@pytest.fixture
def undeclared(monkeypatch: pytest.MonkeyPatch) -> type[Undeclared]:
    """The report, as a process has it that has not described it yet."""
    monkeypatch.setattr(Undeclared, "_described", None)
    return Undeclared


@pytest.mark.usefixtures("figures")
def test_undeclared_columns_are_described_once(undeclared: type[Undeclared]) -> None:
    with CaptureQueriesContext(connection) as first:
        rows = undeclared().run()
    with CaptureQueriesContext(connection) as later:
        again = undeclared().run()

    assert len(first) > 0
    assert "LIMIT 0" in first[0]["sql"]
    assert len(later) == 0
    with CaptureQueriesContext(connection) as reading:
        assert (
            list(again.order_by("label"))
            == list(rows.order_by("label"))
            == [
                {"label": "a", "figures": 3, "revenue": Decimal("70.00")},
                {"label": "b", "figures": 1, "revenue": Decimal("30.00")},
            ]
        )
    assert len(reading) == 2
    assert rows.filter(figures__gt=1).get()["label"] == "a"


@pytest.mark.usefixtures("figures")
def test_undeclared_columns_cannot_be_described_in_async_code(undeclared: type[Undeclared]) -> None:
    async def run() -> Any:
        return [row async for row in undeclared().run()]

    message = "report 'tests.undeclared' declares no columns, so PostgreSQL must be asked once, which async code cannot"
    with pytest.raises(SynchronousOnlyOperation, match=re.escape(message)):
        async_to_sync(run)()

    undeclared().run()
    assert len(async_to_sync(run)()) == 2


@REPORTS
@pytest.mark.usefixtures("figures")
def test_declared_columns_need_no_database_in_async_code(report: Any) -> None:
    async def run() -> list[Any]:
        return [row async for row in report().run({"least": 15}).filter(label="a").order_by("-id")]

    assert len(async_to_sync(run)()) == 2


@pytest.mark.usefixtures("figures")
def test_undeclared_columns_are_those_of_one_text(tmp_path: Path, settings: Any) -> None:
    """A clause that brings a column, or an identifier, is not served with the columns of another run."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "pivot.sql").write_text(
        "-- param: title text\n-- param: more boolean\n"
        "SELECT label, count(*) AS {{ title | identifier }} {% if more is given %}, 5 AS more {% endif %}"
        ' FROM {{ table("tests.Figure") }} GROUP BY label'
    )
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    pivot = type("Pivot", (Report,), {"__module__": "tests", "template": "x/pivot.sql"})

    first, second = pivot().run({"title": "n"}), pivot().run({"title": "m", "more": True})

    assert [list(row) for row in (first[0], second[0])] == [["label", "n"], ["label", "m", "more"]]
    with pytest.raises(TemplateError, match="may not be empty or hold a quote"):
        pivot().run({"title": 'label"||(SELECT current_user) AS "w'})
