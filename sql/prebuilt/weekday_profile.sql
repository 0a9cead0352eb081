-- doc: Metrics by day of the week and hour of the day. One row per cell of the grid, or per cell and dimensions.
--   Days and hours are those of the clocks in the zone: the hour that autumn repeats is one. The average is over the days
--   that the range has of each weekday, also those without rows, which avg() over groups by day leaves out.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH facts AS {{ materialized }} {{ facts }},
{%- if average %}
days AS (
    SELECT {% if cells.weekday %}mod(extract(isodow FROM period)::integer + 7 - {{ week_start }}::integer, 7) + 1{% else %}NULL::integer{% endif %} AS weekday, count(*) AS days
    FROM (
    {{ calendar.spine(days) }}
    ) AS spine
    GROUP BY 1
),
{%- endif %}
grid AS (
    SELECT w.weekday, h.hour{{ dimension.by(dimensions, "d") }}
    FROM {% if cells.weekday %}generate_series(1, 7){% else %}(VALUES (NULL::integer)){% endif %} AS w (weekday)
    CROSS JOIN {% if cells.hour %}generate_series(0, 23){% else %}(VALUES (NULL::integer)){% endif %} AS h (hour)
    {%- if dimensions | length %}
    CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "facts") }} FROM facts) AS d
    {%- endif %}
)
SELECT {% for name in shown %}{% if not loop.first %}, {% endif %}{{ ["g", name] | identifier }}{% endfor %}
    {{- dimension.columns(dimensions, "g") }}
    {%- for each in metrics %},
    {%- set value = metric.expression(each, "f", nothing=each.metrics[0].zero) %}
    {{ value }} AS {{ each.name | identifier }}
    {%- if each.name in averaged %},
    {% if average %}({{ value }})::{{ each.type_of_ratio | sqlsafe }} / n.days{% else %}NULL::{{ each.type_of_ratio | sqlsafe }}{% endif %} AS {{ (each.name ~ "_average") | identifier }}
    {%- endif %}
    {%- endfor %}
FROM grid AS g
LEFT JOIN facts AS f ON true
    {%- if cells.weekday %} AND f.by_weekday = g.weekday{% endif %}
    {%- if cells.hour %} AND f.by_hour = g.hour{% endif %}
    {{- dimension.same(dimensions, "f", "g") }}
{%- if average %}
LEFT JOIN days AS n ON {% if cells.weekday %}n.weekday = g.weekday{% else %}true{% endif %}
{%- endif %}
