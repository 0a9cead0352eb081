"""The SQL of the reports about who acts, word by word: how it is broken into lines makes no difference."""

from __future__ import annotations

RETENTION = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", date_trunc('month', ("tests_sale"."at" AT TIME ZONE
    %s)::date::timestamp)::date AS "by_period", "tests_sale"."kind" AS "by_kind", MIN("tests_sale"."at") AS
    "by_first" FROM "tests_sale" WHERE ("tests_sale"."at" < %s AND "tests_sale"."buyer_id" IS NOT NULL) GROUP BY 1,
    2, 3),
spine AS (
    SELECT s.period, row_number() OVER (ORDER BY s.period) AS number
    FROM (
        SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
    ) AS s
),
activity AS (
    SELECT min(f.by_period) OVER own AS cohort, min(f.by_first) OVER own AS by_first, f.by_period, "f"."by_kind",
           row_number() OVER own = 1 AS is_first, lead(f.by_period) OVER own IS NULL AS is_last
    FROM facts AS f
    WINDOW own AS (PARTITION BY f.by_actor, "f"."by_kind" ORDER BY f.by_period)
),
counts AS (
    SELECT c.number AS cohort, coalesce(p.number, c.number) - c.number AS age, "a"."by_kind",
           count(*) FILTER (WHERE a.is_first) AS size,
           count(a.by_period) FILTER (WHERE a.is_last) AS active
    FROM activity AS a
    JOIN spine AS c ON c.period = a.cohort
    LEFT JOIN spine AS p ON p.period = a.by_period
    WHERE a.by_first >= %s
    GROUP BY c.number, coalesce(p.number, c.number), "a"."by_kind"
),
triangle AS (
    SELECT c.period AS cohort, p.number - c.number AS age, "d"."by_kind",
           coalesce(sum(n.size) OVER (PARTITION BY c.number, "d"."by_kind"), 0)::bigint AS size,
           coalesce(sum(n.active) OVER (PARTITION BY c.number, "d"."by_kind" ORDER BY p.number DESC), 0)::bigint AS
               active
    FROM spine AS c
    JOIN spine AS p ON p.number >= c.number
    CROSS JOIN (SELECT DISTINCT "counts"."by_kind" FROM counts) AS d
    LEFT JOIN counts AS n ON n.cohort = c.number AND n.age = p.number - c.number AND ARRAY["n"."by_kind"] =
        ARRAY["d"."by_kind"]
)
SELECT t.cohort, t.age, "t"."by_kind" AS "kind",
    t.size, t.active, t.active::numeric / nullif(t.size, 0) AS share
FROM triangle AS t
WHERE t.age <= %s
"""

MEMBERS = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", date_trunc('month', ("tests_sale"."at" AT TIME ZONE
    %s)::date::timestamp)::date AS "by_period", MIN("tests_sale"."at") AS "by_first" FROM "tests_sale" WHERE
    ("tests_sale"."at" >= %s AND "tests_sale"."at" < %s AND "tests_sale"."buyer_id" IS NOT NULL) GROUP BY 1, 2),
members AS (SELECT "tests_buyer"."id" AS "by_actor", date_trunc('month', "tests_buyer"."joined"::timestamp)::date AS
    "by_period" FROM "tests_buyer" WHERE ("tests_buyer"."joined" >= %s AND "tests_buyer"."joined" < %s)),
spine AS (
    SELECT s.period, row_number() OVER (ORDER BY s.period) AS number
    FROM (
        SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
    ) AS s
),
activity AS (
    SELECT m.by_period AS cohort, f.by_period,
           row_number() OVER own = 1 AS is_first, lead(f.by_period) OVER own IS NULL AS is_last
    FROM members AS m
    LEFT JOIN facts AS f ON f.by_actor = m.by_actor AND f.by_period >= m.by_period
    WINDOW own AS (PARTITION BY m.by_actor ORDER BY f.by_period)
),
counts AS (
    SELECT c.number AS cohort, coalesce(p.number, c.number) - c.number AS age,
           count(*) FILTER (WHERE a.is_first) AS size,
           count(a.by_period) AS active
    FROM activity AS a
    JOIN spine AS c ON c.period = a.cohort
    LEFT JOIN spine AS p ON p.period = a.by_period
    GROUP BY c.number, coalesce(p.number, c.number)
),
triangle AS (
    SELECT c.period AS cohort, p.number - c.number AS age,
           coalesce(sum(n.size) OVER (PARTITION BY c.number), 0)::bigint AS size,
           coalesce(n.active, 0) AS active
    FROM spine AS c
    JOIN spine AS p ON p.number >= c.number
    LEFT JOIN counts AS n ON n.cohort = c.number AND n.age = p.number - c.number
)
SELECT t.cohort, t.age,
    t.size, t.active, t.active::numeric / nullif(t.size, 0) AS share
FROM triangle AS t
"""

VALUE = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", date_trunc('month', ("tests_sale"."at" AT TIME ZONE
    %s)::date::timestamp)::date AS "by_period", MIN("tests_sale"."at") AS "by_first", SUM("tests_sale"."amount") AS
    "by_value" FROM "tests_sale" WHERE ("tests_sale"."at" < %s AND "tests_sale"."buyer_id" IS NOT NULL) GROUP BY 1,
    2),
spine AS (
    SELECT s.period, row_number() OVER (ORDER BY s.period) AS number
    FROM (
        SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
    ) AS s
),
activity AS (
    SELECT min(f.by_period) OVER own AS cohort, min(f.by_first) OVER own AS by_first, f.by_period, f.by_value,
           row_number() OVER own = 1 AS is_first, lead(f.by_period) OVER own IS NULL AS is_last
    FROM facts AS f
    WINDOW own AS (PARTITION BY f.by_actor ORDER BY f.by_period)
),
counts AS (
    SELECT c.number AS cohort, coalesce(p.number, c.number) - c.number AS age,
           count(*) FILTER (WHERE a.is_first) AS size, sum(a.by_value) AS value
    FROM activity AS a
    JOIN spine AS c ON c.period = a.cohort
    LEFT JOIN spine AS p ON p.period = a.by_period
    WHERE a.by_first >= %s
    GROUP BY c.number, coalesce(p.number, c.number)
),
triangle AS (
    SELECT c.period AS cohort, p.number - c.number AS age,
           coalesce(sum(n.size) OVER (PARTITION BY c.number), 0)::bigint AS size,
           coalesce(n.value, 0) AS value,
           coalesce(sum(n.value) OVER (PARTITION BY c.number ORDER BY p.number), 0) AS running
    FROM spine AS c
    JOIN spine AS p ON p.number >= c.number
    LEFT JOIN counts AS n ON n.cohort = c.number AND n.age = p.number - c.number
)
SELECT t.cohort, t.age,
    t.size, t.value::numeric AS value, t.running::numeric AS running,
    t.running::numeric / nullif(t.size, 0) AS per_actor
FROM triangle AS t
"""

STATES = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", date_trunc('month', ("tests_sale"."at" AT TIME ZONE
    %s)::date::timestamp)::date AS "by_period", "tests_sale"."kind" AS "by_kind", MIN("tests_sale"."at") AS
    "by_first", MAX("tests_sale"."at") AS "by_last" FROM "tests_sale" WHERE ("tests_sale"."at" < %s AND
    "tests_sale"."buyer_id" IS NOT NULL) GROUP BY 1, 2, 3),
spine AS (
    -- The periods of the range are numbered from 1. Before them come as many as an actor may stay away.
    SELECT s.period, row_number() OVER (ORDER BY s.period) - count(*) FILTER (WHERE s.period < %s) OVER () AS number
    FROM (
        SELECT i::date AS period
    FROM generate_series((%s)::timestamp, (%s)::timestamp - interval '1 day', (%s)::interval) AS i
    WHERE %s
    ) AS s
),
known AS (
    SELECT f.by_actor, f.by_period, f.by_last, "f"."by_kind",
           min(f.by_first) OVER (PARTITION BY f.by_actor, "f"."by_kind") AS by_first
    FROM facts AS f
),
activity AS (
    SELECT s.number, "k"."by_kind", lag(k.by_period) OVER own IS NULL AND k.by_first >= %s AS is_new,
           s.number - lag(s.number) OVER own <= %s AS has_stayed,
           lead(s.number) OVER own - s.number <= %s AS will_stay
    FROM known AS k
    LEFT JOIN spine AS s ON s.period = k.by_period
    WHERE k.by_period < %s OR k.by_last >= %s
    WINDOW own AS (PARTITION BY k.by_actor, "k"."by_kind" ORDER BY k.by_period)
),
counts AS (
    SELECT a.number, "a"."by_kind", count(*) AS active,
           count(*) FILTER (WHERE a.is_new) AS new,
           count(*) FILTER (WHERE NOT a.is_new AND a.has_stayed IS NOT TRUE) AS reactivated,
           count(*) FILTER (WHERE a.will_stay IS NOT TRUE) AS leaving
    FROM activity AS a
    WHERE a.number > - %s
    GROUP BY a.number, "a"."by_kind"
)
SELECT s.period, "d"."by_kind" AS "kind",
    coalesce(c.active, 0) AS active, coalesce(c.new, 0) AS new, coalesce(c.active - c.new, 0) AS returning,
    coalesce(c.reactivated, 0) AS reactivated, coalesce(b.leaving, 0) AS churned
FROM spine AS s
CROSS JOIN (SELECT DISTINCT "counts"."by_kind" FROM counts) AS d
LEFT JOIN counts AS c ON c.number = s.number AND ARRAY["c"."by_kind"] = ARRAY["d"."by_kind"]
LEFT JOIN counts AS b ON b.number = s.number - %s AND ARRAY["b"."by_kind"] = ARRAY["d"."by_kind"]
WHERE s.number > 0
"""

SCORES = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", COUNT("tests_sale"."id") AS "by_frequency",
    SUM("tests_sale"."amount") AS "by_monetary", MAX("tests_sale"."at") AS "by_last" FROM "tests_sale" WHERE
    ("tests_sale"."at" < %s AND "tests_sale"."buyer_id" IS NOT NULL) GROUP BY 1),
measures AS (
    SELECT f.by_actor, f.by_last, f.by_frequency, f.by_monetary,
           (%s)::date - (f.by_last AT TIME ZONE %s)::date AS recency
    FROM facts AS f
),
tiles AS (
    SELECT m.*, ntile(%s) OVER (ORDER BY m.by_frequency NULLS FIRST) AS f, ntile(%s) OVER (ORDER BY m.by_monetary
        NULLS FIRST) AS m
    FROM measures AS m
),
scored AS (
    SELECT t.by_actor, t.by_last, t.recency, t.by_frequency, t.by_monetary,
           %s - width_bucket(t.recency::numeric, (%s)::numeric[]) AS r,
           min(t.f) OVER (PARTITION BY t.by_frequency) AS f,
           min(t.m) OVER (PARTITION BY t.by_monetary) AS m
    FROM tiles AS t
)
SELECT s.by_actor AS "buyer_id", s.by_last AS latest, s.recency,
    s.by_frequency::bigint AS frequency, s.by_monetary::numeric AS monetary,
    s.r AS recency_score, s.f AS frequency_score, s.m AS monetary_score, concat(s.r, s.f, s.m) AS cell
FROM scored AS s
"""

FUNNEL = """
WITH events AS  (SELECT "tests_visit"."buyer_id" AS "by_actor", "tests_visit"."at" AS "by_at", "tests_visit"."id" AS
    "by_key", "tests_buyer"."region" AS "by_buyer_region", CASE WHEN "tests_visit"."step" = %s THEN %s ELSE %s END
    AS "of_step_1", CASE WHEN "tests_visit"."step" = %s THEN %s ELSE %s END AS "of_step_2", CASE WHEN
    "tests_visit"."step" = %s THEN %s ELSE %s END AS "of_step_3" FROM "tests_visit" INNER JOIN "tests_buyer" ON
    ("tests_visit"."buyer_id" = "tests_buyer"."id") WHERE ("tests_visit"."at" IS NOT NULL AND
    "tests_visit"."buyer_id" IS NOT NULL AND ("tests_visit"."step" = %s OR "tests_visit"."step" = %s OR
    "tests_visit"."step" = %s))),
came_1 AS (
    SELECT e.*, CASE WHEN e.of_step_1 THEN e.by_at END AS at_1
    FROM events AS e
),
"came_2" AS (
    SELECT w.*, CASE WHEN "w"."wait_2" <= %s THEN w.by_at END AS "at_2"
    FROM (
        SELECT e.*, CASE WHEN "e"."of_step_2" THEN (e.by_at - max("e"."at_1") OVER before) END AS "wait_2"
        FROM "came_1" AS e
        WINDOW before AS (
            PARTITION BY e.by_actor, "e"."by_buyer_region" ORDER BY e.by_at, e.by_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ) AS w
),
"came_3" AS (
    SELECT w.*, CASE WHEN "w"."wait_3" <= %s THEN w.by_at END AS "at_3"
    FROM (
        SELECT e.*, CASE WHEN "e"."of_step_3" THEN (e.by_at - max("e"."at_2") OVER before) END AS "wait_3"
        FROM "came_2" AS e
        WINDOW before AS (
            PARTITION BY e.by_actor, "e"."by_buyer_region" ORDER BY e.by_at, e.by_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ) AS w
),
actors AS (
    SELECT min(e.at_1) AS at_1, "e"."by_buyer_region",
        min("e"."at_2") AS "at_2", (array_agg("e"."wait_2" ORDER BY e.by_at, e.by_key) FILTER (WHERE "e"."at_2" IS
            NOT NULL))[1] AS "wait_2",
        min("e"."at_3") AS "at_3", (array_agg("e"."wait_3" ORDER BY e.by_at, e.by_key) FILTER (WHERE "e"."at_3" IS
            NOT NULL))[1] AS "wait_3"
    FROM "came_3" AS e
    GROUP BY e.by_actor, "e"."by_buyer_region"
),
totals AS (
    SELECT count(a.at_1) AS count_1, "a"."by_buyer_region",
        count("a"."at_2") AS "count_2", percentile_cont(0.5) WITHIN GROUP (ORDER BY "a"."wait_2") AS "median_2",
        count("a"."at_3") AS "count_3", percentile_cont(0.5) WITHIN GROUP (ORDER BY "a"."wait_3") AS "median_3"
    FROM actors AS a
    GROUP BY "a"."by_buyer_region"
)
SELECT s.position, "t"."by_buyer_region" AS "buyer_region",
    s.step, s.actors, s.actors::numeric / nullif(t.count_1, 0) AS share_of_first, s.actors::numeric / nullif(s.before,
        0) AS share_of_previous, s.median_time
FROM totals AS t
CROSS JOIN LATERAL (
    VALUES (1, (%s)::text, t.count_1, NULL::bigint, NULL::interval),
           (%s, %s, "t"."count_2", "t"."count_1", "t"."median_2"),
           (%s, %s, "t"."count_3", "t"."count_2", "t"."median_3")
) AS s (position, step, actors, before, median_time)
"""

SESSIONS = """
WITH facts AS  (SELECT "tests_sale"."buyer_id" AS "by_actor", "tests_sale"."at" AS "by_at", COUNT("tests_sale"."id")
    AS "of_events" FROM "tests_sale" WHERE ("tests_sale"."at" IS NOT NULL AND "tests_sale"."buyer_id" IS NOT NULL)
    GROUP BY 1, 2),
begun AS (
    SELECT f.*, f.by_at - lag(f.by_at) OVER (PARTITION BY f.by_actor ORDER BY f.by_at) <= %s AS goes_on
    FROM facts AS f
),
numbered AS (
    SELECT b.*, count(*) FILTER (WHERE b.goes_on IS NOT TRUE) OVER (PARTITION BY b.by_actor ORDER BY b.by_at) AS
        number
    FROM begun AS b
)
SELECT n.by_actor AS "buyer_id", n.number,
    min(n.by_at) AS started_at, max(n.by_at) AS ended_at, max(n.by_at) - min(n.by_at) AS duration,
    (sum("n"."of_events") )::bigint AS "events"
FROM numbered AS n
GROUP BY n.by_actor, n.number
"""
