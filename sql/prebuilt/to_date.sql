-- doc: Metrics since a month, a quarter, a year began, and over the same part of an earlier one. One row per period, or
--   per period and dimensions. All spans are read in one scan, with a FILTER for each. The same part of an earlier month is
--   that up to the same day, or to its end where it is shorter; a whole month is compared with a whole one, 28 days of
--   February with 31 of January, as DAX's DATEADD has it.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/changes.sql" as changes with context %}
WITH facts AS {{ materialized }} {{ facts }}
SELECT s.period, s.first_day, s.last_day, s.first_day_before, s.last_day_before
    {{- dimension.columns(dimensions, "f") }}
    {{- changes.columns(metrics, "s") }}
FROM facts AS f
CROSS JOIN LATERAL (
    VALUES
    {%- for span in spans %}
    ({{ span.period }}::text
        {%- for day in span.days %}, {{ day }}::date{% endfor %}
        {%- for each in metrics %},
        {%- set zero = each.metrics[0].zero %}
        {{ metric.expression(span.now[loop.index0], "f", nothing=zero) }},
        {{ metric.expression(span.before[loop.index0], "f", nothing=zero) }}
        {%- endfor %}){% if not loop.last %},{% endif %}
    {%- endfor %}
) AS s (period, first_day, last_day, first_day_before, last_day_before
    {%- for each in metrics %}, {{ ("now_" ~ each.name) | identifier }}, {{ ("before_" ~ each.name) | identifier }}{% endfor %})
