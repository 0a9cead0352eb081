"""Aggregates over joins that multiply one another: texts alone, no database."""

from __future__ import annotations

import pytest

from reports.rewrite.rewriting import Kind, Reason, Strategy
from reports.rewrite.statements import rewrite

JOINS = 'LEFT OUTER JOIN "a" ON ("d"."id" = "a"."d_id") LEFT OUTER JOIN "b" ON ("d"."id" = "b"."d_id")'
COUNTS = 'COUNT(DISTINCT "a"."id") AS "x", COUNT(DISTINCT "b"."id") FILTER (WHERE "b"."s" = $1) AS "y"'


def over(items: str = COUNTS, joins: str = JOINS, rest: str = ' GROUP BY "d"."id"') -> str:
    return f'SELECT "d"."id", {items} FROM "d" {joins}{rest}'


def test_each_branch_has_its_cte():
    assert rewrite(over()).candidates[Strategy.GROUPED] == (
        'WITH "folded_1" AS (SELECT "a"."d_id" AS "k1", COUNT(DISTINCT "a"."id") AS "c1" '
        'FROM "a" GROUP BY "a"."d_id"), '
        '"folded_2" AS (SELECT "b"."d_id" AS "k1", COUNT(DISTINCT "b"."id") FILTER (WHERE "b"."s" = $1) AS "c1" '
        'FROM "b" GROUP BY "b"."d_id") '
        'SELECT "d"."id", COALESCE(MAX("folded_1"."c1"), 0) AS "x", COALESCE(MAX("folded_2"."c1"), 0) AS "y" '
        'FROM "d" LEFT JOIN "folded_1" ON ("folded_1"."k1" = "d"."id") '
        'LEFT JOIN "folded_2" ON ("folded_2"."k1" = "d"."id") GROUP BY "d"."id"'
    )


def test_each_branch_as_a_lateral():
    assert rewrite(over()).candidates[Strategy.LATERAL] == (
        'SELECT "d"."id", COALESCE(MAX("folded_1"."c1"), 0) AS "x", COALESCE(MAX("folded_2"."c1"), 0) AS "y" FROM "d" '
        'LEFT JOIN LATERAL (SELECT COUNT(DISTINCT "a"."id") AS "c1" FROM "a" WHERE "a"."d_id" = "d"."id") '
        'AS "folded_1" ON TRUE '
        'LEFT JOIN LATERAL (SELECT COUNT(DISTINCT "b"."id") FILTER (WHERE "b"."s" = $1) AS "c1" FROM "b" '
        'WHERE "b"."d_id" = "d"."id") AS "folded_2" ON TRUE GROUP BY "d"."id"'
    )


def test_both_are_found_and_not_called_wrong():
    (finding,) = rewrite(over()).findings

    assert (finding.kind, finding.tables, finding.count, finding.is_wrong) == (Kind.MULTIPLIED, ("a", "b"), 2, False)
    assert finding.reason is None


@pytest.mark.parametrize(
    "aggregate", ['COUNT("a"."id")', 'SUM("a"."v")', "COUNT(*)", 'AVG("d"."v")', 'SUM("a"."v" * "b"."v")']
)
def test_a_multiplied_aggregate_is_wrong_and_stays(aggregate: str):
    rewriting = rewrite(over(f'{aggregate} AS "x", COUNT(DISTINCT "b"."id") AS "y"'))

    (finding,) = rewriting.findings
    assert not rewriting.candidates
    assert (finding.is_wrong, finding.subqueries) == (True, (aggregate,))
    assert [refusal.reason for refusal in rewriting.refusals] == [Reason.DIFFERENT_RESULT]


BELOW = 'LEFT OUTER JOIN "a" ON ("d"."id" = "a"."d_id") LEFT OUTER JOIN "b" ON ("a"."id" = "b"."a_id")'
BESIDE = f'{BELOW} LEFT OUTER JOIN "c" ON ("a"."id" = "c"."a_id")'


@pytest.mark.parametrize(
    ("items", "joins", "tables", "wrong"),
    [
        ('COUNT("a"."id") AS "x", COUNT("b"."id") AS "y"', BELOW, ("a", "b"), ('COUNT("a"."id")',)),
        (
            'COUNT("b"."id") AS "x", SUM("c"."v") AS "y"',
            BESIDE,
            ("a", "b", "c"),
            ('COUNT("b"."id")', 'SUM("c"."v")'),
        ),
    ],
)
def test_aggregates_within_one_branch_multiply_one_another(
    items: str, joins: str, tables: tuple[str, ...], wrong: tuple[str, ...]
):
    rewriting = rewrite(over(items, joins))

    (finding,) = rewriting.findings
    assert not rewriting.candidates
    assert (finding.is_wrong, finding.tables, finding.count, finding.subqueries) == (True, tables, len(tables), wrong)


@pytest.mark.parametrize(
    ("items", "joins"),
    [
        ('COUNT("b"."id") AS "x", SUM("b"."v") AS "y"', BELOW),
        ('COUNT(*) AS "x", SUM("b"."v") AS "y"', BELOW),
        ('COUNT(DISTINCT "a"."id") AS "x", SUM("b"."v") AS "y", MAX("a"."v") AS "z"', BELOW),
        ('COUNT("a"."id") AS "x"', BELOW),  # a join for a condition
    ],
)
def test_aggregates_of_one_path_are_right(items: str, joins: str):
    rewriting = rewrite(over(items, joins))

    assert (rewriting.findings, dict(rewriting.candidates), rewriting.refusals) == ((), {}, ())


def test_rows_further_down_a_branch_multiply_it_too():
    joins = f'{JOINS} LEFT OUTER JOIN "c" ON ("a"."id" = "c"."a_id")'

    (finding,) = rewrite(over('COUNT("a"."id") AS "x", COUNT(DISTINCT "c"."id") AS "y"', joins)).findings

    assert finding.is_wrong


def test_a_branch_keeps_its_own_joins_and_conditions():
    joins = (
        'INNER JOIN "r" ON ("d"."r_id" = "r"."id") LEFT OUTER JOIN "a" ON ("d"."id" = "a"."d_id" AND ("a"."k" = $2)) '
        'LEFT OUTER JOIN "p" ON ("a"."p_id" = "p"."id") LEFT OUTER JOIN "b" ON ("d"."id" = "b"."d_id")'
    )

    text = rewrite(over('MAX("p"."v") AS "x", COUNT(DISTINCT "b"."id") AS "y"', joins)).candidates[Strategy.GROUPED]

    assert (
        'SELECT "a"."d_id" AS "k1", MAX("p"."v") AS "c1" FROM "a" LEFT OUTER JOIN "p" ON ("a"."p_id" = "p"."id") '
        'WHERE ("a"."k" = $2) GROUP BY "a"."d_id")' in text
    )
    assert 'FROM "d" INNER JOIN "r" ON ("d"."r_id" = "r"."id") LEFT JOIN "folded_1"' in text


def test_having_and_order_by_are_rewritten():
    rest = ' GROUP BY "d"."id" HAVING COUNT(DISTINCT "a"."id") > $2 ORDER BY COUNT(DISTINCT "a"."id") DESC'

    text = rewrite(over(rest=rest)).candidates[Strategy.GROUPED]

    assert text.endswith(
        'HAVING COALESCE(MAX("folded_1"."c1"), 0) > $2 ORDER BY COALESCE(MAX("folded_1"."c1"), 0) DESC'
    )


def test_a_grouped_position_is_the_item():
    assert rewrite(over(rest=" GROUP BY 1")).candidates


@pytest.mark.parametrize(
    "sql",
    [
        over(rest=""),
        over(rest=' GROUP BY "d"."region_id"'),
        over(rest=' GROUP BY "d"."id", "a"."s"'),
        over(rest=' WHERE "a"."s" = $2 GROUP BY "d"."id"'),
        over(joins=JOINS.replace("LEFT OUTER", "INNER")),
        over(joins=JOINS.replace('"b"."d_id")', '"b"."d_id" AND "b"."at" > "a"."at")')),
        over('ARRAY_AGG(DISTINCT "a"."s") AS "x", COUNT(DISTINCT "b"."id") AS "y"'),
        over('MAX("d"."v") AS "x", COUNT(DISTINCT "b"."id") AS "y"'),
    ],
)
def test_branches_that_cannot_be_taken_apart_stay(sql: str):
    rewriting = rewrite(sql)

    assert not rewriting.candidates
    assert [refusal.reason for refusal in rewriting.refusals] == [Reason.BRANCHES]
    assert [finding.is_wrong for finding in rewriting.findings] == [False]


@pytest.mark.parametrize(
    "sql",
    [
        over(joins='LEFT OUTER JOIN "a" ON ("d"."id" = "a"."d_id")'),
        over(joins='LEFT OUTER JOIN "a" ON ("d"."a_id" = "a"."id") LEFT OUTER JOIN "b" ON ("d"."id" = "b"."d_id")'),
        'SELECT "d"."id" FROM "d" ' + JOINS,
    ],
)
def test_one_branch_is_no_trap(sql: str):
    assert not rewrite(sql).findings


def test_models_say_which_columns_are_unique():
    """``tests_shelf.id`` is a primary key, so that join gives one row; that to sales gives several."""
    sql = (
        'SELECT "r"."id", COUNT(DISTINCT "tests_sale"."id") AS "x", COUNT(DISTINCT "s"."id") AS "y" FROM "r" '
        'LEFT OUTER JOIN "tests_sale" ON ("r"."id" = "tests_sale"."id") '
        'LEFT OUTER JOIN "s" ON ("r"."id" = "s"."r_id") GROUP BY "r"."id"'
    )

    assert not rewrite(sql).findings
    assert rewrite(sql.replace('"tests_sale"."id")', '"tests_sale"."buyer_id")', 2)).findings
