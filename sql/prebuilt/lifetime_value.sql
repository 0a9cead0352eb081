-- doc: What each cohort brought in. One row per cohort and age in periods, from 0 to the last period of the range: the value
--   of that age, running: that up to it, and per_actor: the latter per actor of the cohort, those who brought in nothing more included.
--   A cohort's actors have their first event in that period, of all there are and not only of those in the range. A value is
--   0 where there is none. The events are read once, and grouped by actor and period before anything else.
{%- import "prebuilt/macros/cohorts.sql" as cohort with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }},
{%- if is_joined %}
members AS {{ members }},
{%- endif %}
spine AS (
    {{ cohort.spine(dates) }}
),
activity AS (
    {{ cohort.activity(is_joined, dimensions, ", f.by_value") }}
),
counts AS (
    SELECT c.number AS cohort, coalesce(p.number, c.number) - c.number AS age{{ dimension.by(dimensions, "a") }},
           count(*) FILTER (WHERE a.is_first) AS size, sum(a.by_value) AS value
    {{ cohort.ages(since) }}
    GROUP BY c.number, coalesce(p.number, c.number){{ dimension.by(dimensions, "a") }}
),
triangle AS (
    SELECT c.period AS cohort, p.number - c.number AS age{{ dimension.by(dimensions, "d") }},
           coalesce(sum(n.size) OVER (PARTITION BY c.number{{ dimension.by(dimensions, "d") }}), 0)::bigint AS size,
           coalesce(n.value, 0) AS value,
           coalesce(sum(n.value) OVER (PARTITION BY c.number{{ dimension.by(dimensions, "d") }} ORDER BY p.number), 0) AS running
    {{ cohort.triangle(dimensions) }}
)
SELECT t.cohort, t.age{{ dimension.columns(dimensions, "t") }},
    t.size, t.value::{{ type | sqlsafe }} AS value, t.running::{{ type | sqlsafe }} AS running,
    t.running::{{ quotient | sqlsafe }} / nullif(t.size, 0) AS per_actor
FROM triangle AS t
{%- if last_age is given %}
WHERE t.age <= {{ last_age }}
{%- endif %}
