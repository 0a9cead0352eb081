-- doc: Who comes, comes back and stays away. One row per period of the range, also where nobody came. active: who has an event
--   in the period; new: the first of all their events is in it; returning: active, and not new; reactivated: returning, with
--   no event in the lapse periods before; churned: who has no event in this period and the lapse - 1 before it, and was active
--   in the one before those. So active = new + returning, and with a lapse of one period
--   active = active before - churned + new + reactivated. The last period may be under way: who has not come yet counts as
--   churned. A range that begins within a period has a part of that period. The events are read once.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- import "prebuilt/macros/periods.sql" as calendar with context %}
WITH facts AS {{ materialized }} {{ facts }},
spine AS (
    -- The periods of the range are numbered from 1. Before them come as many as an actor may stay away.
    SELECT s.period, row_number() OVER (ORDER BY s.period) - count(*) FILTER (WHERE s.period < {{ first }}) OVER () AS number
    FROM (
        {{ calendar.spine(dates) }}
    ) AS s
),
known AS (
    SELECT f.by_actor, f.by_period, f.by_last{{ dimension.by(dimensions, "f") }},
           min(f.by_first) OVER (PARTITION BY f.by_actor{{ dimension.by(dimensions, "f") }}) AS by_first
    FROM facts AS f
),
activity AS (
    SELECT s.number{{ dimension.by(dimensions, "k") }}, lag(k.by_period) OVER own IS NULL AND k.by_first >= {{ since }} AS is_new,
           s.number - lag(s.number) OVER own <= {{ lapse }} AS has_stayed,
           lead(s.number) OVER own - s.number <= {{ lapse }} AS will_stay
    FROM known AS k
    LEFT JOIN spine AS s ON s.period = k.by_period
    WHERE k.by_period < {{ first }} OR k.by_last >= {{ since }}
    WINDOW own AS (PARTITION BY k.by_actor{{ dimension.by(dimensions, "k") }} ORDER BY k.by_period)
),
counts AS (
    SELECT a.number{{ dimension.by(dimensions, "a") }}, count(*) AS active,
           count(*) FILTER (WHERE a.is_new) AS new,
           count(*) FILTER (WHERE NOT a.is_new AND a.has_stayed IS NOT TRUE) AS reactivated,
           count(*) FILTER (WHERE a.will_stay IS NOT TRUE) AS leaving
    FROM activity AS a
    WHERE a.number > - {{ lapse }}
    GROUP BY a.number{{ dimension.by(dimensions, "a") }}
)
SELECT s.period{{ dimension.columns(dimensions, "d") }},
    coalesce(c.active, 0) AS active, coalesce(c.new, 0) AS new, coalesce(c.active - c.new, 0) AS returning,
    coalesce(c.reactivated, 0) AS reactivated, coalesce(b.leaving, 0) AS churned
FROM spine AS s
{%- if dimensions | length %}
CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "counts") }} FROM counts) AS d
{%- endif %}
LEFT JOIN counts AS c ON c.number = s.number{{ dimension.same(dimensions, "c", "d") }}
LEFT JOIN counts AS b ON b.number = s.number - {{ lapse }}{{ dimension.same(dimensions, "b", "d") }}
WHERE s.number > 0
