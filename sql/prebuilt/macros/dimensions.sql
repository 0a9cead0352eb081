{#- The dimensions that are asked for, as columns `by_…` of rows, with a comma before each. -#}
{%- macro by(dimensions, rows) -%}
{%- for each in dimensions %}, {{ [rows, "by_" ~ each.name] | identifier }}{% endfor -%}
{%- endmacro -%}

{#- The same, with a comma between them only. -#}
{%- macro list(dimensions, rows) -%}
{%- for each in dimensions %}{% if not loop.first %}, {% endif %}{{ [rows, "by_" ~ each.name] | identifier }}{% endfor -%}
{%- endmacro -%}

{#- Every dimension as a column of the report, with a comma before each; NULL for one that is not asked for. -#}
{%- macro columns(dimensions, rows) -%}
{%- for each in dimensions.every -%}
{%- if each.name in dimensions.names %}, {{ [rows, "by_" ~ each.name] | identifier }} AS {{ each.name | identifier }}
{%- else %}, NULL::{{ each.type | sqlsafe }} AS {{ each.name | identifier }}
{%- endif -%}
{%- endfor -%}
{%- endmacro -%}

{#- Two groups are of the same dimensions: each condition begins with AND. Arrays are compared where a value may be NULL:
    they are equal when both are, and can be hashed, unlike IS NOT DISTINCT FROM. -#}
{%- macro same(dimensions, one, other) -%}
{%- for each in dimensions -%}
{%- set name = "by_" ~ each.name -%}
{%- if each.null %} AND ARRAY[{{ [one, name] | identifier }}] = ARRAY[{{ [other, name] | identifier }}]
{%- else %} AND {{ [one, name] | identifier }} = {{ [other, name] | identifier }}
{%- endif -%}
{%- endfor -%}
{%- endmacro -%}
