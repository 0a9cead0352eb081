-- doc: Figures by shop. One row per figure.
-- column: id bigint pk
-- column: shop bigint fk=tests.Store
-- column: revenue numeric
-- ordering: id
SELECT id, store_id AS shop, revenue FROM {{ table("tests.Figure") }}
