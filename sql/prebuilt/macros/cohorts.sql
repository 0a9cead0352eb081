{%- import "prebuilt/macros/dimensions.sql" as dimension with context -%}
{%- import "prebuilt/macros/periods.sql" as calendar with context -%}

{#- The periods of the range, numbered from 1. -#}
{%- macro spine(dates) -%}
SELECT s.period, row_number() OVER (ORDER BY s.period) AS number
    FROM (
        {{ calendar.spine(dates) }}
    ) AS s
{%- endmacro -%}

{#- One row per actor and period in which they were active, with their cohort: the period of their first event, or that in
    which they joined; then whoever did nothing since has one row, without a period. -#}
{%- macro activity(is_joined, dimensions, columns="") -%}
{%- if is_joined -%}
SELECT m.by_period AS cohort, f.by_period{{ columns | sqlsafe }},
           row_number() OVER own = 1 AS is_first, lead(f.by_period) OVER own IS NULL AS is_last
    FROM members AS m
    LEFT JOIN facts AS f ON f.by_actor = m.by_actor AND f.by_period >= m.by_period
    WINDOW own AS (PARTITION BY m.by_actor ORDER BY f.by_period)
{%- else -%}
SELECT min(f.by_period) OVER own AS cohort, min(f.by_first) OVER own AS by_first, f.by_period{{ columns | sqlsafe }}{{ dimension.by(dimensions, "f") }},
           row_number() OVER own = 1 AS is_first, lead(f.by_period) OVER own IS NULL AS is_last
    FROM facts AS f
    WINDOW own AS (PARTITION BY f.by_actor{{ dimension.by(dimensions, "f") }} ORDER BY f.by_period)
{%- endif -%}
{%- endmacro -%}

{#- The cohorts and ages of the activity, with their periods' numbers. Who came before the range is in no cohort of it. -#}
{%- macro ages(since) -%}
FROM activity AS a
    JOIN spine AS c ON c.period = a.cohort
    LEFT JOIN spine AS p ON p.period = a.by_period
    {%- if since is given %}
    WHERE a.by_first >= {{ since }}
    {%- endif %}
{%- endmacro -%}

{#- Every cohort and age up to the last period, in each combination of dimensions, and the counts of those that have any. -#}
{%- macro triangle(dimensions) -%}
FROM spine AS c
    JOIN spine AS p ON p.number >= c.number
    {%- if dimensions | length %}
    CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "counts") }} FROM counts) AS d
    {%- endif %}
    LEFT JOIN counts AS n ON n.cohort = c.number AND n.age = p.number - c.number{{ dimension.same(dimensions, "n", "d") }}
{%- endmacro -%}
