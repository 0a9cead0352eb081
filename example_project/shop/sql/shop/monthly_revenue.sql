-- doc: Revenue by month: its running total, its moving average, its change. One row per month, also those without orders.
-- param: since date
-- param: until date
-- param: average_over integer required choices=3|6|12 default=3
-- column: month date pk
-- column: orders bigint
-- column: revenue numeric unit=EUR
-- column: running_total numeric unit=EUR
-- column: moving_average numeric null unit=EUR
-- column: change numeric null unit=% label="against the month before"
-- ordering: month
-- example: {}
-- example: {"since": "2025-07-01", "until": "2026-06-30", "average_over": 12}

-- Months are whole, those of both dates included, and begin at midnight in the reader's time zone. The series steps over
-- timestamps without a zone: a step over timestamptz is one in the session's zone, and misses the reader's midnight.
-- The average is NULL until there are as many months as it is over.
WITH placed AS (
    SELECT id, date_trunc('month', placed_at AT TIME ZONE {{ zone }})::date AS month
    FROM {{ orders }} AS o
    WHERE true
      {% if since is given %}
      AND placed_at >= date_trunc('month', {{ since }}::timestamp) AT TIME ZONE {{ zone }}
      {% endif %}
      {% if until is given %}
      AND placed_at < (date_trunc('month', {{ until }}::timestamp) + interval '1 month') AT TIME ZONE {{ zone }}
      {% endif %}
),
counted AS (
    SELECT month, count(*) AS orders FROM placed GROUP BY month
),
sold AS (
    SELECT p.month, sum(l.quantity * l.price) AS revenue
    FROM placed AS p
    JOIN {{ table("shop.OrderLine") }} AS l ON l.order_id = p.id
    GROUP BY p.month
),
period AS (
    SELECT coalesce({{ since }}::timestamp, min(month)) AS since, coalesce({{ until }}::timestamp, max(month)) AS until
    FROM counted
),
filled AS (
    SELECT step::date AS month, coalesce(c.orders, 0) AS orders, coalesce(s.revenue, 0) AS revenue
    FROM period AS p
    CROSS JOIN generate_series(date_trunc('month', p.since), p.until, interval '1 month') AS step
    LEFT JOIN counted AS c ON c.month = step::date
    LEFT JOIN sold AS s ON s.month = step::date
)
SELECT month, orders, revenue,
       sum(revenue) OVER by_month AS running_total,
       CASE WHEN row_number() OVER by_month >= {{ average_over }} THEN
            avg(revenue) OVER (by_month ROWS BETWEEN {{ average_over }} - 1 PRECEDING AND CURRENT ROW)
       END AS moving_average,
       100 * (revenue - lag(revenue) OVER by_month) / nullif(lag(revenue) OVER by_month, 0) AS change
FROM filled
WINDOW by_month AS (ORDER BY month)
