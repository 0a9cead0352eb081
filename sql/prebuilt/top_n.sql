-- doc: The first groups in the order of a metric. One row per group, at most as many as the limit, and those that are
--   equal to the last one where ties are kept. rank: 1 for the first, one number for equal groups, and the next is left
--   out. A group whose metric is NULL comes last in either order, unlike in ORDER BY … DESC.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }},
-- What is before a group in the order is kept with it: ranking the groups that are kept gives each its rank among all.
kept AS (
    SELECT f.*
    FROM facts AS f
    ORDER BY {{ metric.expression(by, "f") }} {{ order }}{% if not has_ties %}{{ dimension.by(dimensions, "f") }}{% endif %}
    FETCH FIRST {{ limit }} ROWS {% if has_ties %}WITH TIES{% else %}ONLY{% endif %}
)
SELECT rank() OVER (ORDER BY {{ metric.expression(by, "k") }} {{ order }}) AS rank
    {{- dimension.columns(dimensions, "k") }}
    {%- for each in metrics %},
    {{ metric.column(each, "k") }}
    {%- endfor %}
FROM kept AS k
