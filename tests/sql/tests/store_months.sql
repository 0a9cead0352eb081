-- doc: One row per store and month.
-- column: store_id bigint pk fk=tests.Store
-- column: month date pk
-- column: revenue numeric
-- ordering: store_id, month
SELECT store_id, month, sum(revenue) AS revenue FROM {{ table("tests.Figure") }} GROUP BY store_id, month
