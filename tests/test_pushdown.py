"""Which filters reach the tables: of queries of every shape, against what PostgreSQL then really reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F

from example_project.helpdesk import loading
from example_project.helpdesk.reports import DepartmentTickets, DepartmentTotals, EmployeeLoads, LatestTickets
from reports import Report, Rows
from reports.pushdown import LOOKUPS
from tests.models import Figure, Region, Store
from tests.reports import FigureInstances, Figures, Shops, StoreMonths

ALL = list(LOOKUPS)


@pytest.fixture
def figures(db: None) -> None:
    """Two thousand figures of fifty stores of five regions: enough for indexes to be worth their while."""
    Region.objects.bulk_create([Region(pk=number, name=f"region {number}") for number in range(1, 6)])
    Store.objects.bulk_create([Store(pk=n, name=f"store {n}", region_id=n % 5 + 1) for n in range(1, 51)])
    Figure.objects.bulk_create(
        Figure(pk=n, store_id=n % 50 + 1, month=f"2026-{n % 12 + 1:02}-01", revenue=n, orders=n % 7, label=f"l{n % 9}")
        for n in range(1, 2001)
    )
    analyze()


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tests_region, tests_store, tests_figure")


SHAPES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "plain": ("SELECT id, store_id, label FROM tests_figure", {"id": ALL, "store_id": ALL, "label": ALL}),
    "no index": ("SELECT revenue, orders FROM tests_figure", {"revenue": ALL, "orders": ALL}),
    "computed": ("SELECT id, revenue * 2 AS twice FROM tests_figure", {"id": ALL, "twice": ALL}),
    "group by": (
        "SELECT store_id, count(*) AS n FROM tests_figure GROUP BY store_id",
        {"store_id": ALL, "n": []},
    ),
    "CTE used once": (
        "WITH f AS (SELECT store_id, count(*) AS n FROM tests_figure GROUP BY store_id) SELECT store_id, n FROM f",
        {"store_id": ALL, "n": []},
    ),
    "CTE materialized": (
        "WITH f AS MATERIALIZED (SELECT store_id, count(*) AS n FROM tests_figure GROUP BY store_id)"
        " SELECT store_id, n FROM f",
        {"store_id": [], "n": []},
    ),
    "CTE used twice": (
        "WITH f AS (SELECT id, orders FROM tests_figure) SELECT f.id, g.orders FROM f JOIN f AS g ON g.id = f.id",
        {"id": [], "orders": []},
    ),
    "left join of a CTE": (
        "WITH f AS (SELECT store_id, count(*) AS n FROM tests_figure GROUP BY store_id)"
        " SELECT s.id, s.name, f.n FROM tests_store AS s LEFT JOIN f ON f.store_id = s.id",
        {"id": ["exact"], "name": [], "n": []},
    ),
    "inner join, the CTE's key": (
        "WITH f AS (SELECT store_id, count(*) AS n FROM tests_figure GROUP BY store_id)"
        " SELECT f.store_id, s.name, f.n FROM tests_store AS s JOIN f ON f.store_id = s.id",
        {"store_id": ALL, "name": [], "n": []},
    ),
    "join with an index": (
        "SELECT f.id, s.name FROM tests_figure AS f JOIN tests_store AS s ON s.id = f.store_id",
        {"id": ALL, "name": ALL},
    ),
    "window": (
        "SELECT store_id, month, sum(revenue) OVER (PARTITION BY store_id ORDER BY month, id) AS total"
        " FROM tests_figure",
        {"store_id": ALL, "month": [], "total": []},
    ),
    "row_number": (
        "SELECT row_number() OVER (ORDER BY id) AS number, store_id FROM tests_figure",
        {"number": [], "store_id": []},
    ),
    "distinct on": (
        "SELECT DISTINCT ON (store_id) store_id, month FROM tests_figure ORDER BY store_id, month",
        {"store_id": ALL, "month": []},
    ),
    "union all": (
        "SELECT id, 'figure' AS kind FROM tests_figure UNION ALL SELECT id, 'store' FROM tests_store",
        {"id": ALL, "kind": ALL},
    ),
    "limit": ("SELECT id, label FROM tests_figure ORDER BY id LIMIT 100", {"id": [], "label": []}),
    "lateral": (
        "SELECT s.id, s.name, x.label FROM tests_store AS s CROSS JOIN LATERAL"
        " (SELECT label FROM tests_figure AS f WHERE f.store_id = s.id ORDER BY f.id LIMIT 3) AS x",
        {"id": ALL, "name": ALL, "label": []},
    ),
    "correlated": (
        "SELECT s.id, s.name, (SELECT count(*) FROM tests_figure AS f WHERE f.store_id = s.id) AS n"
        " FROM tests_store AS s",
        {"id": ALL, "name": ALL, "n": []},
    ),
    "correlated and exists": (
        "SELECT s.id, s.name FROM tests_store AS s WHERE s.name = 'x' OR EXISTS (SELECT FROM tests_figure AS f"
        " WHERE f.store_id = s.id AND f.revenue > s.id OFFSET 0)",
        {"id": ALL, "name": ALL},
    ),
    "uncorrelated": (
        "SELECT s.id, (SELECT max(revenue) FROM tests_figure) AS most FROM tests_store AS s",
        {"id": [], "most": []},
    ),
    "recursive": (
        "WITH RECURSIVE r (id, depth) AS (SELECT id, 1 FROM tests_store UNION ALL"
        " SELECT f.store_id, r.depth + 1 FROM r JOIN tests_figure AS f ON f.id = r.id WHERE r.depth < 3)"
        " SELECT id, depth FROM r",
        {"id": [], "depth": []},
    ),
    "a table of few rows beside": (
        "SELECT f.id, f.orders, r.name FROM tests_figure AS f CROSS JOIN tests_region AS r",
        {"id": ALL, "orders": ALL, "name": []},
    ),
    "quoted names": (
        'SELECT "S s".id, "X".label FROM tests_store AS "S s" CROSS JOIN LATERAL'
        ' (SELECT label FROM tests_figure AS "f"" AND (" WHERE "f"" AND (".store_id = "S s".id LIMIT 3) AS "X"',
        {"id": ALL, "label": []},
    ),
    "no table": ("SELECT n AS id, n % 2 AS odd FROM generate_series(1, 9) AS n", {"id": [], "odd": []}),
}


@pytest.fixture
def rows_of(tmp_path: Path, settings: Any) -> Any:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def rows(sql: str, *columns: str) -> Rows:
        (tmp_path / "shape.sql").write_text("\n".join([*(f"-- column: {column}" for column in columns), sql, ""]))
        report: type[Report] = type("Shape", (Report,), {"template": "shape.sql", "__module__": __name__})
        return report().run()

    return rows


@pytest.mark.parametrize("shape", SHAPES)
def test_pushdown_by_shape(shape: str, figures: None, rows_of: Any) -> None:
    sql, expected = SHAPES[shape]

    assert rows_of(sql).pushdown() == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_pushdown_is_what_postgresql_does(shape: str, figures: None, rows_of: Any) -> None:
    """A filter on the last value: the rows that tables give, measured, against those of the whole report."""
    sql, expected = SHAPES[shape]
    rows = rows_of(sql).order_by()
    whole = given(rows)

    for column, lookups in expected.items():
        value = sorted(row[column] for row in rows if row[column] is not None)[-1]
        is_less = given(rows.filter(**{column: value})) < 0.6 * whole
        assert is_less == ("exact" in lookups), column


def given(rows: Any) -> float:
    return sum(node.rows or 0 for node in rows.plan(analyze=True).nodes if node.relation)


def test_pushdown_of_the_example(db: None) -> None:
    loading.load(30_000, io.StringIO())
    staff = User.objects.get(username="staff")

    found = {report: report(user=staff).run().pushdown() for report in (DepartmentTickets, DepartmentTotals)}

    names = ["department_id", "name", "open_tickets", "closed_tickets", "avg_resolution"]
    assert found[DepartmentTickets] == {name: [] for name in names} | {"department_id": ["exact"]}
    assert {name for name, lookups in found[DepartmentTotals].items() if lookups} == {"department_id"}
    assert {n for n, found in EmployeeLoads(user=staff).run().pushdown().items() if found} == {"employee_id"}
    latest = LatestTickets(user=staff).run().pushdown()
    assert {name: found for name, found in latest.items() if found} == {"department_id": ALL, "department_name": ALL}


@pytest.mark.parametrize("analyzed", [False, True])
def test_pushdown_of_an_empty_report(analyzed: bool, db: None) -> None:
    with connection.cursor() as cursor:
        # Of a table that other tests have filled and analyzed the planner remembers the size; a new file has none.
        cursor.execute("TRUNCATE helpdesk_department, helpdesk_ticket CASCADE")
        if analyzed:
            cursor.execute("ANALYZE helpdesk_department, helpdesk_ticket")
    user = User.objects.create_user("staff", is_staff=True)

    found = DepartmentTickets(user=user).run().pushdown()

    assert (found["department_id"][:1], found["name"], found["open_tickets"]) == (["exact"], [], [])


def test_pushdown_of_every_type(figures: None, rows_of: Any) -> None:
    types = [
        "bigint", "boolean", "bytea", "character varying(20)", "citext", "date", "daterange", "double precision",
        "inet", "int4range", "integer", "integer[]", "interval", "jsonb", "numeric(12,2)", "numeric", "real",
        "smallint", "text", "text[]", "time", "timestamp", "timestamptz", "tstzrange", "uuid",
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS citext")
        columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(types))
        cursor.execute(f"CREATE TABLE every_type ({columns})")
    rows = rows_of("SELECT * FROM every_type", *(f"c{i} {kind}" for i, kind in enumerate(types)))

    assert rows.pushdown() == {f"c{i}": ALL for i in range(len(types))}


def test_pushdown_of_instances_is_that_of_dicts(figures: None) -> None:
    assert FigureInstances().run().pushdown() == Figures().run().pushdown()


def test_pushdown_of_foreign_keys_and_keys_of_two_columns(figures: None) -> None:
    assert Shops().run().pushdown() == {"id": ALL, "shop": ALL, "revenue": ALL}
    assert StoreMonths().run().pushdown() == {"store_id": ALL, "month": ALL, "revenue": []}


def test_pushdown_keeps_filters_and_ordering(figures: None) -> None:
    rows = Figures().run().filter(label="l1").order_by("-revenue").annotate(twice=F("revenue") * 2)

    assert rows.pushdown() == Figures().run().pushdown()


def test_pushdown_of_a_slice_is_refused_by_django(figures: None) -> None:
    with pytest.raises(TypeError, match="Cannot"):
        Figures().run()[:3].pushdown()


def test_pushdown_reads_no_row_and_runs_only_explain(figures: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1 + 3 * 3) as queries:
        Shops().run().pushdown()

    assert all(query["sql"].startswith("EXPLAIN (FORMAT JSON, VERBOSE, SUMMARY) ") for query in queries)
