-- doc: Metrics of the rows that were active at the end of each period, or at its start. One row per period, or per period
--   and dimensions. A row is active from its start on and before its end, so that one that ends at midnight is not in the
--   next day, and is in the last instant of its own. The rows are read once and grouped by the periods in which they come and go. What is
--   active is what has come less what has gone; where that cannot be told from totals, a maximum is that of the groups
--   that are there, and for distinct values each row is repeated for every period that it is in. slick-reporting's time
--   series compare one date only, and run a query for each period.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH facts AS {{ materialized }} {% if shape != "repeated" %}(
    SELECT f.*
    FROM {{ facts }} AS f
    -- Without those that come and go between two such instants, or go before they come.
    WHERE coalesce(f.by_entered < f.by_left, true)
    {%- if at == "start" and dates.calendar.is_hour %}
        AND coalesce(f.by_entered < date_trunc('hour', {{ dates.range.end }}::timestamptz - interval '1 microsecond', {{ dates.zone_words }}), true)
    {%- elif at == "start" %}
        AND coalesce(f.by_entered < {{ last_day }}::date, true)
    {%- endif %}
){% else %}{{ facts }}{% endif %},
{{ calendar.grid(dates, dimensions) }},
{%- if shape == "moving" %}
moves AS (
    SELECT f.by_entered AS period{{ dimension.by(dimensions, "f") }}, true AS is_move
        {%- for part in metrics.parts %}, sum(f.{{ part | identifier }}) AS {{ part | identifier }}{% endfor %}
    FROM facts AS f
    GROUP BY f.by_entered{{ dimension.by(dimensions, "f") }}
    UNION ALL
    SELECT f.by_left{{ dimension.by(dimensions, "f") }}, true
        {%- for part in metrics.parts %}, -sum(f.{{ part | identifier }}){% endfor %}
    FROM facts AS f
    WHERE f.by_left IS NOT NULL
    GROUP BY f.by_left{{ dimension.by(dimensions, "f") }}
    UNION ALL
    SELECT g.period{{ dimension.by(dimensions, "g") }}, false
        {%- for part in metrics.parts %}, NULL{% endfor %}
    FROM grid AS g
),
active AS (
    SELECT m.period{{ dimension.by(dimensions, "m") }}, m.is_move
        {%- for each in metrics.needed -%}
        {%- for part in each.parts -%}
        {%- set value = metric.part(part, "m", "sum", "OVER so_far") %},
        {% if each.zero is none %}{{ value }}{% else %}coalesce({{ value }}, {{ each.zero }}){% endif %} AS {{ part.name | identifier }}
        {%- endfor -%}
        {%- endfor %}
    FROM moves AS m
    -- What moves in a period has moved at its end, and not yet at its start. NULL is before all periods.
    WINDOW so_far AS (
        {%- if dimensions | length %}PARTITION BY {{ dimension.list(dimensions, "m") }} {% endif -%}
        ORDER BY m.period NULLS FIRST, m.is_move{% if at == "end" %} DESC{% endif %} ROWS UNBOUNDED PRECEDING)
)
{%- elif shape == "merged" %}
active AS (
    SELECT g.period{{ dimension.by(dimensions, "g") }}, false AS is_move
        {%- for each in metrics.needed -%}
        {%- set merge = "sum" if each.merge == "mean" else each.merge -%}
        {%- for part in each.parts -%}
        {%- set value = metric.part(part, "f", merge, "") %},
        {% if each.zero is none %}{{ value }}{% else %}coalesce({{ value }}, {{ each.zero }}){% endif %} AS {{ part.name | identifier }}
        {%- endfor -%}
        {%- endfor %}
    FROM grid AS g
    LEFT JOIN facts AS f
        {%- if at == "end" %} ON f.by_entered <= g.period AND (f.by_left > g.period OR f.by_left IS NULL)
        {%- else %} ON (f.by_entered < g.period OR f.by_entered IS NULL) AND (f.by_left >= g.period OR f.by_left IS NULL)
        {%- endif %}{{ dimension.same(dimensions, "f", "g") }}
    GROUP BY g.period{{ dimension.by(dimensions, "g") }}
)
{%- else %}
active AS (
    SELECT g.period{{ dimension.by(dimensions, "g") }}, false AS is_move
        {%- for each in metrics.needed -%}
        {%- for part in each.parts -%}
        {%- set value = metric.part(part, "f", none, none) %},
        {% if each.zero is none %}{{ value }}{% else %}coalesce({{ value }}, {{ each.zero }}){% endif %} AS {{ part.name | identifier }}
        {%- endfor -%}
        {%- endfor %}
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period{{ dimension.same(dimensions, "f", "g") }}
)
{%- endif %}
SELECT {% set period = "a.period" | sqlsafe %}{{ calendar.column(period, dates, has_hours) }} AS period
    {{- dimension.columns(dimensions, "a") }}
    {%- for each in metrics %},
    {{ metric.column(each, "a") }}
    {%- endfor %}
FROM active AS a
WHERE NOT a.is_move
