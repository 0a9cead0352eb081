-- doc: Figures without a key; rows can be equal to one another.
-- column: store_id bigint fk=tests.Store
-- column: label text null
-- column: orders integer null
SELECT store_id, label, orders FROM {{ table("tests.Figure") }}
