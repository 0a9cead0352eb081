-- doc: How many rows are how old, in days. One row per bucket, or per bucket and dimensions, also of empty ones. An age
--   is the difference of two dates in the zone, not of two instants, of which a day of 23 hours is less than one: rows
--   are compared with the midnights on which the buckets begin. The bucket from 30 to 60 days holds 30 and not 60; the
--   accountants' 1–30, 31–60 and 61–90 are the edges 1, 31, 61, 91.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }},
buckets AS (
    -- Beyond the ends of the array is NULL: the future has no first day, the last bucket no end.
    SELECT i AS bucket, edges[i] AS low, edges[i + 1] AS high
    FROM (SELECT {{ days }}::integer[] AS edges) AS e
    CROSS JOIN generate_series({% if has_future %}0{% else %}1{% endif %}, cardinality(edges)) AS i
)
SELECT b.bucket,
    CASE WHEN b.low IS NULL THEN 'future'
         WHEN b.high IS NULL THEN b.low || '+'
         WHEN b.high = b.low + 1 THEN b.low::text
         ELSE b.low || '-' || b.high - 1 END AS label,
    b.low AS from_days, b.high AS to_days
    {{- dimension.columns(dimensions, "d") }}
    {%- for each in metrics %},
    {{ metric.column(each, "f", nothing=each.metrics[0].empty) }}
    {%- endfor %}
FROM buckets AS b
{%- if dimensions | length %}
CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "facts") }} FROM facts) AS d
{%- endif %}
LEFT JOIN facts AS f ON f.by_bucket = b.bucket{{ dimension.same(dimensions, "f", "d") }}
