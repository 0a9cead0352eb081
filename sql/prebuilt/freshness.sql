-- doc: When each table was last written to. One row per source. One scan of each table, or the last entry of an index on
--   its date where the rows are not counted. A source without a row is late, as one whose latest is too long ago. The
--   estimate of rows is that of the last VACUUM or ANALYZE, for whole tables only.
WITH tables AS (
    {%- for each in tables %}
    SELECT {{ each.name }}::text AS source,
        {% if counting == "exact" %}f.of_rows
        {%- elif each.table is given -%}
        (SELECT nullif(c.reltuples, -1)::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass({{ each.table }}))
        {%- else %}NULL::bigint{% endif %} AS rows,
        f.latest_of_rows{% if each.is_of_dates %}::timestamp AT TIME ZONE {{ zone }}{% endif %} AS latest,
        {{ each.within }}::interval AS within
    FROM {{ each.facts }} AS f
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
)
SELECT t.source, t.rows, t.latest, {{ now }}::timestamptz - t.latest AS age, t.within,
    CASE WHEN t.within IS NOT NULL THEN coalesce({{ now }}::timestamptz - t.latest > t.within, true) END AS is_late
FROM tables AS t
