-- doc: Metrics with subtotals. One row per group of each level, a level being a grouping by some of the dimensions. The facts
--   are grouped once, by all dimensions, and GROUPING SETS adds up those few groups: three times faster than GROUPING SETS
--   over the facts, and not refused by Citus. Metrics that cannot be added up are grouped anew for each level. Means and
--   ratios of totals are those of all their facts, not means of means. Without facts the grand total has its row.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- set over = "" if is_merged else none %}
{#- Which dimensions a row totals over, a bit for each, the last one's the lowest. -#}
{%- macro missing() -%}
{%- if not is_merged %}r.missing{% elif dimensions | length %}grouping({{ dimension.list(dimensions, "r") }}){% else %}0{% endif -%}
{%- endmacro %}
WITH facts AS {{ materialized }} {% if is_merged %}{{ facts[0] }}{% else %}(
    {%- for level in levels %}
    SELECT {{ level.missing(bits) | sqlsafe }} AS missing
        {%- for each in dimensions %},
        {%- if each.name in level.names %} {{ ["f", "by_" ~ each.name] | identifier }}
        {%- else %} NULL::{{ each.type | sqlsafe }} AS {{ ("by_" ~ each.name) | identifier }}
        {%- endif %}
        {%- endfor %}
        {%- for part in metrics.parts %}, f.{{ part | identifier }}{% endfor %}
    FROM {{ facts[loop.index0] }} AS f
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
)
{%- endif %}
SELECT
    CASE {{ missing() }}{% for level in levels %} WHEN {{ level.missing(bits) | sqlsafe }} THEN {{ level.label }}{% endfor %} END::text AS level,
    CASE {{ missing() }}{% for level in levels %} WHEN {{ level.missing(bits) | sqlsafe }} THEN {{ level.depth | sqlsafe }}{% endfor %} END AS depth
    {{- dimension.columns(dimensions, "r") }}
    {%- for each in dimensions.every %},
    {% if each.name in dimensions.names %}{{ missing() }} & {{ bits[each.name] | sqlsafe }} <> 0{% else %}true{% endif %} AS {{ flags[each.name] | identifier }}
    {%- endfor %}
    {%- for each in metrics %},
    {{ metric.column(each, "r", over=over, nothing=none if each.is_ratio else each.metrics[0].empty) }}
    {%- endfor %}
FROM facts AS r
{%- if is_merged %}
GROUP BY GROUPING SETS (
    {%- for level in levels -%}
    ({% for name in level.names %}{% if not loop.first %}, {% endif %}{{ ["r", "by_" ~ name] | identifier }}{% endfor %})
    {%- if not loop.last %}, {% endif %}
    {%- endfor -%}
)
{%- endif %}
