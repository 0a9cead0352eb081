-- doc: A table whose columns are the values of a dimension. One row per combination of the other dimensions that has facts,
--   one column per value and metric, then the column of the values that are not listed, then the row's total. The facts
--   are grouped once, by rows and columns; each cell picks its groups with FILTER. A cell without facts is 0 for a count,
--   else NULL. django-pivot writes CASE expressions over the facts themselves, and fails on an empty table; crosstab()
--   shifts the values of a row that lacks one.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{#- Which groups a column is made of: those of one value, or of none that is listed, or all. -#}
{%- macro groups(heading) -%}
{%- if heading.place %}FILTER (WHERE r.by_place = {{ heading.place | sqlsafe }})
{%- elif not heading.is_total %}FILTER (WHERE r.by_place IS NULL)
{%- endif -%}
{%- endmacro %}
WITH facts AS {{ materialized }} {{ facts }},
placed AS (
    -- The value's place among those listed; NULL is a value too.
    SELECT {% if is_placed %}f.by_place{% else %}array_position({{ values }}::{{ type | sqlsafe }}[], f.by_place){% endif %} AS by_place
        {{- dimension.by(dimensions, "f") }}
        {%- for part in metrics.parts %}, f.{{ part | identifier }}{% endfor %}
    FROM facts AS f
)
SELECT {% for each in dimensions.every %}{{ dimension.column(each, dimensions, "r") }}{% if not loop.last %}, {% endif %}{% endfor %}
    {%- for cell in cells %},
    {{ metric.column(cell.output, "r", over=groups(cell.heading), nothing=cell.empty) }}
    {%- endfor %}
FROM placed AS r
GROUP BY {{ dimension.list(dimensions, "r") }}
