-- doc: In how many rows a field has no value. One row per field, or per field and dimensions; share is of the rows, NULL
--   when there are none. All fields are counted in one scan, in one query for all.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }}
SELECT v.field
    {{- dimension.columns(dimensions, "f") }},
    f.of_rows AS rows,
    v.missing,
    v.missing::numeric / nullif(f.of_rows, 0) AS share
FROM facts AS f
CROSS JOIN LATERAL (
    VALUES
    {%- for name, part in fields %}
        ({{ name }}::text, {{ ["f", part] | identifier }}){% if not loop.last %},{% endif %}
    {%- endfor %}
) AS v (field, missing)
