-- doc: Sessions, by gaps and islands. One row per session of an actor, numbered from the first in the range. An event more than
--   the gap after the one before it begins a session; one exactly the gap after it does not. As in web analytics, without
--   their cut at midnight. A session of one event has no duration. Events of one instant are grouped first, the rest is done
--   in one pass over them in their order. The events are read once.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
WITH facts AS {{ materialized }} {{ facts }},
begun AS (
    SELECT f.*, f.by_at - lag(f.by_at) OVER (PARTITION BY f.by_actor ORDER BY f.by_at) <= {{ gap }} AS goes_on
    FROM facts AS f
),
numbered AS (
    SELECT b.*, count(*) FILTER (WHERE b.goes_on IS NOT TRUE) OVER (PARTITION BY b.by_actor ORDER BY b.by_at) AS number
    FROM begun AS b
)
SELECT n.by_actor AS {{ actor.name | identifier }}, n.number,
    min(n.by_at) AS started_at, max(n.by_at) AS ended_at, max(n.by_at) - min(n.by_at) AS duration
    {%- for each in metrics %},
    {{ metric.column(each, "n", over="") }}
    {%- endfor %}
FROM numbered AS n
GROUP BY n.by_actor, n.number
