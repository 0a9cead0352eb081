-- doc: Metrics per period beside those of an earlier one. One row per period of the range, or per period and dimensions.
--   An earlier period is found by the calendar, not by the row before: Metabase's Offset() takes the row, whatever lies
--   between. Where a period is but partly in the range, the same part of the earlier one counts: twelve days of March are
--   compared with twelve days of February. The facts are grouped once, with a FILTER for each of the two ranges.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
{%- import "prebuilt/macros/changes.sql" as changes with context %}
{%- set period = "g.period" | sqlsafe %}
WITH facts AS {{ materialized }} {{ facts }},
{{ calendar.grid(dates, dimensions) }},
compared AS (
    SELECT g.period AS by_period{{ dimension.by(dimensions, "g") }}
        {%- for each in metrics %},
        {%- set zero = each.metrics[0].zero %}
        {{ metric.expression(now[loop.index0], "n", nothing=zero) }} AS {{ ("now_" ~ each.name) | identifier }},
        {{ metric.expression(before[loop.index0], "b", nothing=zero) }} AS {{ ("before_" ~ each.name) | identifier }}
        {%- endfor %}
    FROM grid AS g
    LEFT JOIN facts AS n ON n.by_period = g.period{{ dimension.same(dimensions, "n", "g") }}
    LEFT JOIN facts AS b ON b.by_period = {{ calendar.earlier(period, dates, shift) }}{{ dimension.same(dimensions, "b", "g") }}
)
SELECT {% set period = "c.by_period" | sqlsafe %}{{ calendar.column(period, dates, has_hours) }} AS period
    {{- dimension.columns(dimensions, "c") }}
    {{- changes.columns(metrics, "c") }}
FROM compared AS c
