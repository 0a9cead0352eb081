-- doc: Recency, frequency and monetary value. One row per actor, with a score for each, 1 the worst, and the three as one code, the cell.
--   recency is in whole days in the zone, up to as_of, before which the rows lie. Without limits of its own a measure is cut into parts of one size by
--   ntile(), but equal values have equal scores, the lowest of theirs, where ntile() alone cuts through ties as they happen to
--   lie. With limits, a value from a limit on is beyond it. No value at all is the lowest. The rows are read once.
WITH facts AS {{ materialized }} {{ facts }},
measures AS (
    SELECT f.by_actor, f.by_last, f.by_frequency, f.by_monetary,
           {% if dates.of_dates -%}
           {{ as_of }}::date - f.by_last
           {%- else -%}
           {{ as_of }}::date - (f.by_last AT TIME ZONE {{ dates.zone_words }})::date
           {%- endif %} AS recency
    FROM facts AS f
),
tiles AS (
    SELECT m.*
        {%- if "recency" not in limits %}, ntile({{ scores }}) OVER (ORDER BY m.recency DESC) AS r{% endif %}
        {%- if "frequency" not in limits %}, ntile({{ scores }}) OVER (ORDER BY m.by_frequency NULLS FIRST) AS f{% endif %}
        {%- if "monetary" not in limits %}, ntile({{ scores }}) OVER (ORDER BY m.by_monetary NULLS FIRST) AS m{% endif %}
    FROM measures AS m
),
scored AS (
    SELECT t.by_actor, t.by_last, t.recency, t.by_frequency, t.by_monetary,
           {% if "recency" in limits %}{{ scores }} - width_bucket(t.recency::numeric, {{ limits.recency }}::numeric[])
           {%- else %}min(t.r) OVER (PARTITION BY t.recency){% endif %} AS r,
           {% if "frequency" in limits %}1 + coalesce(width_bucket(t.by_frequency::numeric, {{ limits.frequency }}::numeric[]), 0)
           {%- else %}min(t.f) OVER (PARTITION BY t.by_frequency){% endif %} AS f,
           {% if "monetary" in limits %}1 + coalesce(width_bucket(t.by_monetary::numeric, {{ limits.monetary }}::numeric[]), 0)
           {%- else %}min(t.m) OVER (PARTITION BY t.by_monetary){% endif %} AS m
    FROM tiles AS t
)
SELECT s.by_actor AS {{ actor.name | identifier }}, s.by_last AS latest, s.recency,
    s.by_frequency::{{ frequency.type | sqlsafe }} AS frequency, s.by_monetary::{{ monetary.type | sqlsafe }} AS monetary,
    s.r AS recency_score, s.f AS frequency_score, s.m AS monetary_score, concat(s.r, s.f, s.m) AS cell
FROM scored AS s
