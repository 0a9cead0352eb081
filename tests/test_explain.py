"""The plans of rows: of every form that rows can have, under the guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext

from reports import QueryError, QueryTimeout, Report, Rows
from reports.explain import explain, explaining
from tests.models import Figure, Store
from tests.reports import Faulty, FigureInstances, Figures, Keyless, SlowRows, Undeclared, Writes


@pytest.fixture
def figures(db: None) -> None:
    Store.objects.create(pk=1, name="one")
    for number in range(1, 5):
        Figure.objects.create(pk=number, store_id=1, month="2026-01-01", revenue=number, label="a")


FORMS: dict[str, tuple[Any, int]] = {
    "all": (lambda rows: rows, 4),
    "filter": (lambda rows: rows.filter(revenue__gt=2), 2),
    "slice": (lambda rows: rows[1:3], 2),
    "values": (lambda rows: rows.values("label"), 4),
    "values_list": (lambda rows: rows.order_by().values_list("label", flat=True).distinct(), 1),
    "annotate": (lambda rows: rows.annotate(double=F("revenue") * 2).filter(double__gt=2), 3),
    "group by": (lambda rows: rows.order_by().values("label").annotate(n=Count("id")), 1),
    "relation": (lambda rows: rows.filter(store__name="one"), 4),
    "union": (lambda rows: rows.order_by().union(rows.filter(pk=1).order_by(), all=True), 5),
    "union with none": (lambda rows: rows.order_by().union(rows.none().order_by(), all=True), 4),
    "none": (lambda rows: rows.none(), 0),
    "empty list": (lambda rows: rows.filter(pk__in=[]), 0),
    "sliced to nothing": (lambda rows: rows[2:2], 0),
    "extra": (lambda rows: rows.extra(where=["revenue > %s"], params=[3]), 1),
}


@pytest.mark.parametrize("report", [Figures, FigureInstances])
@pytest.mark.parametrize("form", FORMS)
def test_plan_of_every_form(form: str, report: Any, figures: None) -> None:
    change, number = FORMS[form]
    rows = change(report().run({"labels": ["a"]}))

    planned, analyzed = rows.plan(), rows.plan(analyze=True)

    assert (analyzed.rows, len(rows)) == (number, number)
    assert (planned.is_analyzed, analyzed.is_analyzed) == (False, True)
    assert analyzed.milliseconds is not None
    assert analyzed.planning_milliseconds is not None
    assert analyzed.root.hit is not None
    assert planned.tables == analyzed.tables
    assert ("tests_figure" in planned.tables) == (number > 0)


@pytest.mark.parametrize("form", FORMS)
def test_plan_of_the_count_of_every_form(form: str, figures: None) -> None:
    change, number = FORMS[form]
    rows = change(Figures().run({"labels": ["a"]}))

    plan = rows.plan(count=True, analyze=True)

    assert plan.rows == (1 if number else 0)
    assert plan.scans("tests_figure") == rows.plan(analyze=True).scans("tests_figure")
    assert rows.count() == number


def test_plan_of_the_count_is_that_of_the_count(figures: None) -> None:
    rows = Keyless().run()
    assert len(rows) == 4  # what has been read is not asked

    with CaptureQueriesContext(connection) as queries:
        plan = rows.plan(count=True)

    (query,) = queries
    assert "COUNT(*)" in query["sql"]
    assert (plan.root.title, plan.is_analyzed, plan.tables) == ("Aggregate", False, ("tests_figure",))


def test_plan_of_a_counting_template(figures: None, tmp_path: Path, settings: Any) -> None:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "stores.sql").write_text(
        "-- column: id bigint pk\n-- ordering: id\nSELECT s.id FROM tests_store AS s JOIN tests_figure AS f ON true\n"
    )
    (tmp_path / "stores.count.sql").write_text("SELECT count(*) FROM tests_store AS s")

    class PlannedStores(Report):
        template = "stores.sql"

    rows = PlannedStores().run()

    assert rows.plan(count=True).tables == ("tests_store",)
    assert rows.filter(id=1).plan(count=True).tables == ("tests_figure", "tests_store")
    assert rows.plan().tables == ("tests_figure", "tests_store")


def test_plan_without_declared_columns(figures: None) -> None:
    assert Undeclared().run().plan(analyze=True).rows == 1


def test_plan_runs_nothing_but_explain(figures: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        Figures().run().plan(analyze=True)

    (query,) = queries
    head = "EXPLAIN (FORMAT JSON, VERBOSE, SUMMARY, ANALYZE, BUFFERS, TIMING ON) SELECT"
    assert query["sql"].startswith(head)


def test_plan_leaves_the_rows_unread(figures: None) -> None:
    rows = Figures().run()
    before = str(rows.query)

    rows.plan()

    assert rows._result_cache is None
    assert str(rows.query) == before


def test_analyzed_plan_is_read_only(db: None) -> None:
    with pytest.raises(QueryError, match="ReadOnlySqlTransaction"):
        Writes().run().plan(analyze=True)

    assert Writes().run().plan().rows == 1


def test_analyzed_plan_has_the_reports_timeout(db: None) -> None:
    with pytest.raises(QueryTimeout, match=r"tests\.slow_rows"):
        SlowRows().run({"rows": 9, "seconds": 0.2}).plan(analyze=True)

    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_refused_plan_names_the_template_line(db: None) -> None:
    for count in (False, True):
        with pytest.raises(QueryError, match=r"faulty\.sql:9\.$") as caught:
            Faulty().run().plan(count=count)
        assert "s3cret" not in str(caught.value)


def test_plan_does_not_show_values(figures: None) -> None:
    plan = Figures().run({"least": "2.5"}).filter(label="s3cret").plan(analyze=True)

    assert "s3cret" not in f"{plan}{plan!r}"
    assert "s3cret" in plan.tree(conditions=True)


def test_explain_without_timing(figures: None) -> None:
    plan = explain(connection, "SELECT * FROM tests_figure WHERE id > %s", [1], analyze=True, timing=False)

    assert (plan.rows, plan.root.milliseconds, plan.root.hit) == (3, None, plan.root.hit)


def test_explaining_stands_for_running(figures: None) -> None:
    with explaining(connection) as plans:
        assert list(Store.objects.all()) == []
        assert not Figure.objects.exists()

    assert [plan.tables for plan in plans] == [("tests_store",), ("tests_figure",)]
    assert Store.objects.count() == 1


def test_rows_of_a_union_have_a_plan(figures: None) -> None:
    rows = Figures().run()
    both = rows.order_by().union(Figures().run({"least": 3}).order_by(), all=True)

    assert isinstance(both, Rows)
    assert both.plan(analyze=True).scans(Figure) == 2
    assert both.plan(count=True, analyze=True).scans(Figure) == 2
