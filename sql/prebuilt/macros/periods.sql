{%- import "prebuilt/macros/dimensions.sql" as dimension with context -%}

{#- One row per period of the range, as `period`: generated from local dates, never from instants, which a server steps in
    its session's zone. An empty range has none, though it may lie within one. Left out are the days that never were: on
    2011-12-30 the clocks of Samoa went on by 24 hours. Hours are found on instants a quarter of an hour apart: some
    zones' hours begin at a half or a quarter, and a change of clocks may move that. -#}
{%- macro spine(dates) -%}
{%- if dates.calendar.is_hour -%}
SELECT DISTINCT date_trunc('hour', least(i, {{ dates.range.end }}::timestamptz - interval '1 microsecond'), {{ dates.zone_words }}) AS period
    FROM generate_series({{ dates.range.start }}::timestamptz, {{ dates.range.end }}::timestamptz + interval '15 minutes', interval '15 minutes') AS i
    WHERE {{ dates.range.start < dates.range.end }}
{%- else -%}
SELECT i::date AS period
    FROM generate_series({{ dates.calendar.floor(dates.range.first_day) }}::timestamp, {{ dates.range.end_day }}::timestamp - interval '1 day', {{ dates.calendar.step }}::interval) AS i
    WHERE {{ dates.range.start < dates.range.end }}
    {%- if dates.calendar.step == "1 day" and not dates.of_dates %} AND i AT TIME ZONE {{ dates.zone_words }} < (i + interval '1 day') AT TIME ZONE {{ dates.zone_words }}{% endif %}
{%- endif -%}
{%- endmacro -%}

{#- Two CTEs: `spine`, and `grid` with each period for each combination of dimensions that `facts` has. -#}
{%- macro grid(dates, dimensions) -%}
spine AS (
    {{ spine(dates) }}
),
grid AS (
    SELECT s.period{{ dimension.by(dimensions, "d") }}
    FROM spine AS s
    {%- if dimensions | length %}
    CROSS JOIN (SELECT DISTINCT {{ dimension.list(dimensions, "facts") }} FROM facts) AS d
    {%- endif %}
)
{%- endmacro -%}

{#- A period as a column of the report: a date, or the instant at which it begins where the report may be by hours. Of a
    midnight that comes twice, the first: PostgreSQL takes the second, but that of the last moment before it is at the first. -#}
{%- macro column(period, dates, has_hours) -%}
{%- if has_hours and not dates.calendar.is_hour -%}
least({{ period }}::timestamp AT TIME ZONE {{ dates.zone_words }}, ({{ period }}::timestamp - interval '1 microsecond') AT TIME ZONE {{ dates.zone_words }} + interval '1 microsecond')
{%- else -%}
{{ period }}
{%- endif -%}
{%- endmacro -%}

{#- The first day, or the hour, of the period with which one is compared. Months and days are those of the calendar, so that
    29 February is compared with the 28th; the hour of another year is that of the same time of day. -#}
{%- macro earlier(period, dates, shift) -%}
{%- if not dates.calendar.is_hour -%}
({{ period }} - {{ shift.words }}::interval)::date
{%- elif shift.hours -%}
date_trunc('hour', {{ period }} - {{ shift.words }}::interval, {{ dates.zone_words }})
{%- else -%}
date_trunc('hour', ({{ period }} AT TIME ZONE {{ dates.zone_words }} - {{ shift.words }}::interval) AT TIME ZONE {{ dates.zone_words }}, {{ dates.zone_words }})
{%- endif -%}
{%- endmacro -%}
