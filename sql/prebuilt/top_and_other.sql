-- doc: The first groups in the order of a metric, and one row for the rest, if there is one. is_other tells the rest: a
--   group whose dimension is NULL stands for itself. members: how many groups the row holds. The values of the rest are
--   merged from those of its groups, so that a mean or a ratio of it is that of its rows, not the mean of means.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- macro shown(each) %}CASE WHEN NOT r.is_other THEN {{ ["r", "by_" ~ each.name] | identifier }} END{% endmacro %}
WITH facts AS {{ materialized }} {{ facts }},
ranked AS (
    SELECT f.*,
        rank() OVER (ORDER BY {{ metric.expression(by, "f") }} {{ order }}) AS rank,
        row_number() OVER (ORDER BY {{ metric.expression(by, "f") }} {{ order }}{{ dimension.by(dimensions, "f") }}) > {{ limit }} AS is_other
    FROM facts AS f
)
SELECT CASE WHEN NOT r.is_other THEN min(r.rank) END AS rank, r.is_other
    {%- for each in dimensions.every %},
    {% if each.name not in dimensions.names -%}
    NULL::{{ each.type | sqlsafe }}
    {%- elif each.name in texts and label is given -%}
    CASE WHEN r.is_other THEN {{ label }}::{{ each.type | sqlsafe }} ELSE {{ shown(each) }} END
    {%- else -%}
    {{ shown(each) }}
    {%- endif %} AS {{ each.name | identifier }}
    {%- endfor %},
    count(*) AS members
    {%- for each in metrics %},
    {{ metric.column(each, "r", over="") }}
    {%- endfor %}
FROM ranked AS r
GROUP BY r.is_other{% for each in dimensions %}, {{ shown(each) }}{% endfor %}
