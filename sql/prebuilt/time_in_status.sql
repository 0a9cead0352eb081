-- doc: How long subjects were in each status. One row per status and dimensions.
--   An interval lasts from a change to the next one of the subject, the last until as_of; elapsed time, nights and
--   weekends too. Of one that the range cuts, the part in the range counts; its whole length is held against the SLA. The
--   changes before the range are read too: a filter of the log by the range, as a chart over its rows has, would lose
--   what had begun before. As in Jira's "time in status", but a change to the same status does not begin a new interval.
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- set at = ("timestamp" if dates.of_dates else "timestamptz") | sqlsafe %}
{%- set until = dates.range.end %}
{%- set since = dates.range.start %}
WITH changes AS {{ materialized }} {{ changes }},
moves AS (
    SELECT c.*, lag(c.by_key) OVER by_time IS NULL AS is_first, lag(c.by_status) OVER by_time AS before
    FROM changes AS c
    WINDOW by_time AS (PARTITION BY c.by_subject ORDER BY c.by_at, c.by_key)
),
intervals AS (
    SELECT m.by_status{{ dimension.by(dimensions, "m") }}, m.by_at::{{ at }} AS begins,
        lead(m.by_at::{{ at }}) OVER (PARTITION BY m.by_subject ORDER BY m.by_at, m.by_key) AS ends
    FROM moves AS m
    WHERE m.is_first OR m.before IS DISTINCT FROM m.by_status
),
known AS (
    SELECT i.*, coalesce(i.ends, {{ as_of }}::{{ at }}) AS until,
        {%- if slas %}
        CASE i.by_status{% for value, time in slas %} WHEN {{ value }} THEN {{ time }}::interval{% endfor %} END AS sla
        {%- else %}
        {{ sla }}::interval AS sla
        {%- endif %}
    FROM intervals AS i
),
timed AS (
    SELECT k.*,
        {% if until %}least(k.until, {{ until }}::{{ at }}){% else %}k.until{% endif %}
            - {% if since %}greatest(k.begins, {{ since }}::{{ at }}){% else %}k.begins{% endif %} AS time
    FROM known AS k
    {%- if since or until %}
    WHERE true
        {%- if since %} AND (k.until > {{ since }}::{{ at }} OR k.begins >= {{ since }}::{{ at }}){% endif %}
        {%- if until %} AND k.begins < {{ until }}::{{ at }}{% endif %}
    {%- endif %}
),
judged AS (
    SELECT t.by_status{{ dimension.by(dimensions, "t") }}, count(*) AS intervals, count(*) FILTER (WHERE t.ends IS NULL) AS ongoing,
        sum(t.time) AS total, avg(t.time) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY t.time) AS median, percentile_cont(0.9) WITHIN GROUP (ORDER BY t.time) AS p90,
        max(t.sla) AS sla,
        count(*) FILTER (WHERE t.ends - t.begins <= t.sla) AS within_sla, count(*) FILTER (WHERE t.until - t.begins > t.sla) AS over_sla
    FROM timed AS t
    GROUP BY t.by_status{{ dimension.by(dimensions, "t") }}
)
SELECT j.by_status AS {{ status.name | identifier }}{{ dimension.columns(dimensions, "j") }},
    j.intervals, j.ongoing, j.total, j.mean, j.median, j.p90,
    j.sla, j.within_sla, j.over_sla, j.within_sla::numeric / nullif(j.within_sla + j.over_sla, 0) AS sla_share
FROM judged AS j
