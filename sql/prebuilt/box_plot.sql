-- doc: Quartiles, whiskers and outliers of a value. One row, or one per group of the dimensions; rows counts the values.
--   As Tukey has it a whisker ends at the last value within so many times the distance of the quartiles from the box.
--   The quartiles are those of percentile_cont, as in numpy, matplotlib and spreadsheets (QUARTILE.INC); matplotlib
--   also moves a whisker that ends within the box to its edge. The second scan counts what is beyond.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{#- The values come first, so that a table of the source may be called as what follows. #}
WITH box_values AS {{ values }},
facts AS {{ materialized }} {{ facts }},
fences AS (
    SELECT b.low - {{ times }}::{{ times_type | sqlsafe }} * (b.high - b.low) AS low,
           b.high + {{ times }}::{{ times_type | sqlsafe }} * (b.high - b.low) AS high{{ dimension.by(dimensions, "b") }}
    FROM (
        SELECT cuts_of_value[1]::{{ fence_type | sqlsafe }} AS low, cuts_of_value[3]::{{ fence_type | sqlsafe }} AS high{{ dimension.by(dimensions, "facts") }}
        FROM facts
    ) AS b
),
whiskers AS MATERIALIZED (
    -- The table is on the outer side of the join, and all of it is read before the next one: once, whatever is estimated.
    SELECT min(v.of_value) FILTER (WHERE v.of_value >= q.low) AS low, max(v.of_value) FILTER (WHERE v.of_value <= q.high) AS high,
           count(*) FILTER (WHERE v.of_value < q.low OR v.of_value > q.high) AS outliers{{ dimension.by(dimensions, "v") }}
    FROM box_values AS v
    LEFT JOIN fences AS q ON true{{ dimension.same(dimensions, "q", "v") }}
    {%- if dimensions | length %}
    GROUP BY {{ dimension.list(dimensions, "v") }}
    {%- endif %}
)
SELECT {% for each in dimensions.every %}{{ dimension.column(each, dimensions, "f") }}, {% endfor -%}
    {{ metric.column(number_of_values, "f") }},
    f.of_min::{{ value_type | sqlsafe }} AS min,
    w.low::{{ value_type | sqlsafe }} AS low_whisker,
    f.cuts_of_value[1]::{{ cut_type | sqlsafe }} AS q1,
    f.cuts_of_value[2]::{{ cut_type | sqlsafe }} AS median,
    f.cuts_of_value[3]::{{ cut_type | sqlsafe }} AS q3,
    w.high::{{ value_type | sqlsafe }} AS high_whisker,
    f.of_max::{{ value_type | sqlsafe }} AS max,
    coalesce(w.outliers, 0) AS outliers
    {%- for each in metrics %},
    {{ metric.column(each, "f") }}
    {%- endfor %}
FROM facts AS f
LEFT JOIN whiskers AS w ON true{{ dimension.same(dimensions, "w", "f") }}
