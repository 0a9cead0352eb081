-- doc: Sales per category, its own and with those of all categories below it. One row per category, also without sales.
-- column: category_id bigint pk fk=shop.Category
-- column: path text[]
-- column: depth integer
-- column: own_revenue numeric unit=EUR label="sold in it"
-- column: units bigint label="units with all below"
-- column: revenue numeric unit=EUR label="revenue with all below"
-- ordering: path, category_id
-- example: {}
-- example: {"since": "2026-01-01", "until": "2026-04-01", "levels": 2}
-- example: {"under": 1}

-- The lines are read once and summed per category before the recursion meets them: it walks the tree, never the lines.
WITH RECURSIVE sales AS (
    SELECT p.category_id, sum(l.quantity) AS units, sum(l.quantity * l.price) AS revenue
    FROM {{ table("shop.OrderLine") }} AS l
    JOIN {{ orders }} AS o ON o.id = l.order_id
    JOIN {{ table("shop.Product") }} AS p ON p.id = l.product_id
    WHERE true
      {% if since is given %} AND o.placed_at >= {{ since }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
      {% if until is given %} AND o.placed_at < {{ until }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
    GROUP BY p.category_id
),
tree AS (
    SELECT id, ARRAY[id] AS ids, ARRAY[name] AS path
    FROM {{ table("shop.Category") }}
    {% if under is given %} WHERE id = {{ under }} {% else %} WHERE parent_id IS NULL {% endif %}
    UNION ALL
    -- A category that was put below itself would be walked round for ever.
    SELECT c.id, t.ids || c.id, t.path || c.name
    FROM tree AS t
    JOIN {{ table("shop.Category") }} AS c ON c.parent_id = t.id AND c.id <> ALL (t.ids)
),
totals AS (
    SELECT above.id, sum(s.units)::bigint AS units, sum(s.revenue) AS revenue
    FROM tree AS t
    CROSS JOIN unnest(t.ids) AS above (id)
    LEFT JOIN sales AS s ON s.category_id = t.id
    GROUP BY above.id
)
SELECT t.id AS category_id, t.path, cardinality(t.path) AS depth,
       coalesce(s.revenue, 0) AS own_revenue, coalesce(a.units, 0) AS units, coalesce(a.revenue, 0) AS revenue
FROM tree AS t
JOIN totals AS a ON a.id = t.id
LEFT JOIN sales AS s ON s.category_id = t.id
{% if levels is given %} WHERE cardinality(t.path) <= {{ levels }} {% endif %}
