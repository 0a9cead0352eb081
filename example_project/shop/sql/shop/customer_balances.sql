-- doc: What each customer ordered, paid and owes. One row per customer, also those without orders.
-- column: customer_id bigint pk fk=shop.Customer
-- column: name text
-- column: region text
-- column: orders bigint
-- column: last_order timestamptz null
-- column: ordered numeric unit=EUR
-- column: paid numeric unit=EUR
-- column: due numeric unit=EUR
-- ordering: -due, customer_id
-- example: {}
-- example: {"since": "2026-01-01", "until": "2026-04-01"}

-- Orders, lines and payments are each summed per customer before they meet. Joined first, every line of an order would
-- meet every payment of it, and both sums would count each meeting.
WITH placed AS (
    SELECT id, customer_id, placed_at
    FROM {{ orders }} AS o
    WHERE true
      {% if since is given %} AND placed_at >= {{ since }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
      {% if until is given %} AND placed_at < {{ until }}::timestamp AT TIME ZONE {{ zone }} {% endif %}
),
order_totals AS (
    SELECT customer_id, count(*) AS orders, max(placed_at) AS last_order FROM placed GROUP BY customer_id
),
line_totals AS (
    SELECT o.customer_id, sum(l.quantity * l.price) AS ordered
    FROM placed AS o
    JOIN {{ table("shop.OrderLine") }} AS l ON l.order_id = o.id
    GROUP BY o.customer_id
),
payment_totals AS (
    SELECT o.customer_id, sum(p.amount) AS paid
    FROM placed AS o
    JOIN {{ table("shop.Payment") }} AS p ON p.order_id = o.id
    GROUP BY o.customer_id
)
SELECT c.id AS customer_id, c.name, c.region, coalesce(o.orders, 0) AS orders, o.last_order,
       coalesce(l.ordered, 0) AS ordered, coalesce(p.paid, 0) AS paid,
       coalesce(l.ordered, 0) - coalesce(p.paid, 0) AS due
FROM {{ customers }} AS c
LEFT JOIN order_totals AS o ON o.customer_id = c.id
LEFT JOIN line_totals AS l ON l.customer_id = c.id
LEFT JOIN payment_totals AS p ON p.customer_id = c.id
