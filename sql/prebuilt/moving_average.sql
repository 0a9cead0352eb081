-- doc: Metrics per period, and their average over the last periods. One row per period, or per period and dimensions.
--   The series is filled first, so that the average is over a number of periods and not of rows: one without rows is 0 to
--   a count or a sum. A mean or a ratio is that of all rows of these periods, and not the mean of means. An average over
--   fewer periods is NULL. The usual avg(x) OVER (… 6 PRECEDING), as DAX's MOVINGAVERAGE, is over rows, whatever days lie
--   between them, and over fewer at the beginning.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH facts AS {{ materialized }} {{ facts }},
{{ calendar.grid(dates, dimensions) }},
averaged AS (
    SELECT g.period AS by_period{{ dimension.by(dimensions, "g") }}
        {%- for each in metrics %},
        {%- set average = averages[loop.index0] %}
        {%- set is_sum = each.is_asked and not each.is_ratio and each.metrics[0].merge == "sum" %}
        {{ metric.expression(each, "f", nothing=each.metrics[0].zero) }} AS {{ ("now_" ~ each.name) | identifier }},
        CASE WHEN count(*) OVER latest = {{ window }} THEN {{ metric.expression(average, "f", over="OVER latest", nothing=each.metrics[0].zero) }}
            {%- if is_sum %} / {{ window }}::integer{% endif %} END AS {{ ("average_" ~ each.name) | identifier }}
        {%- endfor %}
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period{{ dimension.same(dimensions, "f", "g") }}
    WINDOW latest AS ({% if dimensions | length %}PARTITION BY {{ dimension.list(dimensions, "g") }} {% endif %}ORDER BY g.period ROWS {{ window - 1 }} PRECEDING)
)
SELECT {% set period = "a.by_period" | sqlsafe %}{{ calendar.column(period, dates, has_hours) }} AS period
    {{- dimension.columns(dimensions, "a") }}
    {%- for each in metrics %},
    a.{{ ("now_" ~ each.name) | identifier }} AS {{ each.name | identifier }}, a.{{ ("average_" ~ each.name) | identifier }} AS {{ (each.name ~ "_average") | identifier }}
    {%- endfor %}
FROM averaged AS a
{%- if first is given %}
WHERE a.by_period >= {{ first }}
{%- endif %}
