"""What becomes of statements: texts alone, no database."""

from __future__ import annotations

import pytest

from reports.rewrite.rewriting import Kind, Reason, Rewriting, Strategy
from reports.rewrite.statements import rewrite

OPEN = '(SELECT COUNT(*) AS "c" FROM "t" U0 WHERE (U0."d_id" = ("d"."id") AND U0."s" = $1) GROUP BY U0."d_id")'
LATE = '(SELECT SUM(U0."h") AS "c" FROM "t" U0 WHERE (U0."d_id" = ("d"."id") AND U0."late") GROUP BY U0."d_id")'


def outer(*items: str, rest: str = "") -> str:
    """A statement over departments."""
    named = ", ".join(f'{item} AS "x{number}"' for number, item in enumerate(items, 1))
    return f'SELECT "d"."id", {named} FROM "d"{rest}'


def folded(*columns: str, where: str = "", name: str = "folded_1", hint: str = "") -> str:
    """The CTE that is expected."""
    items = ", ".join(f'{column} AS "c{number}"' for number, column in enumerate(columns, 1))
    return f'"{name}" AS {hint}(SELECT U0."d_id" AS "k1", {items} FROM "t" U0{where} GROUP BY U0."d_id")'


JOIN = ' LEFT JOIN "folded_1" ON ("folded_1"."k1" = "d"."id")'


def grouped(sql: str, **options: object) -> str:
    return rewrite(sql, **options).candidates[Strategy.GROUPED]  # type: ignore[arg-type]


def lateral(sql: str) -> str:
    return rewrite(sql).candidates[Strategy.LATERAL]


def subquery(select: str, *, where: str = "", rest: str = ' GROUP BY U0."d_id"', tables: str = '"t" U0') -> str:
    return f'(SELECT {select} AS "c" FROM {tables} WHERE (U0."d_id" = ("d"."id"){where}){rest})'


def pair(select: str, **parts: str) -> str:
    """A statement with two subqueries that differ by a condition."""
    where = parts.pop("where", "")
    return outer(*(subquery(select, where=f'{where} AND U0."s" = ${number}', **parts) for number in (1, 2)))


def value_of(select: str, **parts: str) -> tuple[str, str]:
    """What stands for one subquery beside a plain count, and the CTE's columns."""
    text = grouped(outer(subquery(select, **parts), subquery("COUNT(*)")))
    cte, _, rest = text.partition(") SELECT ")
    return rest.partition(" FROM ")[0].split(" AS ")[0].partition(", ")[2], cte.partition('"k1", ')[2].partition(
        " FROM "
    )[0]


# The commonest dashboard.


def test_two_counts_of_one_table_become_one_cte():
    columns = 'COUNT(*) FILTER (WHERE U0."s" = $1)', 'SUM(U0."h") FILTER (WHERE U0."late")'

    assert grouped(outer(OPEN, LATE, rest=' ORDER BY "d"."name" LIMIT 20')) == (
        f'WITH {folded(*columns)} SELECT "d"."id", (NULLIF("folded_1"."c1", 0)) AS "x1", ("folded_1"."c2") AS "x2" '
        f'FROM "d"{JOIN} ORDER BY "d"."name" LIMIT 20'
    )


def test_materialized_is_the_same_with_the_word():
    sql = outer(OPEN, LATE)
    candidates = rewrite(sql).candidates

    assert candidates[Strategy.MATERIALIZED] == candidates[Strategy.GROUPED].replace(" AS (", " AS MATERIALIZED (")


def test_lateral_asks_once_for_each_outer_row():
    assert lateral(outer(OPEN, LATE)) == (
        'SELECT "d"."id", (NULLIF("folded_1"."c1", 0)) AS "x1", ("folded_1"."c2") AS "x2" FROM "d" '
        'LEFT JOIN LATERAL (SELECT COUNT(*) FILTER (WHERE U0."s" = $1) AS "c1", SUM(U0."h") FILTER (WHERE U0."late") '
        'AS "c2" FROM "t" U0 WHERE U0."d_id" = "d"."id") AS "folded_1" ON TRUE'
    )


def test_a_finding_has_the_table_and_the_subqueries():
    (finding,) = rewrite(outer(OPEN, LATE)).findings

    assert (finding.kind, finding.tables, finding.count, finding.subqueries) == (Kind.SHARED, ("t",), 2, (OPEN, LATE))


def test_findings_come_without_candidates():
    sql = outer(OPEN, LATE)

    assert rewrite(sql, findings_only=True) == Rewriting(sql, rewrite(sql).findings)


def test_one_subquery_alone_stays():
    assert rewrite(outer(OPEN)) == Rewriting(outer(OPEN))


def test_subqueries_of_different_tables_stay():
    assert not rewrite(outer(OPEN, LATE.replace('"t"', '"u"'))).candidates


def test_subqueries_by_different_columns_stay():
    assert not rewrite(outer(OPEN, LATE.replace('U0."d_id"', 'U0."e_id"'))).candidates


def test_an_annotation_used_by_others_is_computed_once():
    ratio = f"({OPEN} / NULLIF({LATE}, $2))"
    sql = outer(OPEN, LATE, ratio, rest=f" WHERE {OPEN} > $3 ORDER BY {ratio} DESC").replace("$1", "$4")

    text = grouped(sql)

    assert text.count('FROM "t"') == 1
    assert text.partition(" FROM ")[0].count(' AS "c') == 2
    assert text.endswith(
        f'FROM "d"{JOIN} WHERE (NULLIF("folded_1"."c1", 0)) > $3 '
        'ORDER BY ((NULLIF("folded_1"."c1", 0)) / NULLIF(("folded_1"."c2"), $2)) DESC'
    )


# What stands in a subquery's place.


@pytest.mark.parametrize(
    ("select", "where", "expected", "columns"),
    [
        ("COUNT(*)", "", '(NULLIF("folded_1"."c1", 0))', 'COUNT(*) AS "c1"'),
        (
            'COUNT(U0."h")',
            "",
            '(CASE WHEN "folded_1"."c2" > 0 THEN "folded_1"."c1" END)',
            'COUNT(U0."h") AS "c1", COUNT(*) AS "c2"',
        ),
        (
            'MAX(U0."h")',
            ' AND U0."s" = $1',
            '("folded_1"."c1")',
            'MAX(U0."h") FILTER (WHERE U0."s" = $1) AS "c1", COUNT(*) AS "c2"',
        ),
        (
            'COALESCE(MAX(U0."h"), $2)',
            ' AND U0."s" = $1',
            '(CASE WHEN "folded_1"."c2" > 0 THEN COALESCE("folded_1"."c1", $2) END)',
            'MAX(U0."h") FILTER (WHERE U0."s" = $1) AS "c1", COUNT(*) FILTER (WHERE U0."s" = $1) AS "c2", '
            'COUNT(*) AS "c3"',
        ),
        (
            'COUNT(*) FILTER (WHERE U0."x")',
            "",
            '(CASE WHEN "folded_1"."c2" > 0 THEN "folded_1"."c1" END)',
            'COUNT(*) FILTER (WHERE U0."x") AS "c1", COUNT(*) AS "c2"',
        ),
        (
            'ARRAY_AGG(U0."h" ORDER BY U0."id") FILTER (WHERE (U0."x" OR U0."y"))',
            ' AND U0."s" = $1',
            '("folded_1"."c1")',
            'ARRAY_AGG(U0."h" ORDER BY U0."id") FILTER (WHERE (U0."s" = $1) AND (U0."x" OR U0."y")) AS "c1", '
            'COUNT(*) AS "c2"',
        ),
        (
            'percentile_cont(0.5) WITHIN GROUP (ORDER BY U0."h")',
            "",
            '("folded_1"."c1")',
            'percentile_cont(0.5) WITHIN GROUP (ORDER BY U0."h") AS "c1", COUNT(*) AS "c2"',
        ),
    ],
)  # fmt: skip
def test_a_group_without_rows_is_null(select: str, where: str, expected: str, columns: str):
    assert value_of(select, where=where) == (expected, columns)


def test_a_count_of_the_key_counts_rows():
    """The model says which column is the key; in a table that no migration made it may be NULL all the same."""
    texts = [OPEN.replace("*", 'U0."id"').replace('"t"', f'"{table}"') for table in ("tests_sale", "t")]

    texts = [grouped(outer(text, text.replace("$1", "$2"))) for text in texts]

    assert 'COUNT(*) FILTER (WHERE U0."s" = $1) AS "c1"' in texts[0]
    assert 'COUNT(U0."id") FILTER (WHERE U0."s" = $1) AS "c1"' in texts[1]


def test_without_group_by_a_count_of_nothing_is_0():
    select = 'COUNT(U0."id")'

    assert value_of(select, rest="")[0] == '(COALESCE("folded_1"."c1", 0))'


def test_having_is_asked_of_the_group():
    rest = ' GROUP BY U0."d_id" HAVING COUNT(*) > $1'

    value, columns = value_of('SUM(U0."h")', rest=rest)

    assert value == '(CASE WHEN "folded_1"."c3" > 0 AND ("folded_1"."c2" > $1) THEN "folded_1"."c1" END)'.replace(
        "c3", "c2"
    )
    assert columns == 'SUM(U0."h") AS "c1", COUNT(*) AS "c2"'


def test_exists_is_a_count_above_0():
    exists = 'EXISTS(SELECT $2 AS "a" FROM "t" U0 WHERE (U0."d_id" = ("d"."id") AND U0."late") LIMIT 1)'

    text = grouped(outer(OPEN, exists, rest=f" WHERE NOT ({exists})"))

    assert 'COUNT(*) FILTER (WHERE U0."late") AS "c2"' in text
    assert 'COALESCE("folded_1"."c2" > 0, FALSE) AS "x2"' in text
    assert text.endswith('WHERE NOT (COALESCE("folded_1"."c2" > 0, FALSE))')


def test_slices_of_one_row_are_dropped():
    assert value_of("COUNT(*)", rest=' GROUP BY U0."d_id" LIMIT 1')[0] == '(NULLIF("folded_1"."c1", 0))'


# What is common.


def test_a_common_condition_stays_in_where():
    both = ' AND U0."y" = $9'

    text = grouped(outer(subquery("COUNT(*)", where=both), subquery('MAX(U0."h")', where=both + ' AND U0."late"')))

    assert folded("COUNT(*)", 'MAX(U0."h") FILTER (WHERE U0."late")', where=' WHERE U0."y" = $9') in text


def test_equal_parameters_are_one():
    first, second = subquery("COUNT(*)", where=' AND U0."s" = $1'), subquery("COUNT(*)", where=' AND U0."s" = $2')

    assert 'COUNT(*) FILTER (WHERE U0."s" = $2) AS "c2"' in grouped(outer(first, second))
    assert grouped(outer(first, second), same=[0, 0]).startswith(
        f'WITH {folded("COUNT(*)", where=""" WHERE U0."s" = $1""")}'
    )


def test_kind_is_repeated_where_all_are_one():
    (finding,) = rewrite(outer(OPEN, f"COALESCE({OPEN}, $2)")).findings

    assert finding.kind == Kind.REPEATED


def test_joins_within_are_kept():
    tables = '"t" U0 INNER JOIN "p" U1 ON (U0."p_id" = U1."id")'
    text = grouped(outer(*(subquery("COUNT(*)", where=f' AND U1."k" = ${n}', tables=tables) for n in (1, 2))))

    assert f'FROM {tables} GROUP BY U0."d_id")' in text


def test_several_keys():
    where = ' AND U0."y" = ("d"."y")'
    text = grouped(outer(subquery("COUNT(*)", where=where), subquery('MAX(U0."h")', where=where)))

    assert 'SELECT U0."d_id" AS "k1", U0."y" AS "k2",' in text
    assert 'GROUP BY U0."d_id", U0."y")' in text
    assert 'LEFT JOIN "folded_1" ON ("folded_1"."k1" = "d"."id" AND "folded_1"."k2" = "d"."y")' in text


def test_outer_conditions_leave_the_keys():
    text = grouped(outer(OPEN, LATE, rest=' WHERE ("d"."r" = $2 AND ' + OPEN + " > $3)"))

    assert 'WHERE U0."d_id" IN (SELECT "d"."id" FROM "d" WHERE ("d"."r" = $2)) GROUP BY' in text


def test_what_can_fail_is_computed_for_the_outer_keys():
    division = subquery('SUM(U0."h" / U0."n")', where=' AND (U0."h" / U0."n") > $1')

    text = grouped(outer(division, LATE))

    assert (
        folded(
            'SUM(U0."h" / U0."n") FILTER (WHERE (U0."h" / U0."n") > $1)',
            'SUM(U0."h") FILTER (WHERE U0."late")',
            where=' WHERE U0."d_id" IN (SELECT "d"."id" FROM "d")',
        )
        in text
    )


def test_a_common_condition_that_can_fail_goes_into_filter():
    where = ' AND (U0."h" / U0."n") > $1'

    text = grouped(outer(subquery("COUNT(*)", where=where), subquery('MAX(U0."h")', where=where)))

    assert 'FROM "t" U0 WHERE U0."d_id" IN (SELECT "d"."id" FROM "d") GROUP BY' in text
    assert text.count('FILTER (WHERE (U0."h" / U0."n") > $1)') == 2


@pytest.mark.parametrize(
    ("item", "may_raise"),
    [
        ("COUNT(*)", False),
        ('MIN(U0."h")', False),
        ('SUM(U0."h")', True),
        ('MAX(U0."h" * 2)', True),
        ("MAX(U0.h::int)", True),
    ],
)  # fmt: skip
def test_may_raise(item: str, may_raise: bool):
    assert rewrite(outer(subquery(item), subquery("COUNT(*)"))).may_raise is may_raise


def test_a_ratio_of_the_outer_select_may_raise():
    assert rewrite(outer(subquery("COUNT(*)"), f"(1 / {subquery('COUNT(*)')})")).may_raise


# Other shapes.

LATEST = '(SELECT U0."{}" FROM "t" U0 WHERE U0."d_id" = ("d"."id") ORDER BY U0."at" DESC, U0."id" LIMIT 1)'


def test_the_latest_rows_columns_share_one_lateral():
    rewriting = rewrite(outer(LATEST.format("s"), LATEST.format("h")))

    assert rewriting.candidates == {
        Strategy.LATERAL: 'SELECT "d"."id", ("folded_1"."c1") AS "x1", ("folded_1"."c2") AS "x2" FROM "d" '
        'LEFT JOIN LATERAL (SELECT U0."s" AS "c1", U0."h" AS "c2" FROM "t" U0 WHERE U0."d_id" = ("d"."id") '
        'ORDER BY U0."at" DESC, U0."id" LIMIT 1) AS "folded_1" ON TRUE'
    }
    assert not rewriting.is_limited


def test_latest_rows_in_another_order_are_others():
    assert not rewrite(outer(LATEST.format("s"), LATEST.format("h").replace("DESC", "ASC"))).candidates


def test_a_correlation_by_range_is_lateral_only():
    where = ' AND U0."at" > "d"."since"'

    rewriting = rewrite(
        outer(subquery("COUNT(*)", where=where, rest=""), subquery('MAX(U0."h")', where=where, rest=""))
    )

    assert rewriting.candidates == {
        Strategy.LATERAL: 'SELECT "d"."id", (COALESCE("folded_1"."c1", 0)) AS "x1", ("folded_1"."c2") AS "x2" FROM "d" '
        'LEFT JOIN LATERAL (SELECT COUNT(*) AS "c1", MAX(U0."h") AS "c2" FROM "t" U0 WHERE U0."d_id" = "d"."id" AND '
        '(U0."at" > "d"."since")) AS "folded_1" ON TRUE'
    }


def test_any_shape_that_is_repeated_is_asked_once():
    odd = '(SELECT U0."h" FROM "t" U0 WHERE U0."id" = "d"."first_id")'

    assert rewrite(outer(odd, rest=f" WHERE {odd} > $1")).candidates == {
        Strategy.LATERAL: 'SELECT "d"."id", ("folded_1"."c1") AS "x1" FROM "d" '
        f'CROSS JOIN LATERAL (SELECT {odd} AS "c1" OFFSET 0) AS "folded_1" WHERE ("folded_1"."c1") > $1'
    }


def test_levels_are_folded_one_after_another():
    inner = '(SELECT COUNT(*) FROM "s" V0 WHERE V0."t_id" = U0."id" AND V0."k" = ${})'
    sums = [subquery(f"SUM({inner.format(number)})") for number in (1, 2)]

    text = grouped(outer(*sums))

    assert text.startswith(
        'WITH "folded_1" AS (WITH "folded_2" AS (SELECT V0."t_id" AS "k1", COUNT(*) FILTER (WHERE V0."k" = $1) AS "c1"'
    )
    assert text.count('FROM "s"') == text.count('FROM "t"') == 1


def test_arms_of_a_union_are_folded_apart():
    arm = f"({outer(OPEN, LATE)})"

    text = grouped(f"{arm} UNION ALL {arm} ORDER BY 2")

    assert text.startswith('(WITH "folded_1" AS (')
    assert ') UNION ALL (WITH "folded_2" AS (' in text


def test_ctes_stand_behind_those_that_are_there():
    text = grouped('WITH "mine" AS (SELECT 1 AS "id") ' + outer(OPEN, LATE, rest=' INNER JOIN "mine" ON (TRUE)'))

    assert text.startswith('WITH "mine" AS (SELECT 1 AS "id"), "folded_1" AS (SELECT')


def test_names_that_are_there_are_not_taken():
    assert '"folded_2"."k1"' in grouped(outer(OPEN, LATE, rest=' WHERE "d"."folded_1" = 1'))


def test_everything_else_is_kept_letter_by_letter():
    odd = (
        """ WHERE "d"."v" @@ (!! to_tsquery('a%b'))\n AND "d"."n" ~* E'\\'x' /* why */ AND "d"."j" #>> '{$1}' = $$x$$"""
    )

    assert grouped(outer(OPEN, LATE, rest=odd)).endswith(odd)


def test_the_name_that_a_subquery_gave_is_kept():
    exists = 'EXISTS(SELECT 1 FROM "t" U0 WHERE U0."d_id" = ("d"."id"))'

    text = grouped(f'SELECT DISTINCT {OPEN}, {exists}, COALESCE({LATE}, 0) FROM "d" ORDER BY {OPEN}')

    assert (
        'SELECT DISTINCT (NULLIF("folded_1"."c1", 0)) AS "c", COALESCE("folded_1"."c2" > 0, FALSE) AS "exists", '
        'COALESCE(("folded_1"."c3"), 0) FROM "d"'
    ) in text


def test_a_case_has_its_name_from_else():
    text = grouped(f'SELECT CASE WHEN {OPEN} > 1 THEN {LATE} ELSE "d"."x" END FROM "d"')

    assert 'SELECT CASE WHEN (NULLIF("folded_1"."c1", 0)) > 1 THEN ("folded_1"."c2") ELSE "d"."x" END FROM' in text


def test_a_sum_has_no_name():
    text = grouped(f'SELECT DISTINCT ({OPEN} + $2), (({LATE})) AS "y" FROM "d"')

    assert text.endswith(
        f'SELECT DISTINCT ((NULLIF("folded_1"."c1", 0)) + $2), ((("folded_1"."c2"))) AS "y" FROM "d"{JOIN}'
    )


def test_one_that_has_the_aliases_otherwise_is_left_out():
    joins = '"t" {0} INNER JOIN "p" {1} ON ({0}."p_id" = {1}."id")'
    texts = [subquery("COUNT(*)", tables=joins.format("U0", "U1"), where=f' AND U1."k" = ${n}') for n in (1, 2)]
    other = (
        texts[0]
        .replace("U0", "V0")
        .replace("U1", "V1")
        .replace("$1", '(SELECT COUNT(*) FROM "s" U1 WHERE U1."k" = V0."k")')
    )

    text = grouped(outer(*texts, other))

    assert f"{other} AS" in text
    assert 'COUNT(*) FILTER (WHERE U1."k" = $2) AS "c2"' in text


def test_an_ordinal_is_the_item_itself():
    first = (
        '(SELECT U0."h" AS "h" FROM "t" U0 WHERE U0."d_id" = ("d"."id") ORDER BY 1 DESC NULLS LAST, U0."id" LIMIT 1)'
    )
    other = first.replace('U0."h" AS "h"', 'U0."id"').replace('1 DESC NULLS LAST, U0."id"', 'U0."h" DESC NULLS LAST, 1')

    assert 'ORDER BY U0."h" DESC NULLS LAST, U0."id" LIMIT 1) AS' in lateral(outer(first, other))


def test_the_same_inner_joins_under_other_names():
    joins = '"t" U0 INNER JOIN "p" {0} ON (U0."p_id" = {0}."id") INNER JOIN "q" {1} ON (U0."q_id" = {1}."id")'
    other = '"t" U0 INNER JOIN "q" U1 ON (U0."q_id" = U1."id") INNER JOIN "p" U3 ON (U0."p_id" = U3."id")'
    first = subquery("COUNT(*)", tables=joins.format("U1", "U2"), where=' AND U1."k" = $1')
    second = subquery('MAX(U3."v")', tables=other, where=' AND U1."z" = $2')

    text = grouped(outer(first, second))

    assert (
        folded('COUNT(*) FILTER (WHERE U1."k" = $1)', 'MAX(U1."v") FILTER (WHERE U2."z" = $2)').replace(
            '"t" U0', joins.format("U1", "U2")
        )
        in text
    )


def test_outer_joins_in_another_order_are_others():
    tables = '"t" U0 LEFT OUTER JOIN "p" U1 ON (U0."p_id" = U1."id") LEFT OUTER JOIN "q" U2 ON (U1."q_id" = U2."id")'
    swapped = tables.replace("LEFT OUTER", "INNER", 1)

    assert not rewrite(outer(subquery("COUNT(*)", tables=tables), subquery("COUNT(*)", tables=swapped))).candidates


# One page.


def test_a_page_is_cut_before_its_subqueries_are_asked():
    sql = outer('"d"."name"', OPEN, rest=' WHERE "d"."r" = $2 ORDER BY 2 DESC, "d"."id" LIMIT 20 OFFSET 40')
    sql = sql.replace(' FROM "d"', f', {LATE} AS "late" FROM "d"')

    assert rewrite(sql).candidates[Strategy.PAGED] == (
        'WITH "folded_2" AS MATERIALIZED (SELECT "d".* FROM "d" WHERE "d"."r" = $2 '
        'ORDER BY "d"."name" DESC, "d"."id" LIMIT 20 OFFSET 40) '
        'SELECT "d"."id", "d"."name" AS "x1", (NULLIF("folded_1"."c1", 0)) AS "x2", ("folded_1"."c2") AS "late" '
        'FROM "folded_2" AS "d" LEFT JOIN LATERAL (SELECT COUNT(*) FILTER (WHERE U0."s" = $1) AS "c1", '
        'SUM(U0."h") FILTER (WHERE U0."late") AS "c2" FROM "t" U0 WHERE U0."d_id" = "d"."id") AS "folded_1" ON TRUE  '
        'ORDER BY 2 DESC, "d"."id"  '
    )


@pytest.mark.parametrize(
    "rest",
    [
        ' ORDER BY "d"."name"',
        ' ORDER BY "x1" LIMIT 5',
        " ORDER BY 2 LIMIT 5",
        f" WHERE {OPEN} > 3 LIMIT 5",
        " ORDER BY random() LIMIT 5",
        ' INNER JOIN "e" ON ("e"."id" = "d"."e_id") LIMIT 5',
        ' GROUP BY "d"."id" LIMIT 5',
    ],
)
def test_a_page_that_depends_on_more_than_its_table_is_not_cut(rest: str):
    assert Strategy.PAGED not in rewrite(outer(OPEN, LATE, rest=rest)).candidates


# A SELECT with GROUP BY.


def test_group_by_gets_the_columns_outside_of_aggregates():
    text = grouped(outer(OPEN, f"SUM({LATE})", rest=' GROUP BY "d"."id"'))

    assert text.endswith(f'{JOIN} GROUP BY "d"."id", "folded_1"."c1"')


def test_group_by_a_position_or_the_subquery_itself():
    assert grouped(outer(OPEN, f"MAX({LATE})", rest=' GROUP BY "d"."id", 2')).endswith('GROUP BY "d"."id", 2')
    assert grouped(outer(OPEN, rest=f' GROUP BY "d"."id", {OPEN}')).endswith('"d"."id", (NULLIF("folded_1"."c1", 0))')


# What is refused.


@pytest.mark.parametrize(
    ("reason", "sql"),
    [
        (Reason.UNREADABLE, "UPDATE d SET x = 1"),
        (Reason.UNREADABLE, "SELECT (SELECT 1"),
        (Reason.UNREADABLE, "SELECT 1; SELECT 2"),
        (Reason.UNREADABLE, outer(OPEN, LATE, rest=" " * 50_000)),
        (Reason.UNREADABLE, "WITH a AS (DELETE FROM t RETURNING *) SELECT 1"),
        (Reason.LOCKS, outer(OPEN, LATE, rest=" FOR UPDATE")),
        (Reason.OUTER_FROM, outer(OPEN, LATE, rest=', "e"')),
        (Reason.OUTER_GROUPING, outer(OPEN, LATE, rest=' GROUP BY ROLLUP ("d"."id")')),
        (Reason.UNNAMED, f'SELECT CASE WHEN "d"."x" THEN 0 ELSE {OPEN} END, {LATE} AS "y" FROM "d"'),
        (Reason.UNION_ARM, f'{outer(OPEN, LATE)} UNION ALL SELECT 1, 2, 3 FROM "d"'),
        (Reason.INNER_FROM, pair("COUNT(*)", tables='(SELECT * FROM "t") U0')),
        (Reason.INNER_FROM, pair("COUNT(*)", tables='"t" U0, "e"')),
        (Reason.UNQUALIFIED, pair("COUNT(*)", where=' AND "x"')),
        (Reason.NOT_CORRELATED, outer(*[f'(SELECT COUNT(*) FROM "t" U0 WHERE U0."s" = ${n})' for n in (1, 2)])),
        (Reason.CORRELATION, pair('SUM(U0."h" * "d"."rate")')),
        (Reason.SEVERAL_ROWS, pair('U0."h"', rest="")),
        (Reason.SEVERAL_ROWS, pair("COUNT(*)", rest=' GROUP BY U0."s"')),
        (Reason.WINDOW, pair("COUNT(*) OVER ()")),
        (Reason.UNKNOWN_FUNCTION, outer(subquery("SUM(random())"), subquery("SUM(random())"))),
        (Reason.UNKNOWN_FUNCTION, outer(subquery("SUM(mine.f(U0.h))"), subquery("SUM(mine.f(U0.h))"))),
        (Reason.UNORDERED, pair('ARRAY_AGG(U0."h")')),
    ],
)  # fmt: skip
def test_refused(reason: Reason, sql: str):
    rewriting = rewrite(sql)

    assert not rewriting.candidates
    assert {refusal.reason for refusal in rewriting.refusals} == {reason}


def test_a_refused_repetition_is_found_with_its_reason():
    volatile = subquery("SUM(random())")

    (finding,) = rewrite(outer(volatile, volatile)).findings

    assert (finding.kind, finding.count) == (Kind.REPEATED, 2)
    assert finding.reason == f"{Reason.UNKNOWN_FUNCTION} (random)"


def test_columns_of_extract_and_distinct_from_are_seen():
    conditions = ' AND EXTRACT(YEAR FROM "d"."at") = $1', ' AND U0."x" IS DISTINCT FROM "d"."y"'
    texts = [subquery("COUNT(*)", where=condition) for condition in conditions]

    for text in texts:
        assert set(rewrite(outer(text, f"COALESCE({text}, 0)")).candidates) == {Strategy.LATERAL}


def test_in_and_array_subqueries_are_no_scalars():
    sql = outer(f'"d"."id" IN {LATEST.format("d_id")}', f"ARRAY{LATEST.format('h')}", f"ARRAY{LATEST.format('s')}")

    assert rewrite(sql) == Rewriting(sql)


@pytest.mark.parametrize(
    ("rest", "is_limited"),
    [("", False), (" LIMIT 5", True), (' ORDER BY 1 FETCH FIRST 3 ROWS ONLY', True), (" OFFSET 3", False)],
)  # fmt: skip
def test_is_limited(rest: str, is_limited: bool):
    assert rewrite(outer(OPEN, LATE, rest=rest)).is_limited is is_limited


def test_a_union_may_be_limited():
    assert rewrite(f"({outer(OPEN, LATE)}) UNION ({outer(OPEN)}) LIMIT 3").is_limited
