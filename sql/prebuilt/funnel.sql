-- doc: A funnel. One row per step (and dimensions), also where nobody came. position: 1 for the first step; actors: how many
--   came to it after all steps before it in their order; their share of those at the first step and at the step before; and
--   the median time since the step before when an actor comes to the step first. An event takes a step after the event of
--   the step before, at most within later; at one instant the lower key is first.
--   Any attempt counts, as in ClickHouse's windowFunnel and Mixpanel: drizzle-cube
--   follows the first event of each step only, and loses who needs a second attempt. An event is one step only: Cube joins
--   each step's events with those of the next at the same time or later, so that one event is both when a step is repeated.
--   The events are read once and sorted once: each step is a window over the step before it.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH events AS {{ materialized }} {{ events }},
came_1 AS (
    SELECT e.*, CASE WHEN e.of_step_1 THEN e.by_at END AS at_1
    FROM events AS e
),
{%- for number in range(2, steps | length + 1) %}
{%- set step, at, wait = ["e", "of_step_" ~ number], "at_" ~ number, "wait_" ~ number %}
{%- set before = "at_" ~ (number - 1) %}
{{ ("came_" ~ number) | identifier }} AS (
    SELECT w.*,
        CASE WHEN {{ ["w", wait] | identifier }} {% if within is given %}<= {{ within }}{% else %}IS NOT NULL{% endif %}
            THEN w.by_at END AS {{ at | identifier }}
    FROM (
        SELECT e.*,
            CASE WHEN {{ step | identifier }}
                THEN (e.by_at - max({{ ["e", before] | identifier }}) OVER before){% if of_dates %} * interval '1 day'{% endif %}
            END AS {{ wait | identifier }}
        FROM {{ ("came_" ~ (number - 1)) | identifier }} AS e
        WINDOW before AS (
            PARTITION BY e.by_actor{{ dimension.by(dimensions, "e") }} ORDER BY e.by_at, e.by_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ) AS w
),
{%- endfor %}
actors AS (
    SELECT min(e.at_1) AS at_1{{ dimension.by(dimensions, "e") }}
        {%- for number in range(2, steps | length + 1) %}
        {%- set at, wait = ["e", "at_" ~ number], ["e", "wait_" ~ number] %},
        min({{ at | identifier }}) AS {{ at[1] | identifier }},
        (array_agg({{ wait | identifier }} ORDER BY e.by_at, e.by_key) FILTER (WHERE {{ at | identifier }} IS NOT NULL))[1]
            AS {{ wait[1] | identifier }}
        {%- endfor %}
    FROM {{ ("came_" ~ steps | length) | identifier }} AS e
    GROUP BY e.by_actor{{ dimension.by(dimensions, "e") }}
),
totals AS (
    SELECT count(a.at_1) AS count_1{{ dimension.by(dimensions, "a") }}
        {%- for number in range(2, steps | length + 1) %},
        count({{ ["a", "at_" ~ number] | identifier }}) AS {{ ("count_" ~ number) | identifier }},
        percentile_cont(0.5) WITHIN GROUP (ORDER BY {{ ["a", "wait_" ~ number] | identifier }})
            AS {{ ("median_" ~ number) | identifier }}
        {%- endfor %}
    FROM actors AS a
    {%- if dimensions | length %}
    GROUP BY {{ dimension.list(dimensions, "a") }}
    {%- endif %}
)
SELECT s.position{{ dimension.columns(dimensions, "t") }},
    s.step, s.actors, s.actors::numeric / nullif(t.count_1, 0) AS share_of_first,
    s.actors::numeric / nullif(s.before, 0) AS share_of_previous, s.median_time
FROM totals AS t
CROSS JOIN LATERAL (
    VALUES (1, {{ steps[0] }}::text, t.count_1, NULL::bigint, NULL::interval)
    {%- for number in range(2, steps | length + 1) %}
    {%- set count, before, median = ["t", "count_" ~ number], ["t", "count_" ~ (number - 1)], ["t", "median_" ~ number] %},
           ({{ number }}, {{ steps[number - 1] }}, {{ count | identifier }}, {{ before | identifier }}, {{ median | identifier }})
    {%- endfor %}
) AS s (position, step, actors, before, median_time)
