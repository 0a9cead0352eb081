-- doc: How many rows have a value from one edge to the next. One row per bucket, or per bucket and dimensions, also of
--   empty ones. A bucket holds its low edge, and the last one its high edge too, as in numpy; width_bucket(value, low,
--   high, count), which Metabase's and others' bins come to, puts the largest value in a bucket of its own. The edges are
--   one array, which is shown and by which rows are counted: nothing is rounded in between. Where the ends are not
--   given, a first scan finds them.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- set decimal = "numeric" if kind == "numeric" else "double precision::text::numeric" %}
WITH
{%- if numbers is given %} bucket_edges AS (
    SELECT {{ numbers }}::{{ kind | sqlsafe }}[] AS edges
),
{%- else %} bucket_ends AS (
    {%- if kind != "numeric" %}
    -- By its text a binary number becomes the decimal that is read as it again; a cast keeps 15 digits.
    {%- endif %}
    SELECT {% if from_low is given %}{{ from_low }}::numeric
        {%- elif to_high is given %}least(min(v.of_value)::{{ decimal | sqlsafe }}, {{ to_high }}::numeric)
        {%- else %}min(v.of_value)::{{ decimal | sqlsafe }}
        {%- endif %} AS low,
           {% if to_high is given %}{{ to_high }}::numeric
        {%- elif from_low is given %}greatest(max(v.of_value)::{{ decimal | sqlsafe }}, {{ from_low }}::numeric)
        {%- else %}max(v.of_value)::{{ decimal | sqlsafe }}
        {%- endif %} AS high
    {%- if from_low is not given or to_high is not given %}
    FROM {{ values }} AS v
    {%- endif %}
),
bucket_steps AS (
    SELECT low, high, CASE WHEN low < high THEN {{ number_of_buckets }}::integer WHEN low = high THEN 1 END AS steps
    FROM bucket_ends
),
bucket_edges AS (
    SELECT array_agg(CASE i WHEN 0 THEN low WHEN steps THEN high ELSE {% if is_log -%}
        least(greatest(trim_scale(round(edge, 15 - ceil(log(edge))::integer)), low), high)
        {%- else %}trim_scale(edge){% endif %} END ORDER BY i)::{{ kind | sqlsafe }}[] AS edges
    FROM bucket_steps
    CROSS JOIN generate_series(0, steps) AS i
    {%- if is_log %}
    CROSS JOIN LATERAL (SELECT low * power(high / low, i * 1.000000000000000000000000000000 / steps) AS edge) AS e
    {%- else %}
    CROSS JOIN LATERAL (SELECT low + (high - low) * i / steps AS edge) AS e
    {%- endif %}
),
{%- endif %}
facts AS {{ materialized }} {{ facts }},
buckets AS (
    -- Beyond the ends of the array is NULL, as is the edge that the outer buckets have not.
    SELECT i AS bucket, edges[i] AS low, edges[i + 1] AS high
    FROM bucket_edges
    CROSS JOIN generate_series({% if has_below %}0{% else %}1{% endif %}, cardinality(edges){% if not has_above %} - 1{% endif %}) AS i
)
SELECT b.bucket, b.low, b.high
    {{- dimension.columns(dimensions, "d") }}
    {%- for each in metrics %},
    {{ metric.column(each, "f", nothing=each.metrics[0].empty) }}
    {%- endfor %}
FROM buckets AS b
{%- if dimensions | length %}
CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "facts") }} FROM facts) AS d
{%- endif %}
LEFT JOIN facts AS f ON f.by_bucket = b.bucket{{ dimension.same(dimensions, "f", "d") }}
