-- doc: The latest rows of each group, at most as many as the limit. One row per row of the source. rank: 1 for the
--   latest; of equal dates the larger key is the later one. A group without rows has one row of NULLs, or none. LATERAL
--   looks each group's rows up in an index; the window reads the rows once. Unlike DISTINCT ON, either gives several.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- set latest_first %}{% for name in order %}{% if not loop.first %}, {% endif %}{{ ["f", name] | identifier }} DESC{% endfor %}{% endset %}
{%- set join = "LEFT" if has_empty else "INNER" %}
{%- if not is_lateral %}
WITH ranked AS {{ materialized }} (
    SELECT f.*, row_number() OVER (PARTITION BY {{ ["f", group] | identifier }} ORDER BY {{ latest_first }}) AS rank
    FROM {{ facts }} AS f
)
{%- endif %}
SELECT {{ ["o", group] | identifier }} AS {{ group_name | identifier }}
    {{- dimension.columns(dimensions, "o") }},
    l.rank
    {{- dimension.columns(fields, "l") }}
FROM {{ outer }} AS o
{%- if is_lateral %}
{{ join | sqlsafe }} JOIN LATERAL (
    -- As many entries of the index as are asked for: the order is that of an index that begins with group and date.
    SELECT f.*, row_number() OVER (ORDER BY {{ latest_first }}) AS rank
    FROM {{ facts }} AS f
    WHERE {{ ["f", group] | identifier }} = {{ ["o", group] | identifier }}
    ORDER BY {{ latest_first }}
    LIMIT {{ limit }}
) AS l ON true
{%- else %}
{{ join | sqlsafe }} JOIN (SELECT * FROM ranked WHERE rank <= {{ limit }}) AS l
    ON {{ ["l", group] | identifier }} = {{ ["o", group] | identifier }}
{%- endif %}
