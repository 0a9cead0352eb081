{#- One row per period of the range, as `period`: generated from local dates, never from instants, which a server steps in
    its session's zone. Hours are found on instants a quarter of an hour apart: some zones' hours begin at a half or a
    quarter, and a change of clocks may move that. -#}
{%- macro spine(dates) -%}
{%- if dates.calendar.is_hour -%}
SELECT DISTINCT date_trunc('hour', i, {{ dates.zone_words }}) AS period
    FROM generate_series({{ dates.range.start }}::timestamptz, {{ dates.range.end }}::timestamptz, interval '15 minutes') AS i
    WHERE i < {{ dates.range.end }}::timestamptz
{%- else -%}
SELECT i::date AS period
    FROM generate_series({{ dates.calendar.floor(dates.range.first_day) }}::timestamp, {{ dates.range.end_day }}::timestamp - interval '1 day', {{ dates.calendar.step }}::interval) AS i
{%- endif -%}
{%- endmacro -%}

{#- A period as a column of the report: a date, or the instant at which it begins where the report may be by hours. -#}
{%- macro column(period, dates, has_hours) -%}
{%- if has_hours and not dates.calendar.is_hour -%}
{{ period }}::timestamp AT TIME ZONE {{ dates.zone_words }}
{%- else -%}
{{ period }}
{%- endif -%}
{%- endmacro -%}
