"""The SQL of a report as a FROM item, exactly; no database is asked unless a test says so."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import connections
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum

import reports
from reports.header import Column
from reports.rendering import Query
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import ReportQuery, RowsSource, TemplateSource, seen, tag
from tests.models import Region, Store
from tests.reports import FigureInstances, Figures, Keyless, Quoted, RankedFigureInstances

COLUMNS = (Column("id", "bigint", pk=True), Column("name", "text"), Column("store_id", "bigint", fk="tests.Store"))
MODEL = build_row_model("tests.source", COLUMNS, ordering=(), file="source.sql")
SOURCE = '(/* report=tests.source */ SELECT id, name, store_id FROM t WHERE a = %s\n) "report_tests__source"'
NAMES = '"report_tests__source"."id", "report_tests__source"."name", "report_tests__source"."store_id"'


def rows_of(sql: str = "SELECT id, name, store_id FROM t WHERE a = %s", *params: object) -> Rows:
    return Rows.of(TemplateSource("tests.source", Query(sql, params or (7,))), MODEL)


def compiled(queryset: Any) -> tuple[str, tuple[Any, ...]]:
    sql, params = queryset.query.get_compiler("default").as_sql()
    return sql, tuple(params)


@pytest.mark.parametrize(
    ("change", "sql", "params"),
    [
        (lambda rows: rows, f"SELECT {NAMES} FROM {SOURCE}", (7,)),
        (
            lambda rows: rows.filter(name="x"),
            f'SELECT {NAMES} FROM {SOURCE} WHERE "report_tests__source"."name" = %s',
            (7, "x"),
        ),
        (
            lambda rows: rows.order_by("-name")[3:5],
            f'SELECT {NAMES} FROM {SOURCE} ORDER BY "report_tests__source"."name" DESC LIMIT 2 OFFSET 3',
            (7,),
        ),
        (
            lambda rows: rows.filter(store__name="x").values_list("id"),
            f'SELECT "report_tests__source"."id" AS "id" FROM {SOURCE} INNER JOIN "tests_store"'
            ' ON ("report_tests__source"."store_id" = "tests_store"."id") WHERE "tests_store"."name" = %s',
            (7, "x"),
        ),
        (
            lambda rows: rows.values("name").annotate(n=Count("id")),
            f'SELECT "report_tests__source"."name" AS "name", COUNT("report_tests__source"."id") AS "n" FROM {SOURCE}'
            " GROUP BY 1",
            (7,),
        ),
        (lambda rows: rows.none().union(rows.order_by()), f"SELECT {NAMES} FROM {SOURCE}", (7,)),
    ],
    ids=["all", "filter", "slice", "join", "group", "union"],
)
def test_sql_and_params(change: Any, sql: str, params: tuple[object, ...]) -> None:
    found, found_params = compiled(change(rows_of()))

    assert found.removeprefix("(").removesuffix(")") == sql
    assert found_params == params


def test_params_come_in_the_order_of_the_text() -> None:
    inner = rows_of("SELECT id, name, store_id FROM t WHERE a = %s", 1).filter(name="two")
    rows = rows_of("SELECT id, name, store_id FROM t WHERE a = %s", 3).annotate(best=Subquery(inner.values("id")[:1]))

    sql, params = compiled(rows.filter(Exists(inner.filter(store=OuterRef("store"))), name="four"))

    assert sql.count("%s") == 7
    assert [p for p in params if type(p) in (int, str)] == [1, "two", 3, 1, "two", "four"]  # and the 1 of EXISTS


def test_trailing_comment_and_percent() -> None:
    sql, params = compiled(Figures().run({"least": "5"}))

    assert '-- the last line is a comment\n) "report_tests__figures"' in sql
    assert "IS DISTINCT FROM '100%%' -- a comment" in sql
    assert params == (5,)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [list, lambda rows: list(rows.filter(text__contains="%")), lambda rows: [rows.get()]]
)
def test_quotes_and_percent_signs_in_the_template(change: Any) -> None:
    expected = {"id": 1, "text": "it's \"100%\" {ok} %s %(x)s ; 'dollar' -- \\"}

    assert change(Quoted().run()) == [expected]
    assert (
        Quoted().run().values_list("text", flat=True).union(Quoted().run().values_list("text"))[0] == expected["text"]
    )


def test_tag_stands_before_the_statement() -> None:
    assert tag("helpdesk.tickets") == "/* report=helpdesk.tickets */"


def test_statement_and_timeout_are_remembered_for_the_guard() -> None:
    source = TemplateSource("tests.remembered", Query("SELECT 1", ()), timeout=2.5)

    source.as_sql(None, connections["default"])

    assert seen["tests.remembered"].timeout == 2.5
    assert "SELECT 1" in seen["tests.remembered"].lines


def test_statements_remembered_are_bounded() -> None:
    for number in range(200):
        TemplateSource("tests.many", Query(f"SELECT {number}", ())).as_sql(None, connections["default"])

    assert len(seen["tests.many"].lines) <= 64
    assert "SELECT 199" in seen["tests.many"].lines


# Combining.


def test_combining_different_parameters_is_refused() -> None:
    one, other = rows_of("SELECT %s AS id", 1), rows_of("SELECT %s AS id", 2)

    for combine in (lambda: one | other, lambda: one & other, lambda: one ^ other, lambda: one[:3] | other[:3]):
        with pytest.raises(ValueError, match=r"cannot combine rows of 'report_tests__source'.*different parameters"):
            combine()


def test_combining_different_parameters_of_joined_querysets_is_refused() -> None:
    one, other = (reports.join(Store.objects.all(), FigureInstances().run({"least": n})) for n in (1, 2))

    with pytest.raises(ValueError, match="different parameters"):
        one | other


def test_combining_keeps_the_sources_of_both_sides() -> None:
    """The left side is no joined queryset's, the right side is."""
    rows = FigureInstances().run({"least": 1})
    left = reports.join(Store.objects.filter(name="x"), current=FigureInstances().run({"least": 2}))
    right = reports.join(Store.objects.all(), rows).filter(figure_rows__label="a")

    sql, params = compiled(left | right)

    assert "(/* report=tests.figure_instances */" in sql
    assert params[0] == 1


def test_equal_parameters_combine() -> None:
    sql, params = compiled(rows_of().filter(name="a") | rows_of().filter(name="b"))

    assert sql.count("/* report=") == 1
    assert params == (7, "a", "b")


def test_or_of_slices_keeps_the_report() -> None:
    sql, params = compiled(rows_of()[:3] | rows_of().filter(name="b"))

    assert sql.count("/* report=tests.source */") == 2
    assert params == (7, 7, "b")


# Copies.


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, lambda query: pickle.loads(pickle.dumps(query)), lambda q: q.clone()]
)
def test_copies_of_a_query_keep_the_source(make: Any) -> None:
    rows = rows_of().filter(name="a")
    clone = make(rows.query)

    assert type(clone) is ReportQuery
    assert clone.get_compiler("default").as_sql() == rows.query.get_compiler("default").as_sql()


def test_a_changed_clone_leaves_the_original_alone() -> None:
    rows = rows_of()
    before = compiled(rows)

    rows.filter(name="a").exclude(store__tags__name="b").annotate(n=Count("store__tags")).union(rows)[:3]

    assert compiled(rows) == before


def test_str_of_a_query() -> None:
    assert str(rows_of().query).startswith('SELECT "report_tests__source"."id"')


# Aliases.


def test_report_beside_itself_in_exists_has_another_alias() -> None:
    rows = rows_of()
    sql, params = compiled(rows.filter(Exists(rows.filter(name=OuterRef("name"), id__gt=OuterRef("id")))))

    assert sql.count("/* report=tests.source */") == 2
    assert "report_tests__source" in sql
    assert "U0" in sql
    assert params.count(7) == 2


def test_subquery_in_subquery_has_an_alias_for_each() -> None:
    rows = rows_of()
    innermost = rows.filter(name=OuterRef("name")).values("id")
    inner = rows.filter(id__in=innermost, store=OuterRef("store")).values("id")
    sql, params = compiled(rows.filter(id__in=inner))

    assert sql.count("/* report=tests.source */") == 3
    assert all(alias in sql for alias in ("U0", "V0"))
    assert params == (7, 7, 7)


def test_exclude_over_m2m_keeps_the_source_inside() -> None:
    rows = FigureInstances().run({"least": 3})
    sql, params = compiled(rows.exclude(store__figure_rows__label="a"))

    assert sql.count("/* report=tests.figure_instances */") == 2
    assert params.count(3) == 2


def test_join_in_an_unknown_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Django may write joins in another way: then an error, and no statement without the report."""
    from django.db.models.sql.datastructures import Join

    stores = reports.join(Store.objects.all(), FigureInstances().run()).filter(figure_rows__label="a")
    monkeypatch.setattr(Join, "as_sql", lambda self, compiler, connection: ("JOIN LATERAL something", []))

    with pytest.raises(NotImplementedError, match="not known here: JOIN LATERAL something"):
        compiled(stores)


def test_rows_as_a_source_keep_their_parameters() -> None:
    inner = FigureInstances().run({"least": 4}).filter(label="a")
    sql, params = RowsSource(inner.query).as_sql(
        Store.objects.all().query.get_compiler("default"), connections["default"]
    )

    assert sql.startswith('SELECT "report_tests_figures"."id"')
    assert params == (4, "a")


# Ordering.


def test_reports_ordering_is_not_in_group_by() -> None:
    sql, _ = compiled(RankedFigureInstances().run().values("label").annotate(n=Count("id")))

    assert sql.endswith("GROUP BY 1")


def test_users_ordering_is_in_group_by() -> None:
    """As Django has it, also when it names what the report would have named."""
    sql, _ = compiled(RankedFigureInstances().run().order_by("-revenue", "-id").values("label").annotate(n=Count("id")))

    assert "GROUP BY 1, " in sql
    assert "ORDER BY" in sql


# Reports without a key.


@pytest.mark.parametrize(
    "operation",
    [
        lambda rows: rows.get(pk=1),
        lambda rows: rows.filter(pk=1),
        lambda rows: rows.filter(Q(pk__in=[1])),
        lambda rows: rows.exclude(pk=1),
        lambda rows: rows.order_by("pk"),
        lambda rows: rows.order_by("-pk"),
        lambda rows: rows.values("pk"),
        lambda rows: rows.values_list("pk", flat=True),
        lambda rows: rows.annotate(key=F("pk")),
        lambda rows: rows.aggregate(n=Count("pk")),
        lambda rows: rows.first(),
        lambda rows: rows.last(),
        lambda rows: rows.latest("pk"),
        lambda rows: rows.in_bulk(),
        lambda rows: rows.in_bulk([1]),
        lambda rows: rows.in_bulk(field_name="store_id"),
        lambda rows: rows.exclude(store__tags__name="x"),
        lambda rows: rows.annotate(n=Count("store__tags")),
        lambda rows: rows.alias(n=Sum("orders")),
        lambda rows: rows[:3] | rows,
        lambda rows: Store.objects.filter(pk__in=rows),
        lambda rows: rows.filter(Exists(Region.objects.filter(pk=OuterRef("pk")))),
    ],
)
def test_report_without_a_key_says_so(operation: Any) -> None:
    with pytest.raises(FieldError, match=r"tests\.keyless has no key: declare one with 'column: NAME TYPE pk'\. "):
        operation(Keyless().run())
