-- doc: The metrics of each group and their shares of the total, as parts of 1. One row per group. The total is that of
--   all groups, also where the rows are filtered or cut afterwards; the share of a total of 0 is NULL.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- macro share(each, over, name) -%}
{%- set type, value = shares[each.name], each.metrics[0] -%}
{%- if each.is_asked -%}
({{ metric.value(value, "f") }})::{{ type | sqlsafe }} / nullif({{ metric.value(value, "f", over) }}, 0)::{{ type | sqlsafe }}
{%- else -%}
NULL::{{ type | sqlsafe }}
{%- endif %} AS {{ name | identifier }}
{%- endmacro %}
{%- set within %}OVER ({% if share_within | length %}PARTITION BY {{ dimension.list(share_within, "f") }}{% endif %}){% endset %}
WITH facts AS {{ materialized }} {{ facts }}
SELECT {% for each in dimensions.every %}{% if not loop.first %}, {% endif %}{{ dimension.column(each, dimensions, "f") }}{% endfor %}
    {%- for each in metrics %},
    {{ metric.column(each, "f") }}
    {%- if each.name in shares %},
    {{ share(each, "OVER ()", each.name ~ "_share") }}
    {%- if has_share_within %},
    {{ share(each, within, each.name ~ "_share_within") }}
    {%- endif %}
    {%- endif %}
    {%- endfor %}
FROM facts AS f
