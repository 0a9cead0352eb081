"""Statements at the edge of the accepted shapes, with their rewritten forms, on PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from reports.rewrite.statements import rewrite

TABLES = """
CREATE TEMP TABLE hd (id int PRIMARY KEY, x int, n numeric, f float8, e_id int, "case" int, "end" int);
CREATE TEMP TABLE ht (id int PRIMARY KEY, d_id int, n numeric, f float8, h int, a bool, b bool, c bool, "case" int,
                      "end" int);
CREATE TEMP TABLE hs (id int PRIMARY KEY, d_id int, t_id int, k int);
INSERT INTO hd SELECT g, g % 4, (ARRAY[1.0, 1.00, 2, NULL])[1 + g % 4],
    (ARRAY['-0', '0', 'NaN', NULL])[1 + g % 4]::float8, g % 3, g % 3, g % 2 FROM generate_series(1, 20) g;
INSERT INTO ht SELECT g, nullif(g % 17, 0), (ARRAY[1.0, 1.00, 2, NULL])[1 + g % 4],
    (ARRAY['-0', '0', 'NaN', NULL])[1 + g % 4]::float8, nullif(g % 11, 5), (ARRAY[true, false, NULL])[1 + g % 3],
    (ARRAY[true, false, NULL])[1 + g / 3 % 3], (ARRAY[true, false, NULL])[1 + g / 9 % 3], g % 2, g % 3
    FROM generate_series(1, 80) g WHERE g % 17 <> 7;
INSERT INTO hs SELECT g, nullif(g % 13, 3), g, g % 3 FROM generate_series(1, 60) g;
"""
KEY = "FROM ht u WHERE u.d_id = d.id"
RARE = f"(SELECT COUNT(*) AS c {KEY} AND u.h = 3 GROUP BY u.d_id)"
TOTAL = f"(SELECT SUM(u.h) AS c {KEY} AND u.a GROUP BY u.d_id)"
BRANCHES = "FROM hd d LEFT JOIN ht a ON (d.id = a.d_id) LEFT JOIN hs b ON (d.id = b.d_id)"


@pytest.fixture
def tables(db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        yield
        cursor.execute("DROP TABLE hd, ht, hs")


def answer(sql: str) -> tuple[list[str], Counter[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [column[0] for column in cursor.description], Counter(map(repr, cursor.fetchall()))


def subquery(select: str, where: str = "", rest: str = "") -> str:
    return f"(SELECT {select} AS c {KEY}{where}{rest})"


def pair(first: str, second: str, rest: str = "") -> str:
    return f"SELECT d.id, {first} AS x1, {second} AS x2 FROM hd d{rest}"


STATEMENTS = {
    "words as names": pair(subquery("COUNT(*)", " AND u.case = 1 OR 2 = u.end"), TOTAL),
    "outer words as names": f"SELECT d.case, d.end, {RARE} AS x1, {TOTAL} AS x2 FROM hd d "
    "WHERE d.case = 1 OR d.end = 0",
    "or within and": pair(
        subquery("COUNT(*)", " AND (u.a OR u.b) AND u.c"), subquery("COUNT(*)", " AND (u.a OR u.b AND u.c)")
    ),
    "another table's alias": pair(
        subquery("COUNT(*)"),
        "(SELECT COUNT(*) FROM ht v WHERE v.d_id = d.id AND EXISTS(SELECT 1 FROM hs u WHERE u.t_id = v.id))",
    ),
    "not in parentheses": pair(RARE, TOTAL, f" WHERE d.x NOT IN (({RARE}))"),
    "not in": pair(RARE, TOTAL, f" WHERE d.x NOT IN ({RARE})"),
    "exists of exists": pair(RARE, TOTAL, f" WHERE EXISTS ({RARE})"),
    "a limit of nothing": pair(f"({RARE} LIMIT 0)", f"({TOTAL} OFFSET 1)", f" WHERE {RARE} > 0 OR {RARE} IS NULL"),
    "grouped by a value": f"SELECT COALESCE({RARE}, 0) AS z, COUNT(*), MAX({TOTAL}) FROM hd d "
    f"GROUP BY COALESCE({RARE}, 0)",
    "grouped by a position": f"SELECT {RARE} AS z, COUNT(*), MAX({TOTAL}) FROM hd d GROUP BY 1 HAVING COUNT(*) > 0",
    "grouped by an alias": f"SELECT {RARE} AS z, COUNT(*), MAX({TOTAL}) FROM hd d GROUP BY z",
    "grouped by the key": f"SELECT d.x, {RARE} AS z, COALESCE({TOTAL}, 0) AS y FROM hd d GROUP BY d.id",
    "a column of our name": f"SELECT 5 AS c1, MAX({RARE}) AS x, MAX({TOTAL}) AS y FROM hd d GROUP BY c1",
    "every column": f"SELECT *, {RARE} AS x1, {TOTAL} AS x2 FROM hd d",
    "an aggregate of the outer rows": "SELECT (SELECT COUNT(*) FROM ht u WHERE u.d_id = MAX(d.id)) AS a, "
    "(SELECT MAX(u.h) FROM ht u WHERE u.d_id = MAX(d.id)) AS b FROM hd d",
    "exists of an aggregate": pair(f"EXISTS(SELECT (SELECT COUNT(u.h)) {KEY})", TOTAL, f" WHERE {TOTAL} IS NULL"),
    "rows at random": "SELECT bool_and(q.x1 > 0 AND q.x2 > 0) FROM (SELECT "
    f"{subquery('COUNT(*)')} AS x1, {subquery('COUNT(u.id)')} AS x2 FROM (SELECT * FROM hd WHERE id < 7 "
    "ORDER BY random() LIMIT 2) d WHERE d.id > 0) q",
    "numbers of other scales": "SELECT d.id, (SELECT COUNT(*) FROM ht u WHERE u.n = d.n) AS x1, "
    "(SELECT MAX(u.h) FROM ht u WHERE u.n = d.n AND u.a) AS x2 FROM hd d",
    "negative zeros": "SELECT d.id, (SELECT COUNT(*) FROM ht u WHERE u.f = d.f) AS x1, "
    "(SELECT MAX(u.h) FROM ht u WHERE u.f = d.f AND u.a) AS x2 FROM hd d",
    "a value of no row": f"SELECT d.id, MAX(COALESCE(a.h, 0)) AS m, COUNT(DISTINCT b.id) AS n {BRANCHES} GROUP BY d.id",
    "a row of no row": f"SELECT d.id, COUNT(DISTINCT (a.h, a.n)) AS m, MAX(b.k) AS n {BRANCHES} GROUP BY d.id",
    "a null of no row": f"SELECT d.id, BOOL_OR(a.id IS NULL) AS m, MAX(b.k) AS n {BRANCHES} GROUP BY d.id",
    "a join on a branch": f"SELECT d.id, MAX(a.h) AS m, MAX(b.k) AS n {BRANCHES} LEFT JOIN hd e ON (e.id = d.e_id "
    "AND e.x = a.h) GROUP BY d.id",
    "a name of no alias": f"SELECT d.id, MAX(a.h), COUNT(DISTINCT b.id) {BRANCHES} GROUP BY d.id",
}


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
def test_rows_and_names_are_the_same(tables: None, sql: str):
    expected = answer(sql)

    assert {strategy: answer(text) for strategy, text in rewrite(sql).candidates.items()} == dict.fromkeys(
        rewrite(sql).candidates, expected
    )


AGGREGATES = [
    "COUNT(u.h)", "COUNT(DISTINCT u.n)", "SUM(u.h)", "AVG(u.h)", "MIN(u.h)", "BOOL_AND(u.a)", "EVERY(u.b)",
    "BIT_OR(u.h)", "CORR(u.h, u.id)", "REGR_COUNT(u.h, u.id)", "STDDEV(u.h)", "ARRAY_AGG(u.h ORDER BY u.id)",
    "STRING_AGG(u.h::text, ',' ORDER BY u.id)", "JSONB_AGG(u.h ORDER BY u.id)", "mode() WITHIN GROUP (ORDER BY u.h)",
    "percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY u.h) FILTER (WHERE u.a)", "COALESCE(SUM(u.h), 0)",
    "COUNT(*) + d.id", "CASE WHEN COUNT(*) > 2 THEN SUM(u.h) ELSE -1 END", "MAX(u.h) IS NULL", "COUNT(NULL)",
]  # fmt: skip
GROUPS = [
    "",
    " GROUP BY u.d_id",
    " HAVING COUNT(*) > 3",
    " GROUP BY u.d_id HAVING COUNT(u.h) < 4",
    " HAVING COUNT(u.h) < 1",
]


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("rest", GROUPS)
def test_a_group_of_no_row_gives_what_it_gave(tables: None, aggregate: str, rest: str):
    sql = pair(subquery(aggregate, " AND u.h = 3 AND (u.a OR u.b)", rest), subquery(aggregate, "", rest))
    candidates = rewrite(sql).candidates

    assert len(candidates) == 3
    assert all(answer(text) == answer(sql) for text in candidates.values())
