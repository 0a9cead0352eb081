-- doc: The busiest routes and how late their flights arrive.
-- name: route_delays
-- param: origin text choices=EWR|JFK|LGA
-- param: month integer choices=1|2|3|4|5|6|7|8|9|10|11|12
-- param: at_least integer required default=100
-- column: route text pk
-- column: destination text null
-- column: flights bigint
-- column: cancelled bigint
-- column: median_delay double precision null unit=minutes
-- column: late_tenth double precision null unit=minutes label="one in ten is later than"
-- ordering: -flights, route
-- example: {}
-- example: {"origin": "JFK", "month": 7, "at_least": 30}

-- One row per route with at least so many flights. Delays are those at arrival, early ones negative. A cancelled flight
-- counts as a flight and has no delay.
WITH delays AS (
    SELECT origin, dest, count(*) AS flights, count(*) FILTER (WHERE dep_time IS NULL) AS cancelled,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY arr_delay) AS median_delay,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY arr_delay) AS late_tenth
    FROM {{ table("flights.Flight") }} AS f
    WHERE true
      {% if origin is given %} AND origin = {{ origin }} {% endif %}
      {% if month is given %} AND month = {{ month }} {% endif %}
    GROUP BY origin, dest
    HAVING count(*) >= {{ at_least }}
)
SELECT d.origin || '-' || d.dest AS route, a.name AS destination, d.flights, d.cancelled, d.median_delay, d.late_tenth
FROM delays AS d
LEFT JOIN {{ table("flights.Airport") }} AS a ON a.faa = d.dest
