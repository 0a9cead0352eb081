{#- The dimensions that are asked for, as columns `by_…` of rows, with a comma before each. -#}
{%- macro by(dimensions, rows) -%}
{%- for each in dimensions %}, {{ [rows, "by_" ~ each.name] | identifier }}{% endfor -%}
{%- endmacro -%}

{#- The same, with a comma between them only. -#}
{%- macro list(dimensions, rows) -%}
{%- for each in dimensions %}{% if not loop.first %}, {% endif %}{{ [rows, "by_" ~ each.name] | identifier }}{% endfor -%}
{%- endmacro -%}

{#- A dimension as a column of the report; NULL when it is not asked for. -#}
{%- macro column(each, dimensions, rows) -%}
{%- if each.name in dimensions.names -%}
{{ [rows, "by_" ~ each.name] | identifier }}
{%- else -%}
NULL::{{ each.type | sqlsafe }}
{%- endif %} AS {{ each.name | identifier }}
{%- endmacro -%}

{#- Every dimension as a column of the report, with a comma before each. -#}
{%- macro columns(dimensions, rows) -%}
{%- for each in dimensions.every %}, {{ column(each, dimensions, rows) }}{% endfor -%}
{%- endmacro -%}

{#- Two groups are of the same dimensions. Arrays are compared where a value may be NULL: they are equal when both are, and
    can be hashed, unlike IS NOT DISTINCT FROM. But an array of the array NULL is that of an empty one. -#}
{%- macro equal(dimensions, one, other) -%}
{%- for each in dimensions -%}
{%- set name = "by_" ~ each.name -%}
{%- if not loop.first %} AND {% endif -%}
{%- if each.null and each.is_array %}{{ [one, name] | identifier }} IS NOT DISTINCT FROM {{ [other, name] | identifier }}
{%- elif each.null %}ARRAY[{{ [one, name] | identifier }}] = ARRAY[{{ [other, name] | identifier }}]
{%- else %}{{ [one, name] | identifier }} = {{ [other, name] | identifier }}
{%- endif -%}
{%- endfor -%}
{%- endmacro -%}

{#- The same after another condition: it begins with AND. -#}
{%- macro same(dimensions, one, other) -%}
{%- if dimensions | length %} AND {{ equal(dimensions, one, other) }}{% endif -%}
{%- endmacro -%}
