-- doc: Metrics of each node of a tree, and their totals over the node and all below it. One row per node.
--   A node whose parent is none, or is hidden, is a root, of depth 0. The recursion reads the tree only, from the roots
--   down; each relation is grouped by node once, and a node's counts for each node of its path. Nodes in a circle and below
--   one are under no root: their depth and path are NULL, their totals those of every node that can be reached from them
--   downwards, each once. django-tree-queries leaves such nodes out, and all below a node that its filter hides.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- set inlined %}NOT MATERIALIZED{% endset %}
WITH RECURSIVE nodes AS {{ materialized if materialized | length else inlined }} {{ nodes }},
{%- for branch in branches %}
{{ branch.name | identifier }} AS {{ branch.rows }},
{%- endfor %}
facts AS (
    SELECT n.by_node
        {%- for branch in branches -%}
        {%- for part in branch.parts -%}
        {%- set name = part.parts[0].name %},
        {% if part.empty is none %}{{ [branch.name, name] | identifier }}
        {%- else %}coalesce({{ [branch.name, name] | identifier }}, ({{ part.empty }})::{{ part.type | sqlsafe }}) AS {{ name | identifier }}{% endif %}
        {%- endfor -%}
        {%- endfor %}
    FROM nodes AS n
    {%- for branch in branches %}
    LEFT JOIN {{ branch.name | identifier }} ON {{ [branch.name, "by_node"] | identifier }} = n.by_node
    {%- endfor %}
),
tree AS (
    SELECT n.by_node, 0 AS depth, ARRAY[n.by_node]::{{ node.type | sqlsafe }}[] AS path
        {%- if has_labels %}, ARRAY[n.by_label]::text[] AS labels{% endif %}
    FROM nodes AS n
    WHERE NOT EXISTS (SELECT FROM nodes AS p WHERE p.by_node = n.by_parent)
    UNION ALL
    SELECT n.by_node, t.depth + 1, t.path || n.by_node
        {%- if has_labels %}, t.labels || n.by_label::text{% endif %}
    FROM tree AS t
    JOIN nodes AS n ON n.by_parent = t.by_node
),
lost AS (
    SELECT n.by_node, n.by_parent
    FROM nodes AS n
    WHERE NOT EXISTS (SELECT FROM tree AS t WHERE t.by_node = n.by_node)
),
above AS (
    -- UNION, so that the way up a circle ends when it would come round.
    SELECT l.by_node, l.by_node AS ancestor
    FROM lost AS l
    UNION
    SELECT a.by_node, l.by_parent
    FROM above AS a
    JOIN lost AS l ON l.by_node = a.ancestor
),
circles AS (
    SELECT l.by_node
    FROM lost AS l
    JOIN above AS a ON a.by_node = l.by_parent AND a.ancestor = l.by_node
),
pairs AS (
    SELECT t.by_node, p.ancestor
    FROM tree AS t
    CROSS JOIN unnest(t.path) AS p(ancestor)
    UNION ALL
    SELECT a.by_node, a.ancestor
    FROM above AS a
),
totals AS (
    SELECT p.ancestor
        {%- for each in totals %},
        {{ metric.column(each, "f", over="") }}
        {%- endfor %}
    FROM pairs AS p
    JOIN facts AS f ON f.by_node = p.by_node
    GROUP BY p.ancestor
)
SELECT n.by_node AS {{ node.name | identifier }}
    {{- dimension.columns(fields, "n") }}, t.depth, t.path
    {%- if has_labels %}, t.labels{% endif %}, c.by_node IS NOT NULL AS is_cycle
    {%- for each in metrics %},
    {{ metric.column(each, "f") }}, s.{{ (each.name ~ "_total") | identifier }}
    {%- endfor %}
FROM nodes AS n
LEFT JOIN tree AS t ON t.by_node = n.by_node
LEFT JOIN circles AS c ON c.by_node = n.by_node
LEFT JOIN facts AS f ON f.by_node = n.by_node
LEFT JOIN totals AS s ON s.ancestor = n.by_node
