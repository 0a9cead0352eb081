"""Statements that look like the accepted shapes and are none: what is refused, and what is kept apart."""

from __future__ import annotations

import pytest

from reports.rewrite.rewriting import Reason, Rewriting, Strategy
from reports.rewrite.statements import rewrite
from tests.subqueries import outer

KEY = "FROM t U0 WHERE U0.d_id = d.id"
COUNT = f"(SELECT COUNT(*) AS c {KEY} AND U0.a GROUP BY U0.d_id)"
TOTAL = f"(SELECT SUM(U0.h) AS c {KEY} AND U0.b GROUP BY U0.d_id)"
BRANCHES = "FROM d LEFT JOIN a ON (d.id = a.d_id) LEFT JOIN b ON (d.id = b.d_id)"


def reasons(sql: str) -> set[Reason]:
    return {refusal.reason for refusal in rewrite(sql).refusals}


def is_unreadable(rewriting: Rewriting) -> bool:
    return not rewriting.candidates and [each.reason for each in rewriting.refusals] == [Reason.UNREADABLE]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (f"SELECT *, {COUNT} AS x1, {TOTAL} AS x2 FROM d", Reason.UNNAMED),
        (f"SELECT DISTINCT ON ({COUNT}) {COUNT} AS x1, {TOTAL} AS x2 FROM d ORDER BY {COUNT}", Reason.DISTINCT_ON),
        (f"SELECT 5 AS c1, MAX({COUNT}) AS x1, MAX({TOTAL}) AS x2 FROM d GROUP BY c1", Reason.UNQUALIFIED),
        (f"SELECT * FROM ({outer(COUNT, TOTAL)}) q FOR UPDATE", Reason.LOCKS),
        (f'SELECT {COUNT} COLLATE "C", {TOTAL} + 1 FROM d', Reason.UNNAMED),
        (f"SELECT {COUNT}[1], {TOTAL} + 1 FROM d", Reason.UNNAMED),
        (
            f"SELECT COALESCE({COUNT}, 0) AS z, COUNT(*) AS n, MAX({TOTAL}) AS m FROM d GROUP BY COALESCE({COUNT}, 0)",
            Reason.OUTER_GROUPING,
        ),
        (
            f"SELECT COALESCE({COUNT}, 0) AS z, MAX({TOTAL}) AS m FROM d GROUP BY 1 ORDER BY COALESCE({COUNT}, 0)",
            Reason.OUTER_GROUPING,
        ),
        (f"SELECT {COUNT} AS z, MAX({TOTAL}) AS m FROM d GROUP BY z", Reason.OUTER_GROUPING),
        (
            outer(*(f"(SELECT {item} FROM t WHERE t.d_id = MAX(d.id))" for item in ("COUNT(*)", "MAX(t.h)"))),
            Reason.CORRELATION,
        ),
        (outer(*[f"EXISTS(SELECT (SELECT COUNT(U0.x)) {KEY})"] * 2), Reason.CORRELATION),
        (f"SELECT d.id, MAX(COALESCE(a.h, 0)) AS m, MAX(b.h) AS n {BRANCHES} GROUP BY d.id", Reason.BRANCHES),
        (f"SELECT d.id, COUNT(DISTINCT (a.x, a.y)) AS m, MAX(b.h) AS n {BRANCHES} GROUP BY d.id", Reason.BRANCHES),
        (f"SELECT d.id, BOOL_OR(a.id IS NULL) AS m, MAX(b.h) AS n {BRANCHES} GROUP BY d.id", Reason.BRANCHES),
        (
            f"SELECT d.id, MAX(a.h) AS m, MAX(b.h) AS n {BRANCHES} LEFT JOIN e ON (e.id = d.e_id AND e.y = a.h) "
            "GROUP BY d.id",
            Reason.BRANCHES,
        ),
        (
            f"SELECT DISTINCT ON (COUNT(DISTINCT a.id)) MAX(a.h) AS m, MAX(b.h) AS n {BRANCHES} GROUP BY d.id",
            Reason.DISTINCT_ON,
        ),
        (f"SELECT d.id, COUNT(DISTINCT a.id)::int, MAX(b.h) {BRANCHES} GROUP BY d.id", Reason.UNNAMED),
    ],
)
def test_what_would_give_other_rows_or_names_is_refused(sql: str, reason: Reason):
    rewriting = rewrite(sql)

    assert rewriting.candidates == {}
    assert reason in reasons(sql)


def test_two_columns_are_no_value():
    pair = "(SELECT U0.x, U0.h FROM t U0 WHERE U0.id = d.id)"

    assert not rewrite(f"SELECT d.id FROM d WHERE (d.x, d.y) = {pair} OR (d.y, d.x) = {pair}").candidates


@pytest.mark.parametrize(
    "place",
    [
        f"d.x NOT IN (({COUNT}))",
        f"EXISTS ({COUNT})",
        f"d.x = ALL (({COUNT}))",
        f"d.y = ARRAY({COUNT})",
        f"d.x = ({COUNT} UNION ALL {COUNT} LIMIT 1)",
        f"d.x = ({COUNT} LIMIT 0)",
        f"d.x = ({COUNT} OFFSET 1)",
    ],
)
def test_a_query_in_more_parentheses_is_no_value(place: str):
    text = rewrite(f"{outer(COUNT, TOTAL)} WHERE {place}").candidates[Strategy.LATERAL]

    assert text.endswith(f" WHERE {place}")


def test_a_value_in_more_parentheses_is_one():
    text = rewrite(f"{outer(COUNT, TOTAL)} WHERE (({COUNT}) + 1) > 2").candidates[Strategy.LATERAL]

    assert text.endswith(' WHERE (((NULLIF("folded_1"."c1", 0))) + 1) > 2')


def test_words_are_names_behind_a_dot():
    sub = f"(SELECT COUNT(*) {KEY} AND U0.case = 1 OR U0.end = 2)"

    assert (
        " WHERE (U0.d_id = d.id AND U0.case = 1 OR U0.end = 2)) AS"
        in (rewrite(outer(sub, sub)).candidates[Strategy.LATERAL])
    )
    rows = "FROM d WHERE d.case = 1 OR d.end = 0 AND d.and = 1"
    assert (
        "IN (SELECT d.id FROM d WHERE (d.case = 1 OR d.end = 0 AND d.and = 1))"
        in (rewrite(outer(COUNT, TOTAL, rows=rows)).candidates[Strategy.GROUPED])
    )


def test_conditions_are_told_apart_by_their_parentheses():
    first = f"(SELECT COUNT(*) {KEY} AND (U0.a OR U0.b) AND U0.c)"
    second = f"(SELECT COUNT(*) {KEY} AND (U0.a OR U0.b AND U0.c))"

    text = rewrite(outer(first, second)).candidates[Strategy.GROUPED]

    assert 'COUNT(*) FILTER (WHERE (U0.a OR U0.b) AND (U0.c)) AS "c1"' in text
    assert 'COUNT(*) FILTER (WHERE U0.a OR U0.b AND U0.c) AS "c2"' in text


def test_a_common_or_beside_the_outer_keys_has_parentheses():
    subs = [f"(SELECT {item} {KEY} AND (U0.a OR U0.b))" for item in ("COUNT(*)", "MAX(U0.h)")]

    text = rewrite(outer(*subs, rows="FROM d WHERE d.x = 1")).candidates[Strategy.GROUPED]

    assert " WHERE (U0.a OR U0.b) AND U0.d_id IN (SELECT d.id FROM d WHERE (d.x = 1)) " in text


def test_an_alias_is_not_written_where_it_means_another_table():
    nested = "EXISTS(SELECT 1 FROM s U0 WHERE U0.t_id = V0.id)"
    other = f"(SELECT COUNT(*) FROM t V0 WHERE V0.d_id = d.id AND {nested})"

    assert rewrite(outer(f"(SELECT COUNT(*) {KEY})", other)).candidates == {}


def test_rows_that_may_be_others_are_not_read_a_second_time():
    rows = "FROM (SELECT * FROM d ORDER BY random() LIMIT 5) d WHERE d.id > 0"
    division = f"(SELECT SUM(1 / U0.h) {KEY})"

    assert " IN (SELECT" not in rewrite(outer(COUNT, TOTAL, rows=rows)).candidates[Strategy.GROUPED]
    assert set(rewrite(outer(division, TOTAL, rows=rows)).candidates) == {Strategy.LATERAL}


def test_a_name_in_capitals_is_taken():
    sql = outer(COUNT, TOTAL).replace("d.id", "FOLDED_1.id").replace("FROM d", "FROM d FOLDED_1")

    assert 'AS "folded_1"' not in rewrite(sql).candidates[Strategy.LATERAL]


def test_an_operator_of_two_equal_signs_is_no_key():
    subs = [f"(SELECT {item} FROM t U0 WHERE U0.d_id == d.id)" for item in ("COUNT(*)", "MAX(U0.h)")]

    assert set(rewrite(outer(*subs)).candidates) == {Strategy.LATERAL}


@pytest.mark.parametrize("item", ["ARRAY_AGG(U0.z ORDER BY U0.id)", "MAX(jsonb_build_object(U0.k, 1)::text)"])
def test_what_fails_for_arrays_and_keys_may_raise(item: str):
    assert rewrite(outer(f"(SELECT {item} {KEY})", COUNT)).may_raise


def test_a_pattern_out_of_a_column_may_raise():
    bools = [f"(SELECT BOOL_OR(U0.s LIKE {{}}) {KEY})".format(pattern) for pattern in ("U0.p", "$1")]

    assert rewrite(outer(bools[0], COUNT.replace("COUNT(*)", "MIN(U0.h)"))).may_raise
    assert not rewrite(outer(bools[1], COUNT.replace("COUNT(*)", "MIN(U0.h)"))).may_raise


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "(",
        "SELECT '",
        "SELECT 1 FROM",
        "SELECT a FROM b JOIN",
        "SELECT DISTINCT ON",
        "SELECT DISTINCT ON FROM d",
        "SELECT (SELECT x WITHIN GROUP FROM t WHERE t.a = d.b), (SELECT mode() WITHIN GROUP FROM t) FROM d",
        f"SELECT d.id select, {COUNT} AS x1, {TOTAL} AS x2 FROM d",
        f"WITH a AS (SELECT 1) INSERT INTO e SELECT d.id, {COUNT} FROM d WHERE {COUNT} > 1",
        f"SELECT {COUNT}, {TOTAL} FROM d WHERE {'(' * 5000}TRUE{' AND TRUE)' * 5000}",
        f"SELECT {'(SELECT ' * 2000}1{')' * 2000}",
    ],
)
def test_what_cannot_be_read_has_one_refusal(sql: str):
    assert is_unreadable(rewrite(sql))


def test_exists_may_select_nothing():
    exists = f"EXISTS(SELECT {KEY})"

    assert 'COALESCE("folded_1"."c1" > 0, FALSE)' in rewrite(outer(exists, COUNT)).candidates[Strategy.GROUPED]
