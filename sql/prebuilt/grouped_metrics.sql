-- doc: Metrics over several relations, side by side. One row per row of the source, or per combination of its dimensions.
--   Each relation is grouped once, by the source's key or dimensions, and then joined: a query that joins two relations
--   first multiplies their rows, as annotate() with two of them does. Each metric is what annotate() gives for it alone,
--   also where the relation has no row: 0 for a count, NULL for a sum. Ratios are computed after the join.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- if page is given %}
WITH this_page AS {{ page.planned }} (
    -- The keys of the rows that the outer query can pick: its own conditions, order and limit.
    SELECT r.{{ page.key | identifier }} AS key
    FROM (SELECT {% for each in shown %}{% if not loop.first %}, {% endif %}{{ dimension.column(each, shown, "s") }}{% endfor %} FROM {{ page.rows }} AS s) AS r
    {{ page.tail }}
)
{%- endif %}
{%- if variant == "cte" %}
{%- for branch in branches %}
{%- if loop.first and page is not given %}
WITH {% else %},
{% endif %}{{ branch.name | identifier }} AS {{ materialized }} {{ branch.rows }}
{%- endfor %}
{%- elif variant == "union" and branches is given %}
{%- if page is not given %}
WITH {% else %},
{% endif %}of_all AS {{ materialized }} (
    SELECT {{ dimension.list(keys, "u") }}
        {%- for branch in branches %}{% for each in branch.metrics %}, max({{ ["u", each.parts[0].name] | identifier }}) AS {{ each.parts[0].name | identifier }}{% endfor %}{% endfor %}
    FROM (
        {%- for branch in branches %}{% set this = branch %}
        {%- if not loop.first %}
        UNION ALL
        {%- endif %}
        SELECT {{ dimension.list(keys, "b") }}
            {%- for other in branches %}{% for each in other.metrics %}, {% if other == this %}{{ ["b", each.parts[0].name] | identifier }}{% else %}NULL::{{ each.type | sqlsafe }}{% endif %} AS {{ each.parts[0].name | identifier }}{% endfor %}{% endfor %}
        FROM {{ branch.rows }} AS b
        {%- endfor %}
    ) AS u
    GROUP BY {{ dimension.list(keys, "u") }}
)
{%- endif %}
SELECT {% for each in shown.every %}{% if not loop.first %}, {% endif %}{{ dimension.column(each, shown, "r") }}{% endfor %}
    {%- for each in metrics %},
    {{ metric.column(each, "r") }}
    {%- endfor %}
FROM (
    SELECT s.*
        {%- for branch in branches %}{% set found = "of_all" if variant == "union" else branch.name %}
        {%- for each in branch.metrics %}{% set value = [found, each.parts[0].name] %},
        {% if each.empty is none %}{{ value | identifier }}{% else %}coalesce({{ value | identifier }}, ({{ each.empty }})::{{ each.type | sqlsafe }}) AS {{ each.parts[0].name | identifier }}{% endif %}
        {%- endfor %}{% endfor %}
    FROM {{ rows }} AS s
    {%- if variant == "lateral" %}
    {%- if page is given %}
    LEFT JOIN this_page AS p ON p.key = {{ ["s", "by_" ~ page.key] | identifier }}
    {%- endif %}
    {%- for branch in branches %}
    LEFT JOIN LATERAL {{ branch.rows }} AS {{ branch.name | identifier }} ON true
    {%- endfor %}
    {%- elif variant == "union" and branches is given %}
    LEFT JOIN of_all ON {{ dimension.equal(keys, "of_all", "s") }}
    {%- else %}
    {%- for branch in branches %}
    LEFT JOIN {{ branch.name | identifier }} ON {{ dimension.equal(keys, branch.name, "s") }}
    {%- endfor %}
    {%- endif %}
) AS r
