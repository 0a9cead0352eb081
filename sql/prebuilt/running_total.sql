-- doc: Metrics per period, and what they have come to. One row per period of the range, or per period and dimensions.
--   A total that runs is that of the rows since the range began, with opening of those before it too, up to the end of the
--   period; a mean or a ratio is that of these rows, and not of the periods' means. A period without rows repeats it. The
--   facts are grouped once; those before the range are of the period NULL. Metabase's cumulative sum adds up the groups
--   that there are: a period without rows is missing, and each range begins at 0.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
{%- set same = dimension.same(dimensions, "f", "g") %}
WITH facts AS {{ materialized }} {{ facts }}
{%- if fill is given %},
{{ calendar.grid(dates, dimensions) }},
filled AS (
    SELECT g.period AS by_period{{ dimension.by(dimensions, "g") }}
        {%- for part in metrics.parts %}, f.{{ part | identifier }}{% endfor %}
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period{{ same }}
    {%- if opening %}
    UNION ALL
    SELECT f.by_period{{ dimension.by(dimensions, "f") }}
        {%- for part in metrics.parts %}, f.{{ part | identifier }}{% endfor %}
    FROM facts AS f
    WHERE f.by_period IS NULL
    {%- endif %}
)
{%- endif %},
added AS (
    SELECT r.by_period{{ dimension.by(dimensions, "r") }}
        {%- for each in metrics %},
        {%- set nothing = each.metrics[0].zero if fill == "zero" else none %}
        {{ metric.expression(each, "r", nothing=nothing) }} AS {{ ("now_" ~ each.name) | identifier }},
        {{ metric.expression(each, "r", over="OVER so_far", nothing=nothing) }} AS {{ ("running_" ~ each.name) | identifier }}
        {%- endfor %}
    FROM {{ ("filled" if fill is given else "facts") | identifier }} AS r
    WINDOW so_far AS ({% if dimensions | length %}PARTITION BY {{ dimension.list(dimensions, "r") }} {% endif %}ORDER BY r.by_period NULLS FIRST ROWS UNBOUNDED PRECEDING)
)
SELECT {% set period = "a.by_period" | sqlsafe %}{{ calendar.column(period, dates, has_hours) }} AS period
    {{- dimension.columns(dimensions, "a") }}
    {%- for each in metrics %},
    a.{{ ("now_" ~ each.name) | identifier }} AS {{ each.name | identifier }}, a.{{ ("running_" ~ each.name) | identifier }} AS {{ (each.name ~ "_running") | identifier }}
    {%- endfor %}
FROM added AS a
{%- if opening %}
WHERE a.by_period IS NOT NULL
{%- endif %}
