-- doc: Who acted on each day, and in the 7 and 30 days that end with it: how many. One row per day of the range.
--   Each actor counts once in each of the three. The events are read once, to one row per actor and day. From such a day
--   on an actor is in a span of n days until n days later, unless they act again meanwhile: only where such stays begin
--   and end is counted, and summed up over the days. Days are those of the zone. Where Cube's rolling windows count anew
--   for every day, the work here grows with the days on which actors act, not with the length of the spans.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH days AS {{ materialized }} {{ days }},
neighbours AS (
    SELECT d.by_period{{ dimension.by(dimensions, "d") }},
        d.by_period - lag(d.by_period) OVER by_day AS since, lead(d.by_period) OVER by_day - d.by_period AS until
    FROM days AS d
    WINDOW by_day AS (PARTITION BY d.by_actor{{ dimension.by(dimensions, "d") }} ORDER BY d.by_period)
),
facts AS (
    SELECT n.by_period{{ dimension.by(dimensions, "n") }}, count(*) AS daily
        {%- for span, length in spans %},
        count(*) FILTER (WHERE n.since > {{ length }} OR n.since IS NULL) AS {{ (span ~ "_begins") | identifier }},
        count(*) FILTER (WHERE n.until > {{ length }} OR n.until IS NULL) AS {{ (span ~ "_ends") | identifier }}
        {%- endfor %}
    FROM neighbours AS n
    GROUP BY n.by_period{{ dimension.by(dimensions, "n") }}
),
{{ calendar.grid(known, dimensions) }},
counted AS (
    SELECT g.period{{ dimension.by(dimensions, "g") }}, coalesce(f.daily, 0) AS daily
        {%- for span, length in spans %},
        (coalesce(sum(f.{{ (span ~ "_begins") | identifier }}) OVER (by_day RANGE UNBOUNDED PRECEDING), 0)
            - coalesce(sum(f.{{ (span ~ "_ends") | identifier }}) OVER (
                by_day RANGE BETWEEN UNBOUNDED PRECEDING AND {{ length }} * interval '1 day' PRECEDING
            ), 0))::bigint AS {{ span | identifier }}
        {%- endfor %}
    FROM grid AS g
    LEFT JOIN facts AS f ON f.by_period = g.period{{ dimension.same(dimensions, "f", "g") }}
    WINDOW by_day AS ({% if dimensions | length %}PARTITION BY {{ dimension.list(dimensions, "g") }} {% endif %}ORDER BY g.period)
)
SELECT c.period AS day{{ dimension.columns(dimensions, "c") }}, c.daily, c.weekly, c.monthly, c.daily::numeric / nullif(c.monthly, 0) AS stickiness
FROM counted AS c
WHERE c.period >= {{ dates.range.first_day }}::date AND {{ dates.range.start < dates.range.end }}
