-- doc: Which values occur in more than one row. One row per combination of the fields, those of most rows first, then
--   those of the smallest key. first_key and last_key are the smallest and largest key of its rows. One scan.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
WITH facts AS {{ materialized }} {{ facts }}
SELECT {% for name in fields %}{{ ["f", "by_" ~ name] | identifier }} AS {{ name | identifier }}, {% endfor -%}
    {{ metric.column(metrics[0], "f") }},
    f.first_of_keys AS first_key, f.last_of_keys AS last_key
    {%- for each in metrics[1:] %},
    {{ metric.column(each, "f") }}
    {%- endfor %}
FROM facts AS f
WHERE f.of_rows > 1
{%- if limit is given %}
ORDER BY f.of_rows DESC, f.first_of_keys
LIMIT {{ limit }}
{%- endif %}
