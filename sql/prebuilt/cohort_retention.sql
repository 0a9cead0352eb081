-- doc: Retention by cohort. One row per cohort and age in periods, from 0 to the last period of the range, also where
--   nobody was active. A cohort's actors have their first event in that period, of all there are and not only of those in
--   the range; drizzle-cube looks at the range only, so that old customers are taken for new ones (first = "in_range").
--   classic counts those active in the period of that age, rolling those active in it or later, up to the range's end.
--   The last period may be under way. The events are read once, and grouped by actor and period before anything else.
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
    {{ cohort.activity(is_joined, dimensions) }}
),
counts AS (
    SELECT c.number AS cohort, coalesce(p.number, c.number) - c.number AS age{{ dimension.by(dimensions, "a") }},
           count(*) FILTER (WHERE a.is_first) AS size,
           count(a.by_period){% if kind == "rolling" %} FILTER (WHERE a.is_last){% endif %} AS active
    {{ cohort.ages(since) }}
    GROUP BY c.number, coalesce(p.number, c.number){{ dimension.by(dimensions, "a") }}
),
triangle AS (
    SELECT c.period AS cohort, p.number - c.number AS age{{ dimension.by(dimensions, "d") }},
           coalesce(sum(n.size) OVER (PARTITION BY c.number{{ dimension.by(dimensions, "d") }}), 0)::bigint AS size,
           {%- if kind == "rolling" %}
           coalesce(sum(n.active) OVER (PARTITION BY c.number{{ dimension.by(dimensions, "d") }} ORDER BY p.number DESC), 0)::bigint AS active
           {%- else %}
           coalesce(n.active, 0) AS active
           {%- endif %}
    {{ cohort.triangle(dimensions) }}
)
SELECT t.cohort, t.age{{ dimension.columns(dimensions, "t") }},
    t.size, t.active, t.active::numeric / nullif(t.size, 0) AS share
FROM triangle AS t
{%- if last_age is given %}
WHERE t.age <= {{ last_age }}
{%- endif %}
