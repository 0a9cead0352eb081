-- doc: Products by revenue within their category, and their share of it. One row per product, also those without sales.
-- column: product_id bigint pk fk=shop.Product
-- column: name text
-- column: category_id bigint fk=shop.Category
-- column: category_name text label=category
-- column: rank bigint
-- column: units bigint
-- column: revenue numeric unit=EUR
-- column: share numeric null unit=%
-- column: share_so_far numeric null unit=%
-- ordering: category_id, rank, product_id
-- example: {}
-- example: {"top": 3, "since": "2026-01-01", "until": "2026-04-01"}

-- Equal revenues have one rank, and the next rank is left out. What is ranked is all products; "top" cuts afterwards.
WITH sales AS (
    SELECT l.product_id, sum(l.quantity) AS units, sum(l.quantity * l.price) AS revenue
    FROM {{ table("shop.OrderLine") }} AS l
    JOIN {{ orders }} AS o ON o.id = l.order_id
    WHERE true
      {% if since is given %} AND o.placed_at >= {{ since }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
      {% if until is given %} AND o.placed_at < {{ until }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
    GROUP BY l.product_id
),
sold AS (
    SELECT p.id AS product_id, p.name, p.category_id,
           coalesce(s.units, 0) AS units, coalesce(s.revenue, 0) AS revenue
    FROM {{ table("shop.Product") }} AS p
    LEFT JOIN sales AS s ON s.product_id = p.id
),
ranked AS (
    SELECT sold.*,
           rank() OVER (PARTITION BY category_id ORDER BY revenue DESC) AS rank,
           100 * revenue / nullif(sum(revenue) OVER of_category, 0) AS share,
           100 * sum(revenue) OVER (PARTITION BY category_id ORDER BY revenue DESC, product_id)
               / nullif(sum(revenue) OVER of_category, 0) AS share_so_far
    FROM sold
    WINDOW of_category AS (PARTITION BY category_id)
)
SELECT r.product_id, r.name, r.category_id, c.name AS category_name, r.rank, r.units, r.revenue,
       r.share, r.share_so_far
FROM ranked AS r
JOIN {{ table("shop.Category") }} AS c ON c.id = r.category_id
{% if top is given %} WHERE r.rank <= {{ top }} {% endif %}
