-- doc: Key figures of a range and of the one before. One row per metric. The facts are grouped once, by period, those
--   before the range in one group, and merged into both figures and the sparkline; metrics that cannot be merged are
--   counted for the ranges and once more for the periods. change is relative to the size of the figure before, so that a
--   loss that shrinks is no decline; it is NULL where the figure before is 0. The range before has as many periods as the
--   range where that is of whole periods: March is compared with February, not with the 31 days before it.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
{%- set over = "" if is_merged else none %}
{%- macro figures(tiles) -%}
{%- for each in tiles %}{% if not loop.first %}, {% endif %}{{ metric.column(each, "f", over=over, nothing=nothing[each.name]) }}{% endfor -%}
{%- endmacro %}
WITH facts AS {{ materialized }} {{ facts }},
present AS (
    SELECT {{ figures(now) }}
    FROM facts AS f
    {%- if is_merged and has_before %}
    WHERE f.by_period IS NOT NULL
    {%- endif %}
),
{%- if has_before %}
previous AS (
    SELECT {{ figures(earlier) }}
    FROM facts AS f
    {%- if is_merged %}
    WHERE {% if overlaps %}f.by_before{% else %}f.by_period IS NULL{% endif %}
    {%- endif %}
),
{%- endif %}
spine AS (
    {{ calendar.spine(dates) }}
),
points AS (
    -- No metric's name ends with an underscore.
    SELECT s.period AS period_, {{ figures(tiles) }}
    FROM spine AS s
    {%- if is_merged %}
    LEFT JOIN facts AS f ON f.by_period = s.period
    GROUP BY s.period
    {%- else %}
    LEFT JOIN {{ by_period }} AS f ON f.by_period = s.period
    {%- endif %}
),
lines AS (
    SELECT
    {%- for each in tiles %}
        array_agg({{ ["p", each.name] | identifier }}::numeric ORDER BY p.period_) AS {{ each.name | identifier }}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    FROM points AS p
)
SELECT t.name, t.position, t.label, t.value, t.before,
    t.value - t.before AS delta,
    (t.value - t.before) / nullif(abs(t.before), 0) AS change,
    t.target,
    t.value / nullif(t.target, 0) AS target_share,
    coalesce(t.sparkline, '{}') AS sparkline
FROM present
{%- if has_before %}
CROSS JOIN previous
{%- endif %}
CROSS JOIN lines
CROSS JOIN LATERAL (
    VALUES
    {%- for each in tiles %}
        ({{ each.name }}::text, {{ positions[each.name] | sqlsafe }}, {{ labels[each.name] }}::text,
            {{ ["present", each.name] | identifier }}::numeric,
            {% if has_before %}{{ ["previous", each.name] | identifier }}::numeric{% else %}NULL::numeric{% endif %},
            {{ targets.get(each.name) }}::numeric, {{ ["lines", each.name] | identifier }}){% if not loop.last %},{% endif %}
    {%- endfor %}
) AS t (name, position, label, value, before, target, sparkline)
