-- doc: The first groups in the order of a metric within each group of the partition; or the first rows, by a field. One
--   row per group, at most as many in each partition as the limit, and those that are equal to the last one where ties
--   are kept. rank: 1 for the first, one number for equal groups, and the next is left out. NULL comes last in either
--   order.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }},
ranked AS (
    SELECT f.*,
        rank() OVER (PARTITION BY {{ dimension.list(partition, "f") }} ORDER BY {{ metric.expression(by, "f") }} {{ order }}) AS rank
        {%- if not has_ties %},
        row_number() OVER (
            PARTITION BY {{ dimension.list(partition, "f") }}
            ORDER BY {{ metric.expression(by, "f") }} {{ order }}{{ dimension.by(dimensions, "f") }}
        ) AS place
        {%- endif %}
    FROM facts AS f
)
SELECT r.rank
    {{- dimension.columns(partition, "r") }}
    {{- dimension.columns(dimensions, "r") }}
    {%- for each in metrics %},
    {{ metric.column(each, "r") }}
    {%- endfor %}
FROM ranked AS r
WHERE r.{% if has_ties %}rank{% else %}place{% endif %} <= {{ limit }}
