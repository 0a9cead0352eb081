{#- The columns of metrics that are compared: rows hold each as `now_…` and `before_…`. The change is relative to the size
    of what was before, so that it rises when a loss becomes smaller; there is none to 0. -#}
{%- macro columns(metrics, rows) -%}
{%- for each in metrics -%}
{%- set now = [rows, "now_" ~ each.name] | identifier -%}
{%- set before = [rows, "before_" ~ each.name] | identifier %},
    {{ now }} AS {{ each.name | identifier }}, {{ before }} AS {{ (each.name ~ "_before") | identifier }}
    {%- if each.is_number %}, {{ now }} - {{ before }} AS {{ (each.name ~ "_delta") | identifier }},
    ({{ now }} - {{ before }})::{{ each.type_of_ratio | sqlsafe }} / nullif(abs({{ before }}), 0) AS {{ (each.name ~ "_change") | identifier }}
    {%- endif -%}
{%- endfor -%}
{%- endmacro -%}
