"""Why a subquery stays as it is: the reason and what was met, for each shape that is not accepted."""

from __future__ import annotations

import pytest

from reports.rewrite import Reason, Strategy, consolidate, find, rewrite
from tests.models import Buyer
from tests.subqueries import outer

KEY = "FROM t U0 WHERE U0.d_id = d.id"
COUNT = f"(SELECT COUNT(*) AS c {KEY} AND U0.b GROUP BY U0.d_id)"
OTHER = f"(SELECT COUNT(*) AS c {KEY} AND U0.a GROUP BY U0.d_id)"


def subquery(select: str = "COUNT(*)", *, where: str = "", rest: str = "", tables: str = "t U0") -> str:
    return f"(SELECT {select} AS c FROM {tables} WHERE U0.d_id = d.id{where}{rest})"


@pytest.mark.parametrize(
    ("sql", "reason", "detail"),
    [
        (subquery(tables="unnest(d.a) U0"), Reason.INNER_FROM, "unnest(d.a) U0"),
        (subquery(tables="t U0 TABLESAMPLE SYSTEM (10)"), Reason.INNER_FROM, "t U0 TABLESAMPLE SYSTEM (10)"),
        (subquery(tables="(SELECT * FROM t) U0"), Reason.INNER_FROM, "a sub-select"),
        ("(SELECT d.x + 1)", Reason.INNER_FROM, ""),
        (subquery(where=" AND z.x = 1"), Reason.UNQUALIFIED, "z"),
        (subquery("COUNT(U0.*)"), Reason.UNQUALIFIED, "u0.*"),
        (subquery(where=" AND U0.x IN (SELECT U0.y FROM w U0)"), Reason.UNQUALIFIED, "u0 names two tables"),
        (subquery(where=" AND U0.x IN (SELECT d.y FROM w d)"), Reason.UNQUALIFIED, "d names two tables"),
        (subquery(tables="t U0 INNER JOIN v ON (v.id = U0.v_id AND v.x = d.x)"), Reason.CORRELATION, "in a join"),
        (subquery("SUM(U0.x + d.x)"), Reason.CORRELATION, "sum of an outer column"),
        (subquery("SUM(d.x)"), Reason.CORRELATION, "sum of other rows"),
        (f"EXISTS(SELECT 1 {KEY} GROUP BY U0.x)", Reason.SEVERAL_ROWS, "EXISTS over groups, or a slice"),
        (f"EXISTS(SELECT 1 {KEY} OFFSET 1)", Reason.SEVERAL_ROWS, "EXISTS over groups, or a slice"),
        (subquery("U0.x, U0.y"), Reason.SEVERAL_ROWS, "several columns"),
        (subquery("U0.x || MAX(U0.y)"), Reason.SEVERAL_ROWS, "a column outside of an aggregate"),
        (subquery(rest=" GROUP BY U0.x"), Reason.SEVERAL_ROWS, "GROUP BY U0.x"),
        (subquery("U0.x"), Reason.SEVERAL_ROWS, ""),
        (subquery(rest=" OFFSET 1"), Reason.SEVERAL_ROWS, ""),
        (subquery(rest=" LIMIT 2"), Reason.SEVERAL_ROWS, ""),
        (subquery("DISTINCT ON (U0.x) COUNT(*)"), Reason.SEVERAL_ROWS, ""),
        (subquery("U0.x", rest=" LIMIT 1"), Reason.UNORDERED, "LIMIT 1 of rows in no order"),
        (subquery("ARRAY_AGG(U0.x)"), Reason.UNORDERED, "array_agg"),
        (subquery("my.f(U0.x)", rest=" ORDER BY U0.x LIMIT 1"), Reason.UNKNOWN_FUNCTION, "my.f"),
    ],
)
def test_subquery_stays_as_it_is(sql: str, reason: Reason, detail: str):
    found = rewrite(outer(sql, COUNT))

    assert [(refusal.reason, refusal.text, refusal.detail) for refusal in found.refusals] == [(reason, sql, detail)]
    assert (found.findings, dict(found.candidates)) == ((), {})


@pytest.mark.parametrize(
    ("rows", "reason", "detail"),
    [
        ("", Reason.OUTER_FROM, ""),
        ("FROM d WHERE d.x WHERE d.y", Reason.UNREADABLE, "it has WHERE twice"),
        ("FROM d ORDER /* c */ BY d.x", Reason.UNREADABLE, "there is a comment within ORDER BY"),
        ("FROM d)", Reason.UNREADABLE, "its parentheses do not match"),
    ],
)
def test_statement_stays_as_it_is(rows: str, reason: Reason, detail: str):
    found = rewrite(outer(OTHER, COUNT, rows=rows))

    assert [(refusal.reason, refusal.detail) for refusal in found.refusals] == [(reason, detail)]
    assert dict(found.candidates) == {}


@pytest.mark.parametrize(
    ("table", "key"),
    [("s.t U0", "U0.d_id = d.id"), ("t U0", "d.id = U0.d_id")],
    ids=["a schema", "the outer column first"],
)
def test_subqueries_that_share_a_scan(table: str, key: str):
    count, other = (f"(SELECT COUNT(*) AS c FROM {table} WHERE {key} AND U0.{name})" for name in "ab")

    assert rewrite(outer(count, other)).candidates[Strategy.GROUPED] == (
        f'WITH "folded_1" AS (SELECT U0.d_id AS "k1", COUNT(*) FILTER (WHERE U0.a) AS "c1",'
        f' COUNT(*) FILTER (WHERE U0.b) AS "c2" FROM {table} GROUP BY U0.d_id)'
        ' SELECT d.id, (COALESCE("folded_1"."c1", 0)) AS x1, (COALESCE("folded_1"."c2", 0)) AS x2'
        ' FROM d LEFT JOIN "folded_1" ON ("folded_1"."k1" = d.id)'
    )


def test_all_and_a_semicolon_stay():
    found = rewrite(outer(OTHER, COUNT, rows="FROM d;").replace("SELECT d.id", "SELECT ALL d.id"))

    assert found.candidates[Strategy.GROUPED].partition(") SELECT ")[2] == (
        'ALL d.id, (NULLIF("folded_1"."c1", 0)) AS x1, (NULLIF("folded_1"."c2", 0)) AS x2'
        ' FROM d LEFT JOIN "folded_1" ON ("folded_1"."k1" = d.id);'
    )


@pytest.mark.parametrize(
    ("condition", "is_asked_twice"), [("d.x", True), ("my_f(d.x)", False), ("d.x IN (SELECT 1)", False)]
)
def test_only_what_cannot_change_is_asked_a_second_time(condition: str, is_asked_twice: bool):
    grouped = rewrite(outer(OTHER, COUNT, rows=f"FROM d WHERE {condition}")).candidates[Strategy.GROUPED]

    assert grouped.count(condition) == 1 + is_asked_twice
    assert (" WHERE U0.d_id IN (SELECT d.id FROM d WHERE (d.x))" in grouped) is is_asked_twice


def test_queryset_whose_text_cannot_be_read():
    rows = Buyer.objects.extra(where=["name = '%s'"], params=["one"])

    assert find(rows) == ()
    assert [(refusal.reason, refusal.detail) for refusal in consolidate(rows).rewriting().refusals] == [
        (Reason.UNREADABLE, "it has 0 parameters and 1 values")
    ]


@pytest.mark.parametrize(
    ("join", "count"),
    [("LEFT", "COUNT(*)"), ("RIGHT", "COUNT(U0.id)"), ("FULL", "COUNT(U0.id)")],
)
def test_count_of_a_key_counts_rows_where_it_cannot_be_null(join: str, count: str):
    tables = f"helpdesk_ticket U0 {join} JOIN v ON (v.id = U0.v_id)"
    texts = [subquery("COUNT(U0.id)", where=f" AND U0.{name}", tables=tables) for name in "ab"]

    grouped = rewrite(outer(*texts)).candidates[Strategy.GROUPED]

    assert grouped.count(f"{count} FILTER") == 2
