-- doc: Metrics per period. One row per period, or per period and dimensions; with fill, per period of the whole range.
--   A period is named by its first day, or where hours may be asked for by its first instant. The facts are grouped once;
--   a range that begins within a period has a part of that period. As in groupdate, but the hour that autumn repeats
--   stays two hours, and gaps are filled here, over the whole range and for each combination of dimensions.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH facts AS {{ materialized }} {{ facts }}
{%- if fill is given %},
{{ calendar.grid(dates, dimensions) }},
filled AS (
    SELECT g.period AS by_period{{ dimension.by(dimensions, "g") }}
        {%- for part in metrics.parts %}, f.{{ part | identifier }}{% endfor %}
        {%- if fill == "last" %}, count(f.by_period) OVER ({% if dimensions | length %}PARTITION BY {{ dimension.list(dimensions, "g") }} {% endif %}ORDER BY g.period) AS before{% endif %}
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period{{ dimension.same(dimensions, "f", "g") }}
)
{%- if fill == "last" %},
carried AS (
    -- Rows since the last period that has facts, and that period, are of one number.
    SELECT by_period{{ dimension.by(dimensions, "filled") }}
        {%- for part in metrics.parts %}, first_value({{ part | identifier }}) OVER latest AS {{ part | identifier }}{% endfor %}
    FROM filled
    WINDOW latest AS (PARTITION BY before{{ dimension.by(dimensions, "filled") }} ORDER BY by_period)
)
{%- endif %}
{%- endif %}
{%- set rows = "carried" if fill == "last" else "filled" if fill is given else "facts" %}
SELECT {% set period = "r.by_period" | sqlsafe %}{{ calendar.column(period, dates, has_hours) }} AS period
    {{- dimension.columns(dimensions, "r") }}
    {%- for each in metrics %},
    {{ metric.column(each, "r", nothing=each.metrics[0].zero if fill == "zero" else none) }}
    {%- endfor %}
FROM {{ rows | identifier }} AS r
