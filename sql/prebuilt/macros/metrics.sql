{#- The value of a metric in rows that hold its parts: of one group, or with `over` of a window, or merged (over = ""). -#}
{%- macro value(metric, rows, over=none) -%}
{%- if metric.merge == "mean" -%}
{{ part(metric.parts[0], rows, "sum", over) }}::{{ metric.type | sqlsafe }} / nullif({{ part(metric.parts[1], rows, "sum", over) }}, 0)
{%- else -%}
{{ part(metric.parts[0], rows, metric.merge, over) }}
{%- endif -%}
{%- endmacro -%}

{%- macro part(part, rows, merge, over) -%}
{%- if over is none -%}
{{ [rows, part.name] | identifier }}
{%- else -%}
{{ merge | sqlsafe }}({{ [rows, part.name] | identifier }}) {{ over | sqlsafe }}
{%- endif -%}
{%- endmacro -%}

{#- What a metric or a ratio comes to, of the declared type; NULL when it is not asked for. -#}
{%- macro expression(output, rows, over=none, nothing=none) -%}
{%- if not output.is_asked -%}
NULL::{{ output.type | sqlsafe }}
{%- elif output.is_ratio -%}
({{ value(output.metrics[0], rows, over) }})::{{ output.type | sqlsafe }} / nullif(({{ value(output.metrics[1], rows, over) }})::{{ output.type | sqlsafe }}, 0)
{%- elif nothing is not none -%}
coalesce(({{ value(output.metrics[0], rows, over) }})::{{ output.type | sqlsafe }}, ({{ nothing }})::{{ output.type | sqlsafe }})
{%- else -%}
({{ value(output.metrics[0], rows, over) }})::{{ output.type | sqlsafe }}
{%- endif -%}
{%- endmacro -%}

{#- The same as a column of the report. -#}
{%- macro column(output, rows, over=none, nothing=none) -%}
{{ expression(output, rows, over, nothing) }} AS {{ output.name | identifier }}
{%- endmacro -%}
