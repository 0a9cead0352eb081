"""The text of the rankings' SQL: a change of a template is seen here, without a database."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Sum

from reports.prebuilt import BiggestMovers, LatestPerGroup, Pareto, ShareOfTotal, TopAndOther, TopN, TopPerGroup
from tests.models import Sale

COUNT = {"count": Count("pk")}
TOTAL = {"total": Sum("amount")}
NOW = (date(2026, 3, 1), date(2026, 4, 1))
MARCH = {"date_field": "day", "start": NOW[0], "end": NOW[1]}
JUST_BEFORE = (date(2026, 1, 29), date(2026, 3, 1))
BEFORE = (date(2025, 3, 1), date(2025, 4, 1))


def report(parent: type[Any], **attributes: Any) -> Any:
    return type("Made", (parent,), {"name": "tests.made", "source": Sale, **attributes})


def test_top_n_sql():
    query = report(
        TopN, dimensions=["kind"], metrics=TOTAL, date_field="day", start=date(2026, 1, 1), limit=5
    )().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_total" FROM \
"tests_sale" WHERE "tests_sale"."day" >= %s GROUP BY 1),
-- What is before a group in the order is kept with it: ranking the groups that are kept gives each its rank \
among all.
kept AS (
    SELECT f.*
    FROM facts AS f
    ORDER BY ("f"."of_total")::numeric DESC NULLS LAST, "f"."by_kind"
    FETCH FIRST %s ROWS ONLY
)
SELECT rank() OVER (ORDER BY ("k"."of_total")::numeric DESC NULLS LAST) AS rank, "k"."by_kind" AS "kind",
    ("k"."of_total")::numeric AS "total"
FROM kept AS k\
"""
    )
    assert query.params == (date(2026, 1, 1), 5)


def test_top_n_with_ties_sql():
    query = report(TopN, dimensions=["kind"], metrics=TOTAL, ascending=True, with_ties=True)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_total" FROM \
"tests_sale" GROUP BY 1),
-- What is before a group in the order is kept with it: ranking the groups that are kept gives each its rank \
among all.
kept AS (
    SELECT f.*
    FROM facts AS f
    ORDER BY ("f"."of_total")::numeric ASC NULLS LAST
    FETCH FIRST %s ROWS WITH TIES
)
SELECT rank() OVER (ORDER BY ("k"."of_total")::numeric ASC NULLS LAST) AS rank, "k"."by_kind" AS "kind",
    ("k"."of_total")::numeric AS "total"
FROM kept AS k\
"""
    )
    assert query.params == (10,)


def test_top_per_group_sql():
    query = report(TopPerGroup, partition=["kind"], dimensions=["quantity"], metrics=TOTAL)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."quantity" AS "by_quantity", \
SUM("tests_sale"."amount") AS "of_total" FROM "tests_sale" GROUP BY 1, 2),
ranked AS (
    SELECT f.*,
        rank() OVER (PARTITION BY "f"."by_kind" ORDER BY ("f"."of_total")::numeric DESC NULLS LAST) AS rank,
        row_number() OVER (
            PARTITION BY "f"."by_kind"
            ORDER BY ("f"."of_total")::numeric DESC NULLS LAST, "f"."by_quantity"
        ) AS place
    FROM facts AS f
)
SELECT r.rank, "r"."by_kind" AS "kind", "r"."by_quantity" AS "quantity",
    ("r"."of_total")::numeric AS "total"
FROM ranked AS r
WHERE r.place <= %s\
"""
    )
    assert query.params == (3,)


def test_top_rows_per_group_sql():
    query = report(TopPerGroup, partition=["kind"], dimensions=["id", "amount"], by="amount", with_ties=True)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."id" AS "by_id", "tests_sale"."amount" AS \
"by_amount" FROM "tests_sale"),
ranked AS (
    SELECT f.*,
        rank() OVER (PARTITION BY "f"."by_kind" ORDER BY ("f"."by_amount")::numeric DESC NULLS LAST) AS rank
    FROM facts AS f
)
SELECT r.rank, "r"."by_kind" AS "kind", "r"."by_id" AS "id", "r"."by_amount" AS "amount"
FROM ranked AS r
WHERE r.rank <= %s\
"""
    )
    assert query.params == (3,)


def test_latest_per_group_sql():
    query = report(LatestPerGroup, group="buyer", date_field="at", fields=["kind"], dimensions=["name"])().query()

    assert (
        query.sql
        == """\
WITH ranked AS  (
    SELECT f.*, row_number() OVER (PARTITION BY "f"."by_buyer_id" ORDER BY "f"."of_date_" DESC, "f"."of_id" \
DESC) AS rank
    FROM (SELECT "tests_sale"."buyer_id" AS "by_buyer_id", "tests_sale"."kind" AS "by_kind", "tests_sale"."at" \
AS "of_date_", "tests_sale"."id" AS "of_id" FROM "tests_sale" WHERE "tests_sale"."at" IS NOT NULL) AS f
)
SELECT "o"."by_buyer_id" AS "buyer_id", "o"."by_name" AS "name",
    l.rank, "l"."by_kind" AS "kind"
FROM (SELECT "tests_buyer"."id" AS "by_buyer_id", "tests_buyer"."name" AS "by_name" FROM "tests_buyer") AS o
INNER JOIN (SELECT * FROM ranked WHERE rank <= %s) AS l
    ON "l"."by_buyer_id" = "o"."by_buyer_id"\
"""
    )
    assert query.params == (1,)


def test_latest_per_group_lateral_sql():
    query = report(
        LatestPerGroup, group="buyer", date_field="at", fields=["kind"], keep_empty=True, lateral=True
    )().query()

    assert (
        query.sql
        == """\
SELECT "o"."by_buyer_id" AS "buyer_id",
    l.rank, "l"."by_kind" AS "kind"
FROM (SELECT "tests_buyer"."id" AS "by_buyer_id" FROM "tests_buyer") AS o
LEFT JOIN LATERAL (
    -- As many entries of the index as are asked for: the order is that of an index that begins with group and \
date.
    SELECT f.*, row_number() OVER (ORDER BY "f"."of_date_" DESC, "f"."of_id" DESC) AS rank
    FROM (SELECT "tests_sale"."buyer_id" AS "by_buyer_id", "tests_sale"."kind" AS "by_kind", "tests_sale"."at" \
AS "of_date_", "tests_sale"."id" AS "of_id" FROM "tests_sale" WHERE "tests_sale"."at" IS NOT NULL) AS f
    WHERE "f"."by_buyer_id" = "o"."by_buyer_id"
    ORDER BY "f"."of_date_" DESC, "f"."of_id" DESC
    LIMIT %s
) AS l ON true\
"""
    )
    assert query.params == (1,)


def test_top_and_other_sql():
    query = report(TopAndOther, dimensions=["kind", "quantity"], metrics={"mean": Avg("amount")}, limit=5)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."quantity" AS "by_quantity", \
SUM("tests_sale"."amount") AS "sum_of_mean", COUNT("tests_sale"."amount") AS "count_of_mean" FROM "tests_sale" \
GROUP BY 1, 2),
ranked AS (
    SELECT f.*,
        rank() OVER (ORDER BY ("f"."sum_of_mean"::numeric / nullif("f"."count_of_mean", 0))::numeric DESC NULLS \
LAST) AS rank,
        row_number() OVER (ORDER BY ("f"."sum_of_mean"::numeric / nullif("f"."count_of_mean", 0))::numeric DESC \
NULLS LAST, "f"."by_kind", "f"."by_quantity") > %s AS is_other
    FROM facts AS f
)
SELECT CASE WHEN NOT r.is_other THEN min(r.rank) END AS rank, r.is_other,
    CASE WHEN r.is_other THEN (%s)::character varying ELSE CASE WHEN NOT r.is_other THEN "r"."by_kind" END END \
AS "kind",
    CASE WHEN NOT r.is_other THEN "r"."by_quantity" END AS "quantity",
    count(*) AS members,
    (sum("r"."sum_of_mean") ::numeric / nullif(sum("r"."count_of_mean") , 0))::numeric AS "mean"
FROM ranked AS r
GROUP BY r.is_other, CASE WHEN NOT r.is_other THEN "r"."by_kind" END, CASE WHEN NOT r.is_other THEN \
"r"."by_quantity" END\
"""
    )
    assert query.params == (5, "other")


def test_share_of_total_sql():
    query = report(ShareOfTotal, dimensions=["kind", "quantity"], metrics=TOTAL, share_within=["kind"])().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."quantity" AS "by_quantity", \
SUM("tests_sale"."amount") AS "of_total" FROM "tests_sale" GROUP BY 1, 2)
SELECT "f"."by_kind" AS "kind", "f"."by_quantity" AS "quantity",
    ("f"."of_total")::numeric AS "total",
    ("f"."of_total")::numeric / nullif(sum("f"."of_total") OVER (), 0)::numeric AS "total_share",
    ("f"."of_total")::numeric / nullif(sum("f"."of_total") OVER (PARTITION BY "f"."by_kind"), 0)::numeric AS \
"total_share_within"
FROM facts AS f\
"""
    )
    assert query.params == ()


def test_pareto_sql():
    query = report(Pareto, dimensions=["kind"], metrics=TOTAL)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") AS "of_total" FROM \
"tests_sale" GROUP BY 1),
valued AS (
    SELECT f.*, greatest(coalesce(("f"."of_total")::numeric, 0), 0)::numeric AS adds
    FROM facts AS f
),
summed AS (
    -- Both sums in one order: of binary numbers the last one so far would else not be the whole.
    SELECT v.*,
        rank() OVER (ORDER BY ("v"."of_total")::numeric DESC NULLS LAST) AS rank,
        sum(v.adds) OVER (best ROWS UNBOUNDED PRECEDING) AS so_far,
        sum(v.adds) OVER (best ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS whole
    FROM valued AS v
    WINDOW best AS (ORDER BY ("v"."of_total")::numeric DESC NULLS LAST, "v"."by_kind")
)
SELECT s.rank, "s"."by_kind" AS "kind",
    ("s"."of_total")::numeric AS "total",
    s.adds / nullif(s.whole, 0) AS share,
    s.so_far / nullif(s.whole, 0) AS cumulative_share,
    CASE
        WHEN s.so_far - s.adds < (%s)::numeric * s.whole THEN (%s)::text
        WHEN s.so_far - s.adds < (%s)::numeric * s.whole THEN (%s)::text
        ELSE (%s)::text
    END AS abc
FROM summed AS s\
"""
    )
    assert query.params == (Decimal("0.8"), "A", Decimal("0.95"), "B", "C")


def test_biggest_movers_sql():
    query = report(BiggestMovers, dimensions=["kind"], metrics=TOTAL, **MARCH)().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", SUM("tests_sale"."amount") FILTER (WHERE \
("tests_sale"."day" >= %s AND "tests_sale"."day" < %s)) AS "now_of_total", SUM("tests_sale"."amount") FILTER \
(WHERE ("tests_sale"."day" >= %s AND "tests_sale"."day" < %s)) AS "before_of_total" FROM "tests_sale" WHERE \
("tests_sale"."day" >= %s AND "tests_sale"."day" < %s) GROUP BY 1),
compared AS (
    SELECT f.*, coalesce(("f"."now_of_total")::numeric, (%s)::numeric) AS now, \
coalesce(("f"."before_of_total")::numeric, (%s)::numeric) AS before
    FROM facts AS f
),
changed AS (
    SELECT c.*, (c.now - c.before)::numeric AS delta,
        (c.now - c.before)::numeric / nullif(abs(c.before), 0)::numeric AS change
    FROM compared AS c
)
SELECT rank() OVER best AS rank, "c"."by_kind" AS "kind",
    coalesce(("c"."now_of_total")::numeric, (%s)::numeric) AS "total",
    coalesce(("c"."before_of_total")::numeric, (%s)::numeric) AS "total_before",
    c.delta,
    c.change
FROM changed AS c
WHERE c.delta <> 0
WINDOW best AS (ORDER BY abs(c.delta) DESC)
ORDER BY rank, "c"."by_kind"
LIMIT %s\
"""
    )
    assert query.params == (*NOW, *JUST_BEFORE, JUST_BEFORE[0], NOW[1], 0, 0, 0, 0, 10)


def test_biggest_relative_movers_up_sql():
    query = report(
        BiggestMovers,
        dimensions=["kind"],
        metrics=COUNT,
        **MARCH,
        before_start=BEFORE[0],
        before_end=BEFORE[1],
        relative=True,
        direction="up",
    )().query()

    assert (
        query.sql
        == """\
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."id") FILTER (WHERE \
("tests_sale"."day" >= %s AND "tests_sale"."day" < %s)) AS "now_of_count", COUNT("tests_sale"."id") FILTER \
(WHERE ("tests_sale"."day" >= %s AND "tests_sale"."day" < %s)) AS "before_of_count" FROM "tests_sale" WHERE \
(("tests_sale"."day" >= %s AND "tests_sale"."day" < %s) OR ("tests_sale"."day" >= %s AND "tests_sale"."day" < \
%s)) GROUP BY 1),
compared AS (
    SELECT f.*, coalesce(("f"."now_of_count")::bigint, (%s)::bigint) AS now, \
coalesce(("f"."before_of_count")::bigint, (%s)::bigint) AS before
    FROM facts AS f
),
changed AS (
    SELECT c.*, (c.now - c.before)::bigint AS delta,
        (c.now - c.before)::numeric / nullif(abs(c.before), 0)::numeric AS change
    FROM compared AS c
)
SELECT rank() OVER best AS rank, "c"."by_kind" AS "kind",
    coalesce(("c"."now_of_count")::bigint, (%s)::bigint) AS "count",
    coalesce(("c"."before_of_count")::bigint, (%s)::bigint) AS "count_before",
    c.delta,
    c.change
FROM changed AS c
WHERE c.delta > 0
WINDOW best AS (ORDER BY abs(c.change) DESC NULLS LAST, abs(c.delta) DESC)
ORDER BY rank, "c"."by_kind"
LIMIT %s\
"""
    )
    assert query.params == (*NOW, *BEFORE, *NOW, *BEFORE, 0, 0, 0, 0, 10)
