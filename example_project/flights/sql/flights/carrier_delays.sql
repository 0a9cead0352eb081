-- doc: Flights, delays and late arrivals per carrier.
-- name: carrier_delays
-- param: month integer choices=1|2|3|4|5|6|7|8|9|10|11|12
-- param: late_after integer required default=15
-- column: carrier text pk fk=flights.Airline
-- column: airline text
-- column: flights bigint
-- column: cancelled bigint
-- column: mean_delay numeric null unit=minutes label="mean departure delay"
-- column: late_share numeric null unit=% label="late arrivals"
-- ordering: -flights, carrier
-- example: {}
-- example: {"month": 2, "late_after": 30}

-- One row per carrier. A cancelled flight counts as a flight, but has no delay and is not late.
WITH delays AS (
    SELECT carrier, count(*) AS flights, count(*) FILTER (WHERE dep_time IS NULL) AS cancelled,
           avg(dep_delay) AS mean_delay,
           100.0 * count(*) FILTER (WHERE arr_delay > {{ late_after }}) / nullif(count(arr_delay), 0) AS late_share
    FROM {{ table("flights.Flight") }} AS f
    {% if month is given %} WHERE month = {{ month }} {% endif %}
    GROUP BY carrier
)
SELECT a.carrier, a.name AS airline, d.flights, d.cancelled, d.mean_delay, d.late_share
FROM delays AS d
JOIN {{ table("flights.Airline") }} AS a ON a.carrier = d.carrier
