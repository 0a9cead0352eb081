-- doc: The values below which so many percent of all values are. One row, or one per group of the dimensions; rows counts
--   the values. percentile_cont interpolates between the two values beside a place, as numpy and spreadsheets do;
--   percentile_disc takes the smaller one. All percentiles of a group come of one sort. One scan.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }}
SELECT {% for each in dimensions.every %}{{ dimension.column(each, dimensions, "f") }}, {% endfor -%}
    {{ metric.column(number_of_values, "f") }}
    {%- for name in names %},
    {% if name in places %}f.cuts_of_value[{{ places[name] | sqlsafe }}]{% else %}NULL{% endif -%}
    ::{{ cut_type | sqlsafe }} AS {{ name | identifier }}
    {%- endfor %}
    {%- for each in metrics %},
    {{ metric.column(each, "f") }}
    {%- endfor %}
FROM facts AS f
